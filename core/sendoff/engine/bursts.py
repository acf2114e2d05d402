"""Single records in numbers: taken from a strip together, and told of together.

Where requests differ in nothing but their record and its key, and all is well, none of them needs a
task, a request or a verdict of its own. The first answer that is no plain success ends the volley: what had not
left goes back to its strip, and what failed becomes a task like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import itemgetter

from sendoff.components import Sender
from sendoff.engine.outcomes import Outcomes
from sendoff.engine.pending_changes import Account
from sendoff.engine.planner import Plan
from sendoff.engine.ready_queue import Queue
from sendoff.engine.request_log import Evidence
from sendoff.engine.requests import Terms
from sendoff.engine.tasks import Strip, Task
from sendoff.records import Span, spans_of
from sendoff.response import plain
from sendoff.response.rate_headers import quota_rest
from sendoff.transport.protocol import Answer, Landed, Volley

_BY_ORDINAL = itemgetter(0)


@dataclass(slots=True)
class _Out:
    """What is known of a volley that is out: its strip, and how many of its requests are not answered."""

    strip: Strip
    waiting: int


class Volleys:
    """Hands out volleys, and takes in their answers."""

    def __init__(
        self, terms: Terms, sender: Sender, plan: Plan, queue: Queue, account: Account, outcomes: Outcomes, evidence: Evidence
    ) -> None:
        self._terms, self._sender, self._plan, self._queue = terms, sender, plan, queue
        self._account, self._outcomes, self._evidence = account, outcomes, evidence
        self._out: dict[Volley, _Out] = {}
        #: Requests handed out that are neither answered nor taken back.
        self.flying = 0
        self._known: Answer | None = None
        to = terms.to
        self._possible = (
            plan.single
            and terms.policy.plain
            and terms.key_in in ("", "header")
            and to.concurrency != "auto"
            and to.deadline == float("inf")
        )

    def next(self, most: int) -> Volley | None:
        """A volley of at most so many requests, if the next ones are all alike."""
        stock = self._plan.stock
        if most < 1 or not self._possible or stock.addressed or stock.ordered or self._terms.pace.limited:
            return None
        strip = self._queue.strip()
        if strip is None or strip.piece.step != 1:
            return None
        block = stock.block(strip.left[0].lo)
        (span,) = strip.take(min(most, block.hi - strip.left[0].lo))
        volley = self._terms.volley(block, span, self._sender)
        self._out[volley] = _Out(strip, span.size)
        self.flying += span.size
        self._account.exposed += span.size
        return volley

    def recall(self) -> None:
        """Nothing more is to be taken from any volley."""
        for volley in self._out:
            volley.recalled = True

    def landed(self, volley: Volley, found: Sequence[Landed], now: float) -> list[tuple[Task, Answer]]:
        """Account for the successes among the answers; answers with the tasks that the others are of."""
        out, policy = self._out[volley], self._terms.policy
        out.waiting -= len(found)
        self.flying -= len(found)
        known = self._known
        good: list[Landed] = []
        others: list[Landed] = []
        for landing in found:
            answer = landing[1]
            # A transport gives equal answers as one object: what it means is found out once.
            if answer is known or (plain(answer, policy) and not (answer.headers and quota_rest(answer.headers))):
                known = answer
                good.append(landing)
            else:
                others.append(landing)
        self._known = known
        if good:
            self._delivered(volley, out.strip, good, now)
        if others:
            volley.recalled = True
        if volley.recalled and volley.at < volley.hi:
            self._take_back(volley, out)
        if not out.waiting:
            del self._out[volley]
        return [(self._task(out.strip, at, seconds, now), replace(answer, seconds=seconds)) for at, answer, seconds in others]

    def _delivered(self, volley: Volley, strip: Strip, good: list[Landed], now: float) -> None:
        good.sort(key=_BY_ORDINAL)
        first, last, requests = good[0][0], good[-1][0], len(good)
        spans = (Span(first, last + 1),) if last - first + 1 == requests else spans_of(map(_BY_ORDINAL, good))
        number = self._account.count("requests", requests) - requests + 1
        around = len(volley.prefix) + len(volley.suffix) - 1
        self._account.count("bytes", sum(volley.block.size(*span) for span in spans) + requests * around)
        self._account.noted(self._evidence.volley(volley, good, number, 1 + strip.repeats))
        self._outcomes.landed(strip.piece, spans, requests, now)

    def _take_back(self, volley: Volley, out: _Out) -> None:
        unsent = Span(volley.at, volley.hi)
        volley.hi = volley.at
        out.waiting -= unsent.size
        self.flying -= unsent.size
        self._account.exposed -= unsent.size
        self._queue.put_back(out.strip, unsent)

    def _task(self, strip: Strip, at: int, seconds: float, now: float) -> Task:
        # What got through while it was on its way is not known, so its first failure counts against it alone in no case.
        return Task(
            (Span(at, at + 1),), strip.piece, attempts=1 + strip.repeats, first_tried=now - seconds,
            passed=self._outcomes.passed,
        )  # fmt: skip
