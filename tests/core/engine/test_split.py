"""Splitting finds each bad record, and costs what it promises."""

from collections.abc import Sequence
from math import ceil, log2
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendoff import Response
from sendoff.engine.states import CircuitState
from tests.simulation import OK, REFUSED, Simulation, refusing


def bound(n: int, k: int) -> int:
    """The most requests that finding k bad records among n may take."""
    return 1 + 2 * k * (ceil(log2(n / k)) + 1) if k else 1


def proven(n: int, bad: set[int], **settings: object) -> Simulation:
    """A run of one batch to an API that has taken something before, so that no probe is needed."""
    simulation = Simulation(n, refusing(bad), split=True, **settings)  # type: ignore[arg-type]
    simulation.engine.breaker.state = CircuitState.CLOSED
    return simulation.run()


@st.composite
def records_and_bad(draw: st.DrawFn, most: int = 2_000) -> tuple[int, set[int]]:
    n = draw(st.integers(1, most))
    return n, draw(st.sets(st.integers(0, n - 1), max_size=min(n, 40)))


@given(records_and_bad())
def test_every_bad_record_is_found_and_no_good_one(case: tuple[int, set[int]]) -> None:
    n, bad = case
    run = proven(n, bad)
    assert set(run.memory.failed) == bad
    assert run.memory.delivered.total == n - len(bad)


@given(records_and_bad())
def test_the_bound_on_requests_holds(case: tuple[int, set[int]]) -> None:
    n, bad = case
    assert len(proven(n, bad).sent) <= bound(n, len(bad))


@given(records_and_bad(), st.integers(2, 9), st.integers(1, 8))
def test_in_any_number_of_parts_and_requests_at_once(case: tuple[int, set[int]], ways: int, concurrency: int) -> None:
    n, bad = case
    run = proven(n, bad, ways=ways, concurrency=concurrency)
    assert set(run.memory.failed) == bad


def test_one_bad_record_in_250_000_costs_at_most_39_requests_probes_included() -> None:
    for seed, at in enumerate((0, 1, 77_777, 124_999, 125_000, 249_998, 249_999)):
        run = Simulation(250_000, refusing({at}), split=True, seed=seed)
        run.memory.check = lambda: None  # type: ignore[method-assign]  # quadratic on so many records
        run.run()
        assert set(run.memory.failed) == {at}
        assert len(run.sent) <= 39


def test_a_single_record_is_never_called_bad_untried() -> None:
    run = proven(2, {1})
    assert [tuple(span) for span in run.sent] == [(0, 2), (0, 1), (1, 2)]


def test_the_last_part_is_not_tried_whole_when_the_others_got_through() -> None:
    run = proven(8, {7})
    assert (4, 8) not in [tuple(span) for span in run.sent]


@pytest.mark.parametrize(("concurrency", "most"), [(1, 60), (4, 80)])
def test_a_rejected_request_whose_parts_all_get_through_was_too_large(concurrency: int, most: int) -> None:
    """An API that takes 25 records and says of more only that they are rejected: 40 requests would do, it was 241."""
    run = Simulation(
        1_000, lambda records: REFUSED if len(records) > 25 else OK, batch=30, split=True, concurrency=concurrency
    ).run()
    assert run.memory.delivered.total == 1_000
    assert len(run.sent) <= most
    assert run.engine.planner.max_records == 25


@given(st.integers(2, 20), st.integers(1, 20), st.integers(1, 4), st.sampled_from([1, 4, "auto"]), st.integers(0, 99))
def test_a_size_that_was_learned_fits_and_is_not_half_of_what_does(
    batch: int, limit: int, ways: int, concurrency: Any, seed: int
) -> None:
    run = Simulation(
        900, lambda records: REFUSED if len(records) > limit else OK, batch=batch, split=True, ways=ways + 1,
        concurrency=concurrency, seed=seed, early_stop=False,
    ).run()  # fmt: skip
    assert run.memory.delivered.total == 900
    assert not run.memory.failed
    assert min(batch, limit) / 2 < run.engine.planner.max_records <= min(batch, limit)


@given(st.sets(st.integers(0, 499), min_size=1, max_size=20), st.integers(2, 100))
def test_a_request_with_a_bad_record_in_it_says_nothing_about_sizes(bad: set[int], batch: int) -> None:
    run = Simulation(500, refusing(bad), batch=batch, split=True, early_stop=False).run()
    assert set(run.memory.failed) == bad
    assert run.engine.planner.max_records == batch


def test_a_size_learned_from_a_rejection_that_had_another_reason_grows_back() -> None:
    rejected: list[int] = []

    def api(records: Sequence[int]) -> Response:
        if len(records) == 100 and len(rejected) < 1 and 500 in records:
            rejected.append(len(records))
            return REFUSED
        return OK

    run = Simulation(10_000, api, batch=100, split=True).run()
    assert run.memory.delivered.total == 10_000
    assert run.engine.planner.max_records == 99
    assert len(run.sent) < 125
