"""A field as declared: its type, its rules, and the Cerberus schema of those rules themselves.

The file is long because each rule has its help here.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from sendoff import jsonlib
from sendoff.jsonlib.notation import NUMERIC, Notation
from sendoff.options import find_similar, optional
from sendoff.schema import nested
from sendoff.schema.nested import RuleDict, RuleSet
from sendoff.schema.types import TYPES, Format, Type, find_type, in_notation, localize

#: The rules that a field in `schema:` may have. The first part compiles to column expressions;
#: the second is Cerberus's own and runs row by row.
RULES: RuleDict = {
    "type": optional(
        "What the field holds; a list of types for one of several.", type=["string", "list"], allowed=list(TYPES), minlength=1
    ),
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
    "format": optional(
        "How a date, datetime or time is written, in strptime format codes; or a list of formats, of which the first that fits "
        "is taken.",
        type=["string", "list"],
        empty=False,
        schema={"type": "string", "empty": False},
    ),
    "timezone": optional(
        "The zone of datetimes that name none, like `Europe/Berlin`: they are sent with its offset. By default the source's.",
        type="string",
        check_with="timezone",
    ),
    "as": optional(
        "How it is written in JSON: a number as `text`, a date or datetime as `epoch` (seconds since 1970) or `epoch_ms`.",
        type="string",
        allowed=["text", "epoch", "epoch_ms"],
    ),
    "value": optional(
        "What it is in place of a column of its name: a constant, or text with columns in it, like `{first} {last}`, "
        "which is null where one of them is.",
        nullable=True,
    ),
    "trim": optional("Whether white space around its text is taken away.", type="boolean"),
    "lower": optional("Whether its text is put in lower case.", type="boolean"),
    "upper": optional("Whether its text is put in upper case.", type="boolean"),
    "map": optional(
        "What its texts stand for, like `{ja: true, nein: false}`. A text that is not among them is `default`, or invalid.",
        type="dict",
        minlength=1,
    ),
    "meta": optional("Anything; sendoff ignores it.", type="dict"),
    "schema": optional(
        "The rules of an object's fields, by name, or of each item of a list (with `type: list`); at any depth."
    ),
    "items": optional("The rules of a list's items, one after the other."),
    "valuesrules": optional("The rules of each value of an object."),
    "keysrules": optional("The rules of each key of an object."),
    "allow_unknown": optional(
        "Whether an object may have fields that its `schema` does not name; by default as `unknown` says."
    ),
    "require_all": optional("Whether an object must have each field that its `schema` names."),
    "contains": optional("What a list must have among its items: a value, or a list of values."),
    "dependencies": optional("Fields that must be there if this one is. A null is a field that is not there."),
    "excludes": optional("Fields that may not be there if this one is; one of them is enough."),
    "allof": optional("Sets of rules that must all hold."),
    "anyof": optional("Sets of rules of which one must hold."),
    "oneof": optional("Sets of rules of which just one must hold."),
    "noneof": optional("Sets of rules of which none may hold."),
}

#: What to write instead of the rules of Cerberus that a field may not have.
INSTEAD = {
    "check_with": "a validator of your own, in `validators`",
    "coerce": "`type`, which reads text, or `trim`, `lower`, `upper` and `map`",
    "default_setter": "`value`, for text made of other columns",
    "purge_unknown": "`unknown: drop`, which holds at any depth",
    "readonly": "`forbidden`, or leave the field out of the schema",
    "rename_handler": "`rename`",
}

#: Declared that sendoff applies itself, not Cerberus.
_NOT_CERBERUS = frozenset(
    {"rename", "as", "format", "default", "required", "meta", "value", "trim", "lower", "upper", "map", "timezone"}
)

#: Types whose `min`, `max`, `allowed` and `forbidden` are written as text in YAML.
_TEXTUAL = frozenset({"date", "datetime", "time"})


@dataclass(frozen=True, slots=True)
class Derivation:
    """How a field's value is made before its type and rules apply; `sendoff.schema.derive` takes the steps."""

    #: Whether it is made by `value`, and not of the column of its name.
    is_made: bool = False
    constant: object = None
    #: The pieces of a text with columns in it: text, or the name of a column.
    parts: tuple[tuple[str, str | None], ...] = ()
    trim: bool = False
    case: Literal["lower", "upper", ""] = ""
    map: Mapping[str, object] | None = None

    @property
    def fields(self) -> list[str]:
        """The columns that it is made of."""
        return [name for _, name in self.parts if name is not None]


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
    format: Format = None
    #: ``text``, ``epoch`` or ``epoch_ms``, where its JSON is not its type's usual one.
    output_format: str | None = None
    derivation: Derivation | None = None
    #: The zone of its datetimes that name none.
    timezone: ZoneInfo | None = None

    @property
    def needs_zone(self) -> bool:
        """Whether a datetime that names no zone is invalid: a moment is asked for, and nothing says which it is."""
        return self.output_format in ("epoch", "epoch_ms") and self.timezone is None

    @property
    def columns(self) -> list[str]:
        """The source's columns that it is made of."""
        return self.derivation.fields if self.derivation and self.derivation.is_made else [self.name]

    @property
    def raw(self) -> bool:
        """Whether its column holds JSON text already."""
        return (self.type is None or self.type.raw) and self.output_format is None

    @property
    def optional(self) -> bool:
        """Whether a null is left out of the record, rather than being invalid or sent."""
        return not (self.required and not self.excluded) and not self.nullable and self.default is None

    @property
    def excluded(self) -> list[str]:
        """The fields in whose place it stands: it may be missing where one of them is there."""
        names = self.rules.get("excludes", [])
        return names if isinstance(names, list) else [str(names)]

    @property
    def has_nested_rules(self) -> bool:
        """Whether it has rules for what is inside its values."""
        return any(True for _ in nested.children(self.rules))

    def in_notation(self, notation: Notation | None) -> Field:
        """The field as a source writes it; what `map` makes is in no notation of the source."""
        if notation is None or self.type is None or (self.derivation is not None and self.derivation.map is not None):
            return self
        return replace(self, type=in_notation(self.type, notation))

    def read(self, cell: object, *, text: bool) -> object:
        """The Python value of a cell, with what is inside it; raises ValueError with a sentence for one that is invalid."""
        value = cell if self.type is None else self.type.read(cell, text=text, format=self.format)
        if isinstance(value, datetime):
            value = localize(value, self.timezone) if self.timezone is not None else value
            if self.needs_zone and value.tzinfo is None:
                raise ValueError(f"names no time zone, which `as: {self.output_format}` needs; give the field a `timezone`")
        return nested.read(value, self.rules) if self.has_nested_rules else value


def declare(name: str, rules: RuleSet) -> Field:
    """A field from its rules; raises `InvalidRule` for a constraint that is not of the field's type."""
    type_ = find_type(rules["type"]) if "type" in rules else None
    format_ = rules.get("format")
    if format_ is not None and (type_ is None or type_.name not in _TEXTUAL):
        raise InvalidRule("format", "is for fields of type date, datetime or time")

    timezone = ZoneInfo(rules["timezone"]) if rules.get("timezone") else None
    if timezone is not None and (type_ is None or type_.name != "datetime"):
        raise InvalidRule("timezone", "is for fields of type datetime")

    def to_type(rule: str, value: object) -> object:
        if type_ is None:
            return value
        try:
            read = type_.read(value, text=type_.name in _TEXTUAL, format=None)
            return localize(read, timezone) if timezone is not None and isinstance(read, datetime) else read
        except ValueError as error:
            raise InvalidRule(rule, f"{value!r} {error}".replace("must be", "is not")) from None

    checks: RuleDict = {}
    for rule, constraint in rules.items():
        if rule in _NOT_CERBERUS:
            continue
        if rule in ("min", "max") and type_ is not None:
            checks[rule] = constraint if type_.name in NUMERIC else to_type(rule, constraint)
        elif rule in ("allowed", "forbidden") and type_ is not None and type_.name not in ("dict", "list"):
            checks[rule] = [to_type(rule, value) for value in constraint]
        else:
            checks[rule] = constraint
    if type_ is not None and type_.name in NUMERIC:
        for rule in ("min", "max"):
            if isinstance(checks.get(rule, 0), str | bool):
                raise InvalidRule(rule, f"{checks[rule]!r} is not a number")
    _check_regex(rules)
    try:
        _check_nested_names(rules)
        checks = nested.for_cerberus(checks)
    except nested.NestedRule as error:
        raise InvalidRule(next(rule for rule in nested.RULES if rule in rules), str(error)) from None
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
        derivation=_derivation(rules, to_type),
        timezone=timezone,
    )


def _check_nested_names(rules: RuleSet, path: str = "") -> None:
    """Raise `NestedRule` for a rule inside a value that is not a rule at the top either."""
    for name, inner in nested.children(rules):
        where = f"{path}.{name[-1]}" if path else str(name[-1])
        unknown = next((rule for rule in inner if rule not in RULES), None)
        if unknown is not None:
            close = find_similar(str(unknown), RULES)
            hint = f"; use {INSTEAD[unknown]}" if unknown in INSTEAD else f"; did you mean {close!r}?" if close else ""
            raise nested.NestedRule(f"{where}: unknown rule {unknown!r}{hint}")
        _check_nested_names(inner, where)


def _derivation(rules: RuleSet, to_type: Callable[[str, object], object]) -> Derivation | None:
    """How the field's value is made, if it is."""
    case: Literal["lower", "upper", ""] = "lower" if rules.get("lower") else "upper" if rules.get("upper") else ""
    if rules.get("lower") and rules.get("upper"):
        raise InvalidRule("upper", "and `lower` exclude each other")
    value = rules.get("value")
    parts = _parts(value) if isinstance(value, str) else ()
    made = "value" in rules, bool(rules.get("trim")), case, "map" in rules
    if not any(made):
        return None
    has_columns = any(name is not None for _, name in parts)
    constant = "".join(text for text, _ in parts) if isinstance(value, str) else value
    if "value" in rules and not has_columns and value is not None and "map" not in rules:
        constant = to_type("value", constant)
    return Derivation(
        is_made="value" in rules,
        constant=constant,
        parts=parts if has_columns else (),
        trim=bool(rules.get("trim")),
        case=case,
        map=None if "map" not in rules else {_key(key): to_type("map", each) for key, each in rules["map"].items()},
    )


def _parts(text: str) -> tuple[tuple[str, str | None], ...]:
    """A text cut at the columns in it; `{{` and `}}` stand for braces, as in Python's format strings."""
    wrong = InvalidRule("value", "braces hold the name of a column, like {first}; write {{ and }} for braces")
    found: list[tuple[str, str | None]] = []
    try:
        found_parts = list(string.Formatter().parse(text))
    except ValueError:
        raise wrong from None
    for literal, name, form, conversion in found_parts:
        found.append((literal, None))
        if name is not None:
            found.append((name, name))
        if name == "" or form or conversion:
            raise wrong
    return tuple(found)


def _key(key: object) -> str:
    """A key of `map` as the text that it stands for: YAML may have read it as a boolean or a number."""
    return key if isinstance(key, str) else jsonlib.dumps(key)


def _output_format(form: str | None, type_: Type | None) -> str | None:
    kinds = {"text": {*NUMERIC, "boolean"}, "epoch": {"date", "datetime"}, "epoch_ms": {"date", "datetime"}}
    if form is not None and (type_ is None or type_.name not in kinds[form]):
        raise InvalidRule("as", f"`{form}` is for fields of type {', '.join(sorted(kinds[form]))}")
    return form


def _check_regex(rules: RuleSet) -> None:
    try:
        re.compile(rules.get("regex", ""))
    except re.error as error:
        raise InvalidRule("regex", f"{rules['regex']!r} is not a regular expression: {error}") from None


class InvalidRule(Exception):
    """A rule whose constraint is not of its field's type."""

    def __init__(self, rule: str, sentence: str) -> None:
        super().__init__(sentence)
        self.rule = rule
