"""A growing set of keys with batched lookup.

Ten million keys as Python objects would take a gigabyte. Here they are sorted columns of two 64-bit numbers,
16 bytes a key, in a few levels each about twice as long as the next (a log-structured merge), so that lookup
and insertion cost a binary search in polars.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl


class KeyIndex:
    """Keys, as pairs of numbers."""

    def __init__(self) -> None:
        self._levels: list[pl.DataFrame] = []

    def __len__(self) -> int:
        return sum(level.height for level in self._levels)

    def has(self, keys: pl.DataFrame) -> pl.Series:
        """Whether each key is among them."""
        found = pl.repeat(False, keys.height, dtype=pl.Boolean, eager=True)
        for level in self._levels:
            at = level["a"].search_sorted(keys["a"], side="left").clip(0, level.height - 1)
            near = level["a"].gather(at) == keys["a"]
            there = near & (level["b"].gather(at) == keys["b"])
            found |= there
            # Two keys with the same first half: once in a million runs of ten million rows.
            for row in (near & ~there).arg_true():
                if level.filter((pl.col("a") == keys["a"][row]) & (pl.col("b") == keys["b"][row])).height:
                    found = found.scatter(row, True)
        return found

    def add(self, keys: pl.DataFrame) -> None:
        """More keys, none of them known yet."""
        level = keys.select("a", "b").sort("a", "b")
        while self._levels and self._levels[-1].height <= 2 * level.height:
            level = pl.concat([self._levels.pop(), level]).sort("a", "b")
        if level.height:
            self._levels.append(level)


def frame(keys: Sequence[bytes]) -> pl.DataFrame:
    """Keys as two columns of numbers."""
    return split(b"".join(keys))


def split(joined: bytes) -> pl.DataFrame:
    """Keys that stand one after the other, as two columns of numbers in the order of their bytes."""
    if not joined:
        return pl.DataFrame(schema={"a": pl.UInt64, "b": pl.UInt64})
    words = pl.Series([joined], dtype=pl.Binary).bin.reinterpret(dtype=pl.Array(pl.UInt64, len(joined) // 8), endianness="big")
    numbers = words.explode()
    return pl.DataFrame({"a": numbers.gather_every(2), "b": numbers.gather_every(2, 1)})
