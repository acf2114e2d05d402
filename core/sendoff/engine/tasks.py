"""Chunks being sent, their tasks, and groups of split ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from sendoff.engine.states import TASK_MOVES, TaskState, check_move
from sendoff.ledger import Chunk, UncertainRequest
from sendoff.records import Span, Spans, ordinals, spans_of, total
from sendoff.response import Verdict
from sendoff.transport.protocol import Response


@dataclass(slots=True, eq=False)
class OpenChunk:
    """An open chunk: its records still to be sent, and how many of its requests are not settled."""

    chunk: Chunk
    #: Its records that no request has been made of yet.
    remaining: deque[Span]
    open_requests: int
    #: An earlier process may have sent some of it.
    repeats: bool = False
    #: The requests of earlier processes that the API may have applied, by their first and last ordinal.
    uncertain: Mapping[tuple[int, int], UncertainRequest] = field(default_factory=dict)

    @classmethod
    def of(cls, chunk: Chunk, left: Spans, *, repeats: bool = False) -> OpenChunk:
        """A chunk with these records to send: one by one, or all in one request."""
        requests = total(left) if chunk.records_per_request == 1 else int(bool(left))
        return cls(chunk, deque(left), requests, repeats)

    def earlier_sends(self, spans: Spans) -> int:
        """How often earlier processes sent the request for these records, if it may have been applied."""
        request = self._uncertain_request(spans) if self.uncertain else None
        return request.sends if request is not None else 0

    def _uncertain_request(self, spans: Spans) -> UncertainRequest | None:
        request = self.uncertain.get((spans[0].lo, spans[-1].hi))
        # What is left of a request may begin and end as it did.
        return request if request is not None and request.records == total(spans) else None

    def take_uncertain(self) -> list[tuple[Spans, UncertainRequest]]:
        """Take out the records that earlier processes sent and that may have been applied, by request."""
        found, left = [], list[Spans]()
        one = self.chunk.records_per_request == 1
        for spans in [(Span(at, at + 1),) for at in ordinals(tuple(self.remaining))] if one else [tuple(self.remaining)]:
            request = self._uncertain_request(spans) if spans else None
            if request is None:
                left.append(spans)
            else:
                found.append((spans, request))
        self.remaining = deque(spans_of(ordinals(tuple(span for spans in left for span in spans))))
        return found

    def take(self, most: int = 1) -> Spans:
        """The records of the next request; of a chunk of single records, up to `most` contiguous ones."""
        if self.chunk.records_per_request != 1:
            whole = tuple(self.remaining)
            self.remaining.clear()
            return whole
        lo, hi = self.remaining[0]
        if hi - lo <= most:
            return (self.remaining.popleft(),)
        self.remaining[0] = Span(lo + most, hi)
        return (Span(lo, lo + most),)


@dataclass(slots=True, eq=False)
class Task:
    """A request to be sent: its state and its counters.

    A batch is its chunk's only task; a chunk of single records has one for each record.
    """

    spans: Spans
    chunk: Chunk
    state: TaskState = TaskState.READY
    #: Its records, or some of them, may have been sent before in another request, or by an earlier process.
    repeats: bool = False
    #: How often this process sent it, and how often earlier ones did, if it may have been applied.
    attempts: int = 0
    earlier_sends: int = 0
    #: Attempts that do not use up `max_attempts`: the API sent a 429 or a Retry-After, others failed likewise,
    #: credentials were renewed, or a connection used before was lost.
    uncounted_attempts: int = 0
    #: How often it failed transiently, and how often of these alone, while others succeeded.
    failures: int = 0
    isolated_failures: int = 0
    #: Others succeeded between two of its attempts.
    others_succeeded: bool = False
    #: How often a repeat was answered 409.
    conflicts: int = 0
    #: How often it was sent again with new credentials, or as its connection was lost, and how often it was held back.
    renewals: int = 0
    reconnections: int = 0
    holds: int = 0
    first_tried: float | None = None
    #: When it first failed; for records that were retried out of a larger request, when that did.
    failing_since: float | None = None
    #: It is not to be sent before this time.
    due: float | None = None
    #: What the circuit breaker had counted when it was sent, or last failed.
    successes_seen: int = 0
    load_signs_seen: int = 0
    group: SplitGroup | None = None
    ordering_keys: frozenset[Hashable] = frozenset()

    @property
    def span(self) -> Span:
        """From its first record to its last."""
        return Span(self.spans[0].lo, self.spans[-1].hi)

    @property
    def size(self) -> int:
        return total(self.spans)

    @property
    def may_be_repeat(self) -> bool:
        """Whether the API may know its records from an attempt before this one."""
        return self.repeats or self.attempts > 1

    @property
    def counted_attempts(self) -> int:
        """The attempts that use up `max_attempts`."""
        return self.attempts - self.uncounted_attempts

    def failing_for(self, now: float) -> float:
        """Seconds since it first failed."""
        return 0.0 if self.failing_since is None else now - self.failing_since

    def move(self, after: TaskState) -> None:
        """Change its state. Raises `IllegalMove` for what is in no table."""
        check_move(TASK_MOVES, self.state, after)
        self.state = after


@dataclass(slots=True, eq=False)
class SplitRequest:
    """A rejected request that is sent in parts, and what has become of all of them, however often they were split again."""

    size: int
    body_length: int
    #: Its records that were not delivered yet, and the most of them that were in one request.
    undelivered: int
    largest_part: int = 0

    def delivered(self, records: int) -> bool:
        """Some were, in one request. Returns whether they were its last, so that it was rejected for its size alone."""
        self.undelivered -= records
        self.largest_part = max(self.largest_part, records)
        return not self.undelivered


@dataclass(slots=True, eq=False)
class SplitGroup:
    """The parts of a rejected request, sent one after the other.

    At least one part has a bad record. So if all but the last succeed, the last must have it, and is split without
    being tried whole. That saves about a fifth of the requests.
    """

    verdict: Verdict
    request: SplitRequest
    response: Response | None = None
    waiting: deque[Task] = field(default_factory=deque)
    started: bool = False
    #: A part was rejected, so nothing can be inferred about the others.
    bad_record_found: bool = False

    def last_must_be_bad(self, task: Task) -> bool:
        """Whether the last part is known to be bad without trying it. One record is always tried."""
        return not self.waiting and not self.bad_record_found and task.size > 1
