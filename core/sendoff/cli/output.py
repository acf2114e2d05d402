"""Results on standard output: tables, or JSON."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, TYPE_CHECKING

import click

from sendoff import jsonlib
from sendoff.cleaning import clean, defuse_formula, escape_in_json
from sendoff.cli import logs

if TYPE_CHECKING:
    from sendoff.components import CsvDialect


def say(
    text: str, *, err: bool = False, hang: int | None = None, level: str = "info", facts: Mapping[str, object] | None = None
) -> None:
    """Print sentences. What is in them from outside moves no cursor, and hides and reverses nothing.

    On a terminal they break between words; what follows in a sentence is indented by `hang`. Where standard error is a log,
    what goes there is an entry of it, with a level and facts.
    """
    if err and logs.is_log():
        logs.write(text, level, **(facts or {}))
        return
    lines = [clean(line) for line in text.split("\n")]
    stream = sys.stderr if err else sys.stdout
    if is_terminal(stream):
        from sendoff.cli import screen  # noqa: PLC0415  # rich is for terminals

        lines = [screen.wrap(line, screen.width_of(stream), hang) for line in lines]
        if err:
            lines[0] = logs.CLEAR + lines[0]
    click.echo("\n".join(lines), err=err)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], *, optional: Sequence[str] = ()) -> None:
    """A table: numbers to the right with thousands separated, everything else to the left.

    A terminal too narrow for it shows it without the `optional` columns, or as lists.
    """
    heads = [clean(head) for head in heads]
    cells = [[_cell(value) for value in row] for row in rows]
    if is_terminal(sys.stdout):
        from sendoff.cli import screen  # noqa: PLC0415  # on a terminal only

        screen.show_table(heads, cells, optional)
        return
    right = [all(text.replace(",", "").isdigit() for text in column) for column in zip(*cells, strict=True)]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    for line in (list(heads), *cells):
        padded = [
            text.rjust(width) if right and to_right else text.ljust(width)
            for text, width, to_right in zip(line, widths, right or [False] * len(heads), strict=True)
        ]
        click.echo("  ".join(padded).rstrip())


def as_json(data: object) -> None:
    """Print data as JSON."""
    click.echo(json.dumps(data, indent=2, default=str))


def as_lines(rows: Iterable[object]) -> None:
    """Print each row as a line of JSON, exactly."""
    for row in rows:
        click.echo(escape_in_json(jsonlib.dumps(row)))


def exactly(text: str) -> None:
    """Print what is to be used as it is; on a terminal, what that would obey is taken out."""
    click.echo("\n".join(map(clean, text.split("\n"))) if is_terminal(sys.stdout) else text)


def as_csv(names: Sequence[str], rows: Iterable[Mapping[str, str]], dialect: CsvDialect | None = None) -> None:
    """Print rows as CSV, with no formula in any cell or name: `cleaning.restore_formula` has them as they were."""
    out = io.StringIO()
    writer = csv.writer(_Lines(out), delimiter=dialect.delimiter if dialect else ",")
    writer.writerow(map(defuse_formula, names))
    writer.writerows([defuse_formula(row.get(name, "")) for name in names] for row in rows)
    text = out.getvalue()
    data = dialect.encode(text) if dialect else text
    click.echo("\n".join(map(clean, text.split("\n"))) if is_terminal(sys.stdout) else data, nl=False)


class _Lines:
    """Ends rows with a line feed. Python's csv module (to 3.12) quotes a carriage return only where rows end with one."""

    def __init__(self, out: io.StringIO) -> None:
        self._out = out

    def write(self, row: str) -> None:
        self._out.write(row.removesuffix("\r\n") + "\n")


def is_terminal(stream: IO[str] | None) -> bool:
    """Whether people look at what is written to a stream."""
    return stream is not None and stream.isatty()


def room_for_lines() -> int | None:
    """How many columns the terminal has that standard output is; None if it is none."""
    if not is_terminal(sys.stdout):
        return None
    from sendoff.cli import screen  # noqa: PLC0415  # on a terminal only

    return screen.width_of(sys.stdout)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else clean(str(value))


#: The help of ``--no-early-stop``, which `run` and `retry` have.
NO_EARLY_STOP = "Treat rejections as the records' own even while nothing has been delivered yet."

json_option = click.option("--json", "to_json", is_flag=True, help="Print JSON.")


def count_delivered(delivered: int, accepted: int) -> int | str:
    """A number of delivered records, with how many of them are accepted only."""
    return f"{delivered:,} ({accepted:,} accepted only)" if accepted else delivered
