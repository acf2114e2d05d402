"""Cerberus, which defines what the rules mean and gives the reasons in words."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import cerberus
from cerberus.errors import REGEX_MISMATCH, BasicErrorHandler, ValidationError

from sendoff.schema import patterns

_MESSAGES = BasicErrorHandler.messages
_MAX_SHOWN = 80


class RecordValidator(cerberus.Validator):  # type: ignore[misc]  # Cerberus is untyped
    """Cerberus with sendoff's types: a boolean is not an integer, and a datetime is not a date."""

    types_mapping = {
        **cerberus.Validator.types_mapping,
        "integer": cerberus.TypeDefinition("integer", (int,), (bool,)),
        "float": cerberus.TypeDefinition("float", (float, int, Decimal), (bool,)),
        "number": cerberus.TypeDefinition("number", (int, float, Decimal), (bool,)),
        "decimal": cerberus.TypeDefinition("decimal", (Decimal, int, float), (bool,)),
        "date": cerberus.TypeDefinition("date", (date,), (datetime,)),
        "datetime": cerberus.TypeDefinition("datetime", (datetime,), ()),
        "time": cerberus.TypeDefinition("time", (time,), ()),
        "duration": cerberus.TypeDefinition("duration", (str, timedelta), ()),
    }

    def _BareValidator__normalize_sequence_per_schema(self, field: Any, mapping: Any, schema: Any) -> None:  # noqa: N802  # Cerberus calls it so
        """Leave a list where a mapping is declared as it is, so that it is reported.

        Cerberus 1.3.8 takes the mapping's fields for the rules of the list's items, and raises where one is named `rename`.
        """
        if schema[field].get("type") != "dict":
            super()._BareValidator__normalize_sequence_per_schema(field, mapping, schema)

    def _validate_regex(self, pattern: str, field: str, value: object) -> None:
        """{'type': 'string'}"""  # noqa: D415  # the rules of the rule's own value, which Cerberus reads here
        matched = patterns.match_text(pattern, value) if isinstance(value, str) else True
        if matched is None:
            super()._validate_regex(pattern, field, value)
        elif not matched:
            self._error(field, REGEX_MISMATCH)


def make_validator(fields: Mapping[str, Mapping[str, object]], *, allow_unknown: bool = True) -> RecordValidator:
    """Make a validator of some fields; raises `cerberus.SchemaError` for rules that are not valid.

    `allow_unknown` is said of fields inside values, wherever the rules there say nothing else.
    """
    return RecordValidator({name: dict(rules) for name, rules in fields.items()}, allow_unknown=allow_unknown)


def explain_record(checker: RecordValidator, record: Mapping[str, object]) -> list[str]:
    """Why a record is invalid for Cerberus, a sentence for each error; empty if it is valid."""
    if checker.validate(record, normalize=False):
        return []
    return [f"{_path(error)}: {describe_error(error)}{shown_value(error.value)}" for error in leaf_errors(checker._errors)]


def leaf_errors(errors: list[ValidationError]) -> Iterator[ValidationError]:
    """The leaves of Cerberus's tree of errors; alternatives (`anyof` and the like) count as one error."""
    for error in errors:
        if error.is_group_error and not error.is_logic_error:
            yield from leaf_errors(error.child_errors)
        else:
            yield error


def describe_error(error: ValidationError) -> str:
    """What one error is, in Cerberus's words, without the value."""
    text = _MESSAGES.get(error.code, "is not valid")
    if error.code in (0x44, 0x46):  # Cerberus's own sentences for these two only repeat the value
        return f"must be one of {_listed(error.constraint)}" if error.code == 0x44 else "is a forbidden value"
    if error.code == 0x24 and isinstance(error.constraint, list):
        return f"must be of {' or '.join(error.constraint)} type"
    return str(text.format(*error.info, constraint=error.constraint, field=error.field, value=error.value))


def shown_value(value: object) -> str:
    """The value that a sentence is about, shortened; empty for a null, as the sentence says that it is null."""
    if value is None:
        return ""
    shown = repr(str(value) if isinstance(value, Decimal | date | time) else value)
    return f" (got {shown if len(shown) <= _MAX_SHOWN else shown[:_MAX_SHOWN] + '…'})"


def _listed(values: Collection[object]) -> str:
    shown = ", ".join(map(str, list(values)[:10]))
    return shown + (", …" if len(values) > 10 else "")


def _path(error: ValidationError) -> str:
    return ".".join(map(str, error.document_path))
