"""JSON lines that are certainly valid, recognised by one regular expression for all the fields of a schema.

Most records break no rule and need no change. A line that this expression knows is an object of just the given keys,
in their order, each with a value that its field takes and that is written as it stands: it can be sent as it is. The
expression may be too strict, never too lax; whatever it does not know is read, checked and written field by field.
Where a rule cannot be put into it (a pattern, a list of values), that one value is cut out and
checked as a column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from sendoff.jsonlib.text import NUMBER, PLAIN, SPACE, key_pattern
from sendoff.schema.columns import conversion, of_numbers
from sendoff.schema.fields import Field

STRING = f'"{PLAIN}"'
_SCALAR = rf"(?:{STRING}|{NUMBER}|true|false|null)"
#: Days that every month has, in years that every reader accepts.
_DAY = r"(?:19|20)[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
_OFFSET = r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?"
#: Integers of so many digits fit 64 bits, and doubles are finite.
_DIGITS = 18
#: And so many are exact as a double.
_EXACT = 15
_NUMERIC = ("integer", "float", "number", "decimal")


@dataclass(frozen=True, slots=True)
class LineMatcher:
    """The expression for lines of some keys, and what cuts out the values that are checked as columns."""

    pattern: str
    cut: Mapping[str, str]

    def good(self, lines: pl.Series, fields: Sequence[Field], failing: Mapping[str, pl.Expr]) -> pl.Series:
        """Which lines are certainly good. `suspects` are the schema's own, over columns ``c0, v0, c1, v1, …``."""
        table = lines.to_frame("line").lazy()
        known = pl.col("line").str.contains(self.pattern)
        places = {f.name: at for at, f in enumerate(fields)}
        table = table.with_columns(
            pl.col("line").str.extract(cut, 1).alias(f"c{places[name]}") for name, cut in self.cut.items()
        )
        values = []
        for name in self.cut:
            f, cell = fields[places[name]], pl.col(f"c{places[name]}")
            assert f.type is not None
            value = of_numbers(cell, f.type) if f.type.name in _NUMERIC else conversion(cell, pl.String, f.type, text=False)
            assert value is not None
            values.append(value.alias(f"v{places[name]}"))
            known = known & cell.is_not_null() & ~failing[name]
        return table.with_columns(values).select(known.alias("good")).collect(engine="streaming").to_series()


def compile_matcher(keys: Sequence[str], fields: Sequence[Field], *, unknown: str) -> LineMatcher | None:
    """The expression for lines of these keys; None if no such line is sent unchanged."""
    by = {f.name: f for f in fields}
    if set(by) - set(keys) or (unknown != "keep" and set(keys) - set(by)):
        return None
    before, whole, cut = "", [], {}
    for key in keys:
        f = by.get(key)
        value, complex_ = (_SCALAR, False) if f is None else _value(f)
        if value is None or not _writable(key):
            return None
        member = key_pattern(key)
        if f is not None and complex_:
            inside = value[1:-1] if value == STRING else value
            captured = f'"({inside})"' if value == STRING else f"({inside})"
            cut[key] = rf"\A{SPACE}\{{{SPACE}{before}{member}{captured}"
        whole.append(member + value)
        before += f"{member}{value}{SPACE},{SPACE}"
    members = f"{SPACE},{SPACE}".join(whole)
    found = LineMatcher(rf"\A{SPACE}\{{{SPACE}{members}{SPACE}\}}\z", cut)
    try:
        pl.Series([""]).str.contains(found.pattern)
    except pl.exceptions.ComputeError:  # hundreds of fields make too large an expression
        return None
    return found


def _value(f: Field) -> tuple[str | None, bool]:
    """The pattern of a field's valid values, and whether they are checked as a column too."""
    if f.output_name != f.name or f.output_format is not None or f.format is not None or f.type is None:
        return None, False
    rules = {rule: limit for rule, limit in f.rules.items() if rule not in ("type", "nullable")}
    pattern, complex_ = _pattern(f.type.name, rules)
    if pattern is None:
        return None, False
    # A null that is replaced, or left out, is not sent as it stands.
    return (f"(?:{pattern}|null)" if f.nullable and not complex_ else pattern), complex_


def _pattern(kind: str, rules: Mapping[str, Any]) -> tuple[str | None, bool]:
    match kind:
        case "string":
            if set(rules) <= {"minlength"} and rules.get("minlength", 0) <= 1:
                return (STRING if not rules.get("minlength") else STRING[:-2] + '+"'), False
            return STRING, True
        case "integer" | "float" | "number" | "decimal":
            if set(rules) <= {"min", "max"}:
                found = _number(rules.get("min"), rules.get("max"), kind)
                if found is not None:
                    return found, False
            return NUMBER, True
        case "boolean":
            return (r"(?:true|false)", False) if not rules else (None, False)
        case "date" | "datetime" | "time":
            text = {"date": _DAY, "datetime": f"{_DAY}T{_TIME}{_OFFSET}", "time": _TIME}[kind]
            return (f'"{text}"', False) if not rules else (None, False)
    return None, False


def _number(least: Any, most: Any, kind: str) -> str | None:
    """Numbers that lie between two bounds by how many digits they have."""
    if (least is not None and (least > 0 or -1 < least < 0)) or (most is not None and most < 1):
        return None
    negative = least is None or least < 0
    digits = _EXACT if kind == "float" else _DIGITS
    for bound in (least, most):
        if bound:  # a number of n digits before the point is less than ten to the n
            while digits and 10**digits > abs(bound):
                digits -= 1
    whole = "0" if not digits else rf"(?:0|[1-9][0-9]{{0,{digits - 1}}})"
    return ("-?" if negative else "") + whole + ("" if kind == "integer" else r"(?:\.[0-9]+)?")


def _writable(key: str) -> bool:
    return key.isascii() and key.isprintable() and not set(key) & {'"', "\\"}
