"""A generated page of the reference, and the tables in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sendoff.config.declarations import inner_rules, options_of
from sendoff.registry import Registry

DOCS = Path(__file__).parents[1]
REFERENCE = DOCS / "reference"
MAX_HEADING = 4


@dataclass(frozen=True)
class Page:
    """One page: its file's name without `.md`, its title, what the list of pages says of it, and what makes its lines."""

    name: str
    title: str
    summary: str
    lines: Callable[[], Iterator[str]]

    @property
    def file(self) -> Path:
        return REFERENCE / f"{self.name}.md"

    def text(self) -> str:
        """The page, as it should be."""
        head = f"# {self.title}\n\n{self.summary} Generated from the code by `make docs`.\n"
        return tidy([head, *self.lines()])


def tidy(lines: Iterable[str]) -> str:
    """Lines as a file has them: never two empty ones in a row."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """A table, with its heads."""
    named = list(heads)
    yield f"| {' | '.join(named)} |\n|{' --- |' * len(named)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def options(rules: Mapping[str, Any]) -> Iterator[str]:
    """Options by their rules, as a table: with what is allowed, the default, and an example from the pages."""
    from .examples import example  # noqa: PLC0415  # it needs this module

    rows = []
    for name, kind, default, text in options_of(rules, Registry()):
        shown = f"`{default}`" if default not in ("", "required") else default
        rows.append([f"`{name}`", _type(kind, rules[name]), shown, f"{text}{example(rules, name)}"])
    yield from table(["option", "type", "default", "what it is"], rows)


def nested(name: str, rules: Mapping[str, Any], heading: str, but: Collection[str] = ()) -> Iterator[str]:
    """A mapping's options, and those of the mappings in it; what several have in common is shown once."""
    yield f"\n{heading} {name}\n"
    yield from options(rules)
    yield from inside(name, rules, heading, but)


def inside(name: str, rules: Mapping[str, Any], heading: str, but: Collection[str] = ()) -> Iterator[str]:
    """The options of the mappings in a mapping."""
    shared: dict[int, list[str]] = {}
    for option, rule in rules.items():
        inner = inner_rules(rule)
        if (
            option not in but and inner and all(isinstance(each, Mapping) for each in inner.values())
        ):  # a list's are of its items
            shared.setdefault(id(inner), []).append(option)
    for names in shared.values():
        title = f"{name}.{names[0]}" if len(names) == 1 else f"{name}: {', '.join(names)}"
        yield from nested(title, inner_rules(rules[names[0]]), heading + "#" * (len(heading) < MAX_HEADING))


def _type(kind: str, rule: Mapping[str, Any]) -> str:
    """A type as it is read, and what of it is allowed."""
    shown = re.sub(r"\bdict\b", "mapping", kind)
    items = rule.get("schema") if "list" in kind else None
    allowed = rule.get("allowed") or (items.get("allowed") if isinstance(items, Mapping) else None)
    if allowed:
        return f"{shown}: {', '.join(f'`{value}`' for value in allowed)}"
    low, high = rule.get("min"), rule.get("max")
    if low is not None and high is not None:
        return f"{shown}, {low:,} to {high:,}"
    return f"{shown}, at least {low:,}" if low is not None else f"{shown}, at most {high:,}" if high is not None else shown
