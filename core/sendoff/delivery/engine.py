"""The engine: a state machine that decides what travels, and what an answer means.

It does no I/O, has no threads and no clock: time is an argument. Its hands are

* a reader, which `offer`s blocks and says `end`;
* a ledger, which asks what to commit (`propose`) and says when it is durable (`confirm`);
* a transport, which asks what to send (`next`) and says what came back (`answer`).

Two rules hold the account together. Nothing travels before the commit that plans it is confirmed,
and what takes a settled request's permit is planned by the commit that settles it. So however the process ends,
no record is forgotten, and at most `window` requests are ever sent twice.

The file is long because every verdict acts on the same few things at once. What could be parted from
it has been: the plan, the queue, the judge, the terms, the order, the pace, and the destination's health.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Literal

from sendoff.answers import Kind, Verdict, judge
from sendoff.answers.hints import quota_rest
from sendoff.components import Answer, FailureStrategy, Refusal, Request, Sender, Split, Wait
from sendoff.delivery.backoff import backoff
from sendoff.delivery.budget import Budget
from sendoff.delivery.concurrency import MOST, Adaptive, Fixed
from sendoff.delivery.evidence import Evidence
from sendoff.delivery.health import Health
from sendoff.delivery.order import Order
from sendoff.delivery.plan import Differs, Plan, digest
from sendoff.delivery.queue import Queue
from sendoff.delivery.tasks import Family, Task
from sendoff.delivery.terms import Terms
from sendoff.ledger import Changes, Failure, RunState
from sendoff.records import Block, Span, Spans, spans_of, total, within

#: Refusals that end a run to which nothing has been delivered yet: then it is not the records.
SYSTEMIC = 4
#: A refused first request of fewer records is split at once: probes would cost more than they tell.
PROBED = 8
LONG = 3600.0

_CHANGED = (
    "the source, or how its records are written, changed since the run began; "
    "put it back, or give up what is left with --restart"
)


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a run ends before its source does."""

    state: Literal["stopped", "interrupted"]
    reason: str


class Engine:
    """Decides everything and touches nothing. Not thread-safe: its owner holds a lock."""

    def __init__(
        self, terms: Terms, sender: Sender, strategy: FailureStrategy, state: RunState, *, random: Random | None = None
    ) -> None:
        self._terms = terms
        self._sender = sender
        self._strategy = strategy
        self._random = random or Random()
        to = terms.to
        self.plan = Plan(sender, MOST if to.concurrency == "auto" else to.concurrency, state)
        self.health = Health(self._random, was_down=state.was_down)
        self.limit = Adaptive() if to.concurrency == "auto" else Fixed(to.concurrency)

        self._queue = Queue()
        self._order = Order(lambda task: self.plan.stock.lanes(task.spans))
        self._in_flight: dict[int, Task] = {}
        self._suspended: list[tuple[Task, Verdict]] = []
        #: A request given up on before it is known whether others get through.
        self._doubtful: tuple[Task, Verdict] | None = None
        self._budget = Budget(strategy)
        self._changes = Changes()
        self._committing: Changes | None = None
        #: Requests this process has sent and not settled durably: what a crash would send again.
        self._exposed = 0
        self._settled = self._settling = 0

        self._deadline: float | None = None
        #: When the destination wants to be left alone until; the next run keeps to it too.
        self.rest: float | None = None
        self.stopped: Stop | None = None
        self.events: list[tuple[str, dict[str, Any]]] = []
        self._evidence = Evidence(terms, self.plan.stock, state.requests)
        self._read_before = state.read
        self.counts = {
            "read": state.read,
            "delivered": state.delivered.total,
            "invalid": state.invalid,
            "rejected": state.rejected,
            "requests": state.requests,
            "retries": state.retries,
            "bytes": state.bytes,
        }

    # The reader's side.

    def offer(self, block: Block, invalid: Sequence[Failure], rows: int) -> None:
        """Take in a block, the invalid rows of its page, and how many source rows were read so far."""
        new = [failure for failure in invalid if failure.position >= self._read_before]
        self._changes.failed += new
        self._changes.read = rows
        self.counts["invalid"] += len(new)
        self.counts["read"] = max(self.counts["read"], rows)
        if block.hi > block.lo:
            try:
                self._queue.extend(self.plan.add(block))
            except Differs:
                self.stop(_CHANGED)

    def end(self) -> None:
        """The source has no more."""
        try:
            self.plan.end()
        except Differs:
            self.stop(_CHANGED)

    def hungry(self) -> bool:
        """Whether another block should be read."""
        return self.stopped is None and self.plan.hungry()

    # The ledger's side.

    def propose(self) -> Changes | None:
        """What to commit now: verdicts since the last time, and new plans as far as permits go."""
        if self._committing is not None:
            return None
        if self.stopped is None:
            if self._suspended and self._nothing_else_to_try():
                self._accept_suspended()
            undecided = len(self._suspended) + (self._doubtful is not None)
            for piece in self.plan.advance(undecided):
                self._changes.opened.append(piece)
                self._changes.planned = self.plan.planned
        if not self._changes:
            return None
        self._committing, self._changes = self._changes, Changes()
        self._settling, self._settled = self._settled, 0
        return self._committing

    def confirm(self, changes: Changes) -> None:
        """The proposed changes are durable: what they plan may travel, what they settle is over."""
        self._committing = None
        self._exposed -= self._settling
        self._settling = 0
        self.counts["delivered"] += sum(span.size for span in changes.delivered)
        self.counts["rejected"] += sum(failure.kind == "rejected" for failure in changes.failed)
        self._queue.adopt(changes.opened, self.plan.open)
        self.plan.stock.drop(self.plan.planned)

    # The transport's side.

    def next(self, now: float) -> Request | Wait | Literal["done"]:
        """The request that should travel now, or how long to wait for one, or ``"done"``."""
        if self.stopped is not None or self.finished():
            return "done"
        if self._deadline is None:
            self._deadline = now + self._terms.to.deadline
        if now >= self._deadline:
            self.stop(f"the run's deadline of {self._terms.to.deadline:g} seconds is over; the next run goes on")
            return "done"
        rest = self._terms.pace.resting(now)
        if rest > 0:
            return Wait(min(rest, self._deadline - now))
        if self._in_flight and (not self.health.proven or len(self._in_flight) >= self.limit.limit):
            return Wait(LONG)
        task = self._take(now)
        if task is not None:
            return self._request(task, now)
        if self._doubtful is not None and self._nothing_else_to_try():
            self.stop(f"{self._doubtful[1].reason} (if it is these records, run with --accept-refusals)")
            return "done"
        until = self._queue.until_retry(now)
        return Wait(min(LONG if until is None else until, self._deadline - now))

    def judge(self, request: Request, answer: Answer) -> Verdict:
        """What an answer means. It changes nothing, and may be asked without holding the lock."""
        task = self._in_flight[request.number]
        verdict = judge(
            answer,
            self._terms.policy,
            count=request.count,
            ids=lambda field: self._sender.values(request, field),
            repeated=task.attempts > 1,
        )
        return replace(verdict, reason=self._terms.redact(verdict.reason)) if verdict.reason else verdict

    def answer(self, request: Request, answer: Answer, now: float, verdict: Verdict | None = None) -> None:
        """Act on an answer's verdict."""
        verdict = verdict or self.judge(request, answer)
        task = self._in_flight.pop(request.number)
        pressed = verdict.kind is Kind.RETRY
        self.limit.answered(now, well=not pressed, pressed=pressed, busy=len(self._in_flight) + 1)
        self._changes.sent += self._evidence.request(request, answer, verdict)
        quota = quota_rest(answer.headers or {}) if answer.headers else None
        if quota and verdict.kind is not Kind.STOP:
            self._terms.pace.rest(now + min(quota, self._terms.to.retry["retry_after_max"]))
        if answer.renewed and not task.renewed:
            self._renewed(task, now)
            return
        match verdict.kind:
            case Kind.DELIVERED:
                self._delivered(task, verdict, now)
            case Kind.PARTIAL:
                self._parted(task, verdict, now)
            case Kind.RETRY:
                self._again(task, verdict, now)
            case Kind.REJECTED:
                self._refused(task, verdict)
            case Kind.TOO_LARGE:
                self._too_large(task, verdict, request.length)
            case Kind.STOP:
                self.stop(verdict.reason)

    def stop(self, reason: str, *, interrupted: bool = False) -> None:
        """Send nothing more. What is planned and not settled stays so, for the next run to go on with."""
        if self.stopped is None:
            reason = self._terms.redact(reason)
            self.stopped = Stop("interrupted" if interrupted else "stopped", reason)
            self.events.append(("stop", {"reason": reason}))

    def pressing(self) -> bool:
        """Whether something waits to be committed that others wait for; a mere count of requests does not press."""
        changes = self._changes
        return bool(changes.delivered or changes.closed or changes.opened or changes.failed)

    def finished(self) -> bool:
        """Whether every record is settled, durably."""
        settled = self.plan.exhausted() and not self.plan.outstanding
        return settled and not self._changes and self._committing is None

    def quiet(self) -> bool:
        """Whether nothing is left to commit, as far as answers have come."""
        return not self._changes and self._committing is None

    # What travels next.

    def _take(self, now: float) -> Task | None:
        probing = self.health.ever and not self.health.proven
        task = self._queue.retry(float("inf") if probing else now)  # a probe is whichever would be tried first
        if task is not None:
            return task
        if not self.health.proven and self._queue.until_retry(now) is not None:
            return None  # before anything has got through, a retry is all there is to try
        if self._exposed - len(self._suspended) - (self._doubtful is not None) >= self.plan.window:
            return None
        while True:
            task = self._order.next()
            if task is None:
                fresh = self._queue.take()
                if fresh is None:
                    return None
                task = self._order.admit(fresh)
            if task is not None and not self.plan.over_cap(task):
                return task
            if task is not None:
                self._divide(task, _halves(task.spans), None)

    def _request(self, task: Task, now: float) -> Request | Wait:
        parts = self.plan.stock.slices(task.spans)
        size = sum(map(len, parts))
        wait = self._terms.pace.acquire(now, records=task.size, size=size)
        if wait > 0:
            if task.first_tried is None:
                self._queue.first(task)
            else:
                self._queue.at(now, task)
            return Wait(wait)
        task.attempts += 1
        whole = task.piece.step != 1
        self._count("requests", 1)
        request = self._terms.request(
            task.span,
            parts,
            self._sender,
            lambda: task.piece.digest if whole else digest(parts),
            count=task.size,
            number=self.counts["requests"],
            attempt=task.attempts,
            route=self.plan.stock.route(task.spans[0].lo),
            renewed=task.renewed,
        )
        self._count("bytes", request.length)
        if task.first_tried is None:
            task.first_tried = now
            self._exposed += 1
        else:
            self._count("retries", 1)
        self._in_flight[request.number] = task
        return request

    def _count(self, name: Literal["requests", "retries", "bytes"], by: int) -> None:
        self.counts[name] += by
        setattr(self._changes, name, getattr(self._changes, name) + by)

    # What an answer means.

    def _succeeded(self, now: float) -> None:
        if self.health.success():
            self._queue.hurry(now)
            self.events.append(("recovered", {}))
        if self._doubtful is not None:
            lost, self._doubtful = self._doubtful, None
            self._lost(*lost)
        self._accept_suspended()

    def _delivered(self, task: Task, verdict: Verdict, now: float) -> None:
        self._changes.delivered += task.spans
        self._changes.kept += self._evidence.kept(task.spans, verdict)
        self._budget.passed(task.size)
        self._settle(task)
        self._go_on_with(task.family)
        self._succeeded(now)

    def _parted(self, task: Task, verdict: Verdict, now: float) -> None:
        """Each record by its own verdict; those to be tried again travel on together."""
        by = {at: verdict.apart[place] for place, at in enumerate(_ordinals(task.spans)) if place in verdict.apart}
        rejected = {at: own for at, own in by.items() if own.kind is Kind.REJECTED}
        again = {at: own for at, own in by.items() if own.kind is Kind.RETRY}
        if len(again) == task.size:
            self._again(task, replace(verdict.apart[0], wait=verdict.wait), now)
            return
        delivered = spans_of(at for at in _ordinals(task.spans) if at not in by)
        self._changes.delivered += delivered
        self._changes.kept += self._evidence.kept(task.spans, verdict)
        self._budget.passed(total(delivered))
        for at, own in rejected.items():
            self._write_off((Span(at, at + 1),), own, task.attempts)
        self._settle(task)
        if again:
            heir = self._open(spans_of(again))
            if not all(own.innocent for own in again.values()):
                heir.attempts, heir.spared = task.attempts, task.spared
                heir.alone, heir.passed = task.alone, self.health.passed
                heir.alone_since = task.alone_since or now
                heir.due = now + backoff(task.attempts, self._terms.to.retry, self._random)
            self.events.append(("retry", {"reason": next(iter(again.values())).reason, "records": len(again)}))
        self._go_on_with(task.family, explained=bool(rejected))
        if delivered:
            self._succeeded(now)

    def _renewed(self, task: Task, now: float) -> None:
        """The credentials are new: once more, and it counts against nobody."""
        task.renewed = True
        task.spared += 1
        self._queue.at(now, task)
        self.events.append(("renewed", {}))

    def _again(self, task: Task, verdict: Verdict, now: float) -> None:
        """Retry a transient failure, within bounds. A lost cause fails; an outage is waited out, or stops the run."""
        retry, health = self._terms.to.retry, self.health
        if task.passed is None:
            task.passed = health.passed
        health.failure(now)
        if verdict.wait is not None and verdict.wait > retry["retry_after_max"]:
            self.rest = verdict.wait
            self.stop(
                f"{verdict.reason}; the API asks for {verdict.wait:.0f} seconds of rest, more than retry_after_max allows"
            )
            return
        if verdict.wait is not None:
            task.spared += 1  # the API said when to come back, so this counts against nobody
        elif health.passed > task.passed:
            task.alone += 1
            task.alone_since = now if task.alone_since is None else task.alone_since
        if self._is_over(task, verdict, now):
            return
        wait = backoff(task.attempts, retry, self._random)
        if verdict.wait is not None:
            wait = max(wait, verdict.wait)
            self._terms.pace.rest(now + wait)
        elif health.down:
            self._terms.pace.rest(now + health.probe_after())
        self.events.append(("retry", {"reason": verdict.reason, "seconds": round(wait, 3), "attempt": task.attempts}))
        self._queue.at(now + wait, task)

    def _is_over(self, task: Task, verdict: Verdict, now: float) -> bool:
        """Whether a request is not tried again: it is lost, or the destination is."""
        retry, health = self._terms.to.retry, self.health
        lost = replace(verdict, reason=f"{verdict.reason}; given up after {task.attempts} attempts")
        if task.alone and (task.alone + 1 >= retry["attempts"] or now - (task.alone_since or now) >= retry["give_up_after"]):
            self._lost(task, lost)  # others get through, so it is this one
            return True
        if health.ever and health.down_for(now) >= retry["give_up_after"]:
            self.stop(f"{verdict.reason}; nothing has got through for {health.down_for(now):.0f} seconds")
            return True
        if health.was_down:
            self.stop(f"{verdict.reason}; it was so when the last run stopped, and is so still")
            return True
        if self._doubtful is not None:  # another one fails as well: it is not the records
            doubted, self._doubtful = self._doubtful, None
            if not health.ever:
                self.stop(doubted[1].reason)
                return True
            self._queue.at(now, doubted[0])
        tried_for = now - (now if task.first_tried is None else task.first_tried)
        if task.attempts - task.spared < retry["attempts"] and tried_for < retry["give_up_after"]:
            return False
        if self._terms.accept_refusals:
            self._lost(task, lost)
        elif not health.ever and not (verdict.maybe_applied or verdict.status):
            self.stop(lost.reason)  # what never reached the API cannot be the request's fault
        elif task.doubted:
            return False
        else:
            self._doubtful = task, lost
            task.doubted = True
        return True

    def _lost(self, task: Task, verdict: Verdict) -> None:
        """A request that cannot succeed while others do. What may have been applied is split only where that does no harm."""
        if self._strategy.splits and self._terms.to.idempotent and task.size > 1:
            self._divide(task, _halves(task.spans), None)
        else:
            self._fail(task, verdict)

    def _refused(self, task: Task, verdict: Verdict) -> None:
        """Let the strategy decide, but believe no refusal before something has got through."""
        self.health.refusal()
        if self.health.proven or self._terms.accept_refusals:
            self._decide(task, verdict)
        elif self.health.refusals >= SYSTEMIC:
            self.stop(
                f"{verdict.reason}; the first {SYSTEMIC} requests were all refused, so it may not be the records: "
                "check the URL, the headers and the schema (if it is the records, run with --accept-refusals)"
            )
        elif self._strategy.splits and verdict.apart:
            self._decide(task, verdict)
        elif self._strategy.splits and task.size > PROBED:
            self._divide(task, _probes(task.spans), verdict)
        elif self._strategy.splits and task.size > 1:
            self._decide(task, verdict)
        else:
            self._suspended.append((task, verdict))
            family, task.family = task.family, None
            self._go_on_with(family, explained=True)

    def _accept_suspended(self) -> None:
        suspended, self._suspended = self._suspended, []
        for task, verdict in suspended:
            self._decide(task, verdict)

    def _nothing_else_to_try(self) -> bool:
        return self.plan.exhausted() and not self._in_flight and not self._queue and not self._order

    def _decide(self, task: Task, verdict: Verdict) -> None:
        if self._strategy.splits and verdict.apart:
            self._without_culprits(task, verdict)
            return
        # The strategy sees the records as if they stood side by side from the first one's ordinal.
        lo = task.spans[0].lo
        decision = self._strategy.decide(Refusal(Span(lo, lo + task.size), verdict.status, verdict.reason))
        if isinstance(decision, Split) and task.size > 1:
            if spent := self._budget.spent(self.plan.planned):
                self.stop(f"{verdict.reason}; {spent}")
                return
            self._divide(task, [within(task.spans, part.lo - lo, part.hi - lo) for part in decision.spans], verdict)
        else:
            self._fail(task, verdict)

    def _without_culprits(self, task: Task, verdict: Verdict) -> None:
        """The API named the bad records: they fail, and the others travel on without them."""
        bad = {at: verdict.apart[place] for place, at in enumerate(_ordinals(task.spans)) if place in verdict.apart}
        rest = spans_of(at for at in _ordinals(task.spans) if at not in bad)
        for at, reason in bad.items():
            self._write_off((Span(at, at + 1),), reason, task.attempts)
        self._settle(task)
        if rest:
            self._open(rest)
        self._go_on_with(task.family, explained=True)

    def _too_large(self, task: Task, verdict: Verdict, length: int) -> None:
        if task.size == 1:
            self._fail(task, verdict)
            return
        # A 413 is about bytes (RFC 9110 §15.5.14); what else says too large is mostly about the number.
        in_bytes = verdict.status == 413
        most = self.plan.learn_cap(_halves(task.spans), in_bytes=in_bytes)
        self.events.append(
            ("too_large", {"bytes": length, "records": task.size, "at_most": most, "of": "bytes" if in_bytes else "records"})
        )
        self._divide(task, _halves(task.spans), None)

    def _divide(self, task: Task, parts: Sequence[Spans], verdict: Verdict | None) -> None:
        """Put parts in a task's place. With a verdict they are a family: among them is a bad record."""
        family = Family(verdict) if verdict is not None else None
        self._settle(task)
        for part in parts:
            self._open(part, family)
        if verdict is not None:
            self.events.append(("split", {"records": task.size, "parts": len(parts), "reason": verdict.reason}))
        self._go_on_with(task.family, explained=True)

    def _open(self, spans: Spans, family: Family | None = None) -> Task:
        """A task of its own for some of a task's records; it travels once its piece is durable."""
        piece = self.plan.open_piece(spans, total(spans))
        self._changes.opened.append(piece)
        heir = Task(spans, piece, family=family)
        self._order.know(heir)
        self._queue.expect(heir)
        if family is not None:
            family.waiting.append(heir)
        return heir

    def _fail(self, task: Task, verdict: Verdict) -> None:
        self._write_off(task.spans, verdict, task.attempts)
        self._settle(task)
        self._go_on_with(task.family, explained=True)

    def _write_off(self, spans: Spans, verdict: Verdict, attempts: int) -> None:
        self._changes.failed += self.plan.stock.failures(spans, verdict.reason, verdict.status, attempts, verdict.maybe_applied)
        self._budget.refused(total(spans))

    def _settle(self, task: Task) -> None:
        closed = self.plan.settle(task)
        if closed is not None:
            self._changes.closed.append(closed)
        if task.first_tried is not None:
            self._settled += 1
        self._order.settled(task)

    def _go_on_with(self, family: Family | None, *, explained: bool = False) -> None:
        """A part of a family is settled: send the next, or split it at once if it must be the bad one."""
        if family is None:
            return
        family.explained = family.explained or explained
        if not family.waiting:
            return
        if family.inferred_bad():
            self._decide(family.waiting.popleft(), family.verdict)
        else:
            self._queue.first(family.waiting.popleft())


def _ordinals(spans: Spans) -> list[int]:
    return [at for span in spans for at in range(*span)]


def _halves(spans: Spans) -> list[Spans]:
    size = total(spans)
    return [within(spans, 0, size // 2), within(spans, size // 2, size)]


def _probes(spans: Spans) -> list[Spans]:
    """The first, middle and last record alone, then what lies between them."""
    hi = total(spans)
    middle = hi // 2
    alone = [within(spans, at, at + 1) for at in (0, middle, hi - 1)]
    return [*alone, within(spans, 1, middle), within(spans, middle + 1, hi - 1)]
