"""C15, T1, T3, K14: a delivery's whole life, chosen by Hypothesis; after every step the account holds."""

from __future__ import annotations

import pytest

from tests.stress import cuts, model
from tests.stress.promise import Budget


@pytest.mark.slow
@pytest.mark.skipif(cuts.able() is not None, reason=str(cuts.able()))
@pytest.mark.timeout(900)
def test_c15_t1_t3_k14_over_answers_crashes_cuts_clock_jumps_and_changes_every_record_is_accounted_for() -> None:
    figures = model.PROMISE.hold(Budget(model.PROMISE.ci))
    assert figures["lives"] >= model.PROMISE.ci
    assert all(figures.values()), "something never happened"
