"""Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from sendoff.plugin import Page, Source, SourceError, hookimpl
from sendoff_plugins.sources._common.frames import read_whole
from sendoff_plugins.sources._files.files import FileSource
from sendoff_plugins.sources._files.parquet_footer import checked_rows


class Parquet(FileSource):
    """Read Parquet files, with the types they have."""

    name = "parquet"
    default_for = (".parquet",)
    options = {
        **FileSource.options,
        "binary_as_text": {
            "type": "boolean", "default": False,
            "meta": {"help": "Whether columns of bytes are text in UTF-8: Impala, Hive and old Spark write text so."},
        },
    }  # fmt: skip
    binary_as_text: bool = False

    def columns(self) -> Iterator[tuple[str, list[str]]]:
        if self._local and not self.once and self.schema_drift == "fail":
            for name, path in self.local():
                yield name, list(self._open(path, name).collect_schema())

    def read(self, cursor: Any) -> Iterator[Page]:
        self.begin(cursor)
        for name, path in self.local():
            rows = checked_rows(path, name)
            read = 0
            try:
                for page in read_whole(self._open(path, name), name, rows, self.max_columns):
                    read += page.frame.height
                    self._note_read(read / rows)
                    found = replace(page, uniform=self.schema_drift == "fail")
                    yield _decoded(found) if self.binary_as_text else found
            except (pl.exceptions.PolarsError, OSError) as error:
                raise SourceError(f"{name}: cannot be read: {error}") from None

    def _open(self, path: Path, name: str) -> pl.LazyFrame:
        try:
            frame = pl.scan_parquet(path, glob=False)
            frame.collect_schema()
        except (pl.exceptions.PolarsError, OSError) as error:
            checked_rows(path, name)  # says more
            raise SourceError(f"{name}: not a Parquet file that can be read: {error}") from None
        return frame


def _decoded(page: Page) -> Page:
    """The page with its columns of bytes as text; bytes that are not text are an error of their row."""
    errors = dict(page.row_errors)
    texts = [_text(column) for column in page.frame.iter_columns() if column.dtype == pl.Binary]
    for text in texts:
        for at in (text.is_null() & page.frame[text.name].is_not_null()).arg_true():
            errors.setdefault(int(at), f"{text.name}: not UTF-8")
    return replace(page, frame=page.frame.with_columns(texts), row_errors=errors)


def _text(column: pl.Series) -> pl.Series:
    try:
        return column.cast(pl.String)
    except pl.exceptions.PolarsError:  # at least one of them
        return pl.Series(column.name, [_decode(value) for value in column], dtype=pl.String)


def _decode(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


@hookimpl
def sendoff_sources() -> list[type[Source]]:
    return [Parquet]
