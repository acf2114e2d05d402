"""What the rules of options say: which component is the default, what is inside an option, and its help."""

from __future__ import annotations

from collections.abc import Iterator

from sendoff.options import Declared
from sendoff.registry import Registry


def singular(kind: str) -> str:
    """A kind of components, as the name of one of them."""
    return {"failure_strategies": "failure strategy"}.get(kind, kind.removesuffix("s"))


def default_component(rules: Declared, registry: Registry) -> str | None:
    """The name of the component that is used where an option names none; None if there is no default."""
    chosen = registry.default(rules["component"], rules["default_for"]) if "default_for" in rules else None
    return chosen.name if chosen else None


def options_of(rules: Declared, registry: Registry) -> Iterator[tuple[str, str, str, str]]:
    """Each option's name, type, default and help: what `sendoff plugins NAME` and the reference show."""
    for name, rule in rules.items():
        kind = f"a {singular(rule['component'])}" if "component" in rule else rule.get("type", "anything")
        shown = " or ".join(kind) if isinstance(kind, list) else str(kind)
        default = default_component(rule, registry) or rule.get("default")
        required = default is None and "default" not in rule and rule.get("required") is not False
        yield name, shown, "required" if required else _default(default), rule.get("meta", {}).get("help", "")


def _default(value: object) -> str:
    if value in (None, {}, []):
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def inner_rules(rule: Declared) -> Declared:
    """The rules of what is inside an option: of a mapping's keys, or of a list's items; none for any other."""
    inside: Declared = rule.get("by_type", {}).get("dict", rule).get("schema", {})
    return inside
