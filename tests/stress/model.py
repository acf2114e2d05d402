"""A model of a delivery's whole life: Hypothesis chooses what happens next, and after every step the account must hold.

The engine is the real one, the ledger is the real one on SQLite, the disk is one that forgets what was not
synced, the API is a function and time is a number. So a thousand lives with crashes, cuts of power, lost answers
and changed connectors take a minute, and one that goes wrong is shrunk to its shortest.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from sendoff import ConfigError, LedgerError, Response
from sendoff.ledger import Changes, RunState, open_ledger
from sendoff_plugins.failure_strategies.fail import FailAll
from sendoff_plugins.failure_strategies.split import SplitUp
from tests.simulation import REFUSED, Simulation
from tests.stress.cuts import SCRATCH, able, powered_by
from tests.stress.promise import Budget, Figures, Promise

STEPS = 50
ANSWERS = ("honest", "lost after it was taken", "lost before", "500", "503", "429", "413", "401")
PER_RECORD = {"records": {"at": "$.r", "status": "$.s"}}
COUNTS: Counter[str] = Counter()


class OnDisk:
    """What `simulation.Memory` is, with a real ledger on a disk that may lose its power."""

    def __init__(self, scratch: Path) -> None:
        self._scratch, self._number = scratch, 0
        self.path = scratch / "state-0"
        self.clock = 1_000_000.0
        self._open()

    def _open(self) -> None:
        from tests.stress.disk import Disk  # needs apsw

        self.disk = Disk(1 << 60, pessimistic=self._number % 2 == 1)
        with powered_by(self.disk, {}):
            self.ledger = open_ledger(self.path, clock=lambda: self.clock)

    def state(self, shape: bytes = b"s") -> RunState:
        """What a process that starts finds; it goes on with it, or begins."""
        left = self.ledger.unfinished("c")
        if left is None:
            self.run = self.ledger.begin("c", config_digest=shape, fingerprint=b"f")
        else:
            self.run = self.ledger.resume(left, config_digest=shape, fingerprint=b"f", what="the source")
        return self.run

    def commit(self, changes: Changes) -> None:
        self.ledger.commit(self.run, changes)

    def lose_power(self, chance: Random) -> None:
        """Only what was synced is left, and of the rest each sector by chance."""
        self._number += 1
        after = self._scratch / f"state-{self._number}"
        self.disk.after(chance, self.path, after)
        self.close()
        self.path = after
        self._open()

    def close(self) -> None:
        """Let go of what is open, whatever state its disk is in; what that writes is looked at by nobody."""
        self.disk.left = 1 << 60
        with contextlib.suppress(Exception):
            self.ledger.close()

    def reopen(self) -> None:
        """The process died, and the disk knows all that it wrote."""
        self.ledger.close()
        self._open()

    @property
    def delivered(self) -> Any:
        return (self.ledger.unfinished("c") or self.run).delivered

    def found(self) -> RunState | None:
        """The run as it is on disk."""
        return self.ledger.unfinished("c")


class Delivery(RuleBasedStateMachine):
    """One delivery, from its first read to its last verdict, in a hostile world."""

    @initialize(
        n=st.integers(1, 160),
        batch=st.sampled_from([1, 2, 7, 40]),
        concurrency=st.integers(1, 4),
        split=st.booleans(),
        bad=st.sets(st.integers(0, 159), max_size=5),
        seed=st.integers(0, 2**32),
        per_record=st.booleans(),
    )
    def begin(self, n: int, batch: int, concurrency: int, split: bool, bad: set[int], seed: int, per_record: bool) -> None:
        COUNTS["lives"] += 1
        self.bad, self.per_record = bad, per_record and batch > 1
        self.taken: set[tuple[int, ...]] = set()
        self.applied: Counter[int] = Counter()
        self.confirmed: set[int] = set()
        self.kind = "honest"
        self.scratch = Path(tempfile.mkdtemp(prefix="model-", dir=SCRATCH))
        self.disk = OnDisk(self.scratch)
        self.run = Simulation(
            n, self.api, batch=batch, concurrency=concurrency, split=split and batch > 1, seed=seed, memory=self.disk, early_stop=False,
            retry={"max_attempts": 1_000, "max_elapsed": 1e9}, response=PER_RECORD if self.per_record else {},
        )  # fmt: skip

    def api(self, records: Sequence[int]) -> Response:
        """It takes what it can, once, and answers as Hypothesis wants it to."""
        kind, COUNTS[self.kind] = self.kind, COUNTS[self.kind] + 1
        seen = tuple(records) in self.taken  # a repeat is told by its key, and that is made of its span
        if kind == "413" and len(records) > 1 and not seen:
            return Response(413)
        if kind in ("500", "503", "401") or kind == "lost before":
            return Response(error="reset", may_have_been_sent=False) if kind == "lost before" else Response(int(kind))
        if kind == "429":
            return Response(429, {"retry-after": "2"})
        if not self.per_record and self.bad.intersection(records):
            return REFUSED if kind != "lost after it was taken" else Response(error="reset")
        good = [at for at in records if at not in self.bad]
        if not seen:
            self.taken.add(tuple(records))
            self.applied.update(good)
        if kind == "lost after it was taken":
            return Response(error="reset")
        self.confirmed.update(good)
        if not self.per_record:
            return Response(200)
        verdicts = ",".join(f'{{"s":{400 if at in self.bad else 201}}}' for at in records)
        return Response(200, {"content-type": "application/json"}, f'{{"r":[{verdicts}]}}'.encode())

    @rule(kind=st.sampled_from(ANSWERS), steps=st.integers(1, 25))
    def go_on(self, kind: str, steps: int) -> None:
        """Read, plan, commit, send and answer, in any order; every answer is of this kind."""
        self.kind = kind
        for _ in range(steps):
            if self.run.over():
                return
            COUNTS["steps"] += 1
            self.run.random.choice(list(self.run.steps()))()

    @rule()
    def crash(self) -> None:
        """The process is killed; what it wrote is there."""
        COUNTS["crashes"] += 1
        self.disk.reopen()
        self.run.start()

    @rule(seed=st.integers(0, 2**32))
    def power_is_cut(self, seed: int) -> None:
        """What was not synced is lost or torn."""
        COUNTS["cuts"] += 1
        self.disk.lose_power(Random(seed))
        self.run.start()

    @rule(seed=st.integers(0, 2**32), after=st.integers(0, 12))
    def power_is_cut_inside_a_commit(self, seed: int, after: int) -> None:
        """The n-th write from now on is the last."""
        self.kind = "honest"
        self.disk.disk.left = after
        try:
            self.go_on("honest", 40)
        except LedgerError:
            pass
        except Exception as error:
            if type(error).__name__ != "PowerCut":
                raise
        self.power_is_cut(seed)

    @precondition(lambda self: self.run.engine.stopped)
    @rule()
    def is_run_again(self) -> None:
        """A run that stopped is gone on with."""
        COUNTS["restarts"] += 1
        self.crash()

    @rule(seconds=st.sampled_from([0.5, 90.0, 86_400.0, 8 * 3_600.0]), wall=st.sampled_from([0.0, -86_400.0, 3.2e8]))
    def clock_jumps(self, seconds: float, wall: float) -> None:
        """The machine slept, and somebody set its clock."""
        COUNTS["clock jumps"] += 1
        self.run.now += seconds
        self.disk.clock += wall

    @rule(concurrency=st.integers(1, 6), split=st.booleans(), ways=st.sampled_from([2, 4]))
    def the_connector_changes(self, concurrency: int, split: bool, ways: int) -> None:
        """Its pace and its strategy may change under a run that was cut short."""
        COUNTS["changes"] += 1
        self.run.concurrency = concurrency
        self.run.strategy = SplitUp(ways=ways) if split else FailAll()
        self.crash()

    @rule()
    def the_records_change(self) -> None:
        """What is sent may not: the run is refused, and goes on once that is undone."""
        if self.disk.found() is None:
            return
        COUNTS["changes"] += 1
        with pytest.raises(ConfigError):
            self.disk.state(b"another shape")
        self.crash()

    @invariant()
    def every_record_is_in_exactly_one_place(self) -> None:
        found = self.disk.found()
        if found is None:
            return
        delivered, failed = set(_all(found.delivered)), set(_all(found.failed))
        held = Counter(
            at
            for piece in found.chunks
            for at in _all(piece.spans)
            if piece.records_per_request != 1 or at not in delivered | failed
        )
        places = held + Counter(delivered) + Counter(failed)
        assert set(places.values()) <= {1}, "a record is in two places"
        assert places.keys() == set(range(found.planned)), "a planned record is in no place"
        assert delivered <= self.confirmed, "delivered, and the API never said so"
        flying = {at for body in self._flying() for at in body}
        assert flying <= set(range(found.planned)), "sent before it was planned"

    @invariant()
    def nothing_is_applied_twice(self) -> None:
        assert all(times == 1 for times in self.applied.values()), "applied twice"

    def _flying(self) -> list[list[int]]:
        return [list(_all([flight.span])) for flight in self.run.in_flight if not isinstance(flight, tuple)]

    def teardown(self) -> None:
        """The world becomes a friendly place, and the run comes to its end."""
        if not hasattr(self, "run"):
            return
        try:
            if sys.exc_info()[0] is None:
                self.kind = "honest"
                self.disk.reopen()
                self.run.start()
                self.run.run()
                self._ended()
        finally:
            self.disk.close()
            shutil.rmtree(self.scratch, ignore_errors=True)

    def _ended(self) -> None:
        assert not self.run.engine.stopped, self.run.engine.stopped
        found = self.disk.found()
        assert found is not None, "no run is there at the end"
        delivered, failed = set(_all(found.delivered)), set(_all(found.failed))
        assert delivered | failed == set(range(self.run.n)), "a record is in no place at the end"
        assert delivered <= self.applied.keys(), "delivered, and the API never took it"
        bad = {at for at in self.bad if at < self.run.n}
        assert not bad & delivered, "delivered, and the API refuses it"
        COUNTS["records delivered"] += len(delivered)
        COUNTS["records failed"] += len(failed)


def _all(spans: Any) -> Any:
    return (at for lo, hi in map(tuple, spans) for at in range(lo, hi))


def stress(budget: Budget) -> Figures:
    """So many lives of fifty steps, in handfuls, until the budget is spent; the budget's seed repeats them."""
    COUNTS.clear()
    done = 0
    with mock.patch.object(sys, "unraisablehook", new=mock.Mock()):
        while budget.left(done):
            handful = min(100, budget.rounds - done)
            chosen = settings(
                max_examples=handful, stateful_step_count=STEPS, deadline=None, database=None,
                suppress_health_check=list(HealthCheck), print_blob=True,
            )  # fmt: skip
            run_state_machine_as_test(seed(budget.seed + done)(Delivery), settings=chosen)
            done += handful
    answers = sum(COUNTS[kind] for kind in ANSWERS)
    names = ("crashes", "cuts", "clock jumps", "changes", "records delivered", "records failed")
    return {"lives": COUNTS["lives"], "answers of eight kinds": answers, **{name: COUNTS[name] for name in names}}


PROMISE = Promise(
    name="model",
    says="At every moment each record is delivered, failed or still to be sent, and none is called delivered that is not",
    rests_on="the engine decides and touches nothing; the ledger changes in whole groups",
    stress=stress,
    ci=120,
    full=20_000,
    proof="lives",
    weight=2,
    needs=able,
)
