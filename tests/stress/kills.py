"""C13, C17: the real tool, ended at random moments by every signal there is, and begun again."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

from sendoff.sandbox import Sandbox
from tests.oracle import NOTHING, Judgement, account, judge
from tests.stress.promise import Budget, Figures, Promise
from tests.stress.zygote import Child, Zygote

PER_WORLD = 50
#: What each world is like: how it sends, how its API behaves, and the most requests that may come twice after one kill.
WORLDS: tuple[tuple[str, str, tuple[str, ...], int], ...] = (
    ("batches, split", "send: {use: batch, max_records: 5}\non_failure: split", ("400 if email ~ ^bad",), 8),
    ("batches, split, cut lines", "send: {use: batch, max_records: 5}\non_failure: split", ("400 if email ~ ^bad", "cut if every 23"), 8),
    ("batches, all marked failed", "send: {use: batch, max_records: 5}", ("400 if email ~ ^bad",), 8),
    ("one by one", "send: single", ("400 if email ~ ^bad",), 4_096),
    ("one by one, http1, outages", "send: single", ("503 if every 41", "400 if email ~ ^bad"), 4_096),
    ("a result for each record", "send: {use: batch, max_records: 5}", ("each if email ~ ^bad",), 8),
)  # fmt: skip
RESULTS = "response: {records: {at: $.results, status: $.status, reason: $.error}}, "
ENDED_BY = (signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
#: What a run that was ended by each of them, or had stopped by itself, exits with.
EXITS = {0, 1, -9, -15, -2, -1, 143, 130, 129}


class World:
    """A project, an API that knows repeats by their keys, and a run that is killed again and again."""

    def __init__(self, home: Path, number: int, zygote: Zygote) -> None:
        self.home, self.zygote, self.chance = home, zygote, Random(number)
        self.name, self.sends, self.rules, self.window = WORLDS[number % len(WORLDS)]
        records = 12_000 if "batch" in self.sends else 3_000
        bad = set(self.chance.sample(range(records), 25))
        invalid = set(self.chance.sample(range(records), 5))
        self.bad = bad - invalid
        self.source = {
            at: {"id": at, "email": f"{'bad' if at in bad else 'good'}{at}@example.com"}
            for at in range(records)
            if at not in invalid
        }
        self.valid = list(self.source)
        self.transport = "http1" if "http1" in self.name else "urllib3"
        self.answers = RESULTS if "result" in self.name else ""
        rows = (f"{'x' if at in invalid else at},{'bad' if at in bad else 'good'}{at}@example.com\n" for at in range(records))
        (home / "connectors.d").mkdir()
        (home / "in.csv").write_text("id,email\n" + "".join(rows))
        self.kills = self.most_repeats = 0
        self.judgement = NOTHING

    @contextmanager
    def api(self) -> Iterator[Sandbox]:
        with Sandbox([*self.rules, "slow 0.004 if always"]) as api:
            (self.home / "connectors.d" / "c.yaml").write_text(
                f"source: {{use: csv, path: in.csv}}\nschema: {{id: integer, email: string}}\n{self.sends}\n"
                f'destination: {{url: "{api.url}/x", {self.answers}transport: {self.transport}, concurrency: 4, '
                "retry: {initial_backoff: 0.01, max_backoff: 0.05, max_attempts: 50}}\n"
            )
            yield api

    def stress(self, most: int, budget: Budget, done: int) -> None:
        """Kill a run until it is through, or often enough; then let it end, and judge."""
        with self.api() as api:
            code: int | None = None
            while self.kills < most and budget.left(done + self.kills):
                code = self._once(api)
                self.judgement = self.judgement + self._judged(api)
                if code in (0, 1):
                    break
            if code not in (0, 1):
                run = self.zygote.run("run", "c", "--json", cwd=self.home)
                assert run.wait(240) in (0, 1), run.output()
            self._judged(api, whole=True)

    def _once(self, api: Sandbox) -> int:
        replays = api.counts["replays"]
        run = self.zygote.run("run", "c", "--json", cwd=self.home)
        code = self._wait(run, api)
        if code is None:
            self.kills += 1
            how = self.chance.choice(ENDED_BY)
            run.signal(how)
            if how is not signal.SIGKILL and self.chance.random() < 0.3:
                run.wait(self.chance.uniform(0, 0.02))
                run.signal(self.chance.choice((signal.SIGKILL, signal.SIGINT)))
            code = run.wait(60)
            assert code is not None, f"{self.name}: not ended by {how.name}"
        assert code in EXITS, f"{self.name}: exit code {code}: {run.output()}"
        if "cut" not in self.rules[-1]:  # a line that was cut is a reason to send again of its own
            repeats = api.counts["replays"] - replays
            self.most_repeats = max(self.most_repeats, repeats)
            assert repeats <= self.window, f"{self.name}: {repeats} requests came twice after one kill"
        return code

    def _wait(self, run: Child, api: Sandbox) -> int | None:
        """Until the moment to kill it: by the clock, or by what it has sent, so that it is hit however slow the machine is."""
        if self.chance.random() < 0.5:
            return run.wait(self.chance.uniform(0.0, 0.25))
        until, code = api.counts["requests"] + self.chance.randint(1, 200), None
        while code is None and api.counts["requests"] < until:
            code = run.wait(0.001)
        return code

    def _judged(self, api: Sandbox, *, whole: bool = False) -> Judgement:
        held = account(self.home / ".sendoff")
        if held is None:
            return NOTHING
        taken = [(record["id"], record) for record in list(api.received.get("/x", []))]
        delivered = [self.valid[at] for at in held.delivered]
        found = judge(self.source, delivered, taken, [self.valid[at] for at in held.rejected])
        assert found.well, f"{self.name}: {found}"
        assert api.counts["conflicts"] == 0, f"{self.name}: a key came with other bytes"
        if whole:
            assert found == NOTHING, f"{self.name}: {found}"
            assert not held.open
            rejected = {self.valid[at] for at in held.rejected}
            assert rejected == self.bad if "marked" not in self.name else rejected >= self.bad
            assert held.planned == len(self.valid)
        return found


def stress(budget: Budget) -> Figures:
    """World after world, until the budget is spent."""
    kills = worlds = records = 0
    repeats = {"batches": 0, "one by one": 0}
    total = NOTHING
    scratch = Path(tempfile.mkdtemp(prefix="kills-"))
    try:
        with Zygote(scratch) as zygote:
            while budget.left(kills):
                home = scratch / f"world-{worlds}"
                home.mkdir()
                world = World(home, budget.seed * 1_000 + worlds, zygote)
                world.stress(min(PER_WORLD, budget.rounds - kills), budget, kills)
                shutil.rmtree(home)
                kills, worlds, records = kills + world.kills, worlds + 1, records + len(world.valid)
                total = total + world.judgement
                sort = "batches" if world.window == 8 else "one by one"
                repeats[sort] = max(repeats[sort], world.most_repeats)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    figures: dict[str, Any] = {"kills": kills, "records": records, **asdict(total)}
    return figures | {f"most repeats after one, {sort}": most for sort, most in repeats.items()}


PROMISE = Promise(
    name="kills",
    says="A process that is killed loses no record, and has none applied twice",
    rests_on="plan before sending, verdict before forgetting; keys made of the records' span and bytes",
    stress=stress,
    ci=40,
    full=2_000,
    proof="kills",
    zero=("lost", "unexpected", "duplicated", "corrupted"),
    weight=4.5,
)
