"""A command whose output is records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sendoff.plugin import ENV, Lines, Page, Source, hookimpl
from sendoff_plugins.sources._common.process import COMMAND, ProgramSource
from sendoff_plugins.sources._csv.dialect import DIALECT, csv_dialect_of, dialect_of, notation_of
from sendoff_plugins.sources._csv.table import read_table
from sendoff_plugins.sources._files.text import utf8
from sendoff_plugins.sources.jsonl import read_lines


class Command(ProgramSource):
    """Run a program and read JSON Lines or CSV from its standard output. If it ends with anything but 0, nothing is sent.

    With 75 (EX_TEMPFAIL), or by a signal, that is an outage: the run ends with 3, and may be tried again.
    """

    name = "command"
    options = {
        "command": COMMAND,
        "env": ENV,
        "format": {"type": "string", "allowed": ["jsonl", "csv"], "default": "jsonl", "meta": {"help": "What it writes."}},
        **DIALECT,
    }
    command: list[str]
    format: str
    encoding: str

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.notation = notation_of(self)
        self.csv_dialect = csv_dialect_of(self)

    def read(self, cursor: Any) -> Iterator[Page | Lines]:
        with self.output_of(self.command) as output:
            name = self.command[0]
            if self.format == "csv":
                yield from read_table(utf8(output, name, self.encoding), name, dialect_of(self), max_columns=self.max_columns)
            else:
                yield from read_lines(output, name, self.max_columns)  # type: ignore[arg-type]  # a pipe reads like a binary file


@hookimpl
def sendoff_sources() -> list[type[Source]]:
    return [Command]
