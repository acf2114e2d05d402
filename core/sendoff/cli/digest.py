"""`sendoff digest`: send a summary of the runs since the last digest."""

from __future__ import annotations

import click

from sendoff.cli.group import Project
from sendoff.cli.output import say


@click.command("digest")
@click.pass_obj
def command(project: Project) -> None:
    """Send notifiers a summary of the runs since the last one.

    Those get it that have `digest` among what they are `on`.

    Example: `sendoff digest`
    """
    sent = project.runner.digest()
    for name, count in sent.items():
        say(f"{name}: {count:,} runs reported")
    if not sent:
        say("no digest sent: no connector has a notifier with `on: [digest]`")
