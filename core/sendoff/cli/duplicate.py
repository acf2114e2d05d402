"""`sendoff duplicate`: copy a connector's file, with its comments."""

from __future__ import annotations

import click

from sendoff.cli.arguments import CONNECTOR
from sendoff.cli.group import Project
from sendoff.cli.new import new_connector_path
from sendoff.cli.output import say
from sendoff.editors.project import with_modeline


@click.command("duplicate")
@click.argument("name", type=CONNECTOR)
@click.argument("copy", required=False)
@click.pass_obj
def command(project: Project, name: str, copy: str | None) -> None:
    """Copy a connector's file under a new name.

    Asks for the name if it is not given.

    Example: `sendoff duplicate people people-test`
    """
    file = project.file(name)
    target = new_connector_path(project, copy or click.prompt("The copy's name", default=f"{name}-copy"))
    target = target.with_suffix(file.suffix)
    text = file.read_bytes().decode("utf-8", "surrogateescape")
    text = with_modeline(text, target, project.directory)
    target.write_bytes(text.encode("utf-8", "surrogateescape"))
    say(f"{target} written")
