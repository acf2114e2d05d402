"""`sendoff check`: report every mistake with its place; nothing is sent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from sendoff.cli.group import Project
from sendoff.cli.output import as_json, json_option
from sendoff.config.connector import warnings
from sendoff.config.discovery import Found
from sendoff.errors import ConfigError, Problem, SourceError
from sendoff.intake.reading import source_errors


@click.command("check")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "-v",
    "--verbose",
    is_flag=True,
    help="Also show what was skipped, which transport is used, and which rules run row by row.",
)
@json_option
@click.pass_obj
def command(project: Project, paths: Sequence[Path], verbose: bool, to_json: bool) -> None:  # noqa: PLR0912  # one step for each thing that can be asked
    """Check connector files (all of them, or the given ones) and report every mistake with its place."""
    found = Found(files={path.stem: path for path in paths}) if paths else project.runner.found()
    problems: list[Problem | str] = []
    warned: list[str] = []
    notes: list[str] = [f"{path}: skipped: {reason}" for path, reason in found.skipped]
    for file in found.files.values():
        try:
            connector = project.runner.load(file)
        except ConfigError as error:
            problems += error.problems
            continue
        warned += warnings(connector)
        notes.append(f"{connector.file}: destination.transport: {connector.transport.name}, {connector.transport_because}")
        for field, rules in connector.schema.slow.items():
            notes.append(f"{connector.file}: schema.{field}: {', '.join(rules)} run row by row, in Cerberus")
        try:
            with source_errors(connector.source):
                files = list(connector.source.columns())
            for name, columns in files:
                connector.schema.check_columns(name, columns)
        except SourceError as error:
            problems.append(Problem(connector.file, 0, 0, "source", connector.secrets.redact(str(error))))
    if to_json:
        as_json(
            {
                "checked": [str(file) for file in found.files.values()],
                "problems": [_as_dict(p) for p in problems],
                "warnings": warned,
                "notes": notes,
            }
        )
    else:
        if verbose:
            for note in notes:
                click.echo(note)
        for warning in warned:
            click.echo(f"warning: {warning}")
        for problem in problems:
            click.echo(problem)
        if not problems:
            click.echo(f"{len(found.files)} connector{'s' * (len(found.files) != 1)}: nothing wrong")
    if problems:
        raise SystemExit(2)


def _as_dict(problem: Problem | str) -> dict[str, object]:
    if isinstance(problem, str):
        return {"sentence": problem}
    return {name: getattr(problem, name) for name in ("file", "line", "column", "path", "sentence")}
