"""Frames that polars reads lazily, checked against the number of rows that their file states."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from sendoff.plugin import PAGE_ROWS, Page, SourceError, rows_per_page, too_many_columns


def read_whole(frame: pl.LazyFrame, name: str, rows: int, max_columns: int) -> Iterator[Page]:
    """The pages of a file of `rows` rows. Raises `SourceError` for too many columns, and at the end if there were other rows.

    A thread of polars that fails ends the batches without an error.
    """
    columns = frame.collect_schema().names()
    if problem := too_many_columns(len(columns), max_columns):
        raise SourceError(f"{name}: {problem}")
    read = 0
    for batch in frame.collect_batches(chunk_size=min(PAGE_ROWS, rows_per_page(columns)), maintain_order=True):
        yield Page(batch, name, range(read + 1, read + 1 + batch.height))
        read += batch.height
    if read != rows:
        raise SourceError(
            f"{name}: has {rows:,} rows, and {read:,} of them could be read; it is damaged, or has columns of a type that is "
            "not supported"
        )
