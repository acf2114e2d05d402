"""What the engine has in hand: pieces being sent, tasks of theirs, and families of split ones."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from sendoff.delivery.judge import Verdict
from sendoff.ledger import Piece
from sendoff.records import Span


@dataclass(slots=True, eq=False)
class Strip:
    """An open piece: the requests of it still to be made, and how many of all are not settled."""

    piece: Piece
    spans: deque[Span]
    open: int
    #: An earlier process may have sent some of it.
    repeats: bool = False


@dataclass(slots=True, eq=False)
class Task:
    """One request to be. A batch is its piece's only task; a strip has one for each record."""

    span: Span
    piece: Piece
    #: How often it was tried, by an earlier process included as far as is known.
    attempts: int = 0
    #: How many of the attempts the API itself asked to be made later.
    spared: int = 0
    first_tried: float | None = None
    family: Family | None = None


@dataclass(slots=True, eq=False)
class Family:
    """The parts of a refused request: among them is at least one bad record.

    They are sent one after the other, so that the last need not be tried whole when all the others
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
        return len(self.waiting) == 1 and not self.explained and self.waiting[0].span.size > 1
