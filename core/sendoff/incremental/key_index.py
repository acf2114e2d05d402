"""A growing set of keys with batched lookup.

Ten million keys as Python objects would take a gigabyte. Here they are sorted columns of two 64-bit numbers,
16 bytes a key, in a few levels each about twice as long as the next (a log-structured merge), so that lookup
and insertion cost a binary search in polars.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl


class KeyIndex:
    """Keys, each with a state."""

    def __init__(self, rows: Iterable[Sequence[tuple[bytes, bytes]]] = ()) -> None:
        """`rows` are keys with their states, in the keys' order, some at a time."""
        levels = [frame(keys, states) for keys, states in (zip(*some, strict=True) for some in rows)]
        self._levels: list[pl.DataFrame] = [pl.concat(levels)] if levels else []

    def __len__(self) -> int:
        return sum(level.height for level in self._levels)

    def find(self, keys: pl.DataFrame) -> pl.Series:
        """The state of each key, as a number; null where it is not known."""
        found = pl.Series([None] * keys.height, dtype=pl.UInt64)
        for level in self._levels:
            at = level["a"].search_sorted(keys["a"], side="left").clip(0, level.height - 1)
            there = (level["a"].gather(at) == keys["a"]) & (level["b"].gather(at) == keys["b"])
            # Two keys with the same first half: once in a million runs of ten million rows.
            near = (level["a"].gather(at) == keys["a"]) & ~there
            state = level["state"].gather(at)
            table = pl.DataFrame({"found": found, "there": there, "state": state})
            found = table.select(pl.when("there").then("state").otherwise("found")).to_series()
            for row in near.arg_true():
                twins = level.filter((pl.col("a") == keys["a"][row]) & (pl.col("b") == keys["b"][row]))
                if twins.height:
                    found = found.scatter(row, twins["state"][0])
        return found

    def add(self, keys: pl.DataFrame) -> None:
        """More keys, none of them known yet."""
        level = keys.select("a", "b", "state").sort("a", "b")
        while self._levels and self._levels[-1].height <= 2 * level.height:
            level = pl.concat([self._levels.pop(), level]).sort("a", "b")
        if level.height:
            self._levels.append(level)


def frame(keys: Sequence[bytes], states: Sequence[bytes]) -> pl.DataFrame:
    """Keys and states as columns of numbers."""
    whole = pl.Series(keys, dtype=pl.Binary)
    return pl.DataFrame(
        {
            "a": _numbers(whole.bin.slice(0, 8)),
            "b": _numbers(whole.bin.slice(8, 8)),
            "state": _numbers(pl.Series(states, dtype=pl.Binary)),
        }
    )


def _numbers(cells: pl.Series) -> pl.Series:
    return cells.bin.reinterpret(dtype=pl.UInt64, endianness="big")
