"""Results on standard output: tables, or JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence

import click

_PLAIN = str.maketrans(dict.fromkeys(map(chr, (*range(32), 127))))


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table: numbers to the right with thousands separated, everything else to the left."""
    cells = [[_cell(value) for value in row] for row in rows]
    right = [all(text.replace(",", "").isdigit() for text in column) for column in zip(*cells, strict=True)]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)] if cells else [len(head) for head in heads]
    lines = [list(heads), *cells]
    for number, line in enumerate(lines):
        padded = [
            text.rjust(width) if right and to_right else text.ljust(width)
            for text, width, to_right in zip(line, widths, right or [False] * len(heads), strict=True)
        ]
        text = "  ".join(padded).rstrip()
        click.echo(click.style(text, bold=True) if number == 0 and colour() else text)


def as_json(data: object) -> None:
    """Print data as JSON."""
    click.echo(json.dumps(data, indent=2, default=str))


def colour() -> bool:
    """Whether standard output is a terminal that shows colour (https://no-color.org)."""
    return sys.stdout is not None and sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else str(value).translate(_PLAIN)


#: The help of ``--no-early-stop``, which `run` and `retry` have.
NO_EARLY_STOP = "Treat rejections as the records' own even while nothing has been delivered yet."

json_option = click.option("--json", "to_json", is_flag=True, help="Print JSON.")


def escape_formula(text: str) -> str:
    """Escape an API's text, so that no spreadsheet reads it as a formula (OWASP, CSV injection)."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
