"""`sendoff sandbox`: a local API for trying things out."""

from __future__ import annotations

import inspect
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

import click

from sendoff.errors import ConfigError
from sendoff.sandbox import Sandbox, rules


@click.command("sandbox", epilog=inspect.cleandoc(rules.__doc__ or "").replace("::\n", "\n\n\b").replace("\n    ", "\n"))
@click.argument("then", nargs=-1)
@click.option("--port", type=click.IntRange(0, 65535), default=8824, show_default=True, help="The port; 0 for any free one.")
@click.option("--fail", "texts", multiple=True, metavar="RULE", help="How to misbehave; may be given several times.")
@click.option(
    "--sheet",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A CSV file to serve as a Google Sheet: set docs_root and api_root to this server.",
)
def command(then: Sequence[str], port: int, texts: Sequence[str], sheet: Path | None) -> None:
    """Serve a local API that accepts any records and shows what it received.

    With a command after ``--``, it serves while that command runs, and ends with its exit code.
    """
    try:
        api = Sandbox(texts, port=port, sheet=sheet)
    except ValueError as error:
        raise ConfigError(f"--fail: {error}") from None
    except OSError as error:
        raise ConfigError(f"port {port} cannot be opened: {error.strerror}; choose another with --port") from None
    with api:
        click.echo(f"sandbox: {api.url} accepts records; GET /_counts and /_records/PATH show them", err=True)
        if then:
            raise SystemExit(subprocess.run(then, check=False).returncode)  # noqa: S603  # the program is what the user wrote after `--`
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            click.echo(f"sandbox: {dict(api.counts)}", err=True)
