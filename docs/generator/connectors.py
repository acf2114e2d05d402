"""The pages on connector files: all options, how a response is read, and the rules of fields."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from sendoff.config.spec import CONNECTOR
from sendoff.response import policy
from sendoff.schema import INSTEAD, RULES, types

from .page import Page, inside, nested, options, table

DESTINATION = CONNECTOR["destination"]["schema"]


def _connector() -> Iterator[str]:
    yield "One file in `connectors.d/` is one connector; the file's name is its name. Where a component is chosen,"
    yield "a bare word stands for `{use: word}`. Values come from outside as `${env:NAME}`, `${NAME:-default}` or"
    yield "`${file:PATH}`, in any string; `$$` is a plain `$`.\n"
    yield from options(CONNECTOR)
    for name in ("incremental", "schedule"):
        yield from nested(name, CONNECTOR[name]["schema"], "##")
    yield "\nWhat is under `destination` has [a page of its own](destination.md)."


def _destination() -> Iterator[str]:
    yield from options(DESTINATION)
    yield from inside("destination", DESTINATION, "#", but=["response"])
    yield "\nWhat is under `response` has [a page of its own](response.md)."


def _response() -> Iterator[str]:
    yield "## How a response is read\n"
    yield inspect.cleandoc(policy.__doc__ or "").partition("\n\n")[2]
    yield from nested("response", DESTINATION["response"]["schema"], "##")


def _fields() -> Iterator[str]:
    yield "A bare word under a field in `schema:` is its type.\n"
    yield from options(RULES)
    yield "\nOf Cerberus's rules these are not supported:\n"
    yield from table(["rule", "use instead"], ([f"`{rule}`", instead] for rule, instead in INSTEAD.items()))
    yield "\n## Types\n\n```text"
    yield inspect.cleandoc(types.__doc__ or "").partition("\n\n")[2]
    yield "```"


PAGES = [
    Page(
        "connector-file",
        "Connector files",
        "Every option at the top of a connector file, and of what has no page of its own.",
        _connector,
    ),
    Page(
        "destination", "The destination", "Every option under `destination`: the API, and how requests reach it.", _destination
    ),
    Page("response", "Responses", "Every option under `destination.response`: how the API's responses are read.", _response),
    Page("field-rules", "Field rules and types", "What may stand under a field in `schema:`.", _fields),
]
