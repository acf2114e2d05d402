"""The pages on the command line: every command with its options, and exit codes."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import click

from sendoff.cli.group import COMMANDS, sendoff

from .page import Page, table


def _commands() -> Iterator[str]:
    yield "Where a command takes a RUN, that is its number, `latest`, or a connector's name for its newest run. A connector is"
    yield "given by its name or its file. A shell completes commands, connectors and runs with this line in its startup file:"
    yield 'bash `eval "$(_SENDOFF_COMPLETE=bash_source sendoff)"`, zsh the same with `zsh_source`, fish'
    yield "`_SENDOFF_COMPLETE=fish_source sendoff | source`."
    group = sendoff
    yield "\n## sendoff\n\n`sendoff [OPTION]... COMMAND`\n\nThese options stand before the command.\n"
    yield from _options(group)
    for name in COMMANDS:
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield from _command(command, f"sendoff {name}")


def _command(command: click.Command, path: str) -> Iterator[str]:
    if isinstance(command, click.Group) and not command.invoke_without_command:
        yield f"\n## {path}\n\n{inspect.cleandoc(command.help or '')} It has these commands:"
    else:
        yield from _own(command, path)
    for name, inner in command.commands.items() if isinstance(command, click.Group) else ():
        yield from _command(inner, f"{path} {name}")


def _own(command: click.Command, path: str) -> Iterator[str]:
    words = [p.make_metavar(click.Context(command)) for p in command.params if isinstance(p, click.Argument)]
    yield f"\n## {path}\n\n`{' '.join([path, *words])}`\n\n{inspect.cleandoc(command.help or '')}\n"
    yield from _options(command)


def _options(command: click.Command) -> Iterator[str]:
    """What a command takes, as a table: each option with its values and its default."""
    with click.Context(command) as context:
        rows = [_option(option, context) for option in command.params if isinstance(option, click.Option)]
    if rows:
        yield from table(["option", "value", "default", "what it does"], rows)


def _option(option: click.Option, context: click.Context) -> list[str]:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    if option.is_flag or (option.flag_value is not None and not option.multiple and option.type is click.BOOL):
        value = ""
    elif isinstance(option.type, click.Choice):
        value = ", ".join(f"`{choice}`" for choice in option.type.choices)
    else:
        value = (option.metavar or option.type.name).upper()
        if isinstance(option.type, click.IntRange):
            value += (
                f", {option.type.min} to {option.type.max}" if option.type.max is not None else f", at least {option.type.min}"
            )
        value += ", several times" if option.multiple else ""
    default = option.get_default(context)
    plain = isinstance(default, (str, int, float, Path)) and not isinstance(default, bool)
    text = (option.help or "").replace("|", "\\|")
    return [names, value, f"`{default}`" if plain and not option.is_flag else "", text]


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
    yield "after 2 and 70 the same would come of it. A run that ends at its `--limit` counts as one that finished."


PAGES = [
    Page("commands", "Commands", "Every command, with its options.", _commands),
    Page("exit-codes", "Exit codes", "What the number means that `sendoff` ends with.", _exit_codes),
]
