"""A field as declared: its type, its rules, and the Cerberus schema of those rules themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sendoff.options import optional
from sendoff.schema.types import TYPES, Type

#: The rules that a field in `schema:` may have. The first part compiles to column expressions;
#: the second is Cerberus's own and runs row by row.
RULES: dict[str, Any] = {
    "type": optional("What the field holds.", type="string", allowed=list(TYPES)),
    "nullable": optional("Whether it may be null. An empty cell is null. Default false.", type="boolean"),
    "required": optional("Whether the source must have it. Without it, a null is left out. Default true.", type="boolean"),
    "default": optional("The value in place of a null that is not allowed, or of a missing column.", nullable=True),
    "allowed": optional("The values it may have.", type="list"),
    "forbidden": optional("The values it may not have.", type="list"),
    "min": optional("Minimum value.", type=["number", "string"]),
    "max": optional("Maximum value.", type=["number", "string"]),
    "minlength": optional("Minimum length.", type="integer", min=0),
    "maxlength": optional("Maximum length.", type="integer", min=0),
    "regex": optional("What its text must match, from the start to the end.", type="string"),
    "empty": optional("Whether it may be of length zero. Default true.", type="boolean"),
    "rename": optional("The name the API knows it by.", type="string", empty=False),
    "format": optional("How a date, datetime or time is written, in strptime format codes.", type="string", empty=False),
    "as": optional(
        "How it is written in JSON: a number as `text`, a date or datetime as `epoch` (seconds since 1970) or `epoch_ms`.",
        type="string",
        allowed=["text", "epoch", "epoch_ms"],
    ),
    "meta": optional("Anything; sendoff ignores it.", type="dict"),
    **{
        name: optional("A rule of Cerberus; checked row by row.")
        for name in [
            "allof",
            "anyof",
            "noneof",
            "oneof",
            "contains",
            "dependencies",
            "excludes",
            "items",
            "keysrules",
            "valuesrules",
            "schema",
            "allow_unknown",
            "require_all",
        ]
    },
}

#: Rules that sendoff applies itself, not Cerberus.
_NOT_CERBERUS = frozenset({"rename", "as", "format", "default", "required", "meta"})

#: Types whose `min`, `max`, `allowed` and `forbidden` are written as text in YAML.
_TEXTUAL = frozenset({"date", "datetime", "time"})


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a schema. `rules` are Cerberus's, with their constraints in the field's type."""

    name: str
    type: Type | None
    rules: Mapping[str, object]
    nullable: bool = False
    required: bool = True
    default: object = None
    output_name: str = ""
    format: str | None = None
    #: ``text``, ``epoch`` or ``epoch_ms``, where its JSON is not its type's usual one.
    output_format: str | None = None

    @property
    def raw(self) -> bool:
        """Whether its column holds JSON text already."""
        return (self.type is None or self.type.raw) and self.output_format is None

    @property
    def optional(self) -> bool:
        """Whether a null is left out of the record, rather than being invalid or sent."""
        return not self.required and not self.nullable and self.default is None


def declare(name: str, rules: Mapping[str, Any]) -> Field:
    """A field from its rules; raises `InvalidRule` for a constraint that is not of the field's type."""
    type_ = TYPES[rules["type"]] if "type" in rules else None
    format_ = rules.get("format")
    if format_ is not None and (type_ is None or type_.name not in _TEXTUAL):
        raise InvalidRule("format", "is for fields of type date, datetime or time")

    def to_type(rule: str, value: Any) -> Any:
        if type_ is None:
            return value
        try:
            return type_.read(value, text=type_.name in _TEXTUAL, format=None)
        except ValueError as error:
            raise InvalidRule(rule, f"{value!r} {error}".replace("must be", "is not")) from None

    checks: dict[str, Any] = {}
    for rule, constraint in rules.items():
        if rule in _NOT_CERBERUS:
            continue
        if rule in ("min", "max") and type_ is not None:
            checks[rule] = constraint if type_.name in _NUMERIC else to_type(rule, constraint)
        elif rule in ("allowed", "forbidden") and type_ is not None and type_.name not in ("dict", "list"):
            checks[rule] = [to_type(rule, value) for value in constraint]
        else:
            checks[rule] = constraint
    if type_ is not None and type_.name in _NUMERIC:
        for rule in ("min", "max"):
            if isinstance(checks.get(rule, 0), str | bool):
                raise InvalidRule(rule, f"{checks[rule]!r} is not a number")
    _check_regex(rules)
    default = rules.get("default")
    return Field(
        name=name,
        type=type_,
        rules=checks,
        nullable=bool(rules.get("nullable", False)),
        required=bool(rules.get("required", True)),
        default=default if default is None else to_type("default", default),
        output_name=rules.get("rename", name),
        format=format_,
        output_format=_output_format(rules.get("as"), type_),
    )


def _output_format(form: str | None, type_: Type | None) -> str | None:
    kinds = {"text": {*_NUMERIC, "boolean"}, "epoch": {"date", "datetime"}, "epoch_ms": {"date", "datetime"}}
    if form is not None and (type_ is None or type_.name not in kinds[form]):
        raise InvalidRule("as", f"`{form}` is for fields of type {', '.join(sorted(kinds[form]))}")
    return form


def _check_regex(rules: Mapping[str, Any]) -> None:
    try:
        re.compile(rules.get("regex", ""))
    except re.error as error:
        raise InvalidRule("regex", f"{rules['regex']!r} is not a regular expression: {error}") from None


_NUMERIC = frozenset({"integer", "float", "number", "decimal"})


class InvalidRule(Exception):
    """A rule whose constraint is not of its field's type."""

    def __init__(self, rule: str, sentence: str) -> None:
        super().__init__(sentence)
        self.rule = rule
