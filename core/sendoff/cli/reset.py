"""`sendoff reset`: start over."""

from __future__ import annotations

import click

from sendoff.cli.arguments import CONNECTOR
from sendoff.cli.group import Project
from sendoff.cli.output import say


@click.command("reset")
@click.argument("name", type=CONNECTOR)
@click.pass_obj
def command(project: Project, name: str) -> None:
    """Forget what was delivered; the next run is like the first.

    For `incremental`, for a cursor, and for files that are delivered once. Its history stays in the ledger.

    Example: `sendoff reset people`
    """
    count = project.runner.reset(name)
    say(f"{name}: {count:,} rows forgotten; its next run is like its first")
