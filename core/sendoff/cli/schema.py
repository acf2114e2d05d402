"""`sendoff schema infer`: a schema from a file's headers and rows."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import click

from sendoff.cli.files import file_source, reading_options
from sendoff.cli.group import Project
from sendoff.cli.output import as_json, json_option
from sendoff.records import pages
from sendoff.schema.infer import Inferred, infer

#: Pages of a file that are looked at.
SAMPLE_PAGES = 50


@click.group("schema")
def command() -> None:
    """Infer schemas."""


@command.command("infer")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@reading_options
@json_option
@click.pass_obj
def infer_command(project: Project, /, file: Path, to_json: bool, **given: str | None) -> None:
    """Print a schema for a file: types inferred from its header and rows, to paste into a connector."""
    source, _ = file_source(project, file, given)
    found = infer(islice(pages(source.read(None)), SAMPLE_PAGES), source.notation)
    if to_json:
        as_json({"schema": found.fields, "notes": found.notes, "rows": found.rows})
    else:
        click.echo(as_yaml(found), nl=False)


def as_yaml(found: Inferred) -> str:
    """The schema as a block of a connector file, one line per field, and what is to be said of it as comments."""
    width = max(map(len, map(_key, found.fields)), default=0) + 1
    lines = [f"schema:   # inferred from {found.rows:,} row{'' if found.rows == 1 else 's'}"]
    for name, rules in found.fields.items():
        shown = ", ".join(f"{rule}: {_value(value)}" for rule, value in rules.items())
        note = f"   # {found.notes[name]}" if name in found.notes else ""
        lines.append(f"  {_key(name) + ':':{width}} {{{shown}}}{note}")
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    plain = name.replace("_", "a").replace("-", "a").isalnum() and name.isascii() and not name[0].isdigit()
    return (
        name
        if plain and name.lower() not in ("true", "false", "null")
        else '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    )


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
