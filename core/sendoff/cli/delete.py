"""`sendoff delete`: delete a connector's file, not its history."""

from __future__ import annotations

import click

from sendoff.cli.arguments import CONNECTOR
from sendoff.cli.group import Project
from sendoff.cli.output import say


@click.command("delete")
@click.argument("name", type=CONNECTOR)
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_obj
def command(project: Project, name: str, yes: bool) -> None:
    """Delete a connector's file; its history stays in the ledger.

    Where the file is gone already and a run of it is unfinished, the rest of that run is discarded.

    Example: `sendoff delete people`
    """
    if name not in project.runner.found().files and (run := project.runner.discard(name)) is not None:
        say(f"the rest of run {run} is discarded")
        return
    file = project.file(name)
    if not yes:
        click.confirm(f"Delete {file}? Its history stays in the ledger", abort=True)
    file.unlink()
    say(f"{file} deleted")
