"""What becomes of a request's records when its answer comes: delivered, tried again, split, failed.

Every verdict acts on the same few things: the plan, the queue, the account, and what is believed of the
destination. Nothing here decides what travels next. The file is long as verdicts lead to one another: a part
that settles may send its family on, or condemn it; a success, or a failure, decides on those put aside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

from sendoff.components import FailureStrategy, Refusal, Split
from sendoff.engine import retry as patience
from sendoff.engine.circuit_breaker import Health
from sendoff.engine.ordering import Order
from sendoff.engine.pending_changes import Account
from sendoff.engine.planner import Plan
from sendoff.engine.ready_queue import Queue
from sendoff.engine.request_log import Evidence
from sendoff.engine.requests import Terms
from sendoff.engine.retry import Doubt, Lost, Over, backoff
from sendoff.engine.split_budget import Budget
from sendoff.engine.tasks import Family, Task
from sendoff.ledger import Piece
from sendoff.records import Span, Spans, halves, ordinals, spans_of, total, within
from sendoff.response import Kind, Verdict
from sendoff.transport.protocol import Request

#: Refusals that end a run to which nothing has been delivered yet: then it is not the records.
SYSTEMIC = 4
#: A refused first request of fewer records is split at once: probes would cost more than they tell.
PROBED = 8
#: A destination is left alone for no longer than this, however long it asks for: someone should look.
DAY = 86_400.0


class Outcomes:
    """Acts on verdicts."""

    def __init__(
        self, terms: Terms, strategy: FailureStrategy, account: Account, plan: Plan, queue: Queue, order: Order,
        health: Health, evidence: Evidence, random: Random,
    ) -> None:  # fmt: skip
        self._terms, self._strategy, self._account = terms, strategy, account
        self._plan, self._queue, self._order = plan, queue, order
        self._health, self._evidence, self._random = health, evidence, random
        self._budget = Budget(strategy)
        #: Refused before anything had got through: not believed yet.
        self._suspended: list[tuple[Task, Verdict]] = []
        #: A request given up on before it is known whether others get through.
        self._doubtful: tuple[Task, Verdict] | None = None
        #: The seconds the destination wants to be left alone, more than a run waits for.
        self.rest: float | None = None

    @property
    def undecided(self) -> int:
        """How many requests are put aside; their permits are free for others."""
        return len(self._suspended) + (self._doubtful is not None)

    def of(self, task: Task, verdict: Verdict, request: Request, now: float) -> None:
        """Act on a verdict."""
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
                self._account.stop(verdict.reason)

    def renewed(self, task: Task, now: float) -> None:
        """The credentials are new: once more, and it counts against nobody."""
        task.renewed = True
        task.spared += 1
        self._queue.at(now, task)
        self._account.event("renewed")

    def accept_suspended(self) -> None:
        """Believe the refusals that were put aside."""
        suspended, self._suspended = self._suspended, []
        for task, verdict in suspended:
            self._decide(task, verdict)

    def give_up_doubtful(self) -> None:
        """Nothing else can show whether a request is at fault.

        If others got through while it failed, and the destination is not down, it is; else it is held.
        """
        if self._doubtful is None:
            return
        at_fault = self._doubtful[0].alone and not self._health.down
        if at_fault or self._terms.accept_refusals:
            lost, self._doubtful = self._doubtful, None
            self._lost(*lost)
        else:
            self._account.stop(f"{self._doubtful[1].reason} (if it is these records, run with --accept-refusals)")

    # Delivered.

    def landed(self, piece: Piece, spans: Spans, requests: int, now: float) -> None:
        """So many requests of a piece were answered with success, one record each."""
        self._account.delivered(spans, ())
        self._budget.passed(requests)
        self._account.settled(self._plan.settle(piece, requests), sent=requests)
        self._health.passed += requests - 1
        self._succeeded(now)

    @property
    def passed(self) -> int:
        """How many requests have got through."""
        return self._health.passed

    def _delivered(self, task: Task, verdict: Verdict, now: float) -> None:
        self._account.delivered(task.spans, self._evidence.kept(task.spans, verdict))
        self._budget.passed(task.size)
        self._settle(task)
        self._go_on_with(task.family)
        self._succeeded(now)

    def _parted(self, task: Task, verdict: Verdict, now: float) -> None:
        """Each record by its own verdict; those to be tried again travel on together."""
        by = {at: verdict.apart[place] for place, at in enumerate(ordinals(task.spans)) if place in verdict.apart}
        rejected = {at: own for at, own in by.items() if own.kind is Kind.REJECTED}
        again = {at: own for at, own in by.items() if own.kind is Kind.RETRY}
        if len(again) == task.size:
            self._again(task, replace(verdict.apart[0], wait=verdict.wait), now)
            return
        if len(rejected) == task.size:
            self._refused(task, replace(verdict, reason=verdict.apart[0].reason))
            return
        delivered = spans_of(at for at in ordinals(task.spans) if at not in by)
        self._account.delivered(delivered, self._evidence.kept(task.spans, verdict))
        self._budget.passed(total(delivered))
        for at, own in rejected.items():
            self._write_off((Span(at, at + 1),), own, task.attempts)
        self._settle(task)
        if delivered:
            self._succeeded(now)
        if again:
            self._again_apart(task, replace(next(iter(again.values())), wait=verdict.wait), again, bool(delivered), now)
        self._go_on_with(task.family, explained=bool(rejected))

    def _succeeded(self, now: float) -> None:
        if self._health.success():
            self._queue.hurry(now)
            self._account.event("recovered")
        if self._doubtful is not None:
            lost, self._doubtful = self._doubtful, None
            self._lost(*lost)
        self.accept_suspended()

    # Tried again.

    def _again_apart(self, task: Task, verdict: Verdict, again: Mapping[int, Verdict], alone: bool, now: float) -> None:
        """Retry some of a request's records; at once, where all of them were refused only for the company they kept."""
        heir = self._open(spans_of(again))
        if all(own.innocent for own in again.values()):
            self._account.event("retry", reason=verdict.reason, records=heir.size, seconds=0.0, attempt=0)
        elif over := patience.too_long(verdict, self._terms.to.retry):
            self._over(verdict, over)
        else:
            heir.attempts, heir.spared = task.attempts, task.spared
            heir.alone, heir.alone_since = task.alone + alone, task.alone_since or now
            heir.due = now + self._wait(heir, verdict, now)

    def _again(self, task: Task, verdict: Verdict, now: float) -> None:
        """Retry a transient failure, within bounds."""
        retry = self._terms.to.retry
        patience.failed(task, verdict, self._health, now)
        in_doubt = self._doubtful
        decision = patience.decide(task, verdict, self._health, retry, now, another_in_doubt=in_doubt is not None)
        lost = replace(verdict, reason=f"{verdict.reason}; given up after {task.attempts} attempts")
        if isinstance(decision, Lost):
            self._lost(task, lost)
            return
        if in_doubt is not None:  # another one fails as well: it is not that one's records
            self._doubtful = None
            self._queue.at(now, in_doubt[0])
        match decision:
            case Doubt():
                self._doubtful = task, lost
                task.doubted = True
            case Over():
                self._over(verdict, decision)
            case _:
                self._queue.at(now + self._wait(task, verdict, now), task)

    def _over(self, verdict: Verdict, over: Over) -> None:
        self.rest = None if verdict.wait is None else min(verdict.wait, DAY)
        self._account.stop(over.reason)

    def _wait(self, task: Task, verdict: Verdict, now: float) -> float:
        """How long until it is tried again; the destination may want to be left alone altogether meanwhile."""
        wait = backoff(task.attempts, self._terms.to.retry, self._random)
        if verdict.wait is not None:
            wait = max(wait, verdict.wait)
            self._terms.pace.rest(now + wait)
        elif self._health.down:
            self._terms.pace.rest(now + self._health.probe_after())
        self._account.event("retry", reason=verdict.reason, records=task.size, seconds=round(wait, 3), attempt=task.attempts)
        return wait

    def _lost(self, task: Task, verdict: Verdict) -> None:
        """What cannot succeed while others do fails; what may have been applied is split only where that does no harm."""
        if self._strategy.splits and self._terms.to.idempotent and task.size > 1:
            self.divide(task, halves(task.spans), None, at_fault=True)
        else:
            self._fail(task, verdict)

    # Refused.

    def _refused(self, task: Task, verdict: Verdict) -> None:
        """Let the strategy decide, but believe no refusal before something has got through."""
        self._health.refusal()
        if self._health.proven or self._terms.accept_refusals:
            self._decide(task, verdict)
        elif self._health.refusals >= SYSTEMIC:
            self._account.stop(
                f"{verdict.reason}; the first {SYSTEMIC} requests were all refused, so it may not be the records: "
                "check the URL, the headers and the schema (if it is the records, run with --accept-refusals)"
            )
        elif self._strategy.splits and task.size > PROBED and not verdict.apart:
            self.divide(task, _probes(task.spans), verdict)
        elif self._strategy.splits and task.size > 1 and len(verdict.apart) < task.size:
            self._decide(task, verdict)
        else:
            self._suspended.append((task, verdict))
            family, task.family = task.family, None
            self._go_on_with(family, explained=True)

    def _decide(self, task: Task, verdict: Verdict) -> None:
        if verdict.apart and (self._strategy.splits or verdict.kind is Kind.PARTIAL):
            self._without_culprits(task, verdict)
            return
        # The strategy sees the records as if they stood side by side from the first one's ordinal.
        lo = task.spans[0].lo
        decision = self._strategy.decide(Refusal(Span(lo, lo + task.size), verdict.status, verdict.reason))
        if not isinstance(decision, Split) or task.size == 1:
            self._fail(task, verdict)
        elif spent := self._budget.spent(self._plan.planned):
            self._account.stop(f"{verdict.reason}; {spent}")
        else:
            self.divide(task, [within(task.spans, part.lo - lo, part.hi - lo) for part in decision.spans], verdict)

    def _without_culprits(self, task: Task, verdict: Verdict) -> None:
        """The API named the bad records: they fail, and the others travel on without them."""
        bad = {at: verdict.apart[place] for place, at in enumerate(ordinals(task.spans)) if place in verdict.apart}
        rest = spans_of(at for at in ordinals(task.spans) if at not in bad)
        for at, own in bad.items():
            self._write_off((Span(at, at + 1),), own, task.attempts)
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
        most = self._plan.learn_cap(halves(task.spans), in_bytes=in_bytes)
        self._account.event("too_large", bytes=length, records=task.size, at_most=most, of="bytes" if in_bytes else "records")
        self.divide(task, halves(task.spans), None)

    # Parts.

    def divide(self, task: Task, parts: Sequence[Spans], verdict: Verdict | None, *, at_fault: bool = False) -> None:
        """Put parts in a task's place. With a verdict they are a family: among them is a bad record.

        The parts of a request that was at fault are under the same suspicion.
        """
        family = Family(verdict) if verdict is not None else None
        self._settle(task)
        for part in parts:
            self._open(part, family).alone = int(at_fault)
        if verdict is not None:
            self._account.event("split", records=task.size, parts=len(parts), reason=verdict.reason)
        self._go_on_with(task.family, explained=True)

    def _open(self, spans: Spans, family: Family | None = None) -> Task:
        """A task of its own for some records; it travels once its piece is durable."""
        piece = self._plan.open_piece(spans, total(spans))
        self._account.opened(piece)
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
        reason = self._terms.redact(verdict.reason)
        self._account.failed(self._plan.stock.failures(spans, reason, verdict.status, attempts, verdict.maybe_applied))
        self._budget.refused(total(spans))

    def _settle(self, task: Task) -> None:
        self._account.settled(self._plan.settle(task.piece), sent=int(task.first_tried is not None))
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


def _probes(spans: Spans) -> list[Spans]:
    """The first, middle and last record alone, then what lies between them."""
    hi = total(spans)
    middle = hi // 2
    alone = [within(spans, at, at + 1) for at in (0, middle, hi - 1)]
    return [*alone, within(spans, 1, middle), within(spans, middle + 1, hi - 1)]
