"""What splitting may cost, to the request and to the record."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from sendoff.engine.split_budget import SplitBudget
from sendoff_plugins.failure_strategies.split import SplitUp


def splits(budget: SplitBudget, planned: int) -> int:
    """How often it lets a request be split."""
    for times in count():
        if budget.spent(planned):
            return times
        budget.split()
    raise AssertionError


@pytest.mark.parametrize(
    ("options", "planned", "most"),
    [
        ({"max_requests": 100}, 10**6, 50),
        ({"max_requests": 101}, 10**6, 50),
        ({}, 0, 1_000),
        ({}, 999, 1_000),
        ({}, 1_000, 1_020),
        ({}, 250_000, 6_000),
    ],
)
def test_a_split_counts_as_two_requests_of_as_many_as_are_allowed(options: dict[str, Any], planned: int, most: int) -> None:
    assert splits(SplitBudget(SplitUp(ways=2, **options)), planned) == most


def test_what_it_has_cost_is_told() -> None:
    budget = SplitBudget(SplitUp(ways=2, max_requests=2_000))
    assert splits(budget, 0) == 1_000
    assert budget.spent(0) == "splitting has cost 2,000 requests, more than on_failure.max_requests allows"


def test_a_share_of_refused_records_is_looked_at_from_200_of_them_on_and_may_be_reached_but_not_passed() -> None:
    budget = SplitBudget(SplitUp(ways=2, max_failed_ratio=0.5))
    budget.rejected(199)
    assert budget.spent(0) is None
    budget.rejected(1)
    assert budget.spent(0) == (
        "200 of 200 records were rejected, more than on_failure.max_failed_ratio allows: it may not be the records"
    )
    budget.delivered(200)
    assert budget.spent(0) is None
    budget.rejected(1)
    assert (budget.spent(0) or "").startswith("201 of 401 records")
