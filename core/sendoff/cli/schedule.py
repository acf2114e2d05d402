"""`sendoff schedule`: show what runs when, and export it to other schedulers."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import click

from sendoff.cli.arguments import CONNECTOR
from sendoff.cli.group import Project
from sendoff.cli.output import as_json, exactly, json_option, say, table
from sendoff.cli.run import load
from sendoff.components import ScheduledJob, Scheduler
from sendoff.config import cron
from sendoff.config.connector import Connector, Outline
from sendoff.errors import ConfigError, Problem
from sendoff.options import find_timezone

_T = TypeVar("_T", Connector, Outline)


@click.group("schedule", invoke_without_command=True)
@json_option
@click.pass_context
def command(ctx: click.Context, to_json: bool) -> None:
    """Show when connectors run next, and how they went last."""
    if ctx.invoked_subcommand is not None:
        return
    project: Project = ctx.obj
    now = time.time()
    found, history = [], project.runner.history
    for chosen in _scheduled(project, ()):
        assert chosen.schedule is not None
        at = cron.next_due(chosen.schedule.cron, chosen.schedule.timezone, now)
        local = datetime.fromtimestamp(at, find_timezone(chosen.schedule.timezone))
        last = history.runs(chosen.name)[:1] if history.exists() else []
        found.append(
            {
                "connector": chosen.name,
                "next": local.strftime("%Y-%m-%d %H:%M:%S %Z"),
                "cron": chosen.schedule.cron,
                "timezone": chosen.schedule.timezone,
                "missed": chosen.schedule.missed,
                "last": last[0]["state"] if last else None,
            }
        )
    if to_json:
        as_json(found)
    else:
        heads = ["connector", "next", "cron", "timezone", "missed", "last"]
        table(heads, [[row[head] for head in heads] for row in found])


@command.command("export")
@click.argument("scheduler")
@click.argument("names", nargs=-1, type=CONNECTOR)
@click.option("--to", "directory", type=click.Path(file_okay=False, path_type=Path), help="Write the files there.")
@click.option("--user", help="Who runs it. [default: the owner of the project's directory]")
@click.pass_obj
def export(project: Project, scheduler: str, names: Sequence[str], directory: Path | None, user: str | None) -> None:
    """Write the files that make another scheduler run the connectors; `sendoff plugins` lists the schedulers there are.

    They name this program, the project and its options by their absolute paths, and the variables that the connector names.
    Their values are not looked at.

    Example: `sendoff schedule export systemd`
    """
    registry = project.runner.registry
    component = registry.find("schedulers", scheduler)
    if component is None:
        raise ConfigError(f"no scheduler is named {scheduler!r}; there are {', '.join(registry.names('schedulers'))}")
    exporter = component()
    assert isinstance(exporter, Scheduler)
    for found in _outlines(project, names):
        for name, text in exporter.export(_job(project, found, user)).items():
            if directory is None:
                exactly(f"# {name}\n{text}")
                continue
            directory.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text(text)
            say(f"{directory / name} written")


def _job(project: Project, found: Outline, user: str | None) -> ScheduledJob:
    rule, home, file = found.schedule, project.runner.home, project.env_file
    assert rule is not None
    return ScheduledJob(
        found.name, rule.cron, rule.timezone, rule.missed, home, _program(), tuple(_options(project)), found.variables,
        None if file is None else file.absolute(), project.runner.state.absolute(), user or _owner(home),
    )  # fmt: skip


def _program() -> tuple[str, ...]:
    """The words that start this program from anywhere."""
    script = Path(sys.argv[0]).absolute()
    if script.name == "sendoff" and os.access(script, os.X_OK):
        return (str(script),)
    return (sys.executable, "-m", "sendoff")


def _options(project: Project) -> Iterator[str]:
    """The options of this command line, with absolute paths."""
    if project.directory.name != "connectors.d":
        yield from ("-d", str(project.directory.absolute()))
    else:
        yield from ("-d", str(project.runner.home))
    if project.state is not None:
        yield from ("--state", str(project.state.absolute()))
    if project.allow is not None:
        yield from ("--plugins", ",".join(project.allow))
    if project.env_file is not None:
        yield from ("--env-file", str(project.env_file.absolute()))


def _owner(home: Path) -> str:
    try:
        return home.owner()
    except KeyError:  # it has a number and no name
        return str(home.stat().st_uid)


def _outlines(project: Project, names: Sequence[str]) -> list[Outline]:
    """The connectors that have a schedule. What is wrong with them is reported, but for secrets that are not set here."""
    runner, problems, found = project.runner, list[Problem | str](), list[Outline]()
    for file in [project.file(name) for name in names] if names else runner.found().files.values():
        try:
            found.append(runner.outline(file))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(*problems)
    return sorted(_with_schedule(found), key=lambda one: one.name)


def _scheduled(project: Project, names: Sequence[str]) -> list[Connector]:
    return sorted(_with_schedule(load(project, names)), key=lambda chosen: chosen.name)


def _with_schedule(among: Sequence[_T]) -> list[_T]:
    found = [chosen for chosen in among if chosen.schedule]
    if not found:
        raise ConfigError("no connector has a schedule; add `schedule: {cron: 0 7 * * *, timezone: Europe/Berlin}` to one")
    return found
