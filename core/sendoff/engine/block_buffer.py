"""The buffered blocks, in order: requests are cut from them, and failed records looked up in them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Iterator

import polars as pl

from sendoff.ledger.changes import Chunk, Failure
from sendoff.records import Block, Route, Span, Spans, count_repeats


class BlockBuffer:
    """Encoded blocks, kept while an open chunk or the planner needs them."""

    def __init__(self, separator: bytes) -> None:
        self._separator = separator
        self._blocks: list[Block] = []
        self._refcounts: list[int] = []
        self._lows: list[int] = []
        #: Ordinals below this have been offered.
        self.hi = 0
        #: Whether records say where their requests go.
        self.has_routes = False
        #: Whether records must keep their order with others.
        self.has_ordering_keys = False
        #: Whether results name records by ids, so that two with one id must not travel together.
        self.has_ids = False

    def add(self, block: Block, refcount: int) -> None:
        """Add the next block, which `refcount` open chunks already need."""
        self._blocks.append(block)
        self._lows.append(block.lo)
        self._refcounts.append(refcount)
        self.hi = block.hi
        self.has_routes = self.has_routes or bool(block.routes)
        self.has_ordering_keys = self.has_ordering_keys or bool(block.ordering_keys)
        self.has_ids = self.has_ids or block.ids is not None

    def find_end(self, lo: int, max_records: int, max_bytes: int | None, *, ended: bool) -> int | None:
        """Where a request from `lo` ends: after `max_records` records, or as many as fit `max_bytes`.

        None if more blocks are needed to know. At least one record is taken, however large.
        """
        limit, used = lo + max_records, 0
        for block in self._from(lo):
            start = max(lo, block.lo)
            hi = min(limit, block.hi)
            if max_bytes is not None:
                # The body has one separator fewer than it has records.
                hi = min(hi, block.reach(start, max_bytes + 1 - used))
                used += block.size(start, hi)
            if hi == limit or hi < block.hi:
                return max(hi, lo + 1)
        return self.hi if ended and self.hi > lo else None

    def unplanned_bytes(self, planned: int) -> int:
        """Buffered bytes that are not planned yet."""
        return sum(block.size(max(planned, block.lo), block.hi) for block in self._from(planned))

    def slices(self, spans: Spans) -> list[memoryview | bytes]:
        """The records' bytes joined by the separator, as views on the blocks."""
        views: list[memoryview | bytes] = []
        for block, lo, hi in self.slices_by_block(spans):
            if views:
                views.append(self._separator)
            views.append(block.slice(lo, hi))
        return views

    def length(self, spans: Spans) -> int:
        """How many bytes `slices` comes to."""
        return sum(block.size(lo, hi) for block, lo, hi in self.slices_by_block(spans)) - 1

    def slices_by_block(self, spans: Spans) -> Iterator[tuple[Block, int, int]]:
        """The blocks that spans lie in, each with the part of a span that lies in it."""
        for span in spans:
            for block in self._from(span.lo):
                if block.lo >= span.hi:
                    break
                yield block, max(span.lo, block.lo), min(span.hi, block.hi)

    def block(self, ordinal: int) -> Block:
        """The block that holds a record."""
        return self._blocks[self._at(ordinal)]

    def route(self, ordinal: int) -> Route | None:
        """A record's route, if records have routes of their own; else None."""
        if not self.has_routes:
            return None
        block = self.block(ordinal)
        return block.routes[ordinal - block.lo] if block.routes else None

    def routes(self, span: Span) -> list[Route] | None:
        """The records' routes; None if records have none of their own."""
        parts = list(self.slices_by_block((span,)))
        if not parts[0][0].routes:
            return None
        return [route for block, lo, hi in parts for route in block.routes[lo - block.lo : hi - block.lo]]

    def id_repeats(self, span: Span) -> list[int] | None:
        """How many records of the span before each one have its id; None if no id comes twice, or records have none."""
        return count_repeats(self.ids((span,))) if self.has_ids else None

    def ids(self, spans: Spans) -> list[pl.Series]:
        """What results name these records by, in parts; none if they do not."""
        if not self.has_ids:
            return []
        return [
            block.ids[lo - block.lo : hi - block.lo] for block, lo, hi in self.slices_by_block(spans) if block.ids is not None
        ]

    def ordering_keys(self, spans: Spans) -> frozenset[Hashable]:
        """The ordering keys of these records."""
        if not self.has_ordering_keys:
            return frozenset()
        found: set[Hashable] = set()
        for block, lo, hi in self.slices_by_block(spans):
            here = slice(lo - block.lo, hi - block.lo)
            # Requests to two addresses have no order between them.
            found.update(
                zip(block.routes[here], block.ordering_keys[here], strict=True) if block.routes else block.ordering_keys[here]
            )
        return frozenset(found)

    def failures(self, spans: Spans, reason: str, status: int | None, attempts: int, maybe_applied: bool) -> Iterator[Failure]:
        """These records as the source had them, each as a rejected one."""
        for block, lo, hi in self.slices_by_block(spans):
            rows = block.rows[lo - block.lo : hi - block.lo]
            for ordinal, row, record in zip(range(lo, hi), rows, block.page.as_json(rows), strict=True):
                yield Failure(
                    "rejected", ordinal, block.page.file, block.page.line(row), reason, record, status, attempts,
                    maybe_applied, block.page.all_text, block.page.change,
                )  # fmt: skip

    def retain(self, chunk: Chunk, by: int = 1) -> None:
        """Count one more chunk (or one fewer) that needs its blocks."""
        for at in range(self._at(chunk.lo), len(self._blocks)):
            if self._lows[at] >= chunk.hi:
                break
            if self._blocks[at].hi > chunk.lo:
                self._refcounts[at] += by

    def release(self, planned: int) -> None:
        """Drop the blocks that are planned and that no chunk needs."""
        keep = [at for at, block in enumerate(self._blocks) if self._refcounts[at] or block.hi > planned]
        if len(keep) < len(self._blocks):
            self._blocks = [self._blocks[at] for at in keep]
            self._refcounts = [self._refcounts[at] for at in keep]
            self._lows = [self._lows[at] for at in keep]

    def _at(self, ordinal: int) -> int:
        return max(0, bisect_right(self._lows, ordinal) - 1)

    def _from(self, ordinal: int) -> Iterator[Block]:
        for at in range(self._at(ordinal), len(self._blocks)):
            if self._blocks[at].hi > ordinal:
                yield self._blocks[at]
