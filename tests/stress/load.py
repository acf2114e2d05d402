"""Many at once: 64 connectors in one process, thousands of connector files, and receivers that answer when and how they like."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from random import Random

from sendoff import Runner
from sendoff.sandbox import Received, Reply, Sandbox
from tests.oracle import NOTHING, account, judge
from tests.stress.promise import Budget, Figures, Promise
from tests.stress.zygote import Zygote

CONNECTORS, RECORDS = 64, 400
#: Connector files in a crowd, where there is time to check so many, and where there is not.
MANY, FEW, SECONDS_A_FILE = 10_000, 1_000, 0.02


class Moody(Sandbox):
    """Takes records, and answers at random speeds, so in random order; now and then not at all, or with its own troubles."""

    def __init__(self, seed: int) -> None:
        self._moods = Random(seed)
        super().__init__()

    def _respond(self, request: Received) -> Reply:
        mood, delay = self._moods.random(), self._moods.choice((0.0, 0.0, 0.001, 0.01, 0.05))
        if request.method == "GET" or mood < 0.9:
            reply = super()._respond(request)
            return Reply(reply.status, reply.body, reply.headers, delay=delay)
        if mood < 0.93:
            super()._respond(request)
            return Reply(cut=True)  # taken, and the answer lost
        if mood < 0.96:
            return Reply(cut=True, delay=delay)
        return Reply(self._moods.choice((429, 500, 503)), delay=delay)


def together(home: Path, seed: int) -> Counter[str]:
    """64 connectors at once, on one ledger, in one process: each a runner in a thread."""
    (home / "connectors.d").mkdir(parents=True)
    with Moody(seed) as api:
        for number in range(CONNECTORS):
            (home / f"in-{number}.csv").write_text("id\n" + "".join(f"{number * 100_000 + at}\n" for at in range(RECORDS)))
            sends = "single" if number % 4 == 0 else "{use: batch, max_records: 20}"
            (home / f"connectors.d/c{number}.yaml").write_text(
                f"source: {{use: csv, path: in-{number}.csv}}\nschema: {{id: integer}}\nsend: {sends}\n"
                f'destination: {{url: "{api.url}/{number}", concurrency: 2, timeout: 30, '
                "retry: {initial_backoff: 0.01, max_backoff: 0.1, max_attempts: 60}}\n"
            )
        reports: dict[int, str] = {}

        def run(number: int) -> None:
            try:
                report = Runner(home / "connectors.d").run(f"c{number}")
                reports[number] = report.stopped_because or report.state
            except Exception as error:
                reports[number] = f"{type(error).__name__}: {error}"

        threads = [threading.Thread(target=run, args=(number,)) for number in range(CONNECTORS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(reports.values()) == {"complete"}, Counter(reports.values())
        total = NOTHING
        for number in range(CONNECTORS):
            held = account(home / ".sendoff", _run_of(home, number))
            assert held is not None
            source = {at: {"id": number * 100_000 + at} for at in range(RECORDS)}
            total = total + judge(
                source, held.delivered, [(r["id"] - number * 100_000, r) for r in api.received.get(f"/{number}", [])]
            )
        assert api.counts["conflicts"] == 0
    return Counter({"connectors at once": CONNECTORS, "records": CONNECTORS * RECORDS, **asdict(total)})


def _run_of(home: Path, number: int) -> int:
    from sendoff.ledger import open_history  # the ledger's own list

    return int(open_history(home / ".sendoff").runs(f"c{number}")[0]["id"])


def crowded(home: Path, files: int, zygote: Zygote) -> float:
    """One connector among thousands of files: the seconds until it is delivered. All are checked as well."""
    (home / "connectors.d").mkdir(parents=True)
    (home / "in.csv").write_text("id\n1\n")
    with Sandbox() as api:
        text = f'source: {{use: csv, path: in.csv}}\nschema: {{id: integer}}\ndestination: {{url: "{api.url}/x"}}\n'
        for number in range(files):
            (home / f"connectors.d/c{number}.yaml").write_text(text)
        begun = time.monotonic()
        run = zygote.run("run", f"c{files - 1}", "--json", cwd=home)
        assert run.wait(120) == 0, run.output()
        seconds = time.monotonic() - begun
        assert api.records == [{"id": 1}]
        check = zygote.run("check", cwd=home)
        assert check.wait(500) == 0, check.output()[-500:]
    return seconds


def stress(budget: Budget) -> Figures:
    """Crowd after crowd."""
    scratch = Path(tempfile.mkdtemp(prefix="load-"))
    figures: Counter[str] = Counter()
    rounds, files = 0, MANY if budget.rounds > 1 and budget.seconds >= MANY * SECONDS_A_FILE else FEW
    try:
        with Zygote(scratch) as zygote:
            seconds = crowded(scratch / "crowd", files, zygote)
            shutil.rmtree(scratch / "crowd")
        while rounds == 0 or budget.left(rounds):
            figures.update(together(scratch / f"round-{rounds}", budget.seed + rounds))
            shutil.rmtree(scratch / f"round-{rounds}")
            rounds += 1
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return {**figures, "connector files": files, "seconds to run one among them": round(seconds, 2)}


PROMISE = Promise(
    name="load",
    says="Sixty-four connectors at once in one process, with receivers that answer in any order, lose and repeat nothing",
    rests_on="a lock for each connector, one writer of the ledger at a time",
    stress=stress,
    ci=1,
    full=200,
    proof="records",
    zero=("lost", "unexpected", "duplicated", "recovered", "corrupted"),
)
