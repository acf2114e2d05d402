"""Blocks of records that are encoded, spans that name some of them, and where each goes."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import polars as pl

from sendoff.records.page import Lines, Page


class Span(NamedTuple):
    """A half-open range of ordinals, ``[lo, hi)``."""

    lo: int
    hi: int

    @property
    def size(self) -> int:
        return self.hi - self.lo


Spans = tuple[Span, ...]
"""Records that need not stand side by side: spans in order, none empty, none overlapping."""


def total(spans: Spans) -> int:
    """How many records the spans hold."""
    return sum(hi - lo for lo, hi in spans)


def spans_of(ordinals: Iterable[int]) -> Spans:
    """The spans of some ordinals, given in order."""
    found: list[Span] = []
    for at in ordinals:
        if found and found[-1].hi == at:
            found[-1] = Span(found[-1].lo, at + 1)
        else:
            found.append(Span(at, at + 1))
    return tuple(found)


def ordinals(spans: Spans) -> list[int]:
    """The ordinals in the spans, in order."""
    return [at for span in spans for at in range(*span)]


def halves(spans: Spans) -> list[Spans]:
    """The first half of the records, and the second."""
    size = total(spans)
    return [within(spans, 0, size // 2), within(spans, size // 2, size)]


def within(spans: Spans, lo: int, hi: int) -> Spans:
    """The part of the spans that holds their lo-th to hi-th record, counted from 0."""
    found, before = [], 0
    for span in spans:
        start, end = max(span.lo, span.lo + lo - before), min(span.hi, span.lo + hi - before)
        if start < end:
            found.append(Span(start, end))
        before += span.size
    return tuple(found)


class Route(NamedTuple):
    """Where a record's request goes, as far as it is made of the record itself."""

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    #: Another method than the connector's; "" for none.
    method: str = ""
    #: Whether the request has no body.
    without_body: bool = False
    #: Whether it takes a record away, so that a 404 or 410 says that it is gone already.
    is_delete: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """Good rows, encoded once: one buffer, and the offset of every record in it.

    ``data[offsets[i] : offsets[j] - 1]`` is what is sent of records i to j, joined by the separator;
    ``offsets[n]`` lies one separator past the end. `page` and `rows` lead back to the source row; a sender's `write`
    leaves them, and all that follows, to the pipeline.
    """

    lo: int
    data: bytes
    offsets: array[int]
    page: Page | Lines = field(default_factory=lambda: Page(pl.DataFrame()))
    rows: Sequence[int] = ()
    #: What each record's request is addressed to, where that is made of the record; else empty.
    routes: Sequence[Route] = ()
    #: What each record must keep its order with, where `order_by` says so; else empty.
    ordering_keys: Sequence[Hashable] = ()
    #: What results name each record by, where `response.records` says so, null for no id; else None.
    ids: pl.Series | None = None
    #: Why records cannot be sent, by their place: until the pipeline has taken them out.
    unwritable: Mapping[int, str] = field(default_factory=dict)

    @property
    def hi(self) -> int:
        return self.lo + len(self.offsets) - 1

    def slice(self, lo: int, hi: int) -> memoryview:
        """The bytes of the records ``[lo, hi)``, without the trailing separator, uncopied."""
        return memoryview(self.data)[self.offsets[lo - self.lo] : self.offsets[hi - self.lo] - 1]

    def size(self, lo: int, hi: int) -> int:
        return self.offsets[hi - self.lo] - self.offsets[lo - self.lo]

    def reach(self, lo: int, room: int) -> int:
        """The largest hi such that records ``[lo, hi)`` with their separators fit `room` bytes."""
        start = self.offsets[lo - self.lo]
        return min(self.hi, self.lo + bisect_right(self.offsets, start + room) - 1)


def count_repeats(ids: Sequence[pl.Series]) -> list[int] | None:
    """How many before each of these have the same id; None if no id comes twice."""
    found = pl.concat(ids).alias("id")
    known = found.drop_nulls()
    if known.n_unique() == len(known):
        return None
    counted = pl.int_range(pl.len()).over("id")
    return found.to_frame().select(pl.when(pl.col("id").is_null()).then(0).otherwise(counted)).to_series().to_list()
