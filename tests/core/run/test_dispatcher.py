"""The desk keeps the order that the account rests on: first the commit, then the request."""

from __future__ import annotations

from sendoff import Answer, Request, Wait
from sendoff.intake.pipeline import Read
from sendoff.ledger import Changes
from sendoff.run.dispatcher import Desk
from sendoff.run.observers import Audience
from tests.simulation import Simulation


def test_nothing_travels_before_the_commit_that_plans_it_has_returned() -> None:
    simulation = Simulation(500, lambda records: Answer(200), batch=50, concurrency=4)
    durable: set[int] = set()
    tried_too_early: list[object] = []

    def commit(changes: Changes) -> None:
        if not durable:
            found = desk.next()  # nothing is durable yet, so nothing may travel
            tried_too_early.append(found)
            if isinstance(found, Request):
                desk.answer(found, Answer(200))
        simulation.memory.commit(changes)
        durable.update(piece.lo for piece in changes.opened)

    def carry() -> None:
        while (found := desk.next()) != "done":
            if isinstance(found, Wait):
                desk.wait(found.seconds)
            else:
                assert found.span.lo in durable
                desk.answer(found, Answer(200))

    desk = Desk(simulation.engine, commit, audience=Audience("c", []))
    desk.run((Read(block, (), block.hi) for block in simulation._blocks()), carry)
    assert not any(isinstance(found, Request) for found in tried_too_early)
    assert tried_too_early
    assert simulation.memory.delivered.total == 500
