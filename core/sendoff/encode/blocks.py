"""Make blocks: records as bytes, one after the other in one buffer, and where each of them starts."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from itertools import accumulate

import polars as pl

from sendoff.records import Block


def make_block(
    records: pl.Series | Iterable[str | bytes], separator: bytes = b",", unwritable: Mapping[int, str] | None = None
) -> Block:
    """A block of these records, each as it is sent, joined by the separator, which is one byte.

    `unwritable` has the reason of each record that cannot be sent, by its place; what stands there is not used. The last
    offset lies one separator past the end, so that records i to j are always ``data[offsets[i] : offsets[j] - 1]``.
    """
    if len(separator) != 1:
        raise ValueError(f"a separator is one byte; {separator!r} has {len(separator)}")
    reasons = dict(unwritable or {})
    offsets = array("q", [0])
    if isinstance(records, pl.Series) and records.dtype == pl.String and separator.isascii():
        if len(records):
            lengths = records.str.len_bytes().cast(pl.Int64)
            offsets.extend((lengths + 1).cum_sum().to_list())
            return Block(0, records.str.join(separator.decode()).cast(pl.Binary).item(), offsets, unwritable=reasons)
        return Block(0, b"", offsets)
    parts = [record.encode() if isinstance(record, str) else bytes(record) for record in records]
    offsets.extend(accumulate(len(part) + 1 for part in parts))
    return Block(0, separator.join(parts), offsets, unwritable=reasons)
