"""`sendoff` itself: its options, its commands, and how errors end it."""

from __future__ import annotations

import importlib
import io
import os
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sendoff.cli import logs
from sendoff.cli.failures import fail, show_tracebacks, show_usage_error, show_warnings
from sendoff.cli.output import say
from sendoff.errors import ConfigError, PluginCrash
from sendoff.lazy import postpone_import
from sendoff.options import find_similar

if TYPE_CHECKING:
    from sendoff.config.env_file import EnvFile
    from sendoff.runner import Runner

#: The commands in groups, and what each does, so that help does not load them.
GROUPS = {
    "Author": {
        "init": "Make a project here, or in DIRECTORY.",
        "new": "Write a connector file with all defaults, each with a comment.",
        "schema": "Infer a schema from a file; write one for editors.",
        "check": "Check connector files; report every mistake with its place.",
        "preview": "Show the first request of a connector exactly; send nothing.",
        "edit": "Open a connector's file in $EDITOR, and check it afterwards.",
        "duplicate": "Copy a connector's file under a new name.",
        "rename": "Give a connector another name, with its history.",
        "delete": "Delete a connector's file; its history stays in the ledger.",
    },
    "Run": {
        "run": "Deliver the records of some connectors, or of all.",
        "retry": "Deliver failed records of a run again, as a new run.",
        "serve": "Run connectors by schedule, for new files and for posts.",
        "schedule": "Show when connectors run next, and how they went last.",
        "reset": "Forget what was delivered; the next run is like the first.",
    },
    "Inspect": {
        "status": "Show what is open: pending, failed, interrupted, down.",
        "runs": "List the runs in the ledger, or show one.",
        "failed": "Show the records that a run did not deliver, and why.",
        "results": "Show what was captured of a run's responses.",
        "digest": "Send notifiers a summary of the runs since the last one.",
    },
    "Operate": {
        "doctor": "Check versions, the ledger, the clock and the environment.",
        "plugins": "List the components that connectors may use, or explain one.",
        "sandbox": "Serve a local API that takes any records, or misbehaves.",
    },
}
COMMANDS = {name: summary for commands in GROUPS.values() for name, summary in commands.items()}


@dataclass
class Project:
    """Where the command works: the connectors' directory and the state."""

    directory: Path
    state: Path | None
    allow: tuple[str, ...] | None = None
    #: The directory as it was given.
    given: Path = Path("connectors.d")
    #: A file of variables that connectors may name.
    env_file: Path | None = None

    @classmethod
    def chosen(cls, directory: Path, state: Path | None, allow: str | None, env_file: Path | None) -> Project:
        """The project that the options of the command line choose."""
        if allow is None and "SENDOFF_PLUGINS" in os.environ:
            allow = ""  # click takes a variable that is empty for one that is not there
        named = None if allow is None else tuple(name.strip() for name in allow.split(",") if name.strip())
        inner = directory / "connectors.d"
        return cls(inner if inner.is_dir() else directory, state, named, directory, env_file)

    @cached_property
    def runner(self) -> Runner:
        return self.new_runner()

    def new_runner(self) -> Runner:
        """A runner as the command line asks for it: the only place where commands make one."""
        from sendoff.runner import Runner  # noqa: PLC0415  # it imports nearly everything

        return Runner(self.directory, state=self.state, allow=self.allow, env=self.variables)

    @cached_property
    def variables(self) -> EnvFile | None:
        """What connectors may name beside the variables of the process, if a file of them was asked for."""
        from sendoff.config.env_file import EnvFile  # noqa: PLC0415  # few ask for it

        return None if self.env_file is None else EnvFile.read(self.env_file)

    def file(self, name: str) -> Path:
        """A connector's file by its name."""
        files = self.runner.found().files
        if name not in files:
            close = find_similar(name, files)
            hint = f"; did you mean {close!r}?" if close else f"; there are: {', '.join(files) or 'none'}"
            from sendoff.intake import renaming  # noqa: PLC0415  # it imports nearly everything

            raise ConfigError(f"no connector is named {name!r}{hint}{renaming.hint(self.runner.history, name)}")
        return files[name]


class Commands(click.Group):
    """A group whose commands are modules of this package."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, COMMANDS))
        for title, commands in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), summary) for name, summary in commands.items()])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"sendoff.cli.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # the reader is gone; click would exit with 1, which here means that records failed
            _forget_stdout()
            sys.exit(141)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            close = find_similar(args[0], COMMANDS)
            if not close:
                raise
            raise click.UsageError(f"{error.message} Did you mean {close!r}?", ctx) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sendoff", prog_name="sendoff")
@click.option(
    "-d",
    "--directory",
    type=click.Path(path_type=Path),
    default="connectors.d",
    help="Where the connector files are, or the project that has them in connectors.d.",
    show_default=True,
)
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    envvar="SENDOFF_STATE",
    help="Where the ledger is. [default: .sendoff beside the directory]",
)
@click.option(
    "--plugins",
    "allow",
    envvar="SENDOFF_PLUGINS",
    help="Load no plugins but these: distributions and files of plugins.d, with commas between; '' for none. [default: all]",
)
@click.option(
    "--log-format",
    type=click.Choice(logs.FORMATS),
    envvar="SENDOFF_LOG_FORMAT",
    is_eager=True,
    expose_value=False,
    callback=logs.chosen_format,
    help="Write a log to standard error, without progress: text, or a JSON object a line.",
)
@click.option(
    "--log-level",
    type=click.Choice(logs.LEVELS),
    envvar="SENDOFF_LOG_LEVEL",
    is_eager=True,
    expose_value=False,
    callback=logs.chosen_level,
    help="Write a log to standard error, from this level on. [default: info]",
)
@click.option(
    "--env-file",
    type=click.Path(path_type=Path),
    envvar="SENDOFF_ENV_FILE",
    help="A file of variables, NAME=value a line, that connectors may name as ${env:NAME}; those that are set already hold.",
)
@click.option("--debug", is_flag=True, envvar="SENDOFF_DEBUG", help="Show the traceback of an error.")
@click.pass_context
def sendoff(
    ctx: click.Context, directory: Path, state: Path | None, allow: str | None, env_file: Path | None, debug: bool
) -> None:  # fmt: skip
    """Deliver records to a third-party HTTP API, and account for every one of them."""
    show_warnings()
    if debug:
        show_tracebacks()
    ctx.obj = Project.chosen(directory, state, allow, env_file)


def main() -> None:
    """The console script: errors become sentences on standard error, and the exit code shows their kind."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files need not be text
    postpone_import("polars")  # a quarter of a start, and most commands need none of it
    try:
        try:
            sendoff(prog_name="sendoff", standalone_mode=False)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.Abort:
        say("aborted", err=True, level="error")
        sys.exit(130)
    except click.ClickException as error:
        show_usage_error(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # the reader is gone
        _forget_stdout()
        sys.exit(141)
    except BaseException as error:
        own = isinstance(error, SystemExit) and PluginCrash.find(error) is None
        if own or isinstance(error, KeyboardInterrupt):
            raise
        code = fail(error)
        if isinstance(error, OSError):
            _forget_stdout()
        sys.exit(code)


def _forget_stdout() -> None:
    """Nothing more is written to standard output: Python would flush it as it ends, and fail again."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
