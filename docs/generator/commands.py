"""The pages on the command line: every command with its options, and exit codes."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from sendoff.cli.group import COMMANDS, Commands

from .page import Page, table


def _commands() -> Iterator[str]:
    yield "Where a command takes a RUN, that is its number, `latest`, or a connector's name for its newest run. A connector is"
    yield "given by its name or its file. A shell completes commands, connectors and runs with this line in its startup file:"
    yield 'bash `eval "$(_SENDOFF_COMPLETE=bash_source sendoff)"`, zsh the same with `zsh_source`, fish'
    yield "`_SENDOFF_COMPLETE=fish_source sendoff | source`."
    group = Commands("sendoff")
    for name in COMMANDS:
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield from _command(command, f"sendoff {name}")


def _command(command: click.Command, path: str) -> Iterator[str]:
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from _command(inner, f"{path} {name}")
        return
    words = [p.make_metavar(click.Context(command)) for p in command.params if isinstance(p, click.Argument)]
    yield f"\n## {path}\n\n`{' '.join([path, *words])}`\n\n{inspect.cleandoc(command.help or '')}\n"
    for option in command.params:
        if isinstance(option, click.Option):
            yield f"- `{', '.join(option.opts)}`: {option.help}"


EXIT_CODES = {
    "0": "every record was delivered",
    "1": "the run finished, and some records were not delivered",
    "2": "something must be fixed first, whether or not anything was sent: usage, a connector file, the source's data, "
    "credentials, the ledger, a full disk",
    "3": "stopped early, or the source cannot be reached now: the next run goes on",
    "70": "sendoff or a plugin failed; the sentence names the plugin, and `sendoff --debug ...` shows the traceback",
    "75": "the connector is running already, in another process",
    "130, 143, 129": "interrupted by SIGINT, SIGTERM, SIGHUP: the next run resumes",
    "141": "the reader of the output went away before it was all written; the account is in `sendoff runs`",
}


def _exit_codes() -> Iterator[str]:
    yield from table(["code", "meaning"], EXIT_CODES.items())
    yield "\nOf several connectors the highest counts. A scheduler may start a run again after 3, 75, 130 and 143;"
    yield "after 2 and 70 the same would come of it."


PAGES = [
    Page("commands", "Commands", "Every command, with its options.", _commands),
    Page("exit-codes", "Exit codes", "What the number means that `sendoff` ends with.", _exit_codes),
]
