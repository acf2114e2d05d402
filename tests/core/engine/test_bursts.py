"""Whatever becomes of a burst, each of its records is delivered, failed or given back, once."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendoff import Response
from sendoff.records import Span
from sendoff.transport.protocol import RequestBurst
from tests.simulation import OK, Simulation

LIMITED = Response(200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"})
REJECTED, DOWN, LOST = Response(422), Response(503), Response(error="reset by peer")
ANSWERS = [OK, OK, OK, LIMITED, REJECTED, DOWN, LOST]


def issue(run: Simulation, size: int) -> RequestBurst:
    """The first burst of a run, once one request has succeeded."""
    for step in (run.read, run.propose, run.confirm, run.dispatch, run.answer):
        step()
    burst = run.engine.next_request(run.now, size)
    assert isinstance(burst, RequestBurst)
    return burst


def commit(run: Simulation) -> None:
    """Make durable what there is."""
    while (changes := run.engine.propose()) is not None:
        run.memory.commit(changes)
        run.engine.confirm(changes)


@given(
    st.integers(1, 40),
    st.lists(st.sampled_from(["send", "send", "send", "complete", "give back", "stop"]), max_size=60),
    st.lists(st.sampled_from(ANSWERS), min_size=40, max_size=40),
    st.randoms(use_true_random=False),
)
@settings(max_examples=200)
def test_in_any_order_of_responses_returns_and_a_stop_each_record_is_accounted_for_once(
    size: int, steps: Sequence[str], answers: Sequence[Response], random: Random
) -> None:
    """Kind: a burst that the engine and the transport may each end.

    Brothers looked at: a stop between the transport's question and its next request, a quota that only the engine sees, an end
    before anything was sent.
    """
    applied: Counter[int] = Counter()

    def api(records: Sequence[int]) -> Response:
        applied.update(records)
        return OK

    run = Simulation(60, api, batch=1, concurrency=4, early_stop=False, retry={"max_attempts": 50, "max_elapsed": 1e9})
    burst = issue(run, size)
    unsent, flying, refused = deque(range(*burst.span)), list[int](), set[int]()
    over = asked = False

    def complete(some: Sequence[int]) -> bool:
        found = [(at, answers[at % 40], 0.01) for at in some]
        applied.update(at for at, answer, _ in found if answer.status == 200)
        refused.update(at for at, answer, _ in found if answer is REJECTED)
        for request, answer in run.engine.complete_many(burst, found, run.now):
            run.engine.complete(request, answer, run.now)
        return any(answer.status != 200 for _, answer, _ in found)

    def give_back() -> None:
        if unsent:
            run.engine.return_unsent(burst, Span(unsent[0], burst.span.hi))
            unsent.clear()

    for step in steps:
        if step == "send" and unsent and not over and not asked:
            flying.append(unsent.popleft())
        elif step == "complete" and flying:
            random.shuffle(flying)
            cut = random.randint(1, len(flying))
            some, flying = flying[:cut], flying[cut:]
            over = complete(some) or over
        elif step == "give back":
            give_back()
        elif step == "stop":
            run.engine.stop("a person asked for it", interrupted=True)
        # It asked just before the next step: what happens meanwhile, it hears a request later.
        asked = bool(unsent) and run.engine.is_cancelled(burst)
        if random.random() < 0.3:
            commit(run)
    if flying:
        complete(flying)
    give_back()
    commit(run)
    if run.engine.stopped:
        assert not run.engine.in_flight.requests
        run.start()
    run.run()
    assert not run.engine.stopped
    assert set(run.memory.failed) == refused
    assert {at for span in run.memory.delivered for at in range(*span)} == set(range(60)) - refused
    assert applied == Counter(at for at in range(60) if at not in refused)
    slots = run.engine.in_flight
    assert (slots.requests, slots.planned, slots.held, slots.free_to_send) == (0, 0, 0, slots.window)


def test_a_stop_cancels_a_burst_and_a_burst_cannot_be_changed() -> None:
    run = Simulation(60, lambda records: OK, batch=1, concurrency=4)
    burst = issue(run, 20)
    assert not run.engine.is_cancelled(burst)
    run.engine.stop("a person asked for it")
    assert run.engine.is_cancelled(burst)
    with pytest.raises(AttributeError):
        burst.span = Span(0, 1)  # type: ignore[misc]
