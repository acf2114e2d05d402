"""The desk keeps the order that the account rests on: first the commit, then the request."""

from __future__ import annotations

from sendoff import Request, Response, Wait
from sendoff.intake.pipeline import EncodedPage
from sendoff.ledger import Changes
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

    desk = Dispatcher(simulation.engine, commit, observers=ObserverGroup("c", []))
    desk.run((EncodedPage(block, (), block.hi) for block in simulation._blocks()), carry)
    assert not any(isinstance(found, Request) for found in tried_too_early)
    assert tried_too_early
    assert simulation.memory.delivered.total == 500
