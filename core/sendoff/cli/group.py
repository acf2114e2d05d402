"""`sendoff` itself: its options, its commands, and how errors end it."""

from __future__ import annotations

import importlib
import os
import sys
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

import click

from sendoff import __version__
from sendoff.errors import ConfigError, SendoffError
from sendoff.runner import Runner

COMMANDS = [
    "init",
    "new",
    "check",
    "preview",
    "run",
    "runs",
    "failed",
    "results",
    "retry",
    "plugins",
    "schema",
    "duplicate",
    "edit",
    "delete",
    "sandbox",
    "doctor",
]


@dataclass
class Project:
    """Where the command works: the connectors' directory and the state."""

    directory: Path
    state: Path | None

    @cached_property
    def runner(self) -> Runner:
        return Runner(self.directory, state=self.state)

    def file(self, name: str) -> Path:
        """A connector's file by its name."""
        files = self.runner.found().files
        if name not in files:
            close = get_close_matches(name, files, 1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; there are: {', '.join(files) or 'none'}"
            raise ConfigError(f"no connector is named {name!r}{hint}")
        return files[name]


class Commands(click.Group):
    """A group whose commands are modules of this package."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"sendoff.cli.{cmd_name}").command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            close = get_close_matches(args[0], COMMANDS, 1)
            if not close:
                raise
            raise click.UsageError(f"{error.message} Did you mean {close[0]!r}?", ctx) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sendoff")
@click.option(
    "-d",
    "--directory",
    type=click.Path(path_type=Path),
    default="connectors.d",
    help="Where the connector files are.",
    show_default=True,
)
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    envvar="SENDOFF_STATE",
    help="Where the ledger is. [default: .sendoff beside the directory]",
)
@click.pass_context
def sendoff(ctx: click.Context, directory: Path, state: Path | None) -> None:
    """Deliver records to somebody else's HTTP API, and account for every one of them."""
    ctx.obj = Project(directory, state)


def main() -> None:
    """The console script: errors become sentences on standard error, and the exit code says their kind."""
    try:
        sendoff(standalone_mode=False)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.Abort:
        click.echo("aborted", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except ConfigError as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        sys.exit(error.exit_code)
    except SendoffError as error:
        click.echo(f"sendoff: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
