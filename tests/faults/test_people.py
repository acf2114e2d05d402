"""Whatever people do, the account holds, and some command that sendoff names goes on to the end."""

from __future__ import annotations

import pytest

from tests.stress import people
from tests.stress.promise import Budget


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_people_interrupt_correct_and_retry_in_any_order_and_every_record_is_settled_once() -> None:
    figures = people.PROMISE.hold(Budget(people.PROMISE.ci))
    assert figures["lives"] == people.PROMISE.ci
