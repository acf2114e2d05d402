"""`sendoff rename`: give a connector another name, and keep its history."""

from __future__ import annotations

import click

from sendoff.cli.arguments import CONNECTOR
from sendoff.cli.group import Project
from sendoff.cli.output import say


@click.command("rename")
@click.argument("old", type=CONNECTOR)
@click.argument("new")
@click.pass_obj
def command(project: Project, old: str, new: str) -> None:
    """Give a connector another name, with its history.

    If the file was renamed already, the history alone is moved.

    An interrupted run is resumed under the new name, and nothing of it is sent twice. Schedules that were exported, and
    those who post to its inbox, still use the old name.

    Example: `sendoff rename people customers`
    """
    runs = project.runner.rename(old, new)
    say(f"{old} is now {new}, with {runs:,} run{'s' * (runs != 1)}")
