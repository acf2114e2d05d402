"""`sendoff edit`: open a connector in your editor, and check it afterwards."""

from __future__ import annotations

import click

from sendoff.cli.arguments import CONNECTOR
from sendoff.cli.group import Project
from sendoff.cli.output import say


@click.command("edit")
@click.argument("name", type=CONNECTOR)
@click.pass_obj
def command(project: Project, name: str) -> None:
    """Open a connector's file in $EDITOR, and check it afterwards.

    Example: `sendoff edit people`
    """
    file = project.file(name)
    click.edit(filename=str(file))
    project.runner.load(file)
    say(f"{file}: nothing wrong")
