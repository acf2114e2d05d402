"""The plan: which pieces are open, which ordinals are planned, and how many permits are out."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence

from sendoff.components import Sender
from sendoff.engine.block_buffer import Stock
from sendoff.engine.tasks import Strip, Task
from sendoff.ledger import Piece, RunState
from sendoff.records import Block, Route, Span, Spans, spans_of, total

#: Single records planned ahead in one piece, so that the ledger need not hear of each.
STRIP = 256
#: ... and the most, where answers come faster than commits.
LONG_STRIP = 4_096
#: As many times the concurrency may batches be planned, where answers come faster than commits.
SPARE = 2
READ_AHEAD = 16 << 20
#: Where requests are addressed by their records, so many requests' worth is looked over at once to
#: fill requests to each address; and at most so many records.
GATHERED, STRETCH = 16, 250_000


class Plan:
    """Pieces from blocks, while there are permits.

    A permit is a request that is planned and not durably settled. There are `window` of them, so
    at most that many requests are ever sent twice.
    """

    def __init__(self, sender: Sender, concurrency: int, state: RunState) -> None:
        self.stock = Stock(sender.separator)
        self.concurrency = concurrency
        self.single = sender.max_records == 1
        self.window = max(2 * concurrency, STRIP) if self.single else concurrency
        #: The most bytes a body may have, as declared or as learned from a 413.
        self.cap = sender.max_bytes
        self.planned = state.planned
        self.ended = False
        #: Permits ran out while a commit was under way, so that nothing travelled.
        self.starving = False
        #: The bytes of the largest piece so far: what is planned is kept in memory.
        self._largest = 0
        #: Open pieces by their first ordinal.
        self.open: dict[int, Strip] = {}
        #: The most records in a request, as declared or as learned.
        self.most = sender.max_records
        self._envelope = len(sender.prefix) + len(sender.suffix)
        self._asleep = deque(self._reopened(state))
        self.outstanding = sum(strip.open for strip in self.open.values())

    def widen(self, concurrency: int) -> None:
        """So many requests travel at once now: plan for them, and no further, as what is planned is kept in memory."""
        if not self.single:
            self.window = min(self.concurrency, 2 * concurrency)

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
            if self.digest(strip.piece.spans) != strip.piece.digest:
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
        if self.starving:
            self._widen()
        self.starving = False
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
            for spans in self._addressed(span):
                yield self.open_piece(spans, 1 if self.single else total(spans))

    def _widen(self) -> None:
        """Permits ran out because answers come faster than commits: twice as many, within reason."""
        if self.single:
            self.window = max(self.window, min(2 * self.window, LONG_STRIP))
        elif 2 * self.window * self._largest <= READ_AHEAD:
            self.window = max(self.window, min(2 * self.window, SPARE * self.concurrency))

    def _addressed(self, span: Span) -> Iterator[Spans]:
        """The span, or its records parted by where they go, each part no larger than a request may be."""
        routes = None if self.single else self.stock.routes(span)
        if routes is None:
            yield (span,)
            return
        groups: dict[Route, list[int]] = {}
        for ordinal, route in enumerate(routes, span.lo):
            groups.setdefault(route, []).append(ordinal)
        for ordinals in groups.values():
            for at in range(0, len(ordinals), self.most):
                yield spans_of(ordinals[at : at + self.most])

    def cuts(self, hi: int) -> Iterator[Spans]:
        """The requests that the records at hand up to `hi` would travel in; nothing is planned by it."""
        lo = self.planned
        room = None if self.cap is None else self.cap - self._envelope
        while lo < hi:
            most = min(hi - lo, self.most if not self.stock.addressed or self.single else STRETCH)
            end = self.stock.cut(lo, most, None if self.stock.addressed else room, ended=True) or hi
            yield from self._addressed(Span(lo, end))
            lo = end

    def open_piece(self, spans: Spans, step: int) -> Piece:
        """A piece of these records, to be sent in requests of `step` records."""
        parts = self.stock.slices(spans)
        self._largest = max(self._largest, sum(map(len, parts)))
        piece = Piece(spans[0].lo, spans[-1].hi, step, digest(parts), spans if len(spans) > 1 else ())
        self.open[piece.lo] = strip = Strip.of(piece, spans)
        self.outstanding += strip.open
        self.stock.hold(piece)
        return piece

    def settle(self, piece: Piece, requests: int = 1) -> int | None:
        """Some of a piece's requests are settled; answers with the piece's first ordinal if they were the last."""
        strip = self.open[piece.lo]
        strip.open -= requests
        # The permits are free, but what takes them is planned by the same commit that settles these requests.
        self.outstanding -= requests
        if strip.open:
            return None
        del self.open[piece.lo]
        self.stock.hold(piece, -1)
        return piece.lo

    def over_cap(self, task: Task) -> bool:
        """Whether a request is larger than the API is known to take, and may be made smaller.

        One that an earlier process may have sent may not: it is known by its key, and its parts have other keys.
        """
        if task.attempts or task.size == 1:
            return False
        return task.size > self.most or (self.cap is not None and self.body_length(task.spans) > self.cap)

    def learn_cap(self, parts: Sequence[Spans], *, in_bytes: bool) -> int:
        """A request was too large, in bytes or in records: from now on none is larger than the largest of these parts of it."""
        if in_bytes:
            largest = max(map(self.body_length, parts))
            self.cap = largest if self.cap is None else min(self.cap, largest)
            return self.cap
        self.most = min(self.most, max(map(total, parts)))
        return self.most

    def body_length(self, spans: Spans) -> int:
        return self.stock.length(spans) + self._envelope

    def digest(self, spans: Spans) -> bytes:
        return digest(self.stock.slices(spans))

    def exhausted(self) -> bool:
        """Whether all that will ever be read is planned."""
        return self.ended and self.planned >= self.stock.hi

    def _cut(self, free: int) -> int | None:
        if self.single:
            available = self.stock.hi - self.planned
            return self.planned + min(free, available) if available > 0 else None
        room = None if self.cap is None else self.cap - self._envelope
        most = self.most if not self.stock.addressed else min(STRETCH, self.most * GATHERED)
        return self.stock.cut(self.planned, most, None if self.stock.addressed else room, ended=self.ended)

    def _reopened(self, state: RunState) -> Iterator[Strip]:
        """The pieces an earlier process left, without what it settled of them."""
        for piece in sorted(state.pieces, key=lambda piece: piece.lo):
            left = tuple(
                part for span in piece.spans for gap in state.delivered.gaps(*span) for part in state.failed.gaps(*gap)
            )
            self.open[piece.lo] = strip = Strip.of(piece, left, repeats=True)
            yield strip


class Differs(Exception):
    """The source no longer gives what was planned."""


def digest(parts: Sequence[memoryview | bytes]) -> bytes:
    """SHA-256 over buffers as if they were one."""
    total = hashlib.sha256()
    for part in parts:
        total.update(part)
    return total.digest()
