"""Cerberus, which defines what the rules mean and words the reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import cerberus
from cerberus.errors import REGEX_MISMATCH, BasicErrorHandler, ValidationError

from sendoff.schema import patterns

MESSAGES = BasicErrorHandler.messages
SHOWN = 80


class RecordValidator(cerberus.Validator):  # type: ignore[misc]  # Cerberus is untyped
    """Cerberus with sendoff's types: a boolean is no integer, a datetime no date."""

    types_mapping = {
        **cerberus.Validator.types_mapping,
        "integer": cerberus.TypeDefinition("integer", (int,), (bool,)),
        "float": cerberus.TypeDefinition("float", (float, int, Decimal), (bool,)),
        "number": cerberus.TypeDefinition("number", (int, float, Decimal), (bool,)),
        "decimal": cerberus.TypeDefinition("decimal", (Decimal, int, float), (bool,)),
        "date": cerberus.TypeDefinition("date", (date,), (datetime,)),
        "datetime": cerberus.TypeDefinition("datetime", (datetime,), ()),
        "time": cerberus.TypeDefinition("time", (time,), ()),
    }

    def _BareValidator__normalize_sequence_per_schema(self, field: Any, mapping: Any, schema: Any) -> None:  # noqa: N802  # Cerberus calls it so
        """Leave a list where a mapping is declared as it is, so that it is reported.

        Cerberus 1.3.8 takes the mapping's fields for the rules of the list's items, and falls over one named `rename`.
        """
        if schema[field].get("type") != "dict":
            super()._BareValidator__normalize_sequence_per_schema(field, mapping, schema)

    def _validate_regex(self, pattern: str, field: str, value: object) -> None:
        """{'type': 'string'}"""  # noqa: D415  # the rules of the rule's own value, which Cerberus reads here
        matched = patterns.matches(pattern, value) if isinstance(value, str) else True
        if matched is None:
            super()._validate_regex(pattern, field, value)
        elif not matched:
            self._error(field, REGEX_MISMATCH)


def validator(fields: Mapping[str, Mapping[str, object]]) -> RecordValidator:
    """A validator for some fields; raises `cerberus.SchemaError` for rules that are none."""
    return RecordValidator({name: dict(rules) for name, rules in fields.items()}, allow_unknown=True)


def reasons(checker: RecordValidator, record: Mapping[str, object]) -> list[str]:
    """Why a record is invalid for Cerberus, a sentence for each error; empty if it is valid."""
    if checker.validate(record, normalize=False):
        return []
    return [f"{_path(error)}: {sentence(error)}{shown_value(error.value)}" for error in leaves(checker._errors)]


def leaves(errors: list[ValidationError]) -> Iterator[ValidationError]:
    """The errors at the ends of Cerberus's tree; alternatives (anyof and kin) count as one."""
    for error in errors:
        if error.is_group_error and not error.is_logic_error:
            yield from leaves(error.child_errors)
        else:
            yield error


def sentence(error: ValidationError) -> str:
    """A leaf's fault in Cerberus's words, without the value."""
    text = MESSAGES.get(error.code, "is not valid")
    if error.code in (0x44, 0x46):  # its words for these two hold nothing but the value
        return f"must be one of {_listed(error.constraint)}" if error.code == 0x44 else "is a forbidden value"
    if error.code == 0x24 and isinstance(error.constraint, list):
        return f"must be of {' or '.join(error.constraint)} type"
    return str(text.format(*error.info, constraint=error.constraint, field=error.field, value=error.value))


def shown_value(value: object) -> str:
    """The value a sentence is about, bounded; nothing for a null, which the sentence has named."""
    if value is None:
        return ""
    shown = repr(str(value) if isinstance(value, Decimal | date | time) else value)
    return f" (got {shown if len(shown) <= SHOWN else shown[:SHOWN] + '…'})"


def _listed(values: Any) -> str:
    shown = ", ".join(map(str, list(values)[:10]))
    return shown + (", …" if len(values) > 10 else "")


def _path(error: ValidationError) -> str:
    return ".".join(map(str, error.document_path))
