"""What the engine has in hand: pieces being sent, tasks of theirs, and families of split ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field

from sendoff.ledger import Piece
from sendoff.records import Span, Spans, total
from sendoff.response import Verdict


@dataclass(slots=True, eq=False)
class Strip:
    """An open piece: what of it is still to be sent, and how many of its requests are not settled."""

    piece: Piece
    #: Its records that no request has been made of yet.
    left: deque[Span]
    open: int
    #: An earlier process may have sent some of it.
    repeats: bool = False

    @classmethod
    def of(cls, piece: Piece, left: Spans, *, repeats: bool = False) -> Strip:
        """A piece with these records to send: one by one, or all in one request."""
        requests = total(left) if piece.step == 1 else int(bool(left))
        return cls(piece, deque(left), requests, repeats)

    def take(self, most: int = 1) -> Spans:
        """The records of the next request; of a strip of single records, as many requests' as stand side by side."""
        if self.piece.step != 1:
            whole = tuple(self.left)
            self.left.clear()
            return whole
        lo, hi = self.left[0]
        if hi - lo <= most:
            return (self.left.popleft(),)
        self.left[0] = Span(lo + most, hi)
        return (Span(lo, lo + most),)


@dataclass(slots=True, eq=False)
class Task:
    """One request to be. A batch is its piece's only task; a strip has one for each record."""

    spans: Spans
    piece: Piece
    #: How often it was tried, by an earlier process included as far as is known.
    attempts: int = 0
    #: How many of the attempts count against nobody: the API itself asked to be asked later.
    spared: int = 0
    #: How often it failed while others got through, between one failure and the next.
    alone: int = 0
    first_tried: float | None = None
    #: How many had got through when it last failed, or left; and when it first failed alone.
    passed: int = 0
    alone_since: float | None = None
    #: It is not to travel before this time.
    due: float | None = None
    renewed: bool = False
    #: It was put aside once, to see whether others get through.
    doubted: bool = False
    family: Family | None = None
    lanes: frozenset[Hashable] = frozenset()

    @property
    def span(self) -> Span:
        """From its first record to its last."""
        return Span(self.spans[0].lo, self.spans[-1].hi)

    @property
    def size(self) -> int:
        return total(self.spans)


@dataclass(slots=True, eq=False)
class Family:
    """The parts of a refused request, sent one after the other.

    Where among them is at least one bad record, the last need not be tried whole when all the others
    got through: then it must hold the bad record, and is split at once. The inference saves about
    a fifth of the requests.
    """

    verdict: Verdict
    waiting: deque[Task] = field(default_factory=deque)
    started: bool = False
    #: A part was refused, so nothing can be inferred of the rest.
    explained: bool = False

    def inferred_bad(self) -> bool:
        """Whether the next part is known to be bad without trying it. One record is always tried."""
        return len(self.waiting) == 1 and not self.explained and self.waiting[0].size > 1
