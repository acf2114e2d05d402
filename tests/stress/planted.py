"""Faults of our own, planted on purpose: a stress test that does not find them proves nothing.

Each puts in the place of a piece of sendoff one that breaks a promise.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Any
from unittest import mock

from sendoff import Response
from sendoff.encode.idempotency import Key, make_key_function
from sendoff.engine.actions import StopRun
from sendoff.engine.circuit_breaker import CircuitBreaker
from sendoff.engine.decide import decide
from sendoff.ledger import Changes
from sendoff.ledger.sqlite.inbox import SqliteInboxes
from sendoff.ledger.sqlite.ledger import SqliteLedger
from sendoff.ledger.sqlite.locks import RunLock
from sendoff.response import classify

Fault = Callable[[], Any]
#: Names the fault to the processes that are begun meanwhile.
VARIABLE = "SENDOFF_TORTURE_PLANTED"


def a_ledger_that_forgets() -> Any:
    """It says of every third group with deliveries that it was written, and writes nothing of it but how far was planned."""
    commit, times = SqliteLedger.commit, count()

    def forgetful(ledger: SqliteLedger, state: Any, changes: Changes) -> None:
        forgets = changes.delivered and next(times) % 3 == 2
        commit(ledger, state, Changes(planned=changes.planned) if forgets else changes)

    return mock.patch.object(SqliteLedger, "commit", forgetful)


def a_judge_that_takes_a_503_for_a_yes() -> Any:
    """A server's trouble counts as delivered."""

    def gullible(answer: Response, *args: Any, **named: Any) -> Any:
        return classify(Response(200) if answer.status == 503 else answer, *args, **named)

    return mock.patch("sendoff.engine.engine.classify", gullible)


def a_key_for_each_attempt() -> Any:
    """What is sent again cannot be told from what is new."""

    def careless(secret: bytes, *args: Any) -> Key:

        def key(lo: int, hi: int, proof: bytes) -> str:
            return make_key_function(os.urandom(16), *args)(lo, hi, proof)

        return key

    return mock.patch("sendoff.run.run.make_key_function", careless)


def a_lock_that_lets_everyone_in() -> Any:
    """A connector may run twice at once."""
    return mock.patch.multiple(RunLock, __enter__=lambda lock: lock, __exit__=lambda *_: None)


def a_header_that_is_believed() -> Any:
    """What a server says is taken for a number without a look."""
    return mock.patch("tests.fuzz.targets.retry_after", lambda headers: float(headers.get("retry-after", 0)))


def an_inbox_that_forgets() -> Any:
    """It says of every fifth post that it is kept, and keeps nothing of it."""
    put, times = SqliteInboxes.put, count()

    def forgetful(inboxes: SqliteInboxes, *args: Any, **named: Any) -> bool:
        return next(times) % 5 == 4 or put(inboxes, *args, **named)

    return mock.patch.object(SqliteInboxes, "put", forgetful)


def a_claim_that_is_not_released() -> Any:
    """What a retry claimed and did not settle stays claimed when the retry is discarded, or sent nothing."""
    return mock.patch("sendoff.ledger.sqlite.claims.release_pending")


def an_outage_believed_from_an_interruption() -> Any:
    """That one request failed when a run was interrupted counts as an outage, and the next run stops at its first failure."""

    def believing(task: Any, verdict: Any, situation: Any, *args: Any) -> Any:
        if situation.was_down and verdict.kind.value == "retry":
            return StopRun(f"{verdict.reason}; it was so when the last run stopped")
        return decide(task, verdict, situation, *args)

    stack = ExitStack()
    stack.enter_context(mock.patch("sendoff.engine.outcomes.decide", believing))
    stack.enter_context(mock.patch.object(CircuitBreaker, "is_outage", True))
    return stack


FAULTS = {
    fault.__name__: fault
    for fault in (
        a_ledger_that_forgets, a_judge_that_takes_a_503_for_a_yes, a_key_for_each_attempt, a_lock_that_lets_everyone_in,
        a_header_that_is_believed, a_claim_that_is_not_released, an_outage_believed_from_an_interruption,
        an_inbox_that_forgets,
    )
}  # fmt: skip


@contextmanager
def planted(fault: Fault) -> Iterator[None]:
    """Plant a fault in this process, and in all that `plant` when they begin."""
    with mock.patch.dict(os.environ, {VARIABLE: fault.__name__}), fault():
        yield


def plant() -> None:
    """Plant, for the life of this process, the fault that the one that began it has named, if any."""
    if name := os.environ.get(VARIABLE):
        FAULTS[name]().start()
