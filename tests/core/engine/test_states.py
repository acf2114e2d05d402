"""Every move in the tables of states is one that some run makes, and no other is possible."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import pytest

from sendoff import Response
from sendoff.components import Decision, Fail, FailureStrategy, Refusal, Retry, Split, Stop
from sendoff.engine import circuit_breaker, states, tasks
from sendoff.engine.states import (
    DESTINATION_MOVES,
    RUN_MOVES,
    TASK_MOVES,
    CircuitState,
    IllegalMove,
    RunPhase,
    State,
    TaskState,
    check_move,
)
from sendoff.engine.tasks import Task
from sendoff.ledger import Chunk
from sendoff.records import Span
from tests.simulation import OK, REFUSED, Simulation, refusing

from .test_parts import RESULTS, results

DOWN, FULL = Response(503), Response(429)
TABLES = {TaskState: TASK_MOVES, CircuitState: DESTINATION_MOVES, RunPhase: RUN_MOVES}

Moves = set[tuple[State, State]]
Decide = Callable[[Refusal], Decision]


class Strategy(FailureStrategy):
    """Decides as a function says, and keeps what it was shown."""

    name = "by_function"
    splits = True

    def __init__(self, decide: Decide) -> None:
        self._decide, self.seen = decide, list[Refusal]()

    def decide(self, refusal: Refusal) -> Decision:
        self.seen.append(refusal)
        return self._decide(refusal)


def halve_once(refusal: Refusal) -> Decision:
    lo, hi = refusal.span
    return Split([Span(lo, lo + 2), Span(lo + 2, hi)]) if hi - lo == 4 else Fail()


def in_turn(*first: Response, then: Response = OK) -> Callable[[Sequence[int]], Response]:
    """An API that gives these responses, one after the other, and `then` from there on."""
    turns = iter(first)
    return lambda records: next(turns, then)


def poisoned(bad: int) -> Callable[[Sequence[int]], Response]:
    """An API that breaks at one record, and takes every request without it."""
    return lambda records: Response(500) if bad in records else OK


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Moves:
    """The moves that are made while the test runs."""
    moves: Moves = set()

    def record(table: states.Moves, before: State, after: State) -> None:
        check_move(table, before, after)
        moves.add((before, after))

    for module in (tasks, circuit_breaker):
        monkeypatch.setattr(module, "check_move", record)
    return moves


def test_some_small_runs_make_every_move_of_a_request_and_of_a_destination(taken: Moves) -> None:
    """A move that no run can make would be a promise of the page that nobody can see kept."""
    Simulation(32, refusing({5, 31}), batch=16, split=True).run()
    Simulation(4, refusing({3}), batch=4, strategy=Strategy(halve_once)).run()
    Simulation(3, refusing({0}), batch=1).run()
    named = {0: 400, 1: 400}
    Simulation(8, lambda records: results([named.get(at, 201) for at in records]), batch=2, response=RESULTS).run()
    Simulation(8, poisoned(0), batch=4, split=True, idempotent=True, retry={"max_attempts": 2}).run()
    Simulation(9, in_turn(OK, *[DOWN] * 6), batch=1, retry={"max_attempts": 2, "initial_backoff": 0.0}).run()
    Simulation(3, in_turn(*[FULL] * 12), batch=1).run()
    Simulation(9, in_turn(OK, *[DOWN] * 12, REFUSED), batch=1, retry={"max_attempts": 30}).run()
    missed = {*TASK_MOVES, *DESTINATION_MOVES} - taken
    assert not missed, [(before.value, after.value) for before, after in missed]


@pytest.mark.parametrize("kind", TABLES, ids=lambda kind: kind.__name__)
def test_a_move_that_is_in_no_table_is_refused_by_its_names(
    kind: type[TaskState | CircuitState | RunPhase],
) -> None:
    every: list[State] = list(kind)
    for before, after in product(every, every):
        if (before, after) not in TABLES[kind]:
            with pytest.raises(IllegalMove, match=f"from '{before.value}' there is no way to '{after.value}'"):
                check_move(TABLES[kind], before, after)


def test_a_request_that_is_delivered_cannot_fail_any_more() -> None:
    task = Task((Span(0, 1),), Chunk(0, 1, 1), TaskState.IN_FLIGHT)
    task.move(TaskState.DELIVERED)
    with pytest.raises(IllegalMove, match="from 'delivered' there is no way to 'failed'"):
        task.move(TaskState.FAILED)


# What a failure strategy may answer.


def test_a_strategy_that_says_retry_has_the_request_sent_again_after_its_seconds() -> None:
    strategy = Strategy(lambda refusal: Retry(40.0))
    run = Simulation(4, in_turn(OK, REFUSED), batch=2, strategy=strategy).run()
    assert run.memory.delivered.total == 4
    assert run.bodies == [[0, 1], [2, 3], [2, 3]]
    assert 40 <= run.now < 41


def test_a_strategy_that_says_retry_for_ever_fails_the_records_when_their_attempts_are_used_up() -> None:
    strategy = Strategy(lambda refusal: Retry(0.0))
    run = Simulation(4, refusing({2}), batch=2, strategy=strategy, retry={"max_attempts": 3}).run()
    assert run.memory.failed == {2: "400: bad record", 3: "400: bad record"}
    assert run.memory.attempts == {2: 3, 3: 3}


def test_a_strategy_that_says_stop_ends_the_run_with_its_reason_and_leaves_the_records_pending() -> None:
    strategy = Strategy(lambda refusal: Stop("the account is locked; ask its owner"))
    run = Simulation(6, refusing({2}), batch=2, strategy=strategy).run()
    assert run.engine.stopped
    assert (run.engine.stopped.state, run.engine.stopped.reason) == (
        "stopped",
        "400: bad record; the account is locked; ask its owner",
    )
    assert not run.memory.failed
    run.api = lambda records: OK
    run.start()
    assert run.run().memory.delivered.total == 6


def test_a_strategy_sees_the_response() -> None:
    strategy = Strategy(lambda refusal: Fail())
    answer = Response(422, {"x-code": "7"}, b'{"detail": "no such city"}')
    Simulation(2, in_turn(OK, answer), batch=1, strategy=strategy).run()
    (seen,) = strategy.seen
    assert (seen.status, seen.reason, seen.attempts) == (422, "422: no such city", 1)
    assert (seen.headers, seen.body, seen.span) == (answer.headers, answer.body, Span(1, 2))
