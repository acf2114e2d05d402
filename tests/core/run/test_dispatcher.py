"""The desk keeps the order that the account rests on: first the commit, then the request."""

from __future__ import annotations

import threading

from sendoff import Observer, Request, Response, Wait
from sendoff.intake.pipeline import EncodedPage
from sendoff.ledger import Changes
from sendoff.monitoring.events import Event, RunInfo, SendingPaused
from sendoff.run.dispatcher import Dispatcher
from sendoff.run.observers import ObserverGroup
from tests.simulation import Simulation


def test_nothing_travels_before_the_commit_that_plans_it_has_returned() -> None:
    simulation = Simulation(500, lambda records: Response(200), batch=50, concurrency=4)
    durable: set[int] = set()
    tried_too_early: list[object] = []

    def commit(changes: Changes) -> None:
        if not durable:
            found = desk.next_request()  # nothing is durable yet, so nothing may travel
            tried_too_early.append(found)
            if isinstance(found, Request):
                desk.complete(found, Response(200))
        simulation.memory.commit(changes)
        durable.update(piece.lo for piece in changes.opened)

    def carry() -> None:
        while (found := desk.next_request()) != "done":
            if isinstance(found, Wait):
                desk.wait(found.seconds)
            else:
                assert found.span.lo in durable
                desk.complete(found, Response(200))

    desk = Dispatcher(simulation.engine, commit, observers=ObserverGroup(RunInfo(connector="c", run=1), []))
    desk.run((EncodedPage(block, (), block.hi) for block in simulation._blocks()), carry)
    assert not any(isinstance(found, Request) for found in tried_too_early)
    assert tried_too_early
    assert simulation.memory.delivered.total == 500


def test_an_observer_hears_of_a_wait_while_it_lasts() -> None:
    """Kind: what happens is reported with the next commit, and a wait commits nothing. Brothers: a quota, a rate, a stop."""
    heard = threading.Event()

    class Listener(Observer):
        name = "listener"

        def on_event(self, run: RunInfo, event: Event) -> None:
            if isinstance(event, SendingPaused):
                assert event.reason == "the API's quota is used up"
                heard.set()

    simulation = Simulation(100, lambda records: Response(200), batch=50)

    def send() -> None:
        request = dispatcher.next_request()
        while isinstance(request, Wait):
            dispatcher.wait(request.seconds)
            request = dispatcher.next_request()
        assert isinstance(request, Request)
        dispatcher.complete(request, Response(200, {"ratelimit": '"hour";r=0;t=3000'}))
        assert isinstance(dispatcher.next_request(), Wait)
        assert heard.wait(30)
        dispatcher.stop("enough", interrupted=True)
        assert dispatcher.next_request() == "done"

    dispatcher = Dispatcher(
        simulation.engine, simulation.memory.commit, observers=ObserverGroup(RunInfo(connector="c", run=1), [Listener()])
    )
    dispatcher.run((EncodedPage(block, (), block.hi) for block in simulation._blocks()), send)
