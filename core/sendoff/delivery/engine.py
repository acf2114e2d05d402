"""The engine: a state machine that decides what travels, and what an answer means.

It does no I/O, has no threads and no clock: time is an argument. Its hands are

* a reader, which `offer`s blocks and says `end`;
* a ledger, which asks what to commit (`propose`) and says when it is durable (`confirm`);
* a transport, which asks what to send (`next`) and says what came back (`answer`).

Two rules hold the account together. Nothing travels before the commit that plans it is confirmed,
and what takes a settled request's permit is planned by the commit that settles it. So however the process ends,
no record is forgotten, and at most `window` requests are ever sent twice.

The file is long because every verdict acts on the same few things at once. What could be parted from
it has been: the plan, the queue, the judge, the terms, and how long to wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Literal

from sendoff.components import Answer, FailureStrategy, Refusal, Request, Sender, Split, Wait
from sendoff.delivery.backoff import backoff
from sendoff.delivery.judge import Kind, Verdict, judge
from sendoff.delivery.plan import Differs, Plan, digest
from sendoff.delivery.queue import Queue
from sendoff.delivery.tasks import Family, Task
from sendoff.delivery.terms import Terms
from sendoff.ledger import Changes, Failure, RunState
from sendoff.records import Block, Span

#: Refusals that end a run to which nothing has been delivered yet: then it is not the records.
SYSTEMIC = 4
#: Transient failures in a row after which requests travel alone again.
STREAK = 10
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
        self.plan = Plan(sender, terms.to.concurrency, state)

        self._queue = Queue()
        self._in_flight: dict[Span, Task] = {}
        self._suspended: list[tuple[Task, Verdict]] = []
        #: A request given up on before it is known whether others get through.
        self._doubtful: tuple[Task, Verdict] | None = None
        self._changes = Changes()
        self._committing: Changes | None = None

        self._proven = False
        self._refusals = 0
        self._streak = 0
        self._paused_until = 0.0
        self._last_success = float("-inf")
        self.stopped: Stop | None = None
        self.events: list[tuple[str, dict[str, Any]]] = []
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
                self._changes.planned = piece.hi
        if not self._changes:
            return None
        self._committing, self._changes = self._changes, Changes()
        return self._committing

    def confirm(self, changes: Changes) -> None:
        """The proposed changes are durable: what they plan may travel, what they settle is over."""
        self._committing = None
        self.counts["delivered"] += sum(span.size for span in changes.delivered)
        self.counts["rejected"] += sum(failure.kind == "rejected" for failure in changes.failed)
        self._queue.adopt(changes.opened, self.plan.open)
        self.plan.stock.drop(self.plan.planned)

    # The transport's side.

    def next(self, now: float) -> Request | Wait | Literal["done"]:
        """The request that should travel now, or how long to wait for one, or ``"done"``."""
        if self.stopped is not None or self.finished():
            return "done"
        if now < self._paused_until:
            return Wait(self._paused_until - now)
        if self._in_flight and (not self._proven or len(self._in_flight) >= self._terms.to.concurrency):
            return Wait(LONG)
        task = self._take(now)
        if task is not None:
            return self._request(task, now)
        if self._doubtful is not None and self._nothing_else_to_try():
            self.stop(self._doubtful[1].reason)
            return "done"
        until = self._queue.until_retry(now)
        return Wait(LONG if until is None else until)

    def answer(self, request: Request, answer: Answer, now: float) -> None:
        """Judge an answer, and act on the verdict."""
        task = self._in_flight.pop(request.span)
        verdict = judge(answer, repeated=task.attempts > 1)
        if verdict.reason:
            verdict = replace(verdict, reason=self._terms.redact(verdict.reason))
        match verdict.kind:
            case Kind.DELIVERED:
                self._delivered(task, now)
            case Kind.RETRY:
                self._again(task, verdict, now)
            case Kind.REJECTED:
                self._refused(task, verdict)
            case Kind.TOO_LARGE:
                self._too_large(task, verdict, request.length)
            case Kind.FATAL:
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
        task = self._queue.retry(now)
        if task is not None:
            return task
        if not self._proven and self._queue.until_retry(now) is not None:
            return None  # before anything has got through, a retry is all there is to try
        while (task := self._queue.take()) is not None:
            if not self.plan.over_cap(task.span):
                return task
            self._divide(task, _halves(task.span), None)
        return None

    def _request(self, task: Task, now: float) -> Request:
        parts = self.plan.stock.slices(task.span)
        whole = task.piece.span == task.span
        task.attempts += 1
        request = self._terms.request(
            task.span, parts, self._sender, lambda: task.piece.digest if whole else digest(parts), task.attempts
        )
        self._count("requests", 1)
        self._count("bytes", request.length)
        if task.first_tried is not None:
            self._count("retries", 1)
        task.first_tried = now if task.first_tried is None else task.first_tried
        self._in_flight[task.span] = task
        return request

    def _count(self, name: Literal["requests", "retries", "bytes"], by: int) -> None:
        self.counts[name] += by
        setattr(self._changes, name, getattr(self._changes, name) + by)

    # What an answer means.

    def _delivered(self, task: Task, now: float) -> None:
        self._last_success = now
        self._proven = True
        self._refusals = self._streak = 0
        self._changes.delivered.append(task.span)
        self._settle(task)
        self._go_on_with(task.family)
        if self._doubtful is not None:
            lost, self._doubtful = self._doubtful, None
            self._fail(*lost)
        self._accept_suspended()

    def _again(self, task: Task, verdict: Verdict, now: float) -> None:
        """Retry a transient failure, within bounds. A lost cause fails; an outage stops the run."""
        retry = self._terms.to.retry
        self._streak += 1
        if self._streak >= STREAK:
            self._proven, self._refusals = False, 0
        if verdict.wait is not None and verdict.wait > retry["retry_after_max"]:
            self.stop(
                f"{verdict.reason}; the API asks for {verdict.wait:.0f} seconds of rest, more than retry_after_max allows"
            )
            return
        if verdict.wait is not None:
            task.spared += 1  # the API said when to come back, so this counts against nobody
        tried_for = now - (now if task.first_tried is None else task.first_tried)
        if task.attempts - task.spared >= retry["attempts"] or tried_for >= retry["give_up_after"]:
            reason = f"{verdict.reason}; given up after {task.attempts} attempts"
            self._given_up(task, replace(verdict, reason=reason), others_pass=self._last_success > now - tried_for)
            return
        if self._doubtful is not None:
            self.stop(self._doubtful[1].reason)  # another one fails as well: it is not the records
            return
        wait = backoff(task.attempts, retry, self._random)
        if verdict.wait is not None:
            wait = max(wait, verdict.wait)
            self._paused_until = max(self._paused_until, now + wait)
        self.events.append(("retry", {"reason": verdict.reason, "seconds": round(wait, 3), "attempt": task.attempts}))
        self._queue.at(now + wait, task)

    def _given_up(self, task: Task, verdict: Verdict, *, others_pass: bool) -> None:
        """Tell a request that cannot succeed from an outage: by whether another one gets through."""
        if others_pass:
            self._fail(task, verdict)
        elif self._doubtful is not None or not (verdict.maybe_applied or verdict.status):
            self.stop(verdict.reason)  # what never reached the API cannot be the request's fault
        else:
            self._doubtful = task, verdict
            self._proven = False

    def _refused(self, task: Task, verdict: Verdict) -> None:
        """Let the strategy decide, but believe no refusal before something has got through."""
        self._streak = 0
        if self._proven or self._terms.accept_refusals:
            self._decide(task, verdict)
            return
        self._refusals += 1
        if self._refusals >= SYSTEMIC:
            self.stop(
                f"{verdict.reason}; the first {SYSTEMIC} requests were all refused, so it may not be the records: "
                "check the URL, the headers and the schema (if it is the records, run with --accept-refusals)"
            )
        elif self._strategy.splits and task.span.size > PROBED:
            self._divide(task, _probes(task.span), verdict)
        elif self._strategy.splits and task.span.size > 1:
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
        return self.plan.exhausted() and not self._in_flight and not self._queue

    def _decide(self, task: Task, verdict: Verdict) -> None:
        decision = self._strategy.decide(Refusal(task.span, verdict.status, verdict.reason))
        if isinstance(decision, Split) and task.span.size > 1:
            self._divide(task, decision.spans, verdict)
        else:
            self._fail(task, verdict)

    def _too_large(self, task: Task, verdict: Verdict, length: int) -> None:
        if task.span.size == 1:
            self._fail(task, verdict)
            return
        cap = self.plan.learn_cap(_halves(task.span))
        self.events.append(("too_large", {"bytes": length, "at_most": cap}))
        self._divide(task, _halves(task.span), None)

    def _divide(self, task: Task, spans: Sequence[Span], verdict: Verdict | None) -> None:
        """Put parts in a task's place. With a verdict they are a family: among them is a bad record."""
        self._settle(task)
        family = Family(verdict) if verdict is not None else None
        for span in spans:
            piece = self.plan.open_piece(span, span.size)
            self._changes.opened.append(piece)
            heir = Task(span, piece, family=family)
            self._queue.expect(heir)
            if family is not None:
                family.waiting.append(heir)
        if verdict is not None:
            self.events.append(("split", {"records": task.span.size, "parts": len(spans), "reason": verdict.reason}))
        self._go_on_with(task.family, explained=True)

    def _fail(self, task: Task, verdict: Verdict) -> None:
        for block, lo, hi in self.plan.stock.parts(task.span):
            rows = block.rows[lo - block.lo : hi - block.lo]
            for ordinal, row, record in zip(range(lo, hi), rows, block.page.as_json(rows), strict=True):
                self._changes.failed.append(
                    Failure(
                        "rejected", ordinal, block.page.file, block.page.line(row), verdict.reason,
                        record, verdict.status, task.attempts, verdict.maybe_applied, block.page.text,
                    )
                )  # fmt: skip
        self._settle(task)
        self._go_on_with(task.family, explained=True)

    def _settle(self, task: Task) -> None:
        closed = self.plan.settle(task)
        if closed is not None:
            self._changes.closed.append(closed)

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


def _halves(span: Span) -> list[Span]:
    middle = (span.lo + span.hi) // 2
    return [Span(span.lo, middle), Span(middle, span.hi)]


def _probes(span: Span) -> list[Span]:
    """The first, middle and last record alone, then what lies between them."""
    (lo, hi), middle = span, (span.lo + span.hi) // 2
    alone = [Span(at, at + 1) for at in (lo, middle, hi - 1)]
    return [*alone, Span(lo + 1, middle), Span(middle + 1, hi - 1)]
