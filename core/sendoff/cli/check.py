"""`sendoff check`: report every mistake with its place; nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from sendoff.cli.arguments import CONNECTOR
from sendoff.cli.group import Project
from sendoff.cli.output import as_json, json_option, say
from sendoff.config.connector import Connector, warnings
from sendoff.config.discovery import EMPTY, Found
from sendoff.errors import ConfigError, PluginCrash, Problem, SourceError
from sendoff.intake.reading import source_errors


@click.command("check")
@click.argument("names", nargs=-1, type=CONNECTOR)
@click.option(
    "-v",
    "--verbose",
    is_flag=True,
    help="Also show what was skipped, which transport is used, and which rules run row by row.",
)
@click.option(
    "--offline", is_flag=True, help="Look at the connector files alone: no secret needs to be set, and no data to be there."
)
@json_option
@click.pass_obj
def command(project: Project, names: Sequence[str], verbose: bool, offline: bool, to_json: bool) -> None:
    """Check connector files; report every mistake with its place.

    All connectors, or those that are given by name or file.

    Ends with 2 if there is a mistake, or no connector at all.

    Example: `sendoff check --offline`
    """
    found = Found() if names else project.runner.found()
    files = [_file(project, name) for name in names] or list(found.files.values())
    if not files:
        raise ConfigError(f"no connectors in {project.directory}; `sendoff new NAME` creates one")
    problems: list[Problem | str] = []
    warned = [f"{path}: {reason}" for path, reason in found.skipped if reason == EMPTY]
    notes = [f"{path}: skipped: {reason}" for path, reason in found.skipped]
    warned += project.runner.registry.warnings
    warned += [] if names or offline else project.runner.orphans()
    for file in files:
        try:
            if offline:
                project.runner.check_offline(file)
            else:
                connector = project.runner.load(file)
                warned += warnings(connector)
                notes += _notes(connector)
                problems += _source_problems(connector)
        except ConfigError as error:
            problems += error.problems
    if to_json:
        as_json(
            {
                "checked": [str(file) for file in files],
                "problems": [_as_dict(p) for p in problems],
                "warnings": warned,
                "notes": notes,
            }
        )
    else:
        lines = [*(notes if verbose else ()), *(f"warning: {warning}" for warning in warned), *problems]
        for line in lines if problems else [*lines, f"{len(files)} connector{'s' * (len(files) != 1)}: nothing wrong"]:
            say(str(line))
    if problems:
        raise SystemExit(2)


def _file(project: Project, name: str) -> Path:
    """A connector's file, by the connector's name or any path."""
    return Path(name) if Path(name).is_file() else project.file(name)


def _notes(connector: Connector) -> Iterator[str]:
    yield f"{connector.file}: destination.transport: {connector.transport.name}, {connector.transport_because}"
    for field, rules in connector.schema.slow.items():
        yield f"{connector.file}: schema.{field}: {', '.join(rules)} run row by row, in Cerberus"


def _source_problems(connector: Connector) -> Iterator[Problem]:
    """What is wrong with the source's columns, as far as they are known before it is read."""
    try:
        with source_errors(connector.source):
            files = list(connector.source.columns())
        for name, columns in files:
            connector.schema.check_columns(name, columns)
    except (SourceError, PluginCrash) as error:
        yield Problem(connector.file, 0, 0, "source", connector.secrets.redact(str(error)))


def _as_dict(problem: Problem | str) -> dict[str, object]:
    if isinstance(problem, str):
        return {"sentence": problem}
    return {name: getattr(problem, name) for name in ("file", "line", "column", "path", "sentence")}
