"""Read whole records by polars, where all of them have as many cells as there are columns."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from typing import NamedTuple

import polars as pl

from sendoff_plugins.sources._common.not_packed import not_packed
from sendoff_plugins.sources._csv.dialect import Dialect

#: A carriage return that no line feed follows.
_STRAY = re.compile(rb"\r(?!\n)")


class Cells(NamedTuple):
    """The cells of some records, a null for one with nothing in it, and how many line breaks each record has in its cells."""

    frame: pl.DataFrame
    breaks: pl.Series | None


def read_cells(data: bytes, width: int, dialect: Dialect) -> Cells | None:
    """The cells of whole records; None where one has not `width` cells, is blank, or may be no CSV: `exact` says which.

    polars 2.1 refuses a record with more cells, and fills up one with fewer. That one is found by counting delimiters: a
    record has one fewer than columns, besides those in its cells. polars also takes quotes out of place, and loses some of
    them, and it loses a carriage return at the end of any cell, and U+FEFF at the beginning of what it is given.
    """
    if data.startswith(BOM_UTF8):
        return None
    if not data.endswith(b"\n"):
        data += b"\n"  # without it, polars takes one cell too many in the last record
    is_quoted = dialect.quote in data
    is_csv = _is_csv(data, dialect) if is_quoted else _STRAY.search(data) is None
    frame = _read(data, width, dialect) if is_csv else None
    if frame is None:
        return None
    if frame.to_series(width - 1).null_count():  # as for a record that is too short
        inside = _count(frame, dialect.delimiter).sum() if is_quoted else 0
        if width == 1 or data.count(dialect.delimiter.encode()) - inside != frame.height * (width - 1):
            return None
    has_breaks = is_quoted and data.count(b"\n") > frame.height
    return Cells(frame, _count(frame, "\n") if has_breaks else None)


def _is_csv(data: bytes, dialect: Dialect) -> bool:
    try:
        text = pl.Series([data], dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.PolarsError:
        return False
    d, q = re.escape(dialect.delimiter), re.escape(dialect.quote.decode())
    cell = f"{q}(?:[^{q}]|{q}{q})*{q}|[^{q}{d}\r\n]*"
    is_csv: bool = text.str.contains(rf"\A(?:(?:{cell})(?:{d}|\r?\n))*\z").item()
    return is_csv


def _read(data: bytes, width: int, dialect: Dialect) -> pl.DataFrame | None:
    text, skipped = not_packed(data)
    try:
        return pl.read_csv(
            text, skip_lines=skipped, has_header=False, schema=dict.fromkeys(map(str, range(width)), pl.String),
            separator=dialect.delimiter, quote_char=dialect.quote_char,
        )  # fmt: skip
    except pl.exceptions.PolarsError:
        return None


def _count(frame: pl.DataFrame, sign: str) -> pl.Series:
    """How often each record has a character in its cells."""
    counted = pl.all().str.count_matches(sign, literal=True).cast(pl.Int64)
    return frame.select(pl.sum_horizontal(counted)).to_series()
