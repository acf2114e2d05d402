"""The engine: a state machine that decides which request is sent next, and what a response means.

It does no I/O, has no threads and no clock: time is an argument. Its callers are

* a reader, which calls `offer` with blocks, and `end_of_input`;
* a ledger, which asks what to commit (`propose`) and reports when it is durable (`confirm`);
* a transport, which asks what to send (`next_request`) and reports the response (`complete`).

Two rules make runs recoverable. Nothing is sent before the commit that plans it is confirmed, and the commit
that settles a request also plans the requests that reuse its slot. So however the process ends, no record is
lost, and at most `InFlight.window` requests are ever sent twice.

This module decides what is sent next; `OutcomeHandler` decides what becomes of a response's records. The file is long
because every method changes the same state, under the two rules above.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Literal

from sendoff.components import FailureStrategy, Sender
from sendoff.engine.actions import Divide
from sendoff.engine.bursts import BurstIssuer
from sendoff.engine.circuit_breaker import CircuitBreaker
from sendoff.engine.concurrency import MAX_CONCURRENCY, START, AdaptiveLimit
from sendoff.engine.decide import OVERLOAD
from sendoff.engine.in_flight import InFlight
from sendoff.engine.ordering import KeyOrdering
from sendoff.engine.outcomes import OutcomeHandler
from sendoff.engine.pending_changes import PendingChanges, RunStop
from sendoff.engine.planner import Planner, SourceDiverged
from sendoff.engine.ready_queue import ReadyQueue
from sendoff.engine.request_log import RequestLog
from sendoff.engine.requests import RequestBuilder
from sendoff.engine.states import TaskState
from sendoff.engine.tasks import Task
from sendoff.ledger import Changes, Failure, RunState
from sendoff.monitoring.events import Event, SendingPaused
from sendoff.records import Block, Span, halves
from sendoff.response import DELETE_POLICY, Verdict, VerdictKind, classify
from sendoff.response.rate_headers import quota_reset_delay
from sendoff.transport.protocol import Completion, Request, RequestBurst, Response, Wait

MAX_WAIT = 3600.0
#: How often a request is sent again at once, and without counting it, as the connection was closed before a response came:
#: a server may close one at any time, but if it does so again and again it may be the request that makes it.
MAX_RECONNECTIONS = 3
#: A wait of so many seconds, in which nothing is sent, is reported to the observers.
REPORTED_WAIT = 2.0

_CHANGED = (
    "the source, how its records are written, or a secret that is in each of them changed since the run began; put it back, or "
    "discard the rest and start over with --restart, which sends again what was delivered, unless the connector is incremental"
)


class Engine:
    """Decides what to send; does no I/O. Not thread-safe: its owner holds a lock."""

    def __init__(
        self,
        builder: RequestBuilder,
        sender: Sender,
        strategy: FailureStrategy,
        state: RunState,
        *,
        random: Random | None = None,
    ) -> None:
        random = random or Random()  # noqa: S311  # jitter needs no cryptography
        self._builder = builder
        self._sender = sender
        wanted = builder.destination.concurrency
        most = MAX_CONCURRENCY if wanted == "auto" else wanted
        start = min(START, most) if wanted == "auto" else most
        self.in_flight = InFlight(most, start=start, single=sender.max_records == 1)
        self.planner = Planner(sender, self.in_flight, state)
        self.breaker = CircuitBreaker(random, was_down=state.was_down)
        self._limit = AdaptiveLimit(most, start=start)
        self._queue = ReadyQueue()
        self._ordering = KeyOrdering(lambda task: self.planner.buffer.ordering_keys(task.spans))
        self._request_log = RequestLog(builder, self.planner.buffer, state.requests)
        self._changes = PendingChanges(state, builder.redact)
        self._outcomes = OutcomeHandler(
            builder, strategy, self._changes, self.in_flight, self.planner, self._queue, self._ordering, self.breaker,
            self._request_log, random,
        )  # fmt: skip
        self._bursts = BurstIssuer(
            builder, sender, self.in_flight, self.planner, self._queue, self._changes, self._outcomes, self._request_log,
            self.breaker,
        )  # fmt: skip
        self._deadline: float | None = None
        self._now = self._waits_until = 0.0
        #: Seconds in which limits and pauses let nothing be sent, and since when they do.
        self.limited_seconds = 0.0
        self._limited_since: float | None = None
        #: While the destination is down: the last probe was a request that had failed.
        self._probed_retry = False
        #: No request is sent before this time, as the API counts requests a second.
        self._not_before = float("-inf")
        self._read_before = state.read
        self._maybe_applied_as = state.maybe_applied_as

    @property
    def stopped(self) -> RunStop | None:
        """Why the run ends before its source does, if it does."""
        return self._changes.stopped

    @property
    def counts(self) -> dict[str, int]:
        """The counts of `Report`, as committed."""
        return self._changes.counts

    @property
    def requested_pause(self) -> float | None:
        """The seconds for which the destination asked not to be called, if that ended the run."""
        return self._outcomes.requested_pause

    def has_events(self) -> bool:
        """Whether `events` has something."""
        return self._changes.has_events

    def events(self) -> list[Event]:
        """The events since the last call."""
        return self._changes.drain_events()

    # The reader's side.

    def offer(self, block: Block, invalid: Sequence[Failure], rows: int) -> None:
        """Add a block, the invalid rows of its page, and how many source rows were read so far."""
        self._changes.rows_read([failure for failure in invalid if failure.position >= self._read_before], rows)
        if block.hi > block.lo:
            try:
                reopened = self.planner.add(block)
            except SourceDiverged:
                self.stop(_CHANGED)
                return
            if self._maybe_applied_as is not None:
                self._outcomes.settle_uncertain(reopened, self._maybe_applied_as)
            self._queue.append(reopened)

    def end_of_input(self) -> None:
        """The source has no more blocks."""
        try:
            self.planner.end_of_input()
        except SourceDiverged:
            self.stop(_CHANGED)

    def wants_input(self) -> bool:
        """Whether another block should be read."""
        return self.stopped is None and self.planner.wants_input()

    # The ledger's side.

    def propose(self) -> Changes | None:
        """What to commit now: outcomes since the last commit, and new chunks while slots are free."""
        if self._changes.committing:
            return None
        if self.stopped is None:
            if self._nothing_else_to_try():
                self._outcomes.accept_rejections(self._now)
            for chunk in self.planner.plan_chunks(0 if self._queue.has_untried() else self._retries_outside_window):
                self._changes.chunk_opened(chunk, planned=self.planner.planned)
        changes = self._changes.propose()
        if changes is not None:
            self.in_flight.propose()
        return changes

    def confirm(self, changes: Changes) -> None:
        """The proposed changes are durable: the chunks they open may be sent."""
        self._changes.confirm(changes)
        self.in_flight.confirm()
        self._queue.commit_children(changes.opened, self.planner.open_chunks)
        self.planner.buffer.release(self.planner.planned)

    # The transport's side.

    def next_request(self, now: float, ahead: int = 0) -> Request | RequestBurst | Wait | Literal["done"]:
        """The request to send now, or how long to wait for one, or ``"done"``.

        With `ahead`, a burst of up to so many requests for each that may be in flight, if they are uniform and nothing is
        due before them.
        """
        self._now = now
        if self.stopped is not None or self.is_finished():
            return "done"
        if self._deadline is None:
            self._deadline = now + self._builder.destination.deadline
        if now >= self._deadline:
            over = f"the run's deadline of {self._builder.destination.deadline:g} seconds is over; the next run resumes it"
            self.stop(over, transient=True)
            return "done"
        rest = self._builder.rate_limiter.pause_left(now)
        if rest > 0:
            return self._wait(now, rest, self._builder.rate_limiter.pause_reason)
        in_flight = self.in_flight.requests
        if in_flight and (not self.breaker.is_closed or in_flight >= self._limit.limit):
            return Wait(MAX_WAIT)
        if (early := self._not_before - now) > 0:
            return Wait(early)
        if ahead and (burst := self._next_burst(now, ahead)) is not None:
            self._end_wait(now)
            return burst
        task = self._next_task(now)
        if task is not None:
            return self._send(task, now)
        self.in_flight.run_out()
        if self._nothing_else_to_try():
            self._outcomes.resolve_exhausted(now)
        until = self._queue.seconds_until_retry(now)
        if self.stopped:
            return "done"
        return Wait(min(MAX_WAIT if until is None else until, self._deadline - now))

    def classify(self, request: Request, response: Response) -> Verdict:
        """The verdict on a response. Changes nothing, and may be called without the lock."""
        return classify(
            response,
            DELETE_POLICY if request.is_delete else self._builder.destination.response,
            count=request.record_count,
            ids=lambda field: [value for part in request.ids for value in part],
            repeated=self.in_flight.task(request.request_id).may_be_repeat,
            redact=self._builder.redact,
        )

    def complete(self, request: Request, response: Response, now: float, verdict: Verdict | None = None) -> None:
        """Apply the verdict on a response."""
        verdict = verdict or self.classify(request, response)
        task = self.in_flight.complete(request.request_id)
        reconnect = response.connection_lost and task.reconnections < MAX_RECONNECTIONS
        retry = verdict.kind is VerdictKind.RETRY
        overloaded = (
            retry and not reconnect and verdict.status in OVERLOAD and not task.isolated_failures and self.breaker.is_closed
        )
        # A lost connection says nothing of requests a second, so it makes no gap between them.
        overloaded = overloaded and (self._limit.limit > 1 or verdict.status in (429, 503))
        self._adapt_limit(now, succeeded=not retry, overloaded=overloaded)
        self._changes.log_requests(self._request_log.request(request, response, verdict))
        quota = quota_reset_delay(response.headers) if response.headers else None
        if quota and verdict.kind is not VerdictKind.STOP:
            pause = min(quota, self._builder.destination.retry.max_retry_after)
            self._builder.rate_limiter.pause_until(now + pause, "the API's quota is used up")
        if response.credentials_renewed and not task.renewals:
            self._outcomes.retry_with_new_credentials(task, now)
        elif reconnect:
            self._outcomes.retry_lost(task, verdict.reason, now)
        else:
            self._outcomes.apply(task, verdict, response, now)

    def complete_many(
        self, burst: RequestBurst, completions: Sequence[Completion], now: float
    ) -> list[tuple[Request, Response]]:
        """Apply the successes among a burst's responses. Returns the others, each with its request, for `complete`."""
        others = self._bursts.complete(burst, completions, now)
        successes = len(completions) - len(others)
        if successes:
            self._adapt_limit(now, succeeded=True, overloaded=False, count=successes)
        return [
            (self._request(task, self.planner.buffer.slices(task.spans), first=False), response) for task, response in others
        ]

    def is_cancelled(self, burst: RequestBurst) -> bool:
        """Whether no more of a burst may be sent. Changes nothing, and may be called without the lock."""
        return self._bursts.is_cancelled(burst)

    def return_unsent(self, burst: RequestBurst, unsent: Span) -> None:
        """Take back requests of a burst that are not sent."""
        self._bursts.return_unsent(burst, unsent)

    def stop(self, reason: str, *, interrupted: bool = False, transient: bool = False, instead: bool = False) -> None:
        """Send nothing more. What is planned and not settled is left for the next run to resume."""
        self._changes.stop(reason, interrupted=interrupted, transient=transient, instead=instead)

    def has_urgent_changes(self) -> bool:
        """Whether pending changes hold more than counters."""
        return self._changes.has_urgent()

    def is_finished(self) -> bool:
        """Whether every record is settled, durably."""
        return self.planner.fully_planned() and not self.in_flight.planned and self.is_drained()

    def is_drained(self) -> bool:
        """Whether nothing is left to commit for the responses received so far."""
        return self._changes.is_drained()

    # What travels next.

    def _next_task(self, now: float) -> Task | None:
        probing = self.breaker.has_succeeded and self.breaker.is_open
        # Probes are by turns of what failed and of what was not tried yet, as what failed may fail by itself.
        probes_fresh = probing and self._probed_retry and self._queue.has_untried()
        self._probed_retry = probing and not probes_fresh
        task = None if probes_fresh else self._queue.pop_retry(float("inf") if probing else now)
        if task is not None:
            return task
        if not self.breaker.is_closed and not probes_fresh and self._queue.seconds_until_retry(now) is not None:
            return None  # before anything has got through, a retry is all there is to try
        if self.in_flight.free_to_send + self._retries_outside_window <= 0:
            return None
        while True:
            task = self._ordering.next_released()
            if task is None:
                fresh = self._queue.pop()
                if fresh is None:
                    return None
                task = self._ordering.release_or_hold(fresh)
            if task is not None and not self.planner.exceeds_limit(task):
                return task
            if task is not None:
                self._outcomes.divide(task, Divide(halves(task.spans)), now)

    def _adapt_limit(self, now: float, *, succeeded: bool, overloaded: bool, count: int = 1) -> None:
        """Responses came: adapt the limit of concurrent requests."""
        before = self._limit.limit
        in_flight = self.in_flight.requests + count
        self._limit.on_response(now, succeeded=succeeded, overloaded=overloaded, in_flight=in_flight, count=count)
        if self._limit.limit != before:
            self.in_flight.set_concurrency(self._limit.limit, affordable=self.planner.affordable)

    def _wait(self, now: float, seconds: float, reason: str) -> Wait:
        """A wait, until the deadline at most; a long one is reported once, with its reason."""
        if self._deadline is not None:
            seconds = min(seconds, self._deadline - now)
        self._limited_since = now if self._limited_since is None else self._limited_since
        if seconds >= REPORTED_WAIT and abs(now + seconds - self._waits_until) > 1:
            self._waits_until = now + seconds
            self._changes.notify(SendingPaused(reason=reason, seconds=round(seconds, 3)))
        return Wait(seconds)

    def _end_wait(self, now: float) -> None:
        if self._limited_since is not None:
            self.limited_seconds += now - self._limited_since
            self._limited_since = None

    @property
    def _retries_outside_window(self) -> int:
        """How many requests that are to be retried use no slot, so that what was not tried yet shows whether it is they."""
        return self.planner.most_outside_window(self._queue.retries) if self.breaker.has_succeeded else 0

    def _next_burst(self, now: float, ahead: int) -> RequestBurst | None:
        """A burst, if the circuit is closed, no retry is due, no task waits for its ordering key, and no gap is kept.

        It is of at most so many requests for each that may be in flight.
        """
        retry = self._queue.seconds_until_retry(now)
        if not self.breaker.is_closed or (retry is not None and retry <= 0) or self._ordering or self._limit.gap:
            return None
        concurrency = self._limit.limit
        return self._bursts.next_burst(min(ahead * concurrency, self.in_flight.free_to_send), concurrency)

    def _send(self, task: Task, now: float) -> Request | Wait:
        parts = self.planner.buffer.slices(task.spans)
        wait = self._builder.rate_limiter.acquire(now, records=task.size, size=self.planner.body_length(task.spans))
        if wait > 0:
            if task.first_tried is None:
                self._queue.push_front(task)
            else:
                self._queue.schedule(now, task)
            return self._wait(now, wait, "destination.rate_limit, or that of another connector to the same API")
        self._end_wait(now)
        self._not_before = now + self._limit.gap
        task.move(TaskState.IN_FLIGHT)
        task.attempts += 1
        first = task.first_tried is None
        if first:
            task.first_tried = now
            task.successes_seen, task.load_signs_seen = self.breaker.successes, self.breaker.load_signs
        else:
            self._changes.count("retries", 1)
        return self._request(task, parts, first=first)

    def _request(self, task: Task, parts: Sequence[memoryview | bytes], *, first: bool) -> Request:
        number = self._changes.count("requests", 1)
        request = self._builder.request(
            task.span,
            parts,
            self._sender,
            lambda: task.chunk.digest if task.chunk.records_per_request != 1 else b"".join(parts),
            record_count=task.size,
            request_id=number,
            attempt=task.attempts,
            route=self.planner.buffer.route(task.spans[0].lo),
            is_reauth=task.renewals > 0,
            ids=self.planner.buffer.ids(task.spans),
        )
        self._changes.count("bytes", request.body_length)
        self.in_flight.issue(number, task, first=first)
        return request

    def _nothing_else_to_try(self) -> bool:
        if self.in_flight.requests or self._queue:
            return False
        # What waits for its ordering key now waits for one that is held.
        waits_for_held = bool(self._ordering) and self.in_flight.held > 0
        no_more = self.planner.fully_planned() or (waits_for_held and not self.in_flight.can_plan())
        return no_more and (waits_for_held or not self._ordering)
