"""Parquet files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from sendoff import Page, Source, SourceError, hookimpl
from sendoff.records import PAGE_ROWS
from sendoff_plugins.sources.files import FileSource


class Parquet(FileSource):
    """Read Parquet files, with the types they have."""

    name = "parquet"
    options = FileSource.options

    def columns(self) -> Iterator[tuple[str, list[str]]]:
        for file in self.files():
            yield self.shown(file), list(self._open(file).collect_schema())

    def read(self, cursor: Any) -> Iterator[Page]:
        for file in self.files():
            frame = self._open(file)
            try:
                height = frame.select(pl.len()).collect().item()
                for start in range(0, height, PAGE_ROWS):
                    page = frame.slice(start, PAGE_ROWS).collect()
                    yield Page(page, self.shown(file), range(start + 1, start + 1 + page.height))
            except (pl.exceptions.PolarsError, OSError) as error:
                raise SourceError(f"{self.shown(file)}: cannot be read: {error}") from None

    def _open(self, file: Path) -> pl.LazyFrame:
        try:
            frame = pl.scan_parquet(file, glob=False)
            frame.collect_schema()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise SourceError(f"{self.shown(file)}: not a Parquet file: {error}") from None
        return frame


@hookimpl
def sendoff_sources() -> list[type[Source]]:
    return [Parquet]
