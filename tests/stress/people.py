"""People: whoever runs sendoff interrupts, restarts, corrects and retries, in any order, and the account holds.

Each life is a connector, an API with habits of its own, and some steps in random order, each with a `Runner` of its own
as a command has. After each the account holds, records are rejected only for what is theirs, and those with equal ordering
keys were applied in order. Then the API is corrected, and only commands that sendoff names are used: every record must be
settled within a few of them, and none may have been applied twice by an API that knows ids or keys.
"""

from __future__ import annotations

import shutil
import tempfile
from itertools import pairwise
from pathlib import Path
from random import Random
from unittest import mock

from sendoff.ledger import open_history
from sendoff.ledger.claims import RecordKey
from sendoff.ledger.history import FailureRow
from tests.stress.people_api import BAD, BROKEN, CONFLICT
from tests.stress.people_deeds import KEYS, People, failures, quietly
from tests.stress.promise import Budget, Figures, Promise

#: Commands within which a life must end after its last free step.
MANY = 12


class Life(People):
    """Steps of people, with a look at the account after each; and its end."""

    def step(self) -> None:
        """One of these, whatever comes of it but a fault."""
        deed = self.random.choice(
            (self.run, self.run_interrupted, self.run_interrupted, self.run_with_a_deadline, self.run_into_an_outage,
             self.begin_outage, self.insist, self.two_at_once, self.retry, self.retry_some, self.retry_corrected,
             self.retry_interrupted, self.retry_at_once_interrupted, self.dismiss, self.reopen, self.discard_retry, self.rename,
             self.rename_the_file)
        )  # fmt: skip
        self.history.append(deed.__name__)
        self.api.forget_answers()
        quietly(deed)
        self.check()
        if self.ordered and deed != self.two_at_once:
            self.check_order()

    def check(self) -> None:
        """The account of every run holds, and no record is blamed for what is not its own."""
        for run in self._runs():
            settled = run["delivered"] + run["rejected"] + run["invalid"] + run["pending"]
            assert run["read"] == settled, f"read is not the sum: {run}"
            for failure in open_history(self.home / ".sendoff").failures(run["id"]):
                key = RecordKey(run["id"], failure["kind"], failure["position"])
                if key not in self.blamed:
                    self.blamed.add(key)
                    self.failed.add(int(failure["record"]["id"]))
                    assert self.is_to_blame(failure), f"blamed wrongly: {failure}, {self.api.answers}, {self.history}"

    def is_to_blame(self, failure: FailureRow) -> bool:
        """Whether a record was refused, or broke the API and was sent as often as it may; and by itself, where that shows."""
        at, value = int(failure["record"]["id"]), failure["record"]["value"]
        answers = self.api.answers[at]
        alone = self.send == "single" or self.on_failure == "split" or self.api.by_record
        by_itself = value == "bad" or at in self.api.poison or (self.api.knows == "ids" and self.api.applied[at] > 0)
        was_answered = answers[BAD] or answers[CONFLICT] or (answers[BROKEN] and self.api.sent[at] >= self.attempts)
        return bool(was_answered) and (by_itself or not alone)

    def check_order(self) -> None:
        """Records with equal ordering keys were applied in the source's order."""
        for key in range(KEYS):
            applied = [at for at in self.api.order if at % KEYS == key]
            assert all(a < b for a, b in pairwise(applied)), f"out of order: {applied}, {self.history}"

    def finish(self) -> int:
        """Settle every record, by commands that sendoff names: how many it took. Raises where they lead nowhere."""
        self.api.recover()
        self.api.forget_answers()
        commands = 0
        while commands < MANY:
            commands += 1
            report = self.runner().run(self.name)
            self.history.append(f"run: {report.state} {report.stopped_because}")
            self.check()
            if report.state in ("complete", "incomplete"):
                break
            if "--no-early-stop" in (report.stopped_because or ""):
                report = self.runner().run(self.name, early_stop=False)
                self.history.append(f"run --no-early-stop: {report.state} {report.stopped_because}")
                if report.state in ("complete", "incomplete"):
                    break
        else:
            raise AssertionError(f"dead end: {self.history}")
        self.api.poison.clear()
        for _ in range(MANY):
            state = self.home / ".sendoff"
            still_open = [run["id"] for run in self._runs() if open_history(state).open_failures(run["id"]).get(run["id"])]
            if not still_open:
                return commands
            rows = [{"_record": failure["name"], "value": "good"} for failure in failures(self.home, still_open[0])]
            report = self.runner().retry(still_open[0], rows)
            self.history.append(f"retry {still_open[0]}: {report.state} {report.stopped_because}")
            while report.state not in ("complete", "incomplete"):
                commands += 1
                assert commands < 3 * MANY, f"dead end: {self.history}"
                report = self.runner().run(self.name)
        raise AssertionError(f"dead end: {self.history}")

    def lost(self) -> set[int]:
        """The records that were not applied, and not dismissed either."""
        return set(range(1, self.records + 1)) - self.api.applied.keys() - self.dismissed

    def applied_twice(self) -> set[int]:
        """The records that an API that knows keys applied twice, and nobody asked for it."""
        if self.api.knows != "keys":
            return set()
        return {at for at, count in self.api.applied.items() if count > 1} - (self.failed if self.incremental else set())


def stress(budget: Budget) -> Figures:
    """Life after life."""
    scratch = Path(tempfile.mkdtemp(prefix="people-"))
    random = Random(budget.seed)
    short = mock.patch.multiple("sendoff.engine.circuit_breaker", FIRST_PROBE_DELAY=0.01, MAX_PROBE_DELAY=0.05)
    lives = steps = dead_ends = lost = twice = most = 0
    try:
        short.start()
        while budget.left(lives):
            life = Life(scratch / f"life-{lives}", random)
            try:
                for _ in range(random.randint(1, 8)):
                    life.step()
                    steps += 1
                most = max(most, life.finish())
            except AssertionError as error:
                if not str(error).startswith("dead end"):
                    raise
                dead_ends += 1
            else:
                lost += len(life.lost())
                twice += len(life.applied_twice())
                assert not lost, f"lost: {life.history}"
                assert not twice, f"applied twice: {life.history}"
            finally:
                life.api.recover()
                life.api.close()
                shutil.rmtree(life.home, ignore_errors=True)
            lives += 1
    finally:
        short.stop()
        shutil.rmtree(scratch, ignore_errors=True)
    return {"lives": lives, "steps": steps, "dead ends": dead_ends, "lost": lost, "applied twice": twice, "most commands": most}


PROMISE = Promise(
    name="people",
    says="Whatever people do, some command that sendoff names goes on to the end",
    rests_on="claims that hold only while their retry does; no outage believed for what one request or a person did",
    stress=stress,
    ci=25,
    full=10_000,
    proof="lives",
    zero=("dead ends", "lost", "applied twice"),
)
