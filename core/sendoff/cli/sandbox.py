"""`sendoff sandbox`: a local API for trying things out."""

from __future__ import annotations

import inspect
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import click

from sendoff.cli.group import Project
from sendoff.cli.output import say
from sendoff.components import Source, StandIn
from sendoff.errors import ConfigError, PluginError
from sendoff.registry import Registry
from sendoff.sandbox import Sandbox, rules


@click.command("sandbox", epilog=inspect.cleandoc(rules.__doc__ or "").replace("::\n", "\n\n\b").replace("\n    ", "\n"))
@click.argument("then", nargs=-1)
@click.option("--port", type=click.IntRange(0, 65535), default=8824, show_default=True, help="The port; 0 for any free one.")
@click.option("--fail", "texts", multiple=True, metavar="RULE", help="How to misbehave; may be given several times.")
@click.option(
    "--stand-in",
    "stand_ins",
    multiple=True,
    metavar="SOURCE=FILE",
    help="A file to serve as a source's service would, like `google_sheets=sheet.csv`; may be given several times.",
)
@click.pass_obj
def command(project: Project, then: Sequence[str], port: int, texts: Sequence[str], stand_ins: Sequence[str]) -> None:
    """Serve a local API that takes any records, or misbehaves.

    It shows what it received.

    With a command after ``--``, it serves while that command runs, and ends with its exit code.

    Example: `sendoff sandbox --fail "400 if email ~ @nowhere"`
    """
    try:
        made = [_stand_in(project.runner.registry, text) for text in stand_ins]
        api = Sandbox(texts, port=port, stand_ins=[stand_in for _, stand_in in made])
    except ValueError as error:
        raise ConfigError(f"--fail: {error}") from None
    except OSError as error:
        raise ConfigError(f"port {port} cannot be opened: {error.strerror}; choose another with --port") from None
    with api:
        say(f"sandbox: {api.url} accepts records; GET /_counts and /_records/PATH show them", err=True)
        for source, _ in made:
            options = " and ".join(source.stand_in_options)
            say(f"sandbox: it stands in for {source.name}; set {options} to {api.url}", err=True)
        if then:
            raise SystemExit(subprocess.run(then, check=False).returncode)  # noqa: S603  # the program is what the user wrote after `--`
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            say(f"sandbox: {dict(api.counts)}", err=True)


def _stand_in(registry: Registry, text: str) -> tuple[type[Source], StandIn]:
    """A source and its stand-in, from ``SOURCE=FILE``."""
    name, _, file = text.partition("=")
    if not file:
        raise ConfigError(f"--stand-in: {text!r} is not SOURCE=FILE")
    source = cast("type[Source] | None", registry.find("sources", name))
    if source is None or not source.stand_in_options:
        offered = registry.offers("sources").values()
        known = ", ".join(each.component.name for each in offered if cast("type[Source]", each.component).stand_in_options)
        raise ConfigError(f"--stand-in: no source named {name!r} has a stand-in; there are {known}")
    if not Path(file).is_file():
        raise ConfigError(f"--stand-in: {file} is not a file")
    stand_in = source.stand_in(Path(file))
    if stand_in is None:
        raise PluginError(f"--stand-in: the source {name!r} names options for a stand-in, but has none")
    return source, stand_in
