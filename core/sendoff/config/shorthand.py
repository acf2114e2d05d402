"""Shorthands: what may stand in place of a mapping, as the rules declare it, and a file's data with each of them in full.

A rule's ``shorthand`` is a table: by its type, the key of the mapping that the value stands for, or None where it stands for
an empty one. Every component has one that needs no declaration: a bare word is ``{use: word}``. The schema for editors is
made of the same tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sendoff.config.declarations import default_component
from sendoff.options import Declared
from sendoff.registry import Registry

_TYPES: Mapping[str, tuple[type, ...]] = {
    "boolean": (bool,), "null": (type(None),), "number": (int, float), "string": (str,), "list": (list,),
}  # fmt: skip
_COMPONENT = {"string": "use"}


def shorthand(rule: Declared) -> Mapping[str, str | None]:
    """What may stand in place of a rule's mapping."""
    table: Mapping[str, str | None] = _COMPONENT if "component" in rule else rule.get("shorthand", {})
    return table


def expand(value: Any, rule: Declared, registry: Registry) -> Any:
    """A value in full, with all that is inside it, and with the default components named."""
    for name, key in shorthand(rule).items():
        if isinstance(value, _TYPES[name]) and not (name == "number" and isinstance(value, bool)):
            value = {} if key is None else {key: str(value) if name == "number" else value}
            break
    if isinstance(value, list) and rule.get("type") == "list":
        return [expand(item, rule.get("schema", {}), registry) for item in value]
    if not isinstance(value, dict):
        return value
    if "valuesrules" in rule:
        return {key: expand(item, rule["valuesrules"], registry) for key, item in value.items()}
    inside = rule.get("schema", {}) if rule.get("type") == "dict" else {}
    if "component" in rule:
        if "use" not in value and (chosen := default_component(rule, registry)):
            value = {"use": chosen, **value}
        offered = registry.find(rule["component"], value["use"]) if isinstance(value.get("use"), str) else None
        inside = offered.options if offered else {}
    spelled = dict(value)
    for key, inner in inside.items():
        if key in value or default_component(inner, registry):
            spelled[key] = expand(value.get(key, {}), inner, registry)
    return spelled
