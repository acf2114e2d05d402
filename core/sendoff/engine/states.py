"""The states of a task, a destination and a run, and the moves between them.

The tables are both what is obeyed and its documentation: a move of a task or a destination that is in no table raises
`IllegalMove`, the ledger makes those of a run, the tests make every one, and ``docs/delivery.md`` is drawn from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum


class TaskState(Enum):
    """Where a task, one request's worth of records, is on its way."""

    PLANNED = "planned"
    READY = "ready"
    IN_FLIGHT = "in flight"
    BACKOFF = "backoff"
    HELD = "held"
    DELIVERED = "delivered"
    FAILED = "failed"
    SPLIT = "split"


class CircuitState(Enum):
    """What is known of the destination: how many requests it is sent at once follows from it."""

    UNPROVEN = "unproven"
    CLOSED = "closed"
    OPEN = "open"


class RunPhase(Enum):
    """How far a run is, and how it ended; the values are the ledger's."""

    RUNNING = "running"
    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    DISCARDED = "discarded"


State = TaskState | CircuitState | RunPhase
Moves = Mapping[tuple[State, State], str]

_T, _C, _R = TaskState, CircuitState, RunPhase

TASK_MOVES: Moves = {
    (_T.PLANNED, _T.READY): "its plan is durable",
    (_T.READY, _T.IN_FLIGHT): "slot, rate and ordering key are free",
    (_T.READY, _T.SPLIT): "larger than a limit learned meanwhile, or known to hold the bad record",
    (_T.READY, _T.FAILED): "known to hold the bad record, and the strategy says fail",
    (_T.IN_FLIGHT, _T.DELIVERED): "success",
    (_T.IN_FLIGHT, _T.FAILED): "rejected, or given up",
    (_T.IN_FLIGHT, _T.SPLIT): "rejected or too large, and divided; or a result for each record",
    (_T.IN_FLIGHT, _T.BACKOFF): "transient failure, or the strategy says retry",
    (_T.IN_FLIGHT, _T.HELD): "rejected before anything succeeded, or attempts used up while nothing did",
    (_T.BACKOFF, _T.IN_FLIGHT): "due again",
    (_T.HELD, _T.BACKOFF): "another one fails as well, or the destination is back",
    (_T.HELD, _T.FAILED): "others succeed, or nothing else is left to try",
    (_T.HELD, _T.SPLIT): "others succeed, and it is divided",
}

DESTINATION_MOVES: Moves = {
    (_C.UNPROVEN, _C.CLOSED): "a success",
    (_C.UNPROVEN, _C.OPEN): "ten transient failures in a row",
    (_C.CLOSED, _C.OPEN): "ten transient failures in a row",
    (_C.OPEN, _C.CLOSED): "a success",
    (_C.OPEN, _C.UNPROVEN): "a rejection: it is there, and nothing has succeeded since",
}

RUN_MOVES: Moves = {
    (_R.RUNNING, _R.COMPLETE): "every record delivered",
    (_R.RUNNING, _R.INCOMPLETE): "every record settled, some invalid or rejected",
    (_R.RUNNING, _R.STOPPED): "something must be fixed or waited for first",
    (_R.RUNNING, _R.INTERRUPTED): "Ctrl-C, another signal or `Runner.interrupt`; or its process was killed",
    (_R.STOPPED, _R.RUNNING): "the next run of the connector resumes it",
    (_R.STOPPED, _R.DISCARDED): "`--restart`; or `sendoff delete`, where its connector is gone",
    (_R.INTERRUPTED, _R.RUNNING): "the next run of the connector resumes it",
    (_R.INTERRUPTED, _R.DISCARDED): "`--restart`; or `sendoff delete`, where its connector is gone",
}

#: What each state means, in a sentence for users.
MEANINGS: Mapping[State, str] = {
    _T.PLANNED: "Its records are chosen; the ledger does not have the plan yet.",
    _T.READY: "The plan is durable: it may be sent as soon as there is room.",
    _T.IN_FLIGHT: "It was sent, and there is no response yet.",
    _T.BACKOFF: "It failed in a way that may pass, and is sent again later.",
    _T.HELD: "It failed before it was known whether others succeed; what becomes of it is decided by them.",
    _T.DELIVERED: "The API has accepted its records.",
    _T.FAILED: "Its records are rejected, each with the reason.",
    _T.SPLIT: "Its records go on in smaller requests, or were settled one by one.",
    _C.UNPROVEN: "Nothing has succeeded yet: one request at a time.",
    _C.CLOSED: "Requests succeed: up to `concurrency` at once.",
    _C.OPEN: "It is down: one request at a time tries it, at growing intervals.",
    _R.RUNNING: "Records are read and sent.",
    _R.COMPLETE: "Every record was delivered.",
    _R.INCOMPLETE: "Every record is settled, and some were not delivered: see `sendoff failed`.",
    _R.STOPPED: "It ended before its source did, for the reason it names; the next run resumes it.",
    _R.INTERRUPTED: "It was asked to end, or its process was killed; the next run resumes it.",
    _R.DISCARDED: "What it had not settled was discarded; it is never resumed.",
}


class IllegalMove(RuntimeError):
    """A move that is in no table, or of what is not in flight: a fault of sendoff's own, or of a transport."""


def check_move(moves: Moves, before: State, after: State) -> None:
    """Raise `IllegalMove` for a move that is not in the table."""
    if (before, after) not in moves:
        raise IllegalMove(f"{type(before).__name__}: from {before.value!r} there is no way to {after.value!r}")
