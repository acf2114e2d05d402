"""The stress tests themselves: each finds the fault that is planted for it, or its figures would prove nothing.

Those that bring their own are beside their tests: power cuts in `test_powercut`, canaries in `test_security`.
"""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stress import cuts, failpoints, fuzz, kills, load, model, people, starts, storm, strangers, syscalls
from tests.stress.planted import (
    Fault,
    a_claim_that_is_not_released,
    a_header_that_is_believed,
    a_judge_that_takes_a_503_for_a_yes,
    a_key_for_each_attempt,
    a_ledger_that_forgets,
    a_lock_that_lets_everyone_in,
    an_inbox_that_forgets,
    an_outage_believed_from_an_interruption,
    planted,
)
from tests.stress.promise import Budget, Promise

#: With it Hypothesis finds either fault within five lives; it is the same search every time, and goes on for 400.
SEED = 1

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize(
    ("promise", "fault", "rounds", "found"),
    [
        (kills.PROMISE, a_key_for_each_attempt, 200, "duplicated=[1-9]"),
        (kills.PROMISE, a_ledger_that_forgets, 200, "a planned record is in no place|a record is in two places"),
        (failpoints.PROMISE, a_key_for_each_attempt, 22, r"duplicated [1-9]|c[0-9]+@[0-9]+: Counter"),
        (
            failpoints.PROMISE,
            a_ledger_that_forgets,
            22,
            "a planned record is in no place|a record is in two places|: exit|c[0-9]+@|is open there",
        ),
        (starts.PROMISE, a_lock_that_lets_everyone_in, 5, "both ran 5"),
        (load.PROMISE, a_key_for_each_attempt, 1, "duplicated [1-9]"),
        (strangers.PROMISE, an_inbox_that_forgets, 1, "lost [1-9]"),
        (people.PROMISE, a_claim_that_is_not_released, 25, "lost"),
        (people.PROMISE, an_outage_believed_from_an_interruption, 25, "dead ends [1-9]"),
        (load.PROMISE, a_judge_that_takes_a_503_for_a_yes, 1, "lost [1-9]"),
    ],
    ids=lambda value: value.name if isinstance(value, Promise) else getattr(value, "__name__", ""),
)
def test_a_planted_fault_breaks_its_promise(promise: Promise, fault: Fault, rounds: int, found: str) -> None:
    with planted(fault), pytest.raises(AssertionError, match=found):
        promise.hold(Budget(rounds))


@pytest.mark.parametrize(
    ("fault", "moods", "found"),
    [
        (a_key_for_each_attempt, ("taken, and the answer lost",), "duplicated [1-9]"),
        (a_judge_that_takes_a_503_for_a_yes, ("503",), "lost [1-9]"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_storm_finds_what_is_applied_twice_and_what_is_lost(fault: Fault, moods: tuple[str, ...], found: str) -> None:
    with planted(fault), mock.patch.object(storm, "FAULTS", moods), pytest.raises(AssertionError, match=found):
        storm.PROMISE.hold(Budget(600_000))


@pytest.mark.skipif(cuts.able() is not None, reason=str(cuts.able()))
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a connection that lost its disk
@pytest.mark.parametrize("fault", [a_ledger_that_forgets, a_judge_that_takes_a_503_for_a_yes])
def test_the_model_finds_what_is_forgotten_and_what_is_falsely_called_delivered(fault: Fault) -> None:
    chosen = settings(
        max_examples=400, stateful_step_count=30, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    with planted(fault), pytest.raises(AssertionError, match="in no place|delivered, and the API never"):
        run_state_machine_as_test(seed(SEED)(model.Delivery), settings=chosen)


@pytest.mark.skipif(syscalls.able() is not None, reason=str(syscalls.able()))
def test_a_ledger_that_takes_a_full_disk_for_a_yes_is_found(tmp_path: Path) -> None:
    gullible = (
        "import contextlib; from sendoff import LedgerError; from sendoff.ledger.sqlite.ledger import SqliteLedger\n"
        "commit = SqliteLedger.commit\n"
        "def gullible(*what):\n"
        "    with contextlib.suppress(LedgerError): commit(*what)\n"
        "SqliteLedger.commit = gullible\n"
    )
    with (  # noqa: PT012  # which of them raises is up to the fault
        mock.patch.object(syscalls, "MAIN", gullible + syscalls.MAIN),
        pytest.raises(AssertionError, match="the wrong ones failed|in no place"),
    ):
        for hit in syscalls.calls("d1-full-wal", tmp_path / "calls")[:3]:
            syscalls.struck("d1-full-wal", hit, tmp_path / str(hit))


@pytest.mark.skipif(fuzz.able() is not None, reason=str(fuzz.able()))
def test_an_error_that_nobody_declared_is_found_by_fuzzing() -> None:
    with planted(a_header_that_is_believed), pytest.raises(AssertionError, match="could not convert string to float"):
        fuzz.fuzz("retry_after", 60)
