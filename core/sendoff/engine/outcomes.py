"""Carries out what becomes of a request's records when its response comes: delivered, retried, split, or failed.

What becomes of them is decided in `decide`, which is pure; here it is done: the planner, the queue, the pending changes
and the circuit breaker are updated. The file is long because the actions call one another: settling one part of a
split request may send or split the next part, and any success or failure decides on the requests held back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from random import Random
from typing import Literal, NamedTuple

from sendoff.components import FailureStrategy
from sendoff.engine.actions import Action, Divide, FailAll, FailNamed, HoldBack, LowerLimit, RetryLater, StopRun
from sendoff.engine.circuit_breaker import CircuitBreaker
from sendoff.engine.decide import (
    Situation,
    accepts_as_final,
    decide,
    decide_by_strategy,
    end_conflict,
    exceeds_retry_after,
    fails_by_itself,
    give_up,
    is_conflict,
    is_limit,
    may_have_been_received,
)
from sendoff.engine.in_flight import InFlight
from sendoff.engine.ordering import KeyOrdering
from sendoff.engine.pending_changes import PendingChanges
from sendoff.engine.planner import Planner
from sendoff.engine.ready_queue import ReadyQueue
from sendoff.engine.request_log import RequestLog
from sendoff.engine.requests import RequestBuilder
from sendoff.engine.retry import backoff
from sendoff.engine.split_budget import SplitBudget
from sendoff.engine.states import TaskState
from sendoff.engine.tasks import OpenChunk, SplitGroup, SplitRequest, Task
from sendoff.ledger import Chunk
from sendoff.monitoring.events import CredentialsRenewed, DestinationRecovered, LimitLowered, RequestSplit, RetryScheduled
from sendoff.records import Span, Spans, halves, ordinals, spans_of, total
from sendoff.response import Verdict, VerdictKind
from sendoff.transport.protocol import Response

#: The maximum pause in seconds, however long the Retry-After.
MAX_PAUSE = 86_400.0


class _Held(NamedTuple):
    """A task that is decided on again when it is known whether others succeed."""

    task: Task
    verdict: Verdict
    response: Response | None


class OutcomeHandler:
    """Applies verdicts."""

    def __init__(
        self, builder: RequestBuilder, strategy: FailureStrategy, changes: PendingChanges, in_flight: InFlight,
        planner: Planner, queue: ReadyQueue, ordering: KeyOrdering, breaker: CircuitBreaker, request_log: RequestLog,
        random: Random,
    ) -> None:  # fmt: skip
        self._builder, self._strategy, self._changes, self._in_flight = builder, strategy, changes, in_flight
        self._planner, self._queue, self._ordering = planner, queue, ordering
        self._breaker, self._request_log, self._random = breaker, request_log, random
        self._budget = SplitBudget(strategy)
        #: Rejected before the first success: not yet treated as the records' fault.
        self._unproven_rejections: list[_Held] = []
        #: A request that used up its attempts before it is known whether others succeed.
        self._held_failure: _Held | None = None
        #: The Retry-After of the destination, if longer than a run waits for.
        self.requested_pause: float | None = None

    def apply(self, task: Task, verdict: Verdict, response: Response, now: float) -> None:
        """Apply a verdict."""
        verdict = end_conflict(task, verdict, self._builder.destination.retry, now)
        match verdict.kind:
            case VerdictKind.DELIVERED:
                self._delivered(task, verdict, now)
                return
            case VerdictKind.PARTIAL:
                self._partial(task, verdict, response, now)
                return
            case VerdictKind.RETRY:
                self._note_failure(task, verdict, now)
            case VerdictKind.TOO_LARGE if task.size == 1:
                verdict = replace(verdict, kind=VerdictKind.REJECTED)
                self._breaker.on_rejection()
            case VerdictKind.REJECTED:
                self._breaker.on_rejection()
        self._carry_out(task, decide(task, verdict, self._situation(now), self._strategy, response), response, now)

    def retry_with_new_credentials(self, task: Task, now: float) -> None:
        """Send it again with renewed credentials. The attempt is not counted."""
        task.renewals += 1
        task.uncounted_attempts += 1
        task.move(TaskState.BACKOFF)
        self._queue.schedule(now, task)
        self._changes.notify(CredentialsRenewed())

    def retry_lost(self, task: Task, reason: str, now: float) -> None:
        """Send it again at once, as the connection it was sent on was lost. The attempt is not counted."""
        task.reconnections += 1
        task.uncounted_attempts += 1
        self._reschedule(task, now)
        self._changes.notify(RetryScheduled(reason=reason, records=task.size, seconds=0.0, attempt=task.attempts))

    def accept_rejections(self, now: float) -> None:
        """Treat the rejections held back so far as per-record."""
        held_back, self._unproven_rejections = self._unproven_rejections, []
        for held in held_back:
            self._in_flight.release(held.task)
        for task, verdict, response in held_back:
            action = decide_by_strategy(task, verdict, self._situation(now), self._strategy, response)
            self._carry_out(task, action, response, now)

    def resolve_exhausted(self, now: float) -> None:
        """No other request can show whether the held one is at fault: give up on it or stop the run.

        It is given up on if it failed while others succeeded; else the run stops.
        """
        if self._held_failure is None:
            return
        task, verdict, response = self._held_failure
        if fails_by_itself(task, verdict, self._situation(now)) or accepts_as_final(
            verdict, early_stop=self._builder.early_stop
        ):
            self._take_held_failure()
            self._carry_out(task, give_up(task, verdict, self._situation(now), self._strategy), response, now)
        else:
            self._changes.stop(f"{verdict.reason} (if it is these records, run with --no-early-stop)", transient=True)

    def settle_uncertain(self, chunks: Iterable[OpenChunk], state: Literal["delivered", "rejected"]) -> None:
        """Settle what earlier processes sent and the API may have applied, as a person says that it is."""
        for open_chunk in chunks:
            for spans, request in open_chunk.take_uncertain():
                if state == "delivered":
                    self._changes.delivered(spans)
                else:
                    reason = f"{request.reason}; it may have been applied, and was rejected by --maybe-applied"
                    self._changes.failed(self._planner.buffer.failures(spans, reason, None, request.sends, maybe_applied=True))
                self._close(open_chunk.chunk, 1, sent=False)

    # Delivered.

    def burst_delivered(self, chunk: Chunk, spans: Spans, requests: int, now: float) -> None:
        """So many requests of a chunk, of one record each, were delivered."""
        self._changes.delivered(spans)
        self._budget.delivered(requests)
        self._close(chunk, requests, sent=True)
        self._breaker.successes += requests - 1
        self._succeeded(now)

    def _delivered(self, task: Task, verdict: Verdict, now: float) -> None:
        self._changes.delivered(
            task.spans, self._request_log.captured(task.spans, task.spans, verdict), accepted=verdict.accepted
        )
        self._budget.delivered(task.size)
        self._planner.note_delivered(task.size)
        self._settle(task, TaskState.DELIVERED)
        if task.group is not None and task.group.request.delivered(task.size):
            self._learn_size(task.group.request)
        self._advance_group(task.group, now)
        self._succeeded(now, recovered=task.failures > 0)

    def _partial(self, task: Task, verdict: Verdict, response: Response, now: float) -> None:
        """Apply each record's own verdict; those to be retried are sent again together."""
        by = {at: verdict.per_record[place] for place, at in enumerate(ordinals(task.spans)) if place in verdict.per_record}
        rejected = {at: own for at, own in by.items() if own.kind is VerdictKind.REJECTED}
        again = {at: own for at, own in by.items() if own.kind is VerdictKind.RETRY}
        if len(again) == task.size:
            whole = replace(verdict.per_record[0], retry_after=verdict.retry_after)
            self._note_failure(task, whole, now)
            self._carry_out(task, decide(task, whole, self._situation(now), self._strategy, response), response, now)
            return
        if len(rejected) == task.size:
            self._breaker.on_rejection()
            whole = replace(verdict, reason=verdict.per_record[0].reason)
            self._carry_out(task, decide(task, whole, self._situation(now), self._strategy, response), response, now)
            return
        delivered = spans_of(at for at in ordinals(task.spans) if at not in by)
        self._changes.delivered(
            delivered, self._request_log.captured(task.spans, delivered, verdict), accepted=verdict.accepted
        )
        self._budget.delivered(total(delivered))
        for at, own in rejected.items():
            self._fail_records((Span(at, at + 1),), own, task.attempts)
        self._settle(task, TaskState.SPLIT)
        if delivered:
            self._succeeded(now)
        if again:
            first = replace(next(iter(again.values())), retry_after=verdict.retry_after)
            self._retry_records(task, first, again, bool(delivered), now)
        self._advance_group(task.group, now, bad_record_found=bool(rejected or again))

    def _succeeded(self, now: float, *, recovered: bool = False) -> None:
        outage = self._breaker.is_outage
        if self._breaker.on_success(recovered=recovered):
            self._queue.retry_now(now)
            self._changes.notify(DestinationRecovered())
        if (held := self._take_held_failure()) is not None:
            task, verdict, response = held
            if outage:  # it failed while others did
                task.uncounted_attempts = task.attempts
            elif not task.others_succeeded:  # it has not failed yet while others succeed
                task.uncounted_attempts += 1
            used_up = task.counted_attempts >= self._builder.destination.retry.max_attempts
            if not used_up or not may_have_been_received(verdict):
                self._reschedule(task, now)
            else:
                self._carry_out(task, give_up(task, verdict, self._situation(now), self._strategy), response, now)
        self.accept_rejections(now)

    # Failed.

    def _situation(self, now: float) -> Situation:
        breaker, to = self._breaker, self._builder.destination
        return Situation(
            now, breaker.state, breaker.has_succeeded, breaker.failing_for(now), breaker.was_down, breaker.is_outage,
            breaker.rejections, self._held_failure is not None,
            self._more_to_try(), self._builder.early_stop, to.idempotent, to.retry,
            self._budget.spent(self._planner.planned),
        )  # fmt: skip

    def _more_to_try(self) -> bool:
        """Whether there are records that were not tried yet."""
        return not self._planner.fully_planned() or self._queue.has_untried() or bool(self._ordering)

    def _note_failure(self, task: Task, verdict: Verdict, now: float) -> None:
        """Count a transient failure: against the destination, and against the task if it alone fails while others succeed."""
        task.failing_since = now if task.failing_since is None else task.failing_since
        if is_conflict(verdict):
            task.failures += 1
            task.conflicts += 1
            return
        breaker = self._breaker
        others_fail = breaker.load_signs > task.load_signs_seen
        breaker.on_failure(task, now, may_have_been_sent=may_have_been_received(verdict))
        if is_limit(verdict):
            task.uncounted_attempts += 1  # the API said that it is about the number of requests
        elif breaker.successes > task.successes_seen and others_fail:
            task.uncounted_attempts += 1  # the API takes only so many at once
        elif breaker.successes > task.successes_seen:
            task.isolated_failures += 1
        elif breaker.is_open and breaker.is_outage and self._more_to_try():
            task.uncounted_attempts += 1
        task.failures += 1
        task.others_succeeded = task.others_succeeded or breaker.successes > task.successes_seen
        task.successes_seen, task.load_signs_seen = breaker.successes, breaker.load_signs

    def _carry_out(self, task: Task, action: Action, response: Response | None, now: float) -> None:
        if isinstance(action, RetryLater | HoldBack):
            self._release_held(action.verdict, now)
        match action:
            case RetryLater():
                self._retry_later(task, action, now)
            case HoldBack():
                self._hold_back(_Held(task, action.verdict, response), now)
            case FailAll():
                self._fail_records(task.spans, action.verdict, task.attempts)
                self._settle(task, TaskState.FAILED)
                self._advance_group(task.group, now, bad_record_found=True)
            case FailNamed():
                self._fail_named(task, action.verdict, now)
            case Divide():
                self.divide(task, action, now, response)
            case LowerLimit():
                self._lower_limit(task, action, now)
            case StopRun():
                self.requested_pause = None if action.pause is None else min(action.pause, MAX_PAUSE)
                self._changes.stop(action.reason, transient=action.transient)

    def _release_held(self, verdict: Verdict, now: float) -> None:
        """Another request fails as well: it is not the held one's records, so that is tried again."""
        held = self._held_failure
        if held is not None and verdict.kind is VerdictKind.RETRY and not is_conflict(verdict):
            self._take_held_failure()
            self._reschedule(held.task, now)

    def _take_held_failure(self) -> _Held | None:
        """The held failure, if there is one, to be decided on now."""
        held, self._held_failure = self._held_failure, None
        if held is not None:
            self._in_flight.release(held.task)
        return held

    def _retry_later(self, task: Task, action: RetryLater, now: float) -> None:
        if task.state is TaskState.READY:  # it was not sent: a sibling showed that it holds the bad record
            self._queue.push_front(task)
            return
        wait = self._wait(task, action.verdict, now)
        self._reschedule(task, now + (wait if action.seconds is None else max(0.0, action.seconds)))

    def _reschedule(self, task: Task, due: float) -> None:
        task.move(TaskState.BACKOFF)
        self._queue.schedule(due, task)

    def _retry_records(self, task: Task, verdict: Verdict, retried: Mapping[int, Verdict], alone: bool, now: float) -> None:
        """Retry some of a request's records; without delay if all were not attempted only because another one failed."""
        child = self._open_task(spans_of(retried), repeats=True)
        if all(own.collateral for own in retried.values()):
            self._changes.notify(RetryScheduled(reason=verdict.reason, records=child.size, seconds=0.0, attempt=0))
        elif over := exceeds_retry_after(verdict, self._builder.destination.retry):
            self._carry_out(child, over, None, now)
        else:
            counts = alone and verdict.status != 429
            child.attempts, child.failures, child.conflicts = task.attempts, task.failures + 1, task.conflicts
            child.uncounted_attempts = task.uncounted_attempts + (not counts)
            child.isolated_failures = task.isolated_failures + counts
            child.others_succeeded = task.others_succeeded or alone
            child.failing_since = now if task.failing_since is None else task.failing_since
            child.due = now + self._wait(child, verdict, now)

    def _wait(self, task: Task, verdict: Verdict, now: float) -> float:
        """Seconds until it is retried. May also pause all requests to the destination."""
        wait = backoff(task.attempts, self._builder.destination.retry, self._random)
        if verdict.retry_after is not None:
            wait = max(wait, verdict.retry_after)
            self._builder.rate_limiter.pause_until(now + wait, f"{verdict.reason}; the API asked for a pause (Retry-After)")
        elif self._breaker.is_open:
            self._builder.rate_limiter.pause_until(
                now + self._breaker.probe_delay(), f"{verdict.reason}; the API is down and tried again at intervals"
            )
        self._changes.notify(
            RetryScheduled(reason=verdict.reason, records=task.size, seconds=round(wait, 3), attempt=task.attempts)
        )
        return wait

    def _hold_back(self, held: _Held, now: float) -> None:
        held.task.move(TaskState.HELD)
        self._in_flight.hold(held.task)
        if held.verdict.kind is VerdictKind.RETRY:
            held.task.holds += 1
            self._held_failure = held
        else:
            self._unproven_rejections.append(held)
        group, held.task.group = held.task.group, None
        self._advance_group(group, now, bad_record_found=True)

    def _fail_named(self, task: Task, verdict: Verdict, now: float) -> None:
        bad = {at: verdict.per_record[place] for place, at in enumerate(ordinals(task.spans)) if place in verdict.per_record}
        rest = spans_of(at for at in ordinals(task.spans) if at not in bad)
        for at, own in bad.items():
            self._fail_records((Span(at, at + 1),), own, task.attempts)
        self._settle(task, TaskState.SPLIT)
        if rest:
            self._open_task(rest, repeats=task.may_be_repeat)
        self._advance_group(task.group, now, bad_record_found=True)

    def _lower_limit(self, task: Task, action: LowerLimit, now: float) -> None:
        most = self._planner.lower_limit(halves(task.spans), in_bytes=action.in_bytes)
        unit: Literal["bytes", "records"] = "bytes" if action.in_bytes else "records"
        length = self._planner.body_length(task.spans)
        self._changes.notify(LimitLowered(bytes=length, records=task.size, at_most=most, of=unit))
        self.divide(task, Divide(halves(task.spans)), now)

    def _learn_size(self, request: SplitRequest) -> None:
        """All parts of a rejected request were delivered, so it was too large."""
        most = self._planner.learn_size(request.largest_part, request.size)
        self._planner.note_delivered(request.largest_part)
        self._changes.notify(LimitLowered(bytes=request.body_length, records=request.size, at_most=most, of="records"))

    # Parts.

    def divide(self, task: Task, action: Divide, now: float, response: Response | None = None) -> None:
        """Replace a task by its parts. With a verdict they are a group: at least one part has a bad record."""
        verdict = action.verdict
        group = None
        if verdict is not None:
            length = self._planner.body_length(task.spans)
            request = task.group.request if task.group is not None else SplitRequest(task.size, length, task.size)
            group = SplitGroup(verdict, request, response)
        self._settle(task, TaskState.SPLIT)
        for part in action.parts:
            repeats = task.may_be_repeat or action.at_fault
            self._open_task(part, group, repeats=repeats).isolated_failures = int(action.at_fault)
        if verdict is not None:
            self._budget.split()
            self._changes.notify(RequestSplit(reason=verdict.reason, records=task.size, parts=len(action.parts)))
        self._advance_group(task.group, now, bad_record_found=True)

    def _open_task(self, spans: Spans, group: SplitGroup | None = None, *, repeats: bool) -> Task:
        """A new task for some records; it is sent once its chunk is durable."""
        chunk = self._planner.open_chunk(spans, total(spans))
        self._changes.chunk_opened(chunk)
        child = Task(spans, chunk, TaskState.PLANNED, repeats, group=group)
        self._ordering.register(child)
        self._queue.await_commit(child)
        if group is not None:
            group.waiting.append(child)
        return child

    def _fail_records(self, spans: Spans, verdict: Verdict, attempts: int) -> None:
        reason = self._builder.redact(verdict.reason)
        self._changes.failed(self._planner.buffer.failures(spans, reason, verdict.status, attempts, verdict.maybe_applied))
        self._budget.rejected(total(spans))

    def _settle(self, task: Task, state: TaskState) -> None:
        task.move(state)
        self._close(task.chunk, 1, sent=task.first_tried is not None)
        self._ordering.settle(task)

    def _close(self, chunk: Chunk, requests: int, *, sent: bool) -> None:
        """Settle requests of a chunk, and close it if they were its last ones."""
        if self._planner.settle(chunk, requests, sent=sent):
            self._changes.chunk_closed(chunk.lo)

    def _advance_group(self, group: SplitGroup | None, now: float, *, bad_record_found: bool = False) -> None:
        """A part of a group is settled: queue the next one, or split it at once if it must be the bad one."""
        if group is None:
            return
        group.bad_record_found = group.bad_record_found or bad_record_found
        if not group.waiting:
            return
        task = group.waiting.popleft()
        if group.last_must_be_bad(task) and not self._planner.is_too_many(group.request.size):
            action = decide_by_strategy(task, group.verdict, self._situation(now), self._strategy, group.response)
            self._carry_out(task, action, group.response, now)
        else:
            self._queue.push_front(task)
