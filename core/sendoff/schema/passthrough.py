"""Find the JSON lines that are certainly valid, by one regular expression for all the fields of a schema.

Most records break no rule and need no change. A line that the expression matches is an object of just the given keys,
in their order, whose values are valid and written as they would be sent: the line is sent unchanged. The
expression may be too strict, never too lax; a line that it does not match is parsed, checked and written field by field.
Where a rule cannot be part of it (a pattern, a list of values), that field's value is extracted and checked as a column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from sendoff.jsonlib.text import NUMBER, PLAIN, SPACE, key_pattern
from sendoff.schema.columns import compile_conversion, convert_json_numbers
from sendoff.schema.fields import Field

STRING = f'"{PLAIN}"'
_SCALAR = rf"(?:{STRING}|{NUMBER}|true|false|null)"
#: Days that every month has, in years that every JSON reader accepts.
_DAY = r"(?:19|20)[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
_OFFSET = r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?"
#: Integers of up to so many digits fit 64 bits, and are finite as doubles.
_DIGITS = 18
#: Integers of up to so many digits are exact as doubles.
_EXACT = 15
#: Lines with more keys are parsed: the expression would take more memory than they do.
_MAX_KEYS = 500
_NUMERIC = ("integer", "float", "number", "decimal")


@dataclass(frozen=True, slots=True)
class LineMatcher:
    """The expression for lines of some keys, and by field the expressions that extract values to be checked as columns."""

    pattern: str
    extractors: Mapping[str, str]

    def match(self, lines: pl.Series, fields: Sequence[Field], failing: Mapping[str, pl.Expr]) -> pl.Series:
        """Which lines are certainly valid. `failing` are the schema's own masks, over columns ``c0, v0, c1, v1, …``."""
        table = lines.to_frame("line").lazy()
        known = pl.col("line").str.contains(self.pattern)
        places = {f.name: at for at, f in enumerate(fields)}
        table = table.with_columns(
            pl.col("line").str.extract(extractor, 1).alias(f"c{places[name]}") for name, extractor in self.extractors.items()
        )
        values = []
        for name in self.extractors:
            f, cell = fields[places[name]], pl.col(f"c{places[name]}")
            assert f.type is not None
            value = (
                convert_json_numbers(cell, f.type)
                if f.type.name in _NUMERIC
                else compile_conversion(cell, pl.String, f.type, text=False)
            )
            assert value is not None
            values.append(value.alias(f"v{places[name]}"))
            known = known & cell.is_not_null() & ~failing[name]
        return table.with_columns(values).select(known.alias("valid")).collect(engine="streaming").to_series()


def compile_matcher(keys: Sequence[str], fields: Sequence[Field], *, unknown: str) -> LineMatcher | None:
    """Make the matcher of lines with these keys; None if no such line can be sent unchanged."""
    by_name = {f.name: f for f in fields}
    if len(keys) > _MAX_KEYS:
        return None
    if set(by_name) - set(keys) or (unknown != "keep" and set(keys) - set(by_name)):
        return None
    before, whole, extractors = "", [], {}
    for key in keys:
        f = by_name.get(key)
        value, is_complex = (_SCALAR, False) if f is None else _value_pattern(f)
        if value is None or not _is_plain_key(key):
            return None
        member = key_pattern(key)
        if f is not None and is_complex:
            inside = value[1:-1] if value == STRING else value
            captured = f'"({inside})"' if value == STRING else f"({inside})"
            extractors[key] = rf"\A{SPACE}\{{{SPACE}{before}{member}{captured}"
        whole.append(member + value)
        before += f"{member}{value}{SPACE},{SPACE}"
    members = f"{SPACE},{SPACE}".join(whole)
    found = LineMatcher(rf"\A{SPACE}\{{{SPACE}{members}{SPACE}\}}\z", extractors)
    try:
        pl.Series([""]).str.contains(found.pattern)
    except pl.exceptions.ComputeError:  # long names make too large an expression
        return None
    return found


def _value_pattern(f: Field) -> tuple[str | None, bool]:
    """The pattern of a field's valid values, and whether they are checked as a column too."""
    if (
        f.output_name != f.name
        or f.output_format is not None
        or f.format is not None
        or f.timezone is not None
        or f.type is None
    ):
        return None, False
    rules = {rule: limit for rule, limit in f.rules.items() if rule not in ("type", "nullable")}
    pattern, is_complex = _type_pattern(f.type.name, rules)
    if pattern is None:
        return None, False
    # A null that is replaced, or left out, changes its line.
    return (f"(?:{pattern}|null)" if f.nullable and not is_complex else pattern), is_complex


def _type_pattern(kind: str, rules: Mapping[str, Any]) -> tuple[str | None, bool]:
    match kind:
        case "string":
            if set(rules) <= {"minlength"} and rules.get("minlength", 0) <= 1:
                return (STRING if not rules.get("minlength") else STRING[:-2] + '+"'), False
            return STRING, True
        case "integer" | "float" | "number" | "decimal":
            if set(rules) <= {"min", "max"}:
                found = _number_pattern(rules.get("min"), rules.get("max"), kind)
                if found is not None:
                    return found, False
            return NUMBER, True
        case "boolean":
            return (r"(?:true|false)", False) if not rules else (None, False)
        case "date" | "datetime" | "time":
            text = {"date": _DAY, "datetime": f"{_DAY}T{_TIME}{_OFFSET}", "time": _TIME}[kind]
            return (f'"{text}"', False) if not rules else (None, False)
    return None, False


def _number_pattern(minimum: Any, maximum: Any, kind: str) -> str | None:
    """A pattern for numbers that are within two bounds, as their number of digits shows; None if it cannot show it."""
    if (minimum is not None and (minimum > 0 or -1 < minimum < 0)) or (maximum is not None and maximum < 1):
        return None
    negative = minimum is None or minimum < 0
    digits = _EXACT if kind == "float" else _DIGITS
    for bound in (minimum, maximum):
        if bound:  # a number of n digits before the point is less than ten to the n
            while digits and 10**digits > abs(bound):
                digits -= 1
    whole = "0" if not digits else rf"(?:0|[1-9][0-9]{{0,{digits - 1}}})"
    return ("-?" if negative else "") + whole + ("" if kind == "integer" else r"(?:\.[0-9]+)?")


def _is_plain_key(key: str) -> bool:
    return key.isascii() and key.isprintable() and not set(key) & {'"', "\\"}
