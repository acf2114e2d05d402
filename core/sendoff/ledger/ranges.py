"""A set of ordinals, kept as merged ranges."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

from sendoff.records import Span


class Ranges:
    """Disjoint, non-adjacent spans in order."""

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._lows: list[int] = []
        self._highs: list[int] = []
        for span in spans:
            self.add(*span)

    def add(self, lo: int, hi: int) -> tuple[list[int], Span]:
        """Add ``[lo, hi)``. Returns the `lo` of each span it was merged with, and the merged span."""
        first = bisect_left(self._highs, lo)
        last = bisect_right(self._lows, hi)
        swallowed = self._lows[first:last]
        if swallowed:
            lo, hi = min(lo, self._lows[first]), max(hi, self._highs[last - 1])
        self._lows[first:last], self._highs[first:last] = [lo], [hi]
        return swallowed, Span(lo, hi)

    def __contains__(self, ordinal: int) -> bool:
        at = bisect_right(self._lows, ordinal) - 1
        return at >= 0 and ordinal < self._highs[at]

    def __iter__(self) -> Iterator[Span]:
        return map(Span, self._lows, self._highs)

    def __len__(self) -> int:
        return len(self._lows)

    @property
    def total(self) -> int:
        return sum(self._highs) - sum(self._lows)

    def gaps(self, lo: int, hi: int) -> Iterator[Span]:
        """The spans of ``[lo, hi)`` that are not in the set."""
        at = max(0, bisect_right(self._lows, lo) - 1)
        for low, high in zip(self._lows[at:], self._highs[at:], strict=True):
            if low >= hi:
                break
            if low > lo:
                yield Span(lo, low)
            lo = max(lo, high)
        if lo < hi:
            yield Span(lo, hi)
