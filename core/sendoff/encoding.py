"""Frames into blocks: every record's JSON, written once, one after the other in one buffer.

All columns are written together by polars, in one pass outside the interpreter. What polars
would write otherwise than JSON's users expect is turned to text first: datetimes get their ``T``,
and columns that hold JSON text already (decimals, nested values) are passed through.
"""

from __future__ import annotations

from array import array
from itertools import groupby
from json.encoder import encode_basestring
from typing import NamedTuple

import polars as pl

from sendoff.schema.columns import moment
from sendoff.schema.schema import Typed


def encode(typed: Typed, separator: bytes) -> tuple[bytes, array[int]]:
    """The frame's records joined by the separator, and where each starts.

    The last offset lies one separator past the end, so that records i to j are always
    ``data[offsets[i] : offsets[j] - 1]``.
    """
    if typed.frame.height == 0:
        return b"", array("q", [0])
    # Numbered columns: polars reads names like "*" and "^a$" as patterns.
    frame = typed.frame.rename(dict(zip(typed.frame.columns, map(str, range(typed.frame.width)), strict=True)))
    records = frame.select(_record(typed).alias("record")).to_series()
    lengths = records.str.len_bytes().cast(pl.Int64)
    offsets = array("q", [0])
    offsets.extend((lengths + 1).cum_sum().to_list())
    data: bytes = records.str.join(separator.decode()).cast(pl.Binary).item()
    return data, offsets


def _record(typed: Typed) -> pl.Expr:
    """One expression for a whole record: runs of plain columns as one, the others by themselves."""
    columns = [_Column(name, pl.col(str(at)), dtype) for at, (name, dtype) in enumerate(typed.frame.schema.items())]
    parts: list[pl.Expr] = []
    for by_itself, run in groupby(columns, lambda column: column.name in typed.raw or column.name in typed.optional):
        members = list(run)
        if by_itself:
            parts += [_member(c, raw=c.name in typed.raw, optional=c.name in typed.optional) for c in members]
        else:
            parts.append(pl.concat_str([pl.lit(","), _inside(members)]))
    if not parts:
        return pl.lit("{}")
    # Every part begins with a comma; the first one makes way for the brace.
    return pl.concat_str([pl.lit("{"), pl.concat_str(parts).str.strip_prefix(","), pl.lit("}")])


class _Column(NamedTuple):
    name: str
    cells: pl.Expr
    dtype: pl.DataType

    def plain(self) -> pl.Expr:
        """The cells as polars writes them well."""
        if isinstance(self.dtype, pl.Datetime):
            return moment(self.cells, self.dtype)
        if self.dtype == pl.Time:
            return self.cells.dt.to_string("%H:%M:%S%.f")
        return self.cells


def _inside(columns: list[_Column]) -> pl.Expr:
    """The members of an object with these columns, without its braces."""
    whole = pl.struct(column.plain().alias(column.name) for column in columns)
    return whole.struct.json_encode().str.strip_prefix("{").str.strip_suffix("}")


def _member(column: _Column, *, raw: bool, optional: bool) -> pl.Expr:
    """One member with its comma; nothing at all for a null of an optional column."""
    head = f",{encode_basestring(column.name)}:"
    if raw:
        member = pl.concat_str([pl.lit(head), column.cells.fill_null("null")])
    else:
        member = pl.concat_str([pl.lit(","), _inside([column])])
    return pl.when(column.cells.is_null()).then(pl.lit("")).otherwise(member) if optional else member
