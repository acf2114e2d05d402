"""Parquet files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from sendoff.plugin import PAGE_ROWS, Page, Source, SourceError, hookimpl
from sendoff_plugins.sources._files.files import FileSource


class Parquet(FileSource):
    """Read Parquet files, with the types they have."""

    name = "parquet"
    default_for = (".parquet",)
    options = FileSource.options

    def columns(self) -> Iterator[tuple[str, list[str]]]:
        if self._local and not self.once and self.schema_drift == "fail":
            for name, path in self.local():
                yield name, list(self._open(path, name).collect_schema())

    def read(self, cursor: Any) -> Iterator[Page]:
        self.begin(cursor)
        for name, path in self.local():
            frame = self._open(path, name)
            try:
                first = 1
                for batch in frame.collect_batches(chunk_size=PAGE_ROWS, maintain_order=True):
                    yield Page(batch, name, range(first, first + batch.height), uniform=self.schema_drift == "fail")
                    first += batch.height
            except (pl.exceptions.PolarsError, OSError) as error:
                raise SourceError(f"{name}: cannot be read: {error}") from None

    def _open(self, path: Path, name: str) -> pl.LazyFrame:
        try:
            frame = pl.scan_parquet(path, glob=False)
            frame.collect_schema()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise SourceError(f"{name}: not a Parquet file: {error}") from None
        return frame


@hookimpl
def sendoff_sources() -> list[type[Source]]:
    return [Parquet]
