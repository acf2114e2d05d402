"""Frames that polars reads lazily, checked against the number of rows that their file states."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import polars as pl

from sendoff.plugin import PAGE_ROWS, Page, SourceError, rows_per_page, too_many_columns

#: A page has at most so many bytes of text, if it has more than one row. A file may store a text once for many rows.
MAX_PAGE_TEXT = 16 << 20


def read_whole(frame: pl.LazyFrame, name: str, rows: int, max_columns: int) -> Iterator[Page]:
    """The pages of a file of `rows` rows. Raises `SourceError` for too many columns, and at the end if there were other rows.

    A thread of polars that fails ends the batches without an error.
    """
    columns = frame.collect_schema().names()
    if problem := too_many_columns(len(columns), max_columns):
        raise SourceError(f"{name}: {problem}")
    read = 0
    for batch in _with_durations_as_text(frame).collect_batches(
        chunk_size=min(PAGE_ROWS, rows_per_page(columns)), maintain_order=True
    ):
        for part in _parts(batch):
            yield Page(part, name, range(read + 1, read + 1 + part.height))
            read += part.height
    if read != rows:
        broken = [*islice((column for column in columns if not _is_readable(frame, column)), 3)]
        at_fault = (
            f" (it cannot read the column {', '.join(map(repr, broken))})" if len(broken) < len(columns) and broken else ""
        )
        raise SourceError(
            f"{name}: has {rows:,} rows, and {read:,} of them could be read; it is damaged, or has columns of a type that is "
            f"not supported{at_fault}"
        )


def _is_readable(frame: pl.LazyFrame, column: str) -> bool:
    """Whether the first row of a column can be read by itself."""
    try:
        frame.select(column).head(1).collect(engine="streaming")
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError):
        return False
    return True


def _with_durations_as_text(frame: pl.LazyFrame) -> pl.LazyFrame:
    """The frame with ISO 8601 text, such as P1DT2H, for lengths of time at any depth: JSON has no form for them."""
    return frame.with_columns(
        _as_text(pl.col(name), kind).alias(name) for name, kind in frame.collect_schema().items() if _has_duration(kind)
    )


def _has_duration(kind: Any) -> bool:
    match kind:
        case pl.Struct():
            return any(_has_duration(field.dtype) for field in kind.fields)
        case pl.List() | pl.Array():
            return _has_duration(kind.inner)
    return isinstance(kind, pl.Duration)


def _as_text(value: pl.Expr, kind: Any) -> pl.Expr:
    match kind:
        case pl.Duration():
            return value.dt.to_string("iso")
        case pl.Struct():
            fields = [_as_text(value.struct.field(field.name), field.dtype).alias(field.name) for field in kind.fields]
            return pl.when(value.is_null()).then(None).otherwise(pl.struct(fields))
        case pl.List() if _has_duration(kind):
            return value.list.eval(_as_text(pl.element(), kind.inner))
        case pl.Array() if _has_duration(kind):
            return _as_text(value.arr.to_list(), pl.List(kind.inner))
    return value


def _parts(batch: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The rows in parts of at most `MAX_PAGE_TEXT`."""
    if batch.height < 2 or _text_bytes(batch) <= MAX_PAGE_TEXT:
        yield batch
        return
    half = batch.height // 2
    yield from _parts(batch.slice(0, half))
    yield from _parts(batch.slice(half))


def _text_bytes(batch: pl.DataFrame) -> int:
    found = batch.select(
        pl.col(pl.String).str.len_bytes().cast(pl.Int64).sum(), pl.col(pl.Binary).bin.size().cast(pl.Int64).sum()
    )
    return sum(found.row(0)) if found.height else 0
