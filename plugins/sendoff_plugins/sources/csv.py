"""CSV, strictly per RFC 4180."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from sendoff.plugin import CsvDialect, Page, Source, hookimpl
from sendoff_plugins.sources._csv.detection import detect
from sendoff_plugins.sources._csv.dialect import DIALECT, Dialect, csv_dialect_of, dialect_of, notation_of
from sendoff_plugins.sources._csv.table import read_header, read_table
from sendoff_plugins.sources._files.decompress import decompress
from sendoff_plugins.sources._files.files import CHUNK, COMPRESSION, MEMBER, FileSource
from sendoff_plugins.sources._files.text import utf8

_TSV = re.compile(r"\.tsv(\.(gz|zst))?$", re.IGNORECASE)

COLUMNS_OPTION = {
    "type": "list", "schema": {"type": "string", "empty": False}, "minlength": 1, "required": False,
    "meta": {"help": "The columns' names, where the first line is a record already."},
}  # fmt: skip


class Csv(FileSource):
    """Read CSV files. An empty cell is a null."""

    name = "csv"
    default_for = (".csv", ".tsv")
    reads_in_order = True
    options = {
        **FileSource.options,
        **DIALECT, "columns": COLUMNS_OPTION, "compression": COMPRESSION, "member": MEMBER,
    }  # fmt: skip
    encoding: str

    def __init__(self, **options: Any) -> None:
        self._header: list[str] | None = options.pop("columns", None)
        super().__init__(**options)
        self.notation = notation_of(self)
        self.newline = "\n".encode(self.encoding)
        path = self.path if isinstance(self.path, str) else self.path[0]
        self.csv_dialect = csv_dialect_of(self, _default_delimiter(path))

    def columns(self) -> Iterator[tuple[str, list[str]]]:
        if not self._local or self.once or self.schema_drift == "allow" or self._header:
            return
        for name, stream in self.streams(marked=False):
            text = utf8(stream, name, self.encoding)
            yield name, read_header(text, name, self._dialect(name), self.max_columns)

    def read(self, cursor: Any) -> Iterator[Page]:
        self.begin(cursor)
        for name, stream in self.streams():
            text = utf8(stream, name, self.encoding)
            for page in read_table(text, name, self._dialect(name), self._header, self.max_columns):
                yield page if self.schema_drift == "fail" else replace(page, uniform=False)

    def _dialect(self, name: str) -> Dialect:
        return dialect_of(self, _default_delimiter(name))

    @classmethod
    def detect(cls, file: Path, likely: CsvDialect | None = None) -> dict[str, object]:
        for name, stream in decompress(file, file.name, "auto", "*"):
            start = stream.read(CHUNK)
            return detect(start, name, _default_delimiter(name), likely)
        return {}


def _default_delimiter(name: str) -> str:
    return "\t" if _TSV.search(name) else ","


@hookimpl
def sendoff_sources() -> list[type[Source]]:
    return [Csv]
