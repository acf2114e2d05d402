"""Standard input."""

import io
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

from sendoff.plugin import Lines, Page, Source, SourceError, hookimpl
from sendoff_plugins.sources._csv.dialect import DIALECT, csv_dialect_of, dialect_of, notation_of
from sendoff_plugins.sources._csv.table import read_table
from sendoff_plugins.sources._files.text import utf8
from sendoff_plugins.sources.jsonl import read_lines


class StandardInput(Source):
    """Read JSON Lines or CSV from standard input. It is kept on disk before anything of it is sent."""

    name = "stdin"
    options = {
        "format": {"type": "string", "allowed": ["jsonl", "csv"], "default": "jsonl", "meta": {"help": "What comes in."}},
        **DIALECT,
    }

    format: str
    encoding: str

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.notation = notation_of(self)
        self.csv_dialect = csv_dialect_of(self)

    def peek(self) -> None:
        """Standard input can be read once."""

    def read(self, cursor: Any) -> Iterator[Page | Lines]:
        if sys.stdin is None:
            raise SourceError("standard input is closed")
        if self.format == "csv":
            return read_table(
                utf8(sys.stdin.buffer, "stdin", self.encoding), "stdin", dialect_of(self), max_columns=self.max_columns
            )
        _refuse_csv(sys.stdin.buffer)
        return read_lines(sys.stdin.buffer, "stdin", self.max_columns)


def _refuse_csv(stream: BinaryIO) -> None:
    """Raise `SourceError` if the first line is not JSON and looks like the header of a CSV file."""
    start = stream.peek(1) if isinstance(stream, io.BufferedReader) else b""
    first = start.lstrip().partition(b"\n")[0]
    if first[:1] not in b'{["' and any(sign in first for sign in (b",", b";", b"\t")):
        raise SourceError("stdin:1: not JSON, but it looks like CSV; is `format: csv` missing under `source`?")


@hookimpl
def sendoff_sources() -> list[type[Source]]:
    return [StandardInput]
