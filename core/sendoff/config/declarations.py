"""What the rules of options say: which component is the default, what is inside an option and along a path, and its help."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sendoff.components import Component
from sendoff.options import Declared
from sendoff.registry import Registry

Path = tuple[str | int, ...]


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
        kind = _with_article(singular(rule["component"])) if "component" in rule else rule.get("type", "anything")
        shown = " or ".join(kind) if isinstance(kind, list) else str(kind)
        default = default_component(rule, registry) or rule.get("default")
        required = default is None and "default" not in rule and rule.get("required") is not False
        yield name, shown, "required" if required else _default(default), rule.get("meta", {}).get("help", "")


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _default(value: object) -> str:
    if value in (None, {}, []):
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def inner_rules(rule: Declared) -> Declared:
    """The rules of what is inside an option: of a mapping's keys, or of a list's items; none for any other."""
    inside: Declared = rule.get("by_type", {}).get("dict", rule).get("schema", {})
    return inside


def components(
    spelled: Declared, rules: Declared, registry: Registry, path: Path = ()
) -> Iterator[tuple[Path, type[Component], Declared]]:
    """Each component that a file chooses: where, its class, and what its options are set to, whether or not it is valid."""
    for key, value in spelled.items():
        rule = rules.get(key) or {}
        listed = isinstance(value, list)
        for at, each in enumerate(value) if listed else [(0, value)]:
            if not isinstance(each, dict):
                continue
            where: Path = (*path, key, at) if listed else (*path, key)
            chosen = inner_rules(rule) if listed else rule
            inside = inner_rules(chosen)
            if "component" in chosen:
                offered = registry.find(chosen["component"], each["use"]) if isinstance(each.get("use"), str) else None
                if offered is not None:
                    yield where, offered, each
                inside = offered.options if offered else {}
            yield from components(each, inside, registry, where)


def rules_along(
    rules: Declared, data: object, path: Sequence[object], registry: Registry
) -> Iterator[tuple[Declared, Declared]]:
    """The rules of each step of a path, and those of what is inside it."""
    for step in path:
        at: Declared = rules if isinstance(step, int) else rules.get(str(step)) or {}
        if isinstance(data, dict):
            data = data.get(step)
        else:
            data = data[step] if isinstance(data, list) and isinstance(step, int) else None
        if isinstance(step, int) and "component" not in rules:
            continue  # one of several conditions
        if "component" in at:
            chosen = registry.find(at["component"], data["use"]) if isinstance(data, dict) and "use" in data else None
            rules = {"use": {}, **(chosen.options if chosen else {})}
        elif "valuesrules" in at:
            rules = dict.fromkeys(data if isinstance(data, dict) else (), at["valuesrules"])
        else:
            rules = inner_rules(at)
        yield at, rules
