"""`sendoff digest`: send a summary of the runs since the last digest."""

from __future__ import annotations

import click

from sendoff.cli.group import Project


@click.command("digest")
@click.pass_obj
def command(project: Project) -> None:
    """Send a digest (a summary of the runs since the last one) to the notifiers that want it."""
    sent = project.runner.digest()
    for name, count in sent.items():
        click.echo(f"{name}: {count:,} runs reported")
    if not sent:
        click.echo("no digest sent: no connector has a notifier with `on: [digest]`")
