"""Make blocks: records as bytes, one after the other in one buffer, and where each of them starts."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from itertools import accumulate
from operator import index
from typing import SupportsIndex, cast

import polars as pl

from sendoff.records import Block


def make_block(
    records: pl.Series | Iterable[str | bytes],
    separator: bytes = b",",
    unwritable: Mapping[int, str] | None = None,
    *,
    multiline: bool = True,
) -> Block:
    """A block of these records, each as it is sent, joined by the separator, which is one byte.

    `unwritable` has the reason of each record that cannot be sent, by its place from 0; what stands there is not used. The
    last offset lies one separator past the end, so that records i to j are always ``data[offsets[i] : offsets[j] - 1]``.

    Raises TypeError for a record that is neither text nor bytes, and ValueError for a place without a record and, unless
    records are `multiline`, for a line break in one where line breaks separate them.
    """
    if len(separator) != 1:
        raise ValueError(f"a separator is one byte; {separator!r} has {len(separator)}")
    reasons = dict(unwritable or {})
    if isinstance(records, pl.Series) and records.dtype == pl.String and not records.null_count() and separator.isascii():
        offsets = array("q", [0])
        data = records.str.join(separator.decode()).cast(pl.Binary).item() if len(records) else b""
        offsets.extend((records.str.len_bytes().cast(pl.Int64) + 1).cum_sum().to_list())
    else:
        parts = _parts(records, reasons)
        offsets = array("q", accumulate((len(part) + 1 for part in parts), initial=0))
        data = separator.join(parts)
    block = check_block(Block(0, data, offsets, unwritable=reasons))
    if separator == b"\n" and not multiline and data.count(separator) != max(block.hi - 1, 0):
        _check_lines(block)
    return block


def check_block(block: object) -> Block:
    """The block that a sender's `write` returned; raises TypeError or ValueError if it is none, or has reasons of no record."""
    if not isinstance(block, Block):
        what = "None" if block is None else f"a {type(block).__name__}"
        raise TypeError(f"`write` returned {what}; it returns the block that `self.block(records)` makes")
    for at, reason in cast("Mapping[object, object]", block.unwritable).items():
        if not isinstance(at, SupportsIndex) or not isinstance(reason, str):
            raise TypeError(f"`unwritable` has a reason, as text, by a record's place; it has {reason!r} by {at!r}")
        if not 0 <= index(at) < block.hi:
            raise ValueError(f"`unwritable` names the place {at}, and the block has {block.hi:,} records, from place 0 on")
    return block


def _parts(records: object, unwritable: Mapping[int, str]) -> list[bytes]:
    """Each record's bytes, and none where it is not used."""
    if not isinstance(records, Iterable) or isinstance(records, str | bytes | bytearray | memoryview | Mapping):
        raise TypeError(f"`block` takes a list of records, each text or bytes; it was given one {type(records).__name__}")
    parts = []
    for at, record in enumerate(records):
        if isinstance(record, str):
            parts.append(record.encode())
        elif isinstance(record, bytes):
            parts.append(record)
        elif at in unwritable:
            parts.append(b"")
        else:
            raise TypeError(f"`block` takes records as text or bytes; the one at place {at} is {type(record).__name__}")
    return parts


def _check_lines(block: Block) -> None:
    """Raise ValueError for the first record that has a line break in it."""
    for at in range(block.hi):
        if at not in block.unwritable and b"\n" in bytes(block.slice(at, at + 1)):
            raise ValueError(
                f"the record at place {at} has a line break in it, and line breaks separate records: escape it, give a reason "
                "for it as unwritable, or set `multiline = True` if readers know where such a record ends"
            )
