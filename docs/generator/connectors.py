"""The pages on connector files: all options, how a response is read, and the rules of fields."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from sendoff.config.spec import CONNECTOR
from sendoff.response import policy
from sendoff.schema import INSTEAD, RULES, types

from .page import Page, nested, options, table


def _connector() -> Iterator[str]:
    yield "One file in `connectors.d/` is one connector; the file's name is its name. Where a component is chosen,"
    yield "a bare word stands for `{use: word}`. Values come from outside as `${env:NAME}`, `${NAME:-default}` or"
    yield "`${file:PATH}`, in any string; `$$` is a plain `$`.\n"
    yield from options(CONNECTOR)
    for name in ("incremental", "schedule", "destination"):
        yield from nested(name, CONNECTOR[name]["schema"], "##")
    yield "\n## How a response is read\n"
    yield inspect.cleandoc(policy.__doc__ or "").partition("\n\n")[2]


def _fields() -> Iterator[str]:
    yield "A bare word under a field in `schema:` is its type.\n"
    yield from options(RULES)
    yield "\nOf Cerberus's rules these are not supported:\n"
    yield from table(["rule", "use instead"], ([f"`{rule}`", instead] for rule, instead in INSTEAD.items()))
    yield "\n## Types\n\n```text"
    yield inspect.cleandoc(types.__doc__ or "").partition("\n\n")[2]
    yield "```"


PAGES = [
    Page("connector-file", "Connector files", "Every option of a connector file.", _connector),
    Page("field-rules", "Field rules and types", "What may stand under a field in `schema:`.", _fields),
]
