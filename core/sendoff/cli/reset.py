"""`sendoff reset`: start over."""

from __future__ import annotations

import click

from sendoff.cli.group import Project
from sendoff.cli.output import say


@click.command("reset")
@click.argument("name")
@click.pass_obj
def command(project: Project, name: str) -> None:
    """Forget what a connector has delivered and how far its source was read: its next run is like its first.

    For `incremental`, for a cursor, and for files that are delivered once. Its history stays in the ledger.
    """
    count = project.runner.reset(name)
    say(f"{name}: {count:,} rows forgotten; its next run is like its first")
