"""`sendoff schedule`: show what runs when, and export it to other schedulers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click

from sendoff.cli.account import program_name
from sendoff.cli.arguments import CONNECTOR
from sendoff.cli.group import Project
from sendoff.cli.output import as_json, exactly, json_option, say, table
from sendoff.cli.run import load
from sendoff.components import ScheduledJob, Scheduler
from sendoff.config import cron
from sendoff.config.connector import Connector
from sendoff.errors import ConfigError
from sendoff.options import find_timezone


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
@click.pass_obj
def export(project: Project, scheduler: str, names: Sequence[str], directory: Path | None) -> None:
    """Write the files that make another scheduler run the connectors; `sendoff plugins` lists the schedulers there are.

    Example: `sendoff schedule export systemd`
    """
    registry = project.runner.registry
    component = registry.find("schedulers", scheduler)
    if component is None:
        raise ConfigError(f"no scheduler is named {scheduler!r}; there are {', '.join(registry.names('schedulers'))}")
    exporter = component()
    assert isinstance(exporter, Scheduler)
    program = program_name() if not Path(program_name()).exists() else str(Path(program_name()).absolute())
    for chosen in _scheduled(project, names):
        assert chosen.schedule is not None
        rule = chosen.schedule
        job = ScheduledJob(chosen.name, rule.cron, rule.timezone, rule.missed, project.runner.home, program)
        for name, text in exporter.export(job).items():
            if directory is None:
                exactly(f"# {name}\n{text}")
                continue
            directory.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text(text)
            say(f"{directory / name} written")


def _scheduled(project: Project, names: Sequence[str]) -> list[Connector]:
    found = [chosen for chosen in load(project, names) if chosen.schedule]
    if not found:
        raise ConfigError("no connector has a schedule; add `schedule: {cron: 0 7 * * *, timezone: Europe/Berlin}` to one")
    return sorted(found, key=lambda chosen: chosen.name)
