"""`sendoff digest`: tell how runs went since the last digest."""

from __future__ import annotations

import click

from sendoff.cli.group import Project


@click.command("digest")
@click.pass_obj
def command(project: Project) -> None:
    """Tell those who want a digest how runs went since the last one."""
    told = project.runner.digest()
    for name, count in told.items():
        click.echo(f"{name}: {count:,} runs told")
    if not told:
        click.echo("nobody wants a digest: no connector has a notifier with `when: [digest]`")
