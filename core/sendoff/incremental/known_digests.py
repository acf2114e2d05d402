"""The digests of all rows that are remembered, and which of them a pass over the source has seen.

Ten million are two sorted columns of numbers: 160 MB. As digests are spread evenly, their first bits tell where to look:
of each value of these, `_starts` has the place of the first digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import polars as pl

from sendoff.incremental.key_index import split

#: Digests that are turned into numbers at a time.
_SOME = 1 << 20


class KnownDigests:
    """A fixed, sorted set of digests of 16 bytes, each seen or not."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        """`blocks` are digests one after the other, all of them in order."""
        frames = [split(joined) for joined in _gathered(blocks)]
        # One after the other, as both columns twice would be the most memory that a run takes.
        self._a = pl.concat([table.drop_in_place("a") for table in frames], rechunk=True)
        self._b = pl.concat([table.drop_in_place("b") for table in frames], rechunk=True)
        self._shift = 1 << (64 - min(32, max(1, len(self._a).bit_length() - 1)))
        firsts = pl.select(pl.int_range(2**64 // self._shift, dtype=pl.UInt64) * self._shift).to_series()
        self._starts = self._a.search_sorted(firsts)
        self._seen = pl.repeat(0, len(self._a), dtype=pl.UInt8, eager=True)

    def __len__(self) -> int:
        return len(self._a)

    def find(self, digests: pl.DataFrame) -> pl.Series:
        """The place of each digest; null where it is not known."""
        if not len(self):
            return pl.Series([None] * digests.height, dtype=pl.UInt32)
        left = digests.select("a", "b", at=self._starts.gather(digests["a"] // self._shift)).with_row_index("row")
        found = []
        while (left := left.filter(pl.col("at") < len(self))).height:
            first = self._a.gather(left["at"])
            same = left.filter(first == left["a"])
            there = self._b.gather(same["at"]) == same["b"]
            found.append(same.select("row", "at").filter(there))
            left = pl.concat([left.filter(first < left["a"]), same.filter(~there)]).with_columns(pl.col("at") + 1)
        places = pl.concat(found) if found else left.select("row", "at")
        return pl.repeat(None, digests.height, dtype=pl.UInt32, eager=True).scatter(places["row"], places["at"])

    def see(self, places: pl.Series) -> None:
        """Note that these were seen."""
        self._seen = self._seen.scatter(places.drop_nulls(), 1)

    def was_seen(self, places: pl.Series) -> pl.Series:
        """Whether each of these was seen; false for a null."""
        return (self._seen.gather(places) == 1).fill_null(False)

    def unseen(self) -> Iterator[bytes]:
        """The digests that were not seen."""
        at = (self._seen == 0).arg_true()
        for a, b in zip(self._a.gather(at), self._b.gather(at), strict=True):
            yield a.to_bytes(8) + b.to_bytes(8)


def _gathered(blocks: Iterable[bytes]) -> Iterator[bytes]:
    some, size = list[bytes](), 0
    for block in blocks:
        some.append(block)
        size += len(block)
        if size >= 16 * _SOME:
            yield b"".join(some)
            some, size = [], 0
    yield b"".join(some)
