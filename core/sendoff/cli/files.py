"""Files that commands read: as they show themselves, or as the command says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import TypeVar

import click

from sendoff.cli.group import Project
from sendoff.components import CsvDialect, Source
from sendoff.errors import ConfigError
from sendoff.intake import reading
from sendoff.records import pages
from sendoff.schema.infer import Inferred, infer

_HELP = {
    "delimiter": "What separates cells of the file; by default as its first records show it.",
    "encoding": "How its text is written in bytes; by default as it shows it.",
    "sheet": "Which sheet of a workbook is read.",
    "range": "Which cells of it.",
}
#: How many pages of a sample are looked at.
SAMPLE_PAGES = 50
_Command = TypeVar("_Command", bound=Callable[..., object])


def reading_options(command: _Command) -> _Command:
    """Add the options that say how a file is read; the command gets them by their names, those that were not given as None."""
    for name, text in reversed(_HELP.items()):
        command = click.option(f"--{name}", help=text)(command)
    return command


def chosen(given: Mapping[str, str | None]) -> dict[str, str]:
    """The options that were given; a tab may be written with a backslash."""
    return {name: value.replace("\\t", "\t") for name, value in given.items() if value is not None}


def file_source(
    project: Project, file: Path, given: Mapping[str, str | None], likely: CsvDialect | None = None
) -> tuple[Source, dict[str, object]]:
    """A source for a file, by its extension, and the options that it is read with."""
    return reading.file_source(project.runner.registry, file, given=chosen(given), likely=likely)


def infer_schema(source: Source, file: Path) -> Inferred:
    """What the first pages of a sample show. Raises `ConfigError` if it has no rows."""
    found = infer(islice(pages(source.read(None)), SAMPLE_PAGES), source.notation)
    if not found.rows:
        raise ConfigError(f"{file}: has no rows; a schema is inferred from a header and at least one row")
    return found
