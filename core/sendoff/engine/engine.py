"""The engine: a state machine that decides what travels, and what an answer means.

It does no I/O, has no threads and no clock: time is an argument. Its hands are

* a reader, which `offer`s blocks and says `end`;
* a ledger, which asks what to commit (`propose`) and says when it is durable (`confirm`);
* a transport, which asks what to send (`next`) and says what came back (`answer`).

Two rules hold the account together. Nothing travels before the commit that plans it is confirmed,
and what takes a settled request's permit is planned by the commit that settles it. So however the process ends,
no record is forgotten, and at most `window` requests are ever sent twice.

What travels next is decided here; what becomes of its records when an answer comes, by `Outcomes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any, Literal

from sendoff.components import FailureStrategy, Sender
from sendoff.engine.bursts import Volleys
from sendoff.engine.circuit_breaker import Health
from sendoff.engine.concurrency import MOST, Adaptive, Fixed
from sendoff.engine.ordering import Order
from sendoff.engine.outcomes import Outcomes
from sendoff.engine.pending_changes import Account, Stop
from sendoff.engine.planner import Differs, Plan
from sendoff.engine.ready_queue import Queue
from sendoff.engine.request_log import Evidence
from sendoff.engine.requests import Terms
from sendoff.engine.tasks import Task
from sendoff.ledger import Changes, Failure, RunState
from sendoff.records import Block, halves
from sendoff.response import GONE, Kind, Verdict, judge
from sendoff.response.rate_headers import quota_rest
from sendoff.transport.protocol import Answer, Landed, Request, Volley, Wait

LONG = 3600.0

_CHANGED = (
    "the source, or how its records are written, changed since the run began; "
    "put it back, or give up what is left with --restart"
)


class Engine:
    """Decides everything and touches nothing. Not thread-safe: its owner holds a lock."""

    def __init__(
        self, terms: Terms, sender: Sender, strategy: FailureStrategy, state: RunState, *, random: Random | None = None
    ) -> None:
        random = random or Random()
        self._auto = terms.to.concurrency == "auto"
        self._terms = terms
        self._sender = sender
        self.plan = Plan(sender, MOST if terms.to.concurrency == "auto" else terms.to.concurrency, state)
        self.health = Health(random, was_down=state.was_down)
        self._limit = Adaptive() if self._auto else Fixed(self.plan.concurrency)
        if self._auto:
            self.plan.widen(self._limit.limit)
        self._queue = Queue()
        self._order = Order(lambda task: self.plan.stock.lanes(task.spans))
        self._in_flight: dict[int, Task] = {}
        self._evidence = Evidence(terms, self.plan.stock, state.requests)
        self._account = Account(state, terms.redact)
        self._outcomes = Outcomes(
            terms, strategy, self._account, self.plan, self._queue, self._order, self.health, self._evidence, random
        )
        self._volleys = Volleys(terms, sender, self.plan, self._queue, self._account, self._outcomes, self._evidence)
        self._deadline: float | None = None
        self._read_before = state.read

    @property
    def stopped(self) -> Stop | None:
        """Why the run ends before its source does, if it does."""
        return self._account.stopped

    @property
    def counts(self) -> dict[str, int]:
        """The counts of `Report`, as committed."""
        return self._account.counts

    @property
    def rest(self) -> float | None:
        """The seconds the destination wants to be left alone, if that ended the run."""
        return self._outcomes.rest

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """What happened since this was last asked."""
        return self._account.told()

    # The reader's side.

    def offer(self, block: Block, invalid: Sequence[Failure], rows: int) -> None:
        """Take in a block, the invalid rows of its page, and how many source rows were read so far."""
        self._account.read([failure for failure in invalid if failure.position >= self._read_before], rows)
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
        if self._account.committing:
            return None
        if self.stopped is None:
            if self._nothing_else_to_try():
                self._outcomes.accept_suspended()
            for piece in self.plan.advance(self._outcomes.undecided):
                self._account.opened(piece, planned=self.plan.planned)
        return self._account.propose()

    def confirm(self, changes: Changes) -> None:
        """The proposed changes are durable: what they plan may travel, what they settle is over."""
        self._account.confirm(changes)
        self._queue.adopt(changes.opened, self.plan.open)
        self.plan.stock.drop(self.plan.planned)

    # The transport's side.

    def next(self, now: float, many: int = 0) -> Request | Volley | Wait | Literal["done"]:
        """The request that should travel now, or how long to wait for one, or ``"done"``.

        With `many`, a volley of up to so many requests, where they are all alike and nothing else goes before them.
        """
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
        flying = self._flying
        if flying and (not self.health.proven or flying >= self._limit.limit):
            return Wait(LONG)
        if many and (volley := self._volley(now, many)) is not None:
            return volley
        task = self._take(now)
        if task is not None:
            return self._sent(task, now)
        self.plan.starving = self.plan.starving or self._account.exposed - flying > self.plan.window // 4
        if self._nothing_else_to_try():
            self._outcomes.give_up_doubtful()
        until = self._queue.until_retry(now)
        return "done" if self.stopped else Wait(min(LONG if until is None else until, self._deadline - now))

    def judge(self, request: Request, answer: Answer) -> Verdict:
        """What an answer means. It changes nothing, and may be asked without holding the lock."""
        verdict = judge(
            answer,
            GONE if request.gone else self._terms.policy,
            count=request.count,
            ids=lambda field: self._sender.values(request, field),
            repeated=self._in_flight[request.number].attempts > 1,
        )
        return replace(verdict, reason=self._terms.redact(verdict.reason)) if verdict.reason else verdict

    def answer(self, request: Request, answer: Answer, now: float, verdict: Verdict | None = None) -> None:
        """Act on an answer's verdict."""
        verdict = verdict or self.judge(request, answer)
        task = self._in_flight.pop(request.number)
        pressed = verdict.kind is Kind.RETRY
        self._limit.answered(now, well=not pressed, pressed=pressed, busy=len(self._in_flight) + 1)
        if self._auto:
            self.plan.widen(self._limit.limit)
        self._account.noted(self._evidence.request(request, answer, verdict))
        quota = quota_rest(answer.headers) if answer.headers else None
        if quota and verdict.kind is not Kind.STOP:
            self._terms.pace.rest(now + min(quota, self._terms.to.retry["retry_after_max"]))
        if answer.renewed and not task.renewed:
            self._outcomes.renewed(task, now)
        else:
            self._outcomes.of(task, verdict, request, now)

    def landed(self, volley: Volley, found: Sequence[Landed], now: float) -> list[tuple[Request, Answer]]:
        """Act on the successes among a volley's answers; the others are for `answer`, with the requests they answer."""
        return [
            (self._request(task, self.plan.stock.slices(task.spans)), answer)
            for task, answer in self._volleys.landed(volley, found, now)
        ]

    def stop(self, reason: str, *, interrupted: bool = False, instead: bool = False) -> None:
        """Send nothing more. What is planned and not settled stays so, for the next run to go on with."""
        self._account.stop(reason, interrupted=interrupted, instead=instead)
        self._volleys.recall()

    def pressing(self) -> bool:
        """Whether something waits to be committed that others wait for; a mere count of requests does not press."""
        return self._account.pressing()

    def finished(self) -> bool:
        """Whether every record is settled, durably."""
        return self.plan.exhausted() and not self.plan.outstanding and self.quiet()

    def quiet(self) -> bool:
        """Whether nothing is left to commit, as far as answers have come."""
        return self._account.quiet()

    # What travels next.

    def _take(self, now: float) -> Task | None:
        probing = self.health.ever and not self.health.proven
        task = self._queue.retry(float("inf") if probing else now)  # a probe is whichever would be tried first
        if task is not None:
            return task
        if not self.health.proven and self._queue.until_retry(now) is not None:
            return None  # before anything has got through, a retry is all there is to try
        if self._account.exposed - self._outcomes.undecided >= self.plan.window:
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
                self._outcomes.divide(task, halves(task.spans), None)

    @property
    def _flying(self) -> int:
        return len(self._in_flight) + self._volleys.flying

    def _volley(self, now: float, many: int) -> Volley | None:
        """Only while all is well: nothing waits to be tried again, or for its turn."""
        retry = self._queue.until_retry(now)
        if not self.health.proven or (retry is not None and retry <= 0) or self._order:
            return None
        return self._volleys.next(min(many, self.plan.window - self._account.exposed + self._outcomes.undecided))

    def _sent(self, task: Task, now: float) -> Request | Wait:
        parts = self.plan.stock.slices(task.spans)
        wait = self._terms.pace.acquire(now, records=task.size, size=sum(map(len, parts)))
        if wait > 0:
            if task.first_tried is None:
                self._queue.first(task)
            else:
                self._queue.at(now, task)
            return Wait(wait)
        task.attempts += 1
        if task.first_tried is None:
            task.first_tried, task.passed = now, self.health.passed
            self._account.exposed += 1
        else:
            self._account.count("retries", 1)
        return self._request(task, parts)

    def _request(self, task: Task, parts: Sequence[memoryview | bytes]) -> Request:
        number = self._account.count("requests", 1)
        request = self._terms.request(
            task.span,
            parts,
            self._sender,
            lambda: task.piece.digest if task.piece.step != 1 else b"".join(parts),
            count=task.size,
            number=number,
            attempt=task.attempts,
            route=self.plan.stock.route(task.spans[0].lo),
            renewed=task.renewed,
        )
        self._account.count("bytes", request.length)
        self._in_flight[number] = task
        return request

    def _nothing_else_to_try(self) -> bool:
        return self.plan.exhausted() and not self._flying and not self._queue and not self._order
