"""Splitting finds each bad record, and costs what it promises."""

from math import ceil, log2

from hypothesis import given
from hypothesis import strategies as st

from sendoff.engine.states import CircuitState
from tests.simulation import Simulation, refusing


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
