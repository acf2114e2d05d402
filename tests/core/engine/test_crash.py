"""However often and whenever a run is killed, every record is accounted for, and repeats are bounded."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendoff import Request, Response
from sendoff.records import Route
from tests.simulation import OK, REFUSED, Simulation

worlds = st.fixed_dictionaries(
    {
        "n": st.integers(1, 900),
        "batch": st.sampled_from([1, 2, 10, 97, 250_000]),
        "concurrency": st.integers(1, 6),
        "split": st.booleans(),
        "seed": st.integers(0, 2**32),
    }
)


@given(worlds, st.sets(st.integers(0, 899), max_size=6), st.lists(st.integers(0, 400), max_size=12))
@settings(max_examples=150)
def test_nothing_is_lost_or_applied_twice_over_any_crashes(world: dict[str, Any], bad: set[int], crashes: list[int]) -> None:
    world["split"] = world["split"] and world["batch"] > 1
    applied: Counter[int] = Counter()
    seen: set[tuple[int, ...]] = set()

    def api(records: Sequence[int]) -> Response:
        if bad.intersection(records):
            return REFUSED
        if tuple(records) not in seen:  # the key is made of the span: a repeat is told apart by it
            seen.add(tuple(records))
            applied.update(records)
        # Now and then the answer is lost although the records were applied.
        return Response(error="reset by peer") if run.random.random() < 0.05 else OK

    run = Simulation(**world, api=api, early_stop=False, retry={"max_attempts": 1_000, "max_elapsed": 1e9})
    for steps in crashes:
        before = Counter(run.sent)
        settled = {at for at in range(run.n) if at in run.memory.delivered or at in run.memory.failed}
        run.crash_after(steps)
        for span in Counter(run.sent) - before:
            assert not settled.intersection(range(*span)), "a settled record was sent again"
    run.run()
    assert not run.engine.stopped
    delivered = {at for at in range(run.n) if at in run.memory.delivered}
    assert delivered | set(run.memory.failed) == set(range(run.n))
    assert set(applied) >= delivered
    assert all(times == 1 for times in applied.values())
    if world["split"]:
        assert set(run.memory.failed) == {at for at in bad if at < run.n}


@given(st.integers(1, 6), st.integers(0, 2**32), st.integers(10, 300), st.sampled_from([1, 50]))
def test_at_most_a_window_of_requests_is_repeated(concurrency: int, seed: int, steps: int, addresses: int) -> None:
    routes = (lambda at: Route(f"http://x/{at % addresses}")) if addresses > 1 else None
    run = Simulation(600, lambda records: OK, batch=5, concurrency=concurrency, seed=seed, routes=routes)
    for _ in range(steps):
        if not run.over():
            run.random.choice(list(run.steps()))()
    first = {tuple(body) for body in run.bodies}
    before = len(run.bodies)
    window = run.engine.in_flight.window
    assert window <= 2 * concurrency
    run.start()
    run.run()
    again = [body for body in run.bodies[before:] if tuple(body) in first]
    assert len(again) <= window
    assert run.memory.delivered.total == 600


@given(st.integers(1, 6), st.integers(0, 2**32), st.integers(10, 600))
@settings(max_examples=40)
def test_of_single_records_at_most_a_window_is_repeated_however_far_it_has_grown(
    concurrency: int, seed: int, steps: int
) -> None:
    run = Simulation(3_000, lambda records: OK, batch=1, concurrency=concurrency, seed=seed)
    for _ in range(steps):
        if not run.over():
            run.random.choice(list(run.steps()))()
    sent = len(run.sent)
    window = run.engine.in_flight.window
    assert window <= 4_096
    run.start()
    run.run()
    assert len(set(run.sent[sent:]) & set(run.sent[:sent])) <= window
    assert run.memory.delivered.total == 3_000


@given(st.integers(2, 6), st.integers(0, 2**32), st.integers(10, 200))
def test_what_may_have_been_taken_is_repeated_whole_though_another_request_was_found_too_large(
    concurrency: int, seed: int, steps: int
) -> None:
    applied: Counter[int] = Counter()
    keys: set[tuple[int, ...]] = set()
    limit = 10

    def api(records: Sequence[int]) -> Response:
        if tuple(records) in keys:
            return OK
        if len(records) > limit:
            return Response(413)
        keys.add(tuple(records))
        applied.update(records)
        return OK

    run = Simulation(300, api, batch=10, concurrency=concurrency, seed=seed)
    run.crash_after(steps)
    limit = 4  # of all that was planned, only what was taken before is taken now
    run.run()
    assert run.memory.delivered.total == 300
    assert set(applied.values()) == {1}


def test_a_source_that_lost_records_is_noticed_before_anything_is_sent() -> None:
    run = Simulation(500, lambda records: OK, batch=50, concurrency=2)
    run.crash_after(30)
    sent = len(run.sent)
    run.n = 40
    run.start()
    run.run()
    assert run.engine.stopped
    assert "changed since the run began" in run.engine.stopped.reason
    assert len(run.sent) == sent


def test_records_whose_bytes_changed_are_not_sent_under_the_old_plan() -> None:
    run = Simulation(100, lambda records: OK, batch=50)
    while not run.memory.pieces:
        run.random.choice(list(run.steps()))()
    run.width = lambda at: 9
    sent = len(run.sent)
    run.start()
    run.run()
    assert run.engine.stopped
    assert len(run.sent) == sent


@pytest.mark.parametrize("batch", [1, 5])
def test_a_killed_run_goes_on_where_the_api_knows_ids_and_no_keys(batch: int) -> None:
    """Kind: a repeat that can never succeed. Brothers: one by one, batches whole, their parts after a limit was learned."""
    held: set[int] = set()

    def api(records: Sequence[int]) -> Response:
        if held.intersection(records):
            return Response(409)
        held.update(records)
        return OK

    response = {"on_repeat": {"statuses": {"409": "delivered"}}}
    run = Simulation(200, api, batch=batch, concurrency=4, response=response)
    while not run.memory.delivered.total:
        run.random.choice(list(run.steps()))()
    for _ in range(3):  # killed with requests on their way, which the API has taken
        for _ in range(40):
            run.random.choice(list(run.steps()))()
        for flight in run.in_flight:
            request = flight.body if isinstance(flight, Request) else [flight[0].record(flight[1])]
            api([int(record) for record in b"".join(request).strip(b"[]").split(b",")])
        run.start()
    run.run()
    assert run.memory.delivered.total == 200
    assert not run.memory.failed
    assert held == set(range(200))
