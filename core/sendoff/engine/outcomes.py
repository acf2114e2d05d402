"""What becomes of a request's records when its response comes: delivered, retried, split, or failed.

Every verdict updates the planner, the queue, the pending changes and the circuit breaker; what is sent next is
decided in `engine`. The file is long because the outcomes call one another: settling one part of a
split request may send or split the next part, and any success or failure decides on the requests held back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

from sendoff.components import FailureStrategy, Refusal, Split
from sendoff.engine import retry as policy
from sendoff.engine.circuit_breaker import CircuitBreaker
from sendoff.engine.ordering import KeyOrdering
from sendoff.engine.pending_changes import PendingChanges
from sendoff.engine.planner import Planner
from sendoff.engine.ready_queue import ReadyQueue
from sendoff.engine.request_log import RequestLog
from sendoff.engine.requests import RequestBuilder
from sendoff.engine.retry import Defer, GiveUp, StopRun, backoff
from sendoff.engine.split_budget import SplitBudget
from sendoff.engine.tasks import SplitGroup, Task
from sendoff.ledger import Chunk
from sendoff.records import Span, Spans, halves, ordinals, spans_of, total, within
from sendoff.response import Verdict, VerdictKind
from sendoff.transport.protocol import Request

#: Rejections that stop a run that has delivered nothing yet: the cause is then probably not the records.
MAX_UNPROVEN_REJECTIONS = 4
#: A rejected first request of fewer records is split at once: probes would cost more requests than they save.
MIN_PROBED_RECORDS = 8
#: The maximum pause in seconds, however long the Retry-After.
MAX_PAUSE = 86_400.0


class OutcomeHandler:
    """Applies verdicts."""

    def __init__(
        self, builder: RequestBuilder, strategy: FailureStrategy, changes: PendingChanges, planner: Planner, queue: ReadyQueue,
        ordering: KeyOrdering, breaker: CircuitBreaker, request_log: RequestLog, random: Random,
    ) -> None:  # fmt: skip
        self._builder, self._strategy, self._changes = builder, strategy, changes
        self._planner, self._queue, self._ordering = planner, queue, ordering
        self._breaker, self._request_log, self._random = breaker, request_log, random
        self._budget = SplitBudget(strategy)
        #: Rejected before the first success: not yet treated as the records' fault.
        self._unproven_rejections: list[tuple[Task, Verdict]] = []
        #: A request that used up its attempts before it is known whether others succeed.
        self._deferred: tuple[Task, Verdict] | None = None
        #: The Retry-After of the destination, if longer than a run waits for.
        self.requested_pause: float | None = None

    @property
    def held(self) -> int:
        """How many requests are held back until others succeed or fail; they use no slots."""
        return len(self._unproven_rejections) + (self._deferred is not None)

    def apply(self, task: Task, verdict: Verdict, request: Request, now: float) -> None:
        """Apply a verdict."""
        match verdict.kind:
            case VerdictKind.DELIVERED:
                self._delivered(task, verdict, now)
            case VerdictKind.PARTIAL:
                self._partial(task, verdict, now)
            case VerdictKind.RETRY:
                self._retry(task, verdict, now)
            case VerdictKind.REJECTED:
                self._rejected(task, verdict)
            case VerdictKind.TOO_LARGE:
                self._too_large(task, verdict, request.body_length)
            case VerdictKind.STOP:
                self._changes.stop(verdict.reason)

    def retry_with_new_credentials(self, task: Task, now: float) -> None:
        """Send it again with renewed credentials. The attempt is not counted."""
        task.credentials_renewed = True
        task.uncounted_attempts += 1
        self._queue.schedule(now, task)
        self._changes.event("renewed")

    def accept_rejections(self) -> None:
        """Treat the rejections held back so far as per-record."""
        held_back, self._unproven_rejections = self._unproven_rejections, []
        for task, verdict in held_back:
            self._decide(task, verdict)

    def resolve_deferred(self) -> None:
        """No other request can show whether the deferred one is at fault: give up on it or stop the run.

        It is given up on if others succeeded while it failed and the destination is not down; else the run stops.
        """
        if self._deferred is None:
            return
        at_fault = self._deferred[0].isolated_failures and not self._breaker.is_open
        if at_fault or not self._builder.early_stop:
            given_up, self._deferred = self._deferred, None
            self._give_up(*given_up)
        else:
            self._changes.stop(f"{self._deferred[1].reason} (if it is these records, run with --no-early-stop)")

    # Delivered.

    def burst_delivered(self, chunk: Chunk, spans: Spans, requests: int, now: float) -> None:
        """So many requests of a chunk, of one record each, were delivered."""
        self._changes.delivered(spans, ())
        self._budget.delivered(requests)
        self._changes.settled(self._planner.settle(chunk, requests), sent=requests)
        self._breaker.successes += requests - 1
        self._succeeded(now)

    @property
    def successes(self) -> int:
        """How many requests have succeeded."""
        return self._breaker.successes

    def _delivered(self, task: Task, verdict: Verdict, now: float) -> None:
        self._changes.delivered(task.spans, self._request_log.captured(task.spans, verdict))
        self._budget.delivered(task.size)
        self._settle(task)
        self._advance_group(task.group)
        self._succeeded(now)

    def _partial(self, task: Task, verdict: Verdict, now: float) -> None:
        """Apply each record's own verdict; those to be retried are sent again together."""
        by = {at: verdict.per_record[place] for place, at in enumerate(ordinals(task.spans)) if place in verdict.per_record}
        rejected = {at: own for at, own in by.items() if own.kind is VerdictKind.REJECTED}
        again = {at: own for at, own in by.items() if own.kind is VerdictKind.RETRY}
        if len(again) == task.size:
            self._retry(task, replace(verdict.per_record[0], retry_after=verdict.retry_after), now)
            return
        if len(rejected) == task.size:
            self._rejected(task, replace(verdict, reason=verdict.per_record[0].reason))
            return
        delivered = spans_of(at for at in ordinals(task.spans) if at not in by)
        self._changes.delivered(delivered, self._request_log.captured(task.spans, verdict))
        self._budget.delivered(total(delivered))
        for at, own in rejected.items():
            self._fail_records((Span(at, at + 1),), own, task.attempts)
        self._settle(task)
        if delivered:
            self._succeeded(now)
        if again:
            self._retry_records(
                task, replace(next(iter(again.values())), retry_after=verdict.retry_after), again, bool(delivered), now
            )
        self._advance_group(task.group, bad_record_found=bool(rejected))

    def _succeeded(self, now: float) -> None:
        if self._breaker.on_success():
            self._queue.retry_now(now)
            self._changes.event("recovered")
        if self._deferred is not None:
            given_up, self._deferred = self._deferred, None
            self._give_up(*given_up)
        self.accept_rejections()

    # Tried again.

    def _retry_records(self, task: Task, verdict: Verdict, retried: Mapping[int, Verdict], alone: bool, now: float) -> None:
        """Retry some of a request's records; without delay if all were not attempted only because another one failed."""
        child = self._open_task(spans_of(retried))
        if all(own.collateral for own in retried.values()):
            self._changes.event("retry", reason=verdict.reason, records=child.size, seconds=0.0, attempt=0)
        elif over := policy.exceeds_retry_after(verdict, self._builder.destination.retry):
            self._stop_run(verdict, over)
        else:
            child.attempts, child.uncounted_attempts = task.attempts, task.uncounted_attempts
            child.isolated_failures, child.isolated_since = task.isolated_failures + alone, task.isolated_since or now
            child.due = now + self._wait(child, verdict, now)

    def _retry(self, task: Task, verdict: Verdict, now: float) -> None:
        """Retry a transient failure, within bounds."""
        retry = self._builder.destination.retry
        policy.note_failure(task, verdict, self._breaker, now)
        in_doubt = self._deferred
        decision = policy.decide(task, verdict, self._breaker, retry, now, another_deferred=in_doubt is not None)
        given_up = replace(verdict, reason=f"{verdict.reason}; given up after {task.attempts} attempts")
        if isinstance(decision, GiveUp):
            self._give_up(task, given_up)
            return
        if in_doubt is not None:  # another one fails as well: it is not that one's records
            self._deferred = None
            self._queue.schedule(now, in_doubt[0])
        match decision:
            case Defer():
                self._deferred = task, given_up
                task.deferred_once = True
            case StopRun():
                self._stop_run(verdict, decision)
            case _:
                self._queue.schedule(now + self._wait(task, verdict, now), task)

    def _stop_run(self, verdict: Verdict, decision: StopRun) -> None:
        self.requested_pause = None if verdict.retry_after is None else min(verdict.retry_after, MAX_PAUSE)
        self._changes.stop(decision.reason)

    def _wait(self, task: Task, verdict: Verdict, now: float) -> float:
        """Seconds until it is retried. May also pause all requests to the destination."""
        wait = backoff(task.attempts, self._builder.destination.retry, self._random)
        if verdict.retry_after is not None:
            wait = max(wait, verdict.retry_after)
            self._builder.rate_limiter.pause_until(now + wait)
        elif self._breaker.is_open:
            self._builder.rate_limiter.pause_until(now + self._breaker.probe_delay())
        self._changes.event("retry", reason=verdict.reason, records=task.size, seconds=round(wait, 3), attempt=task.attempts)
        return wait

    def _give_up(self, task: Task, verdict: Verdict) -> None:
        """Fail a request that cannot succeed while others do; split it first if resending does no harm."""
        if self._strategy.splits and self._builder.destination.idempotent and task.size > 1:
            self.split(task, halves(task.spans), None, at_fault=True)
        else:
            self._fail(task, verdict)

    # Refused.

    def _rejected(self, task: Task, verdict: Verdict) -> None:
        """Let the strategy decide; but before the first success, hold rejections back."""
        self._breaker.on_rejection()
        if self._breaker.is_closed or not self._builder.early_stop:
            self._decide(task, verdict)
        elif self._breaker.rejections >= MAX_UNPROVEN_REJECTIONS:
            self._changes.stop(
                f"{verdict.reason}; the first {MAX_UNPROVEN_REJECTIONS} requests were all rejected, so it may not be the "
                "records: check the URL, the headers and the schema (if it is the records, run with --no-early-stop)"
            )
        elif self._strategy.splits and task.size > MIN_PROBED_RECORDS and not verdict.per_record:
            self.split(task, _probes(task.spans), verdict)
        elif self._strategy.splits and task.size > 1 and len(verdict.per_record) < task.size:
            self._decide(task, verdict)
        else:
            self._unproven_rejections.append((task, verdict))
            group, task.group = task.group, None
            self._advance_group(group, bad_record_found=True)

    def _decide(self, task: Task, verdict: Verdict) -> None:
        if verdict.per_record and (self._strategy.splits or verdict.kind is VerdictKind.PARTIAL):
            self._drop_bad_records(task, verdict)
            return
        # The strategy sees the records as if they stood side by side from the first one's ordinal.
        lo = task.spans[0].lo
        decision = self._strategy.decide(Refusal(Span(lo, lo + task.size), verdict.status, verdict.reason))
        if not isinstance(decision, Split) or task.size == 1:
            self._fail(task, verdict)
        elif spent := self._budget.spent(self._planner.planned):
            self._changes.stop(f"{verdict.reason}; {spent}")
        else:
            self.split(task, [within(task.spans, part.lo - lo, part.hi - lo) for part in decision.spans], verdict)

    def _drop_bad_records(self, task: Task, verdict: Verdict) -> None:
        """The API named the bad records: fail them, and send the others again without them."""
        bad = {at: verdict.per_record[place] for place, at in enumerate(ordinals(task.spans)) if place in verdict.per_record}
        rest = spans_of(at for at in ordinals(task.spans) if at not in bad)
        for at, own in bad.items():
            self._fail_records((Span(at, at + 1),), own, task.attempts)
        self._settle(task)
        if rest:
            self._open_task(rest)
        self._advance_group(task.group, bad_record_found=True)

    def _too_large(self, task: Task, verdict: Verdict, length: int) -> None:
        if task.size == 1:
            self._fail(task, verdict)
            return
        # A 413 is about bytes (RFC 9110 §15.5.14); what else says too large is mostly about the number.
        in_bytes = verdict.status == 413
        most = self._planner.lower_limit(halves(task.spans), in_bytes=in_bytes)
        self._changes.event("too_large", bytes=length, records=task.size, at_most=most, of="bytes" if in_bytes else "records")
        self.split(task, halves(task.spans), None)

    # Parts.

    def split(self, task: Task, parts: Sequence[Spans], verdict: Verdict | None, *, at_fault: bool = False) -> None:
        """Replace a task by its parts. With a verdict they are a group: at least one part has a bad record.

        With `at_fault`, each part starts with the isolated failure of the whole.
        """
        group = SplitGroup(verdict) if verdict is not None else None
        self._settle(task)
        for part in parts:
            self._open_task(part, group).isolated_failures = int(at_fault)
        if verdict is not None:
            self._changes.event("split", records=task.size, parts=len(parts), reason=verdict.reason)
        self._advance_group(task.group, bad_record_found=True)

    def _open_task(self, spans: Spans, group: SplitGroup | None = None) -> Task:
        """A new task for some records; it is sent once its chunk is durable."""
        chunk = self._planner.open_chunk(spans, total(spans))
        self._changes.chunk_opened(chunk)
        child = Task(spans, chunk, group=group)
        self._ordering.register(child)
        self._queue.await_commit(child)
        if group is not None:
            group.waiting.append(child)
        return child

    def _fail(self, task: Task, verdict: Verdict) -> None:
        self._fail_records(task.spans, verdict, task.attempts)
        self._settle(task)
        self._advance_group(task.group, bad_record_found=True)

    def _fail_records(self, spans: Spans, verdict: Verdict, attempts: int) -> None:
        reason = self._builder.redact(verdict.reason)
        self._changes.failed(self._planner.buffer.failures(spans, reason, verdict.status, attempts, verdict.maybe_applied))
        self._budget.rejected(total(spans))

    def _settle(self, task: Task) -> None:
        self._changes.settled(self._planner.settle(task.chunk), sent=int(task.first_tried is not None))
        self._ordering.settle(task)

    def _advance_group(self, group: SplitGroup | None, *, bad_record_found: bool = False) -> None:
        """A part of a group is settled: queue the next one, or split it at once if it must be the bad one."""
        if group is None:
            return
        group.bad_record_found = group.bad_record_found or bad_record_found
        if not group.waiting:
            return
        if group.last_must_be_bad():
            self._decide(group.waiting.popleft(), group.verdict)
        else:
            self._queue.push_front(group.waiting.popleft())


def _probes(spans: Spans) -> list[Spans]:
    """The first, middle and last record by themselves, then the spans between them."""
    hi = total(spans)
    middle = hi // 2
    alone = [within(spans, at, at + 1) for at in (0, middle, hi - 1)]
    return [*alone, within(spans, 1, middle), within(spans, middle + 1, hi - 1)]
