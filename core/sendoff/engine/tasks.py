"""Chunks being sent, their tasks, and groups of split ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field

from sendoff.ledger import Chunk
from sendoff.records import Span, Spans, total
from sendoff.response import Verdict


@dataclass(slots=True, eq=False)
class OpenChunk:
    """An open chunk: its records still to be sent, and how many of its requests are not settled."""

    chunk: Chunk
    #: Its records that no request has been made of yet.
    remaining: deque[Span]
    open_requests: int
    #: An earlier process may have sent some of it.
    repeats: bool = False

    @classmethod
    def of(cls, chunk: Chunk, left: Spans, *, repeats: bool = False) -> OpenChunk:
        """A chunk with these records to send: one by one, or all in one request."""
        requests = total(left) if chunk.records_per_request == 1 else int(bool(left))
        return cls(chunk, deque(left), requests, repeats)

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
    """A request to be sent. A batch is its chunk's only task; a chunk of single records has one for each record."""

    spans: Spans
    chunk: Chunk
    #: How often it was tried, by an earlier process included as far as is known.
    attempts: int = 0
    #: Attempts that do not use up `max_attempts`: the API sent a Retry-After, or credentials were renewed.
    uncounted_attempts: int = 0
    #: How often it failed although others succeeded since its last failure.
    isolated_failures: int = 0
    first_tried: float | None = None
    #: How many had got through when it last failed, or left; and when it first failed alone.
    successes_seen: int = 0
    isolated_since: float | None = None
    #: It is not to travel before this time.
    due: float | None = None
    credentials_renewed: bool = False
    #: It was held back once, to see whether others succeed.
    deferred_once: bool = False
    group: SplitGroup | None = None
    ordering_keys: frozenset[Hashable] = frozenset()

    @property
    def span(self) -> Span:
        """From its first record to its last."""
        return Span(self.spans[0].lo, self.spans[-1].hi)

    @property
    def size(self) -> int:
        return total(self.spans)


@dataclass(slots=True, eq=False)
class SplitGroup:
    """The parts of a rejected request, sent one after the other.

    At least one part has a bad record. So if all but the last succeed, the last must have it, and is split without
    being tried whole. That saves about a fifth of the requests.
    """

    verdict: Verdict
    waiting: deque[Task] = field(default_factory=deque)
    started: bool = False
    #: A part was rejected, so nothing can be inferred about the others.
    bad_record_found: bool = False

    def last_must_be_bad(self) -> bool:
        """Whether the next part is known to be bad without trying it. One record is always tried."""
        return len(self.waiting) == 1 and not self.bad_record_found and self.waiting[0].size > 1
