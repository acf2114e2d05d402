"""Frames that polars reads lazily, checked against the number of rows that their file states."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from sendoff.plugin import PAGE_ROWS, Page, SourceError


def read_whole(frame: pl.LazyFrame, name: str, rows: int) -> Iterator[Page]:
    """The pages of a file of `rows` rows. Raises `SourceError` after them if there were fewer, or more.

    A thread of polars that fails ends the batches without an error.
    """
    read = 0
    for batch in frame.collect_batches(chunk_size=PAGE_ROWS, maintain_order=True):
        yield Page(batch, name, range(read + 1, read + 1 + batch.height))
        read += batch.height
    if read != rows:
        raise SourceError(
            f"{name}: has {rows:,} rows, and {read:,} of them could be read; it is damaged, or has columns of a type that is "
            "not supported"
        )
