"""Declared inside a value: the fields of an object, the items of a list, at any depth.

Cerberus validates them. What it does to a document besides (`default`, `rename`, unknown fields taken away) is done here when
the record is written, and text is read as the date, time or decimal that a rule names, as at the top.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, time
from decimal import Decimal
from itertools import takewhile
from typing import Any

from sendoff.schema.types import TYPES

#: Declared whose alternatives are only tried: nothing in them changes a value.
ALTERNATIVES = ("allof", "anyof", "noneof", "oneof")
#: Rules by which a value is only validated. `allow_unknown` may have those of the fields that are not named.
ONLY_CHECKED = (*ALTERNATIVES, "allow_unknown")
#: All rules that have rules in them.
RULES = ("schema", "items", "valuesrules", "keysrules", *ONLY_CHECKED)
#: Types that JSON has no values of.
FROM_TEXT = frozenset(name for name, type_ in TYPES.items() if type_.from_text)
#: Declared that only a field of the record has.
_TOP_ONLY = {"format", "as", "value", "trim", "lower", "upper", "map"}

RuleSet = Mapping[str, Any]
RuleDict = dict[str, Any]


class NestedRule(Exception):
    """A rule inside a value that cannot be kept; its text is the sentence, which begins with the path inside the field."""


def for_cerberus(rules: RuleSet, path: str = "", *, alternative: bool = False) -> RuleDict:
    """The rules as Cerberus takes them: constraints in their field's type, and nothing unknown inside an alternative.

    Raises `NestedRule` for a rule that would do nothing, and for a constraint that is not of its type.
    """
    found = {**rules}
    for name, inner in children(rules):
        where = f"{path}.{name[-1]}" if path else str(name[-1])
        inside = alternative or name[0] in ONLY_CHECKED
        _check(inner, where, alternative=inside, is_field=name[0] == "schema" and len(name) == 2)
        _set_inner(found, name, _with_typed_constraints(for_cerberus(inner, where, alternative=inside), where))
    if alternative and "schema" in found:
        found.setdefault("allow_unknown", False)  # what Cerberus does where nothing else is said
    return found


def children(rules: RuleSet) -> Iterator[tuple[tuple[str | int, ...], RuleSet]]:
    """Each set of rules one level down, with the keys that lead to it; a bare word stands for its type."""
    schema = rules.get("schema")
    if isinstance(schema, Mapping):
        if is_of_fields(rules):
            for name, inner in schema.items():
                yield ("schema", name), _spelled_out(inner)
        else:
            yield ("schema",), _spelled_out(schema)
    for rule in ("valuesrules", "keysrules", "allow_unknown"):
        if isinstance(rules.get(rule), Mapping):
            yield (rule,), rules[rule]
    for rule in ("items", *ALTERNATIVES):
        if isinstance(rules.get(rule), list):
            for at, inner in enumerate(rules[rule]):
                if isinstance(inner, Mapping):
                    yield (rule, at), inner


def is_of_fields(rules: RuleSet) -> bool:
    """Whether `schema` has the rules of an object's fields, and not those of each item of a list."""
    if rules.get("type") in ("dict", "list"):
        return bool(rules["type"] == "dict")
    return all(isinstance(inner, Mapping) for inner in rules["schema"].values())


def read(value: object, rules: RuleSet) -> object:
    """A value as Cerberus validates it: its texts read as the dates, times and decimals that the rules name, if they are."""
    match value:
        case str():
            return _read_text(value, rules)
        case Mapping():
            members = ((name, each, _of_member(rules, name)) for name, each in value.items())
            return {name: read(each, inner) for name, each, inner in members if not _default_applies(each, inner)}
        case list() | tuple():
            return [read(each, _of_item(rules, at)) for at, each in enumerate(value)]
    return value


def _default_applies(value: object, rules: RuleSet) -> bool:
    """Whether a default stands in for this null."""
    return value is None and "default" in rules and not rules.get("nullable")


def _of_member(rules: RuleSet, name: str) -> RuleSet:
    """The rules of an object's member."""
    if "schema" in rules and is_of_fields(rules) and name in rules["schema"]:
        found: RuleSet = rules["schema"][name]
        return found
    return rules.get("valuesrules") or {}


def _of_item(rules: RuleSet, at: int) -> RuleSet:
    """The rules of a list's item."""
    places = rules.get("items") or ()
    if at < len(places):
        found: RuleSet = places[at]
        return found
    return rules["schema"] if "schema" in rules and not is_of_fields(rules) else {}


def changes(rules: RuleSet, *, drop: bool) -> bool:
    """Whether `write` may change a value under these rules."""
    if drop and "schema" in rules and is_of_fields(rules) and not rules.get("allow_unknown"):
        return True
    inner = [each for name, each in children(rules) if name[0] not in ONLY_CHECKED]
    return any(
        "rename" in each or "default" in each or set(_names(each)) & FROM_TEXT or changes(each, drop=drop) for each in inner
    )


def write(value: object, rules: RuleSet, *, drop: bool) -> object:
    """A valid value as it is sent: renamed, with defaults for what is missing, and without unknown fields if `drop`.

    Raises ValueError, with a sentence, for an object that would be sent with two members of one name.
    """
    if isinstance(value, Mapping):
        if "schema" not in rules or not is_of_fields(rules):
            return {name: write(each, _of_member(rules, name), drop=drop) for name, each in value.items()}
        return _write_fields(value, rules, drop=drop and not rules.get("allow_unknown"))
    if isinstance(value, list):
        return [write(each, _of_item(rules, at), drop=drop) for at, each in enumerate(value)]
    if isinstance(value, str):
        return _write_text(value, _read_text(value, rules))
    return value


def _write_fields(value: Mapping[str, object], rules: RuleSet, *, drop: bool) -> dict[str, object]:
    schema, found = rules["schema"], dict[str, object]()

    def add(name: str, member: object) -> None:
        if name in found:
            raise ValueError(f"two members would be sent under the name {name!r}")
        found[name] = member

    for name, each in value.items():
        inner = schema.get(name)
        if inner is not None:
            add(inner.get("rename", name), inner["default"] if _default_applies(each, inner) else write(each, inner, drop=drop))
        elif not drop:
            add(name, each)
    for name, inner in schema.items():
        if "default" in inner and name not in value:
            add(inner.get("rename", name), inner["default"])
    return found


def _names(rules: RuleSet) -> list[str]:
    """The types that a value may have."""
    found = rules.get("type") or []
    return [found] if isinstance(found, str) else list(found)


def _read_text(value: str, rules: RuleSet) -> object:
    for name in _names(rules):
        if name == "string":
            return value
        if name in FROM_TEXT:
            try:
                return TYPES[name].read(value, text=False)
            except ValueError:
                continue
    return value


def _write_text(text: str, value: object) -> object:
    """A text that was read as this value, as it is written at the top too: with a T and with seconds."""
    match value:
        case datetime():
            return re.sub(r"\A(.{16})(Z|[+-].*)?\Z", r"\1:00\2", text.replace(" ", "T"))
        case time():
            return text if len(text) > 5 else f"{text}:00"
        case Decimal():
            return value
    return text


def _spelled_out(rules: object) -> RuleSet:
    if isinstance(rules, str):
        return {"type": rules}
    if not isinstance(rules, Mapping):
        raise NestedRule(f"rules are a mapping, like {{type: string}}, or the name of a type; this is {rules!r}")
    return rules


def _set_inner(found: RuleDict, name: tuple[str | int, ...], made: RuleDict) -> None:
    if len(name) == 1:
        found[str(name[0])] = made
        return
    rule, key = str(name[0]), name[1]
    found[rule] = list(found[rule]) if isinstance(found[rule], list) else dict(found[rule])
    found[rule][key] = made


def _check(rules: RuleSet, where: str, *, alternative: bool, is_field: bool) -> None:
    here = next((rule for rule in rules if rule in _TOP_ONLY), None)
    if here is not None:
        raise NestedRule(f"{where}: `{here}` works on the fields of the record, not inside a value")
    idle = next((rule for rule in ("default", "rename") if rule in rules), None)
    if idle is not None and not is_field:
        raise NestedRule(f"{where}: `{idle}` is for a field, which has a name; here it would do nothing")
    if not alternative:
        return
    if idle is not None:
        raise NestedRule(f"{where}: `{idle}` does nothing in an alternative; write it beside `type`, outside")
    named = next((name for name in _names(rules) if name in FROM_TEXT), None)
    if named is not None:
        raise NestedRule(f"{where}: JSON has no {named}; in an alternative use `type: string` with a `regex`")


def _with_typed_constraints(rules: RuleDict, where: str) -> RuleDict:
    """The rules with bounds and lists of values in the type of their field, where JSON has no values of that type."""
    names = _names(rules)
    dated = [name for name in takewhile("string".__ne__, names) if name in FROM_TEXT and name != "decimal"]
    if not dated:
        return rules

    def typed(rule: str, value: object) -> object:
        for name in dated:
            try:
                return TYPES[name].read(value, text=True)
            except ValueError:
                continue
        if len(names) > len(dated):
            return value
        raise NestedRule(f"{where}: `{rule}`: {value!r} is not of {' or '.join(names)} type")

    for rule in ("min", "max"):
        if rule in rules:
            rules[rule] = typed(rule, rules[rule])
    for rule in ("allowed", "forbidden"):
        if rule in rules:
            rules[rule] = [typed(rule, value) for value in rules[rule]]
    return rules
