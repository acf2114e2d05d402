"""Writes docs/reference.md from the declarations that check and run connectors, and docs/faults.md from the tests.

In docs/delivery.md it writes the pictures and tables of states, from those that the engine obeys.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

import sendoff
from sendoff import errors, hookspecs
from sendoff.cli.group import COMMANDS, Commands
from sendoff.components import KINDS
from sendoff.config.declarations import inner_rules, options_of
from sendoff.config.spec import CONNECTOR
from sendoff.engine.states import (
    DESTINATION_MOVES,
    MEANINGS,
    RUN_MOVES,
    TASK_MOVES,
    CircuitState,
    Moves,
    RunPhase,
    State,
    TaskState,
)
from sendoff.registry import Registry
from sendoff.response import policy
from sendoff.sandbox import rules as sandbox_rules
from sendoff.schema import INSTEAD, RULES, types

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests import catalogue  # the tests are no package that is installed

PAGE = Path(__file__).with_name("reference.md")
FAULTS = Path(__file__).with_name("faults.md")
DELIVERY = Path(__file__).with_name("delivery.md")
#: What has states: their table, and those it may begin in.
STATES: Mapping[str, tuple[Moves, type[TaskState | CircuitState | RunPhase], Sequence[State]]] = {
    "request": (TASK_MOVES, TaskState, [TaskState.PLANNED]),
    "destination": (DESTINATION_MOVES, CircuitState, [CircuitState.UNPROVEN, CircuitState.OPEN]),
    "run": (RUN_MOVES, RunPhase, [RunPhase.RUNNING]),
}


def reference() -> str:
    """The page, as it should be."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(_lines())).rstrip() + "\n"


def delivery() -> str:
    """The page on delivery, with the states as they should be."""
    page = DELIVERY.read_text()
    for what, (moves, states, begins) in STATES.items():
        begin, end = f"<!-- states of a {what}: made by `make docs` -->\n", "<!-- end of states -->"
        before, _, rest = page.partition(begin)
        page = before + begin + "\n".join(_states(moves, list(states), begins)) + "\n" + end + rest.partition(end)[2]
    return page


def _states(moves: Moves, states: Sequence[State], begins: Sequence[State]) -> Iterator[str]:
    """A picture whose arrows are numbered, what each state means, and the moves by their numbers."""
    yield "\n```mermaid\nstateDiagram-v2"
    for state in states:
        if " " in state.value:
            yield f'  state "{state.value}" as {_name(state)}'
    yield from (f"  [*] --> {_name(state)}" for state in begins)
    yield from (f"  {_name(before)} --> {_name(after)}: {number}" for number, (before, after) in enumerate(moves, 1))
    leaves = {before for before, _ in moves}
    yield from (f"  {_name(state)} --> [*]" for state in states if state not in leaves)
    yield "```\n\n| state | what it means |\n| --- | --- |"
    yield from (f"| {state.value} | {MEANINGS[state]} |" for state in states)
    yield "\n| | from | to | when |\n| --- | --- | --- | --- |"
    for number, ((before, after), when) in enumerate(moves.items(), 1):
        yield f"| {number} | {before.value} | {after.value} | {when} |"
    yield ""


def _name(state: State) -> str:
    return str(state.value).replace(" ", "_")


def _lines() -> Iterator[str]:  # noqa: PLR0915  # one line for each section of the page
    yield "# Reference"
    yield "\nGenerated from the code by `make docs`; a test holds it to it.\n"
    yield "- [Connector files](#connector-files)\n- [Field rules](#field-rules)\n- [Components](#components)"
    yield "- [Commands](#commands)\n- [Exit codes](#exit-codes)\n- [Python](#python)"
    yield "- [Errors](#errors)\n- [Hooks](#hooks)\n- [The sandbox](#the-sandbox)"
    yield "\n## Connector files\n"
    yield "One file in `connectors.d/` is one connector; the file's name is its name. Where a component is chosen,"
    yield "a bare word stands for `{use: word}`. Values come from outside as `${env:NAME}`, `${NAME:-default}` or"
    yield "`${file:PATH}`, in any string; `$$` is a plain `$`.\n"
    yield from _options(CONNECTOR)
    yield from _nested("destination", CONNECTOR["destination"]["schema"], "###")
    yield "\n#### How a response is read\n"
    yield inspect.cleandoc(policy.__doc__ or "").partition("\n\n")[2]
    yield "\n## Field rules\n"
    yield "What may stand under a field in `schema:`. A bare word is its type.\n"
    yield from _options(RULES)
    yield "\nOf Cerberus's rules these are not supported:\n\n| rule | use instead |\n| --- | --- |"
    yield "\n".join(f"| `{rule}` | {instead} |" for rule, instead in INSTEAD.items())
    yield "\n### Types\n\n```text"
    yield inspect.cleandoc(types.__doc__ or "").partition("\n\n")[2]
    yield "```\n\n## Components"
    registry = Registry()
    for kind, base in KINDS.items():
        yield f"\n### {kind}\n\n{inspect.getdoc(base)}"
        for name, offer in registry.offers(kind).items():
            yield f"\n#### {name}\n\n{inspect.getdoc(offer.component)}\n"
            if kind == "sources":
                yield f"[An example](sources/{name}.md)\n"
            if offer.component.options:
                yield from _options(offer.component.options)
    yield "\n## Commands"
    group = Commands("sendoff")
    for name in COMMANDS:
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield from _command(command, f"sendoff {name}")
    yield "\n## Exit codes\n\n| code | meaning |\n| --- | --- |"
    yield "| 0 | every record was delivered |\n| 1 | the run finished, and some records were not delivered |"
    yield (
        "| 2 | something must be fixed first, whether or not anything was sent: usage, a connector file, the source's data, "
        "credentials, the ledger, a full disk |"
    )
    yield "| 3 | stopped early, or the source cannot be reached now: the next run goes on |"
    yield "| 70 | sendoff or a plugin failed; the sentence names the plugin, and `sendoff --debug ...` shows the traceback |"
    yield "| 75 | the connector is running already, in another process |"
    yield "| 130, 143, 129 | interrupted by SIGINT, SIGTERM, SIGHUP: the next run resumes |"
    yield "| 141 | the reader of the output went away before it was all written; the account is in `sendoff runs` |"
    yield "\nOf several connectors the highest counts. A scheduler may start a run again after 3, 75, 130 and 143;"
    yield "after 2 and 70 the same would come of it."
    yield "\n## Python\n"
    for name in sendoff.__all__:
        thing = getattr(sendoff, name)
        if not inspect.isclass(thing) and not inspect.isfunction(thing):
            continue
        yield f"### sendoff.{name}\n\n{_signature(name, thing)}{inspect.getdoc(thing)}\n"
        for verb, member in vars(thing).items() if inspect.isclass(thing) else ():
            if verb.startswith("_") or not inspect.isfunction(member) or not member.__doc__:
                continue
            yield f"- `{verb}{inspect.signature(member)}`: {' '.join((inspect.getdoc(member) or '').split())}"
        yield ""
    yield "## Errors\n\n```text"
    yield inspect.cleandoc((errors.__doc__ or "").partition("::")[2])
    yield "```\n\n## Hooks\n"
    for kind in KINDS:
        hook = getattr(hookspecs, f"sendoff_{kind}")
        yield f"- `{hook.__name__}{inspect.signature(hook)}`: {inspect.getdoc(hook)}"
    yield "\n## The sandbox\n\n```text"
    yield inspect.cleandoc(sandbox_rules.__doc__ or "")
    yield "```"


def _nested(name: str, rules: Mapping[str, Any], heading: str) -> Iterator[str]:
    """A mapping's options, and those of the mappings in it; what several have in common is shown once."""
    yield f"\n{heading} {name}\n"
    yield from _options(rules)
    shared: dict[int, list[str]] = {}
    for option, rule in rules.items():
        inner = inner_rules(rule)
        if inner and all(isinstance(each, Mapping) for each in inner.values()):  # those of a list are of its items
            shared.setdefault(id(inner), []).append(option)
    for names in shared.values():
        title = f"{name}.{names[0]}" if len(names) == 1 else f"{name}: {', '.join(names)}"
        yield from _nested(title, inner_rules(rules[names[0]]), heading + "#")


def _signature(name: str, thing: Any) -> str:
    return f"`{name}{inspect.signature(thing)}`\n\n" if inspect.isfunction(thing) else ""


def _options(rules: Mapping[str, Any]) -> Iterator[str]:
    yield "| option | type | default | what it is |\n| --- | --- | --- | --- |"
    for name, kind, default, text in options_of(rules, Registry()):
        shown = f"`{default}`" if default not in ("", "required") else default
        yield f"| `{name}` | {kind} | {shown} | {text} |"


def _command(command: click.Command, path: str) -> Iterator[str]:
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from _command(inner, f"{path} {name}")
        return
    words = [p.make_metavar(click.Context(command)) for p in command.params if isinstance(p, click.Argument)]
    yield f"\n### {path}\n\n`{' '.join([path, *words])}`\n\n{inspect.cleandoc(command.help or '')}\n"
    options = [p for p in command.params if isinstance(p, click.Option)]
    for option in options:
        yield f"- `{', '.join(option.opts)}`: {option.help}"


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(PAGE.read_text() != reference())
    PAGE.write_text(reference())
    FAULTS.write_text(catalogue.page())
    DELIVERY.write_text(delivery())
