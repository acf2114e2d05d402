"""The type that msgspec decodes a record as, made of the rules of its fields.

A value of the type is valid, and is written in JSON as it would be sent. A rule for which there is no type is left over,
to be checked otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from datetime import date
from json.encoder import encode_basestring
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from sendoff import jsonlib
from sendoff.schema import nested
from sendoff.schema.fields import Field
from sendoff.schema.nested import RuleDict, RuleSet
from sendoff.schema.types import INT64, UnionType

#: What msgspec takes for a type: a class, a union, an annotation. They are made here, as values.
ValueType: TypeAlias = Any
#: Integers up to this one, either way, are exact as doubles.
_EXACT = float(2**53 - 1)
_NOT_NULL: ValueType = str | bool | int | float | list[ValueType] | dict[str, ValueType]
_NUMBERS, _TEXTS = ("float", "number", "decimal"), ("datetime", "time", "duration")
_MAX_ALLOWED = 1_000


class Untypable(Exception):
    """A field, or a rule inside it, for which there is no type."""


class RecordField(NamedTuple):
    """A member of a record: its key and type, and what is to be known of it besides."""

    key: str
    type: ValueType
    #: Whether it may be missing, and what is then added to the line.
    optional: bool = False
    filling: bytes = b""
    is_deep: bool = False
    #: Whether it may be a number decoded as a double, or have such numbers in it.
    has_floats: bool = False
    has_inner_floats: bool = False
    #: Its field, if rules of that are left over.
    field: Field | None = None


def make_member(f: Field, compiled: Collection[str]) -> RecordField:
    """A field's member. Raises `Untypable` if it is not sent as it stands, or more rules are left over than are `compiled`."""
    kind = f.type.name if f.type else ""
    changed = f.output_name != f.name or f.output_format or f.format or f.timezone or f.derivation
    if changed or isinstance(f.type, UnionType) or not is_key(f.name):
        raise Untypable
    type_, rest = _value_type({**f.rules, "type": kind})
    if not set(rest) <= set(compiled):
        raise Untypable
    optional, filling = f.optional, b""
    if (f.default is None and f.nullable) or (isinstance(f.default, str | int) and not f.nullable and kind not in _TEXTS):
        optional, filling = True, f",{encode_basestring(f.name)}:{jsonlib.dumps(f.default)}".encode()
    return RecordField(
        f.name, type_ | None if f.nullable else type_, optional, filling,
        is_deep=kind in ("dict", "list", ""),
        has_floats=kind in (*_NUMBERS, ""),
        has_inner_floats=f.has_nested_rules,
        field=f if rest or kind in _TEXTS else None,
    )  # fmt: skip


def make_struct(members: Sequence[RecordField]) -> type[msgspec.Struct]:
    """The type of objects with these members and no others."""
    fields: list[ValueType] = [
        (f"f{at}", m.type | UnsetType, UNSET) if m.optional else (f"f{at}", m.type) for at, m in enumerate(members)
    ]
    names = {f"f{at}": m.key for at, m in enumerate(members)}
    return msgspec.defstruct("Record", fields, rename=names, kw_only=True, gc=False, forbid_unknown_fields=True)


def is_key(name: str) -> bool:
    """Whether a member may have this key."""
    return name.isprintable() and not set(name) & {'"', "\\"}


def _value_type(rules: RuleSet) -> tuple[ValueType, RuleDict]:  # noqa: PLR0912  # one branch for each type of field
    """The type of values that keep these rules, and the rules that are left over."""
    rest: RuleDict = {rule: limit for rule, limit in rules.items() if rule not in ("type", "nullable")}
    kind = rules.get("type", "")
    if rest.get("empty") is True:
        del rest["empty"]
    match kind:
        case "":
            return _NOT_NULL, rest
        case "string":
            if set(rest) == {"allowed"} and 0 < len(rest["allowed"]) <= _MAX_ALLOWED:
                return Literal[tuple(rest["allowed"])], {}
            return _bounded(str, min_length=rest.pop("minlength", None), max_length=rest.pop("maxlength", None)), rest
        case "datetime" | "time" | "duration":
            return str, rest
        case "date" | "boolean":
            return date if kind == "date" else bool, rest
        case "integer":
            return _bounded(int, ge=math.ceil(rest.pop("min", INT64[0])), le=math.floor(rest.pop("max", INT64[-1]))), rest
        case "float":
            low, high = rest.pop("min", -_EXACT), rest.pop("max", _EXACT)
            if float(low) != low or float(high) != high:
                raise Untypable
            return _bounded(float, ge=max(float(low), -_EXACT), le=min(float(high), _EXACT)), rest
        case "number" | "decimal":  # as doubles they are rounded: near a bound, all their digits are read
            limits = {name: float(rest.pop(rule)) for rule, name in (("min", "gt"), ("max", "lt")) if rule in rest}
            near = {name: (abs(limit) * 1e-12 + 1e-300) * (1 if name == "gt" else -1) for name, limit in limits.items()}
            return _bounded(float, **{name: limit + near[name] for name, limit in limits.items()}), rest
        case "dict":
            rest.pop("allow_unknown", None)
            every = bool(rest.pop("require_all", False))
            if "schema" not in rest:
                return dict[str, ValueType], rest
            inner = [
                RecordField(str(name), _inner_type(each), optional=not each.get("required", every))
                for (_, name), each in nested.children({"type": kind, "schema": rest.pop("schema")})
            ]
            if not all(is_key(member.key) for member in inner):
                raise Untypable
            return make_struct(inner), rest
        case "list":
            bounds = {"min_length": rest.pop("minlength", None), "max_length": rest.pop("maxlength", None)}
            item = rest.pop("schema", None)
            return _bounded(list[ValueType] if item is None else list[_inner_type(item)], **bounds), rest  # type: ignore[misc]  # made here
    raise Untypable


def _inner_type(rules: RuleSet) -> ValueType:
    """The type of what is inside a value, of which nothing may be left over."""
    type_, rest = _value_type(rules)
    if rest:
        raise Untypable
    return type_ | None if rules.get("nullable") else type_


def _bounded(type_: ValueType, **bounds: ValueType) -> ValueType:
    if any(isinstance(bound, int) and bound not in INT64 for bound in bounds.values()):
        raise Untypable
    return Annotated[type_, Meta(**bounds)] if any(bound is not None for bound in bounds.values()) else type_
