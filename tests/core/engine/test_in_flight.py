"""One object counts what is planned, sent, answered and confirmed; what cannot be is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sendoff import RequestBurst
from sendoff.engine.in_flight import InFlight
from sendoff.engine.states import IllegalMove, TaskState
from sendoff.engine.tasks import OpenChunk, Task
from sendoff.ledger import Chunk
from sendoff.records import Span
from tests.simulation import OK, Simulation

from .test_bursts import issue


def a_task() -> Task:
    return Task((Span(0, 1),), Chunk(0, 1, 1), TaskState.READY)


def test_a_slot_is_free_to_plan_once_settled_and_free_to_send_once_that_is_durable() -> None:
    slots = InFlight(2, single=False)
    slots.plan(2)
    slots.issue(1, a_task(), first=True)
    slots.issue(2, a_task(), first=True)
    assert (slots.requests, slots.free_to_plan(), slots.free_to_send) == (2, 0, 0)
    slots.complete(1)
    slots.settle(1, sent=True)
    assert (slots.requests, slots.free_to_plan(), slots.free_to_send) == (1, 1, 0)
    slots.propose()
    slots.confirm()
    assert (slots.free_to_plan(), slots.free_to_send) == (1, 1)


def test_what_is_sent_again_takes_no_second_slot_and_what_is_held_takes_none() -> None:
    slots, task = InFlight(2, single=False), a_task()
    slots.plan(1)
    slots.issue(1, task, first=True)
    assert slots.complete(1) is task
    slots.issue(2, task, first=False)
    assert slots.free_to_send == 1
    slots.complete(2)
    slots.hold(task)
    assert (slots.held, slots.free_to_plan(), slots.free_to_send) == (1, 2, 2)
    slots.release(task)
    assert (slots.held, slots.free_to_plan(), slots.free_to_send) == (0, 1, 1)


def again(step: Callable[[], object]) -> None:
    with pytest.raises(IllegalMove):
        step()


def test_what_is_not_in_flight_cannot_be_completed_and_nothing_is_settled_or_released_twice() -> None:
    slots, task = InFlight(2, single=False), a_task()
    again(lambda: slots.complete(1))
    again(lambda: slots.settle(1, sent=False))
    again(lambda: slots.release(task))
    slots.plan(2)
    again(lambda: slots.settle(1, sent=True))
    slots = InFlight(2, single=False)
    slots.plan(1)
    slots.issue(1, task, first=True)
    again(lambda: slots.issue(1, task, first=False))
    slots.complete(1)
    again(lambda: slots.complete(1))
    again(lambda: slots.task(1))
    slots.hold(task)
    again(lambda: slots.hold(task))


def test_of_a_burst_no_more_is_completed_or_given_back_than_is_in_flight() -> None:
    """Kind: a transport, which may be a plugin, that reports one request of a burst twice."""
    run = Simulation(60, lambda records: OK, batch=1, concurrency=4)
    burst = issue(run, 5)
    lo, hi = burst.span
    run.engine.complete_many(burst, [(at, OK, 0.1) for at in range(lo, hi - 2)], run.now)
    again(lambda: run.engine.return_unsent(burst, Span(hi - 3, hi)))
    run.engine.return_unsent(burst, Span(hi - 2, hi))
    assert run.engine.in_flight.requests == 0
    again(lambda: run.engine.return_unsent(burst, Span(hi - 2, hi)))
    again(lambda: run.engine.complete_many(burst, [(lo, OK, 0.1)], run.now))
    again(lambda: run.engine.is_cancelled(burst))


def test_a_run_that_is_over_uses_no_slots() -> None:
    for batch in (1, 7):
        run = Simulation(500, lambda records: OK, batch=batch, concurrency=3).run()
        slots = run.engine.in_flight
        assert (slots.requests, slots.planned, slots.held, slots.free_to_send) == (0, 0, 0, slots.window)


def test_a_burst_that_was_given_back_whole_is_as_if_it_had_never_been() -> None:
    slots, chunk = InFlight(1, single=True), OpenChunk.of(Chunk(0, 8, 1), (Span(0, 8),))
    burst = RequestBurst.__new__(RequestBurst)
    object.__setattr__(burst, "span", Span(0, 8))
    before = (slots.requests, slots.free_to_send)
    slots.issue_burst(burst, chunk, 0)
    assert (slots.requests, slots.free_to_send) == (before[0] + 8, before[1] - 8)
    slots.return_burst(burst, 8)
    assert (slots.requests, slots.free_to_send) == before
