"""The plan: which pieces are open, which ordinals are planned, and how many permits are out."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from sendoff.components import Sender
from sendoff.delivery.stock import Stock
from sendoff.delivery.tasks import Strip, Task
from sendoff.ledger import Piece, RunState
from sendoff.records import Block, Span

#: Single records planned ahead in one piece, so that the ledger need not hear of each.
STRIP = 256
READ_AHEAD = 16 << 20


class Plan:
    """Pieces from blocks, while there are permits.

    A permit is a request that is planned and not durably settled. There are `window` of them, so
    at most that many requests are ever sent twice.
    """

    def __init__(self, sender: Sender, concurrency: int, state: RunState) -> None:
        self.stock = Stock(sender.separator)
        self.single = sender.max_records == 1
        self.window = max(2 * concurrency, STRIP) if self.single else concurrency
        #: The most bytes a body may have, as declared or as learned from a 413.
        self.cap = sender.max_bytes
        self.planned = state.planned
        self.ended = False
        #: Open pieces by their first ordinal.
        self.open: dict[int, Strip] = {}
        self._most = sender.max_records
        self._envelope = len(sender.prefix) + len(sender.suffix)
        self._asleep = deque(self._reopened(state))
        self.outstanding = sum(strip.open for strip in self.open.values())

    # Blocks in.

    def add(self, block: Block) -> list[Strip]:
        """Take in a block; answers with the strips of an earlier process that it lets be sent again.

        Raises `Differs` if their bytes are not what was planned.
        """
        holds = sum(strip.piece.lo < block.hi and block.lo < strip.piece.hi for strip in self.open.values())
        self.stock.add(block, holds)
        awake = []
        while self._asleep and self._asleep[0].piece.hi <= self.stock.hi:
            strip = self._asleep.popleft()
            if self.digest(strip.piece.span) != strip.piece.digest:
                raise Differs
            awake.append(strip)
        self.stock.drop(self.planned)
        return awake

    def end(self) -> None:
        """There are no more blocks. Raises `Differs` if an earlier process had planned more."""
        self.ended = True
        if self._asleep or self.stock.hi < self.planned:
            raise Differs

    def hungry(self) -> bool:
        """Whether another block is wanted: for a whole request, or to have one in reserve."""
        if self.ended:
            return False
        return self.stock.hi <= self.planned or self.stock.waiting(self.planned) < READ_AHEAD or self._cut(1) is None

    # Pieces out.

    def advance(self, suspended: int) -> Iterator[Piece]:
        """Open pieces while there are permits; suspended requests are not counted against them."""
        while True:
            free = self.window - (self.outstanding - suspended)
            # A strip is worth its row when half the window is free.
            if free < (max(1, self.window // 2) if self.single else 1):
                return
            hi = self._cut(free) if self.stock.hi > self.planned else None
            if hi is None:
                return
            span = Span(self.planned, hi)
            self.planned = hi
            yield self.open_piece(span, 1 if self.single else span.size)

    def open_piece(self, span: Span, step: int) -> Piece:
        piece = Piece(span.lo, span.hi, step, self.digest(span))
        requests = deque(_steps(span, step))
        self.open[piece.lo] = Strip(piece, requests, len(requests))
        self.outstanding += len(requests)
        self.stock.hold(piece)
        return piece

    def settle(self, task: Task) -> int | None:
        """One of a piece's requests is settled; answers with the piece's first ordinal if it was the last."""
        strip = self.open[task.piece.lo]
        strip.open -= 1
        # The permit is free, but what takes it is planned by the same commit that settles this request.
        self.outstanding -= 1
        if strip.open:
            return None
        del self.open[task.piece.lo]
        self.stock.hold(task.piece, -1)
        return task.piece.lo

    def over_cap(self, span: Span) -> bool:
        """Whether a request is larger than the API is known to take, and can be made smaller."""
        return self.cap is not None and span.size > 1 and self.body_length(span) > self.cap

    def learn_cap(self, spans: Iterable[Span]) -> int:
        """A request was too large: from now on none is larger than the largest of these parts of it."""
        largest = max(map(self.body_length, spans))
        self.cap = largest if self.cap is None else min(self.cap, largest)
        return self.cap

    def body_length(self, span: Span) -> int:
        return self.stock.length(span) + self._envelope

    def digest(self, span: Span) -> bytes:
        return digest(self.stock.slices(span))

    def exhausted(self) -> bool:
        """Whether all that will ever be read is planned."""
        return self.ended and self.planned >= self.stock.hi

    def _cut(self, free: int) -> int | None:
        if self.single:
            available = self.stock.hi - self.planned
            return self.planned + min(free, available) if available > 0 else None
        room = None if self.cap is None else self.cap - self._envelope
        return self.stock.cut(self.planned, self._most, room, ended=self.ended)

    def _reopened(self, state: RunState) -> Iterator[Strip]:
        """The pieces an earlier process left, without what it settled of them."""
        for piece in sorted(state.pieces, key=lambda piece: piece.lo):
            left = [
                part
                for gap in state.delivered.gaps(piece.lo, piece.hi)
                for part in state.failed.gaps(*gap)
                for part in _steps(part, piece.step)
            ]
            self.open[piece.lo] = strip = Strip(piece, deque(left), len(left), repeats=True)
            yield strip


class Differs(Exception):
    """The source no longer gives what was planned."""


def digest(parts: Sequence[memoryview | bytes]) -> bytes:
    """SHA-256 over buffers as if they were one."""
    total = hashlib.sha256()
    for part in parts:
        total.update(part)
    return total.digest()


def _steps(span: Span, step: int) -> Iterator[Span]:
    return (Span(lo, min(lo + step, span.hi)) for lo in range(span.lo, span.hi, step))
