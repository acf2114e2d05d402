"""`sendoff init`: create a project."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from sendoff.cli.group import Project
from sendoff.cli.output import say
from sendoff.editors.project import FILE, schema_text, vscode_files


@click.command("init")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path), default=".")
@click.pass_obj
def command(project: Project, directory: Path) -> None:
    """Make a project here, or in DIRECTORY.

    It has a folder connectors.d with a schema for editors, a .gitignore for the ledger, and settings for VS Code unless there
    is a folder .vscode.

    Example: `sendoff init crm-sync`
    """
    connectors = directory / project.directory
    connectors.mkdir(parents=True, exist_ok=True)
    ignore = directory / ".gitignore"
    lines = ignore.read_text().splitlines() if ignore.exists() else []
    if ".sendoff/" not in lines:
        ignore.write_text("\n".join([*lines, ".sendoff/"]) + "\n")
    made = replace(project, directory=connectors)
    (connectors / FILE).write_text(schema_text(made.runner.registry), encoding="utf-8")
    settings = directory / ".vscode"
    if not settings.exists() and not project.directory.is_absolute():
        settings.mkdir()
        for name, text in vscode_files(project.directory.as_posix()).items():
            (settings / name).write_text(text, encoding="utf-8")
    say(f"{connectors} is ready; next: sendoff new NAME --from FILE")
