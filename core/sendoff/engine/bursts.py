"""Bursts: many uniform requests of one record each, issued and completed together.

Where requests differ only in their record and its key, none needs a task, a request or a verdict of its own.
The first response that is not a plain success cancels the burst: the transport gives back what it has not sent, which
goes back to its chunk; and each failed record becomes a task.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import itemgetter

from sendoff.components import Sender
from sendoff.engine.circuit_breaker import CircuitBreaker
from sendoff.engine.in_flight import BurstInFlight, InFlight
from sendoff.engine.outcomes import OutcomeHandler
from sendoff.engine.pending_changes import PendingChanges
from sendoff.engine.planner import Planner
from sendoff.engine.ready_queue import ReadyQueue
from sendoff.engine.request_log import RequestLog
from sendoff.engine.requests import RequestBuilder
from sendoff.engine.states import TaskState
from sendoff.engine.tasks import OpenChunk, Task
from sendoff.records import Span, spans_of
from sendoff.response import is_plain_success
from sendoff.response.rate_headers import quota_reset_delay
from sendoff.transport.protocol import Completion, RequestBurst, Response

_BY_ORDINAL = itemgetter(0)


class BurstIssuer:
    """Issues bursts and completes them."""

    def __init__(
        self,
        builder: RequestBuilder,
        sender: Sender,
        in_flight: InFlight,
        planner: Planner,
        queue: ReadyQueue,
        changes: PendingChanges,
        outcomes: OutcomeHandler,
        request_log: RequestLog,
        breaker: CircuitBreaker,
    ) -> None:
        self._builder, self._sender, self._in_flight, self._planner, self._queue = builder, sender, in_flight, planner, queue
        self._changes, self._outcomes, self._request_log, self._breaker = changes, outcomes, request_log, breaker
        self._known: Response | None = None
        to = builder.destination
        self._possible = (
            planner.single
            and builder.destination.response.trusts_any_2xx
            and builder.key_location in ("", "header")
            and to.deadline == float("inf")
        )

    def next_burst(self, limit: int, concurrency: int) -> RequestBurst | None:
        """A burst of at most `limit` requests, so many at once, if the next ones are uniform; else None."""
        buffer = self._planner.buffer
        if (
            limit < 1
            or not self._possible
            or buffer.has_routes
            or buffer.has_ordering_keys
            or self._builder.rate_limiter.limited
        ):
            return None
        open_chunk = self._queue.peek_single()
        if open_chunk is None or open_chunk.chunk.records_per_request != 1:
            return None
        block = buffer.block(open_chunk.remaining[0].lo)
        (span,) = open_chunk.take(min(limit, block.hi - open_chunk.remaining[0].lo))
        burst = self._builder.burst(block, span, self._sender, concurrency)
        self._in_flight.issue_burst(burst, open_chunk, self._breaker.successes)
        return burst

    def is_cancelled(self, burst: RequestBurst) -> bool:
        """Whether no more of a burst may be sent."""
        return self._changes.stopped is not None or self._in_flight.burst(burst).cancelled

    def return_unsent(self, burst: RequestBurst, unsent: Span) -> None:
        """Put requests of a burst that are not sent back to the chunk they were taken from."""
        self._queue.return_unsent(self._in_flight.return_burst(burst, unsent.size).chunk, unsent)

    def complete(self, burst: RequestBurst, completions: Sequence[Completion], now: float) -> list[tuple[Task, Response]]:
        """Settle the successes among the responses. Returns the others, each with a task for its record."""
        out, policy = self._in_flight.complete_burst(burst, len(completions)), self._builder.destination.response
        last_plain = self._known
        good: list[Completion] = []
        others: list[Completion] = []
        for completion in completions:
            response = completion[1]
            # A transport gives equal answers as one object: what it means is found out once.
            if response is last_plain or (
                is_plain_success(response, policy) and not (response.headers and quota_reset_delay(response.headers))
            ):
                last_plain = response
                good.append(completion)
            else:
                others.append(completion)
        self._known = last_plain
        if good:
            self._delivered(burst, out.chunk, good, now)
        if others:
            out.cancelled = True
        return [(self._task(out, at, seconds, now), replace(response, seconds=seconds)) for at, response, seconds in others]

    def _delivered(self, burst: RequestBurst, open_chunk: OpenChunk, good: list[Completion], now: float) -> None:
        good.sort(key=_BY_ORDINAL)
        first, last, requests = good[0][0], good[-1][0], len(good)
        spans = (Span(first, last + 1),) if last - first + 1 == requests else spans_of(map(_BY_ORDINAL, good))
        number = self._changes.count("requests", requests) - requests + 1
        overhead = len(burst.prefix) + len(burst.suffix) - 1
        self._changes.count("bytes", sum(burst.block.size(*span) for span in spans) + requests * overhead)
        self._changes.log_requests(self._request_log.burst(burst, good, number, 1 + open_chunk.repeats))
        self._outcomes.burst_delivered(open_chunk.chunk, spans, requests, now)

    def _task(self, out: BurstInFlight, at: int, seconds: float, now: float) -> Task:
        # Its first failure is never counted as isolated: what failed meanwhile is not known in its order.
        return Task(
            (Span(at, at + 1),), out.chunk.chunk, TaskState.IN_FLIGHT, out.chunk.repeats, attempts=1, first_tried=now - seconds,
            others_succeeded=self._breaker.successes > out.successes, successes_seen=self._breaker.successes,
            load_signs_seen=self._breaker.load_signs, earlier_sends=out.chunk.earlier_sends((Span(at, at + 1),)),
        )  # fmt: skip
