"""The blocks at hand, in order: where requests are cut from, and what failed records are found in."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from sendoff.ledger.changes import Piece
from sendoff.records import Block, Span


class Stock:
    """Encoded blocks, kept as long as a piece or the plan still needs them."""

    def __init__(self, separator: bytes) -> None:
        self._separator = separator
        self._blocks: list[Block] = []
        self._holds: list[int] = []
        self._lows: list[int] = []
        #: Ordinals below this have been offered.
        self.hi = 0

    def add(self, block: Block, holds: int) -> None:
        """Add the next block, which `holds` open pieces need already."""
        self._blocks.append(block)
        self._lows.append(block.lo)
        self._holds.append(holds)
        self.hi = block.hi

    def cut(self, lo: int, most: int, room: int | None, *, ended: bool) -> int | None:
        """Where a request from `lo` ends: after `most` records, or as many as fit `room` bytes.

        None if the blocks at hand do not tell yet. At least one record is taken, however large.
        """
        limit, used = lo + most, 0
        for block in self._from(lo):
            start = max(lo, block.lo)
            hi = min(limit, block.hi)
            if room is not None:
                # The body has one separator fewer than it has records.
                hi = min(hi, block.reach(start, room + 1 - used))
                used += block.size(start, hi)
            if hi == limit or hi < block.hi:
                return max(hi, lo + 1)
        return self.hi if ended and self.hi > lo else None

    def waiting(self, planned: int) -> int:
        """Bytes at hand that no request has been cut from yet."""
        return sum(block.size(max(planned, block.lo), block.hi) for block in self._from(planned))

    def slices(self, span: Span) -> list[memoryview | bytes]:
        """The records' bytes joined by the separator, as views on the blocks."""
        views: list[memoryview | bytes] = []
        for block, lo, hi in self.parts(span):
            if views:
                views.append(self._separator)
            views.append(block.slice(lo, hi))
        return views

    def length(self, span: Span) -> int:
        """How many bytes `slices` comes to."""
        return sum(block.size(lo, hi) for block, lo, hi in self.parts(span)) - 1

    def parts(self, span: Span) -> Iterator[tuple[Block, int, int]]:
        """The blocks a span lies in, each with the part of the span that lies in it."""
        for block in self._from(span.lo):
            if block.lo >= span.hi:
                return
            yield block, max(span.lo, block.lo), min(span.hi, block.hi)

    def hold(self, piece: Piece, by: int = 1) -> None:
        """Count one more (or fewer) piece that needs its blocks."""
        for at in range(self._at(piece.lo), len(self._blocks)):
            if self._lows[at] >= piece.hi:
                break
            if self._blocks[at].hi > piece.lo:
                self._holds[at] += by

    def drop(self, planned: int) -> None:
        """Let go of the blocks that are planned and that no piece needs."""
        keep = [at for at, block in enumerate(self._blocks) if self._holds[at] or block.hi > planned]
        if len(keep) < len(self._blocks):
            self._blocks = [self._blocks[at] for at in keep]
            self._holds = [self._holds[at] for at in keep]
            self._lows = [self._lows[at] for at in keep]

    def _at(self, ordinal: int) -> int:
        return max(0, bisect_right(self._lows, ordinal) - 1)

    def _from(self, ordinal: int) -> Iterator[Block]:
        for at in range(self._at(ordinal), len(self._blocks)):
            if self._blocks[at].hi > ordinal:
                yield self._blocks[at]
