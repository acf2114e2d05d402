"""C15, T1, T3, K14: a delivery's whole life, chosen by Hypothesis; after every step the account holds."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from sendoff import Answer
from sendoff.answers import judge
from sendoff.ledger import Changes
from tests.torture import model
from tests.torture.promise import Budget

pytestmark = [
    pytest.mark.skipif(model.able() is not None, reason=str(model.able())),
    # A connection that lost its disk cannot be closed quietly.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_c15_t1_t3_k14_over_answers_crashes_cuts_clock_jumps_and_changes_every_record_is_accounted_for() -> None:
    figures = model.PROMISE.hold(Budget(model.PROMISE.ci))
    assert figures["lives"] >= model.PROMISE.ci
    assert all(figures.values()), "something never happened"


def forgetful(kept: Any, changes: Changes) -> None:
    """A ledger that now and then says a group was written which was not."""
    if kept.clock and kept.run.planned % 7 == 0 and changes.delivered:
        changes = Changes(planned=changes.planned)
    kept.ledger.commit(kept.run, changes)


def gullible(answer: Answer, *args: Any, **named: Any) -> Any:
    """A judge that takes a server's trouble for a yes."""
    return judge(Answer(200) if answer.status == 503 else answer, *args, **named)


@pytest.mark.parametrize(
    "fault",
    [
        lambda: mock.patch.object(model.OnDisk, "commit", forgetful),
        lambda: mock.patch("sendoff.delivery.engine.judge", gullible),
    ],
    ids=["a-ledger-that-forgets", "a-judge-that-takes-a-503-for-a-yes"],
)
def test_the_control_a_fault_of_the_house_s_own_is_found(fault: Any) -> None:
    chosen = settings(
        max_examples=100, stateful_step_count=30, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    with fault(), pytest.raises(AssertionError):
        run_state_machine_as_test(model.Delivery, settings=chosen)
