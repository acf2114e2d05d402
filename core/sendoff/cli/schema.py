"""`sendoff schema`: a schema from a file's headers and rows; and one of connector files, for editors."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click

from sendoff.cleaning import UNSAFE
from sendoff.cli.files import file_source, infer_schema, reading_options
from sendoff.cli.group import Project
from sendoff.cli.output import as_json, exactly, json_option, say
from sendoff.components import KINDS
from sendoff.editors.project import FILE, modeline, schema_text
from sendoff.errors import ConfigError
from sendoff.schema.infer import Inferred

#: So long a key may be that stands before its colon (YAML 1.2.2, 7.4.2: 1,024 characters); longer ones are marked.
_MAX_KEY = 1000
_PLAIN = re.compile(r"[A-Za-z_/]([\w./*?&=%~+:-]*[\w/])?", re.ASCII)
_CONSTANTS = ("true", "false", "null")
_UNPRINTABLE = re.compile(f"[{UNSAFE}\ufffe\uffff]")


@click.group("schema")
def command() -> None:
    """Infer a schema from a file; write one for editors."""


@command.command("infer")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@reading_options
@json_option
@click.pass_obj
def infer_command(project: Project, /, file: Path, to_json: bool, **given: str | None) -> None:
    """Print a schema for a file: types inferred from its header and rows, to paste into a connector.

    Example: `sendoff schema infer people.csv`
    """
    source, _ = file_source(project, file, given)
    found = infer_schema(source, file)
    if to_json:
        as_json({"schema": found.fields, "notes": found.notes, "rows": found.rows})
    else:
        exactly(as_yaml(found).removesuffix("\n"))


@command.command("editor")
@click.option("--print", "to_stdout", is_flag=True, help="Print it; write nothing.")
@click.option("--check", "compare", is_flag=True, help="Write nothing; end with 2 if the file is not as it would be written.")
@click.pass_obj
def editor_command(project: Project, to_stdout: bool, compare: bool) -> None:
    """Write the JSON Schema of connector files, with which editors complete and check them.

    It is beside the connectors, and made of all components there are, those of plugins.d and of installed plugins included.

    Example: `sendoff schema editor`
    """
    registry = project.runner.registry
    text, file = schema_text(registry), project.directory / FILE
    if to_stdout:
        exactly(text.removesuffix("\n"))
    elif not compare:
        if not project.directory.is_dir():
            raise ConfigError(
                f"{project.directory}: no such directory; `sendoff -d DIRECTORY` names another, `sendoff init` creates one"
            )
        file.write_text(text, encoding="utf-8")
        providers = {offer.provider for kind in KINDS for offer in registry.offers(kind).values()}
        say(f"{file} written, for the components of {', '.join(sorted(providers))}")
        say(f"an editor finds it by a connector's first line: {modeline(file, project.directory)}")
    elif not file.is_file() or file.read_text(encoding="utf-8") != text:
        raise ConfigError(f"{file} is {'stale' if file.is_file() else 'not there'}; `sendoff schema editor` writes it")
    else:
        say(f"{file} is up to date")


def as_yaml(found: Inferred) -> str:
    """The schema as a block of a connector file, one line per field, and what is to be said of it as comments."""
    keys = {name: as_scalar(name) for name in found.fields}
    width = max((len(key) for key in keys.values() if len(key) <= _MAX_KEY), default=0) + 1
    lines = [f"schema:   # inferred from {found.rows:,} row{'' if found.rows == 1 else 's'}"]
    for name, rules in found.fields.items():
        shown = ", ".join(f"{rule}: {_value(value)}" for rule, value in rules.items())
        note = f"   # {found.notes[name]}" if name in found.notes else ""
        key = f"{keys[name] + ':':{width}}" if len(keys[name]) <= _MAX_KEY else f"? {keys[name]}\n  :"
        lines.append(f"  {key} {{{shown}}}{note}")
    return "\n".join(lines) + "\n"


def as_scalar(text: str) -> str:
    """A text in YAML: as it is if that means the same, or else in quotes, with nothing in it that a terminal would obey."""
    if _PLAIN.fullmatch(text) and text.lower() not in _CONSTANTS:
        return text
    return _UNPRINTABLE.sub(_escape, json.dumps(text, ensure_ascii=False))


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # YAML has no pairs of surrogates


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
