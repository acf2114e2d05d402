"""What the engine has in hand: pieces being sent, tasks of theirs, and families of split ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field

from sendoff.ledger import Chunk
from sendoff.records import Span, Spans, total
from sendoff.response import Verdict


@dataclass(slots=True, eq=False)
class OpenChunk:
    """An open piece: what of it is still to be sent, and how many of its requests are not settled."""

    chunk: Chunk
    #: Its records that no request has been made of yet.
    remaining: deque[Span]
    open_requests: int
    #: An earlier process may have sent some of it.
    repeats: bool = False

    @classmethod
    def of(cls, piece: Chunk, left: Spans, *, repeats: bool = False) -> OpenChunk:
        """A piece with these records to send: one by one, or all in one request."""
        requests = total(left) if piece.records_per_request == 1 else int(bool(left))
        return cls(piece, deque(left), requests, repeats)

    def take(self, most: int = 1) -> Spans:
        """The records of the next request; of a strip of single records, as many requests' as stand side by side."""
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
    """One request to be. A batch is its piece's only task; a strip has one for each record."""

    spans: Spans
    chunk: Chunk
    #: How often it was tried, by an earlier process included as far as is known.
    attempts: int = 0
    #: How many of the attempts count against nobody: the API itself asked to be asked later.
    uncounted_attempts: int = 0
    #: How often it failed while others got through, between one failure and the next.
    isolated_failures: int = 0
    first_tried: float | None = None
    #: How many had got through when it last failed, or left; and when it first failed alone.
    successes_seen: int = 0
    isolated_since: float | None = None
    #: It is not to travel before this time.
    due: float | None = None
    credentials_renewed: bool = False
    #: It was put aside once, to see whether others get through.
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
    """The parts of a refused request, sent one after the other.

    Where among them is at least one bad record, the last need not be tried whole when all the others
    got through: then it must hold the bad record, and is split at once. The inference saves about
    a fifth of the requests.
    """

    verdict: Verdict
    waiting: deque[Task] = field(default_factory=deque)
    started: bool = False
    #: A part was refused, so nothing can be inferred of the rest.
    bad_record_found: bool = False

    def last_must_be_bad(self) -> bool:
        """Whether the next part is known to be bad without trying it. One record is always tried."""
        return len(self.waiting) == 1 and not self.bad_record_found and self.waiting[0].size > 1
