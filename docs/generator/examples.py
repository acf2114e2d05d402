"""Examples of options: the first connector file on the pages that sets an option, and where it is."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from sendoff.config.declarations import inner_rules
from sendoff.config.spec import CONNECTOR
from sendoff.registry import Registry

from .page import DOCS, REFERENCE

BLOCK = re.compile(r"^```yaml[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: Where examples are looked for, the best places first.
FOLDERS = ("how-to", "sources", "tutorials", ".", "apis")
MAX_SHOWN = 70

Found = dict[tuple[int, str], tuple[str, Path]]


def example(rules: Mapping[str, Any], option: str) -> str:
    """What is shown of an example of an option: its text, and a link to its page; empty if no page has one."""
    found = _examples().get((id(rules), option))
    if found is None:
        return ""
    text, page = found
    title = page.read_text().partition("\n")[0].removeprefix("# ").replace("|", "\\|")
    shown = f" Example: `{text}`." if text else ""
    return f"{shown} See [{title}]({os.path.relpath(page, REFERENCE)})."


@cache
def _examples() -> Found:
    found: Found = {}
    registry = Registry()
    for folder in FOLDERS:
        for page in sorted((DOCS / folder).glob("*.md")):
            for text in BLOCK.findall(page.read_text()):
                try:
                    connector = yaml.safe_load(text)
                except yaml.YAMLError:
                    continue
                if isinstance(connector, dict):
                    for rules, option, value in _set(connector, CONNECTOR, registry):
                        _keep(found, (id(rules), option), _shown(option, value), page)
    return found


def _keep(found: Found, key: tuple[int, str], text: str, page: Path) -> None:
    """The first example that fits in a line; else the first."""
    if key not in found or (text and not found[key][0]):
        found[key] = (text, page)


def _set(
    values: Mapping[str, Any], rules: Mapping[str, Any], registry: Registry
) -> Iterator[tuple[Mapping[str, Any], str, Any]]:
    """Each option that is set, however deep, with the rules it is one of."""
    for option, value in values.items():
        rule = rules.get(option)
        if not isinstance(rule, Mapping):
            continue
        yield rules, option, value
        for each in value if isinstance(value, list) else [value]:
            of = inner_rules(rule) if isinstance(value, list) and "component" not in rule else rule
            if not isinstance(each, dict):
                continue
            if "component" in of:
                chosen = registry.find(of["component"], str(each.get("use")))
                yield from _set(each, chosen.options if chosen else {}, registry)
            elif "valuesrules" in of:
                for one in each.values():
                    if isinstance(one, dict):
                        yield from _set(one, inner_rules(of["valuesrules"]), registry)
            else:
                yield from _set(each, inner_rules(of), registry)


def _shown(option: str, value: Any) -> str:
    """An option as it is written, in one line; empty if it does not fit in one."""
    text = f"{option}: {_flow(value)}"
    return text if len(text) <= MAX_SHOWN and not re.search(r"[|`\n]", text) else ""


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str):
        return (
            value
            if re.fullmatch(r"[\w./$@-][\w./$@%* -]*", value) and str(yaml.safe_load(value)) == value
            else json.dumps(value)
        )
    return str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)
