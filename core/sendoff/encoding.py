"""Frames into blocks: every record's JSON, written once, one after the other in one buffer.

All columns are written together by polars, in one pass outside the interpreter. What polars
would write otherwise than JSON's users expect is turned to text first: datetimes get their ``T``,
and columns that hold JSON text already (decimals, nested values) are passed through.
"""

from __future__ import annotations

from array import array
from itertools import groupby
from json.encoder import encode_basestring

import polars as pl

from sendoff.schema.columns import moment
from sendoff.schema.schema import Typed


def encode(typed: Typed, separator: bytes) -> tuple[bytes, array[int]]:
    """The frame's records joined by the separator, and where each starts.

    The last offset lies one separator past the end, so that records i to j are always
    ``data[offsets[i] : offsets[j] - 1]``.
    """
    frame = typed.frame
    if frame.height == 0:
        return b"", array("q", [0])
    records = frame.select(_record(typed).alias("record")).to_series()
    lengths = records.str.len_bytes().cast(pl.Int64)
    offsets = array("q", [0])
    offsets.extend((lengths + 1).cum_sum().to_list())
    data: bytes = records.str.join(separator.decode()).cast(pl.Binary).item()
    return data, offsets


def _record(typed: Typed) -> pl.Expr:
    """One expression for a whole record: runs of plain columns as one, the others by themselves."""
    parts: list[pl.Expr] = []

    def alone(name: str) -> bool:
        return name in typed.raw or name in typed.optional

    for by_itself, run in groupby(typed.frame.columns, alone):
        names = list(run)
        parts += [_one(typed, name) for name in names] if by_itself else [_run(typed.frame, names)]
    if not parts:
        return pl.lit("{}")
    # Every part begins with a comma; the first one makes way for the brace.
    return pl.concat_str([pl.lit("{"), pl.concat_str(parts).str.strip_prefix(","), pl.lit("}")])


def _run(frame: pl.DataFrame, names: list[str]) -> pl.Expr:
    whole = pl.struct(_plain(frame, name) for name in names).struct.json_encode()
    return pl.concat_str([pl.lit(","), whole.str.strip_prefix("{").str.strip_suffix("}")])


def _one(typed: Typed, name: str) -> pl.Expr:
    if name in typed.raw:
        value = pl.col(name)
    else:
        whole = pl.struct(_plain(typed.frame, name)).struct.json_encode()
        head = encode_basestring(name) + ":"
        value = pl.when(pl.col(name).is_not_null()).then(whole.str.strip_prefix("{" + head).str.strip_suffix("}"))
    member = pl.concat_str([pl.lit(f",{encode_basestring(name)}:"), value.fill_null("null")])
    return pl.when(pl.col(name).is_null()).then(pl.lit("")).otherwise(member) if name in typed.optional else member


def _plain(frame: pl.DataFrame, name: str) -> pl.Expr:
    dtype = frame.schema[name]
    if isinstance(dtype, pl.Datetime):
        return moment(pl.col(name), dtype).alias(name)
    if dtype == pl.Time:
        return pl.col(name).dt.to_string("%H:%M:%S%.f").alias(name)
    return pl.col(name)
