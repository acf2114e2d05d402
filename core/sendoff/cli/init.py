"""`sendoff init`: create a project."""

from __future__ import annotations

from pathlib import Path

import click

from sendoff.cli.group import Project
from sendoff.cli.output import say


@click.command("init")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path), default=".")
@click.pass_obj
def command(project: Project, directory: Path) -> None:
    """Make a project here, or in DIRECTORY.

    It has a folder connectors.d, and a .gitignore for the ledger.

    Example: `sendoff init crm-sync`
    """
    connectors = directory / project.directory
    connectors.mkdir(parents=True, exist_ok=True)
    ignore = directory / ".gitignore"
    lines = ignore.read_text().splitlines() if ignore.exists() else []
    if ".sendoff/" not in lines:
        ignore.write_text("\n".join([*lines, ".sendoff/"]) + "\n")
    say(f"{connectors} is ready; next: sendoff new NAME --from FILE")
