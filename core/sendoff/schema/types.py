"""The types a field may have: what they look like as text, in Python, and in a column.

The grammar of text is strict on purpose. What `int` and `float` let through (``1_000``, ``nan``,
Arabic digits, spaces around) is how wrong numbers reach an API unseen.

============  ==========================================================
type          text
============  ==========================================================
string        anything, unchanged
integer       ``-?(0|[1-9][0-9]*)`` within 64 bits
float         a JSON number (RFC 8259 §6), finite as a double
number        a JSON number, sent with the digits it has
decimal       a JSON number, sent with the digits it has
boolean       true, false (also True, TRUE, False, FALSE)
date          ``YYYY-MM-DD``, or as `format` says
datetime      ``YYYY-MM-DD[T ]HH:MM[:SS[.ffffff]][Z|±HH[[:]MM]]``, or as `format` says
time          ``HH:MM[:SS[.ffffff]]``, or as `format` says
duration      ISO 8601: ``P1Y2M3DT4H5M6.5S``, or ``P2W``
dict, list    a JSON object, a JSON array
============  ==========================================================

Dates, datetimes, times, durations and decimals are read from text wherever they come from, for JSON has no
such types; the others only from sources that have nothing but text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TypeAlias
from zoneinfo import ZoneInfo

import polars as pl

from sendoff import jsonlib
from sendoff.jsonlib.notation import NUMERIC, Notation

_NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?"
#: At least one number with its unit. The signs are those of ISO 8601-2: before all, or before a number, as PostgreSQL has them.
_N = r"-?[0-9]+"
_CLOCK = rf"T(?=[-0-9])(?:{_N}H)?(?:{_N}M)?(?:{_N}(?:\.[0-9]+)?S)?"
_DURATION = rf"-?P(?:{_N}W|(?=[-0-9T])(?:{_N}Y)?(?:{_N}M)?(?:{_N}D)?(?:{_CLOCK})?)"
_OFFSET = r"(?:Z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?"

INT64 = range(-(2**63), 2**63)


#: How text may be written, in strptime format codes: in one form, or in the first that fits of several.
Format: TypeAlias = str | Sequence[str] | None
#: A polars type: a class such as ``pl.Int64``, or an instance with its parameters.
DType: TypeAlias = "pl.DataType | type[pl.DataType]"


@dataclass(frozen=True, slots=True)
class Type:
    """One type. `column_type` is that of its column, as polars names it; `raw` means that the column holds JSON text."""

    name: str
    column_type: str
    pattern: str
    python: tuple[type, ...]
    parse: Callable[[str], object]
    raw: bool = False
    #: Whether text is read as this type even from sources that know types of their own.
    from_text: bool = False
    #: How its source writes it, where that is not as JSON does.
    notation: Notation | None = None

    @property
    def dtype(self) -> DType:
        """The type of its column."""
        found: DType = getattr(pl, self.column_type)
        return found

    def read(self, value: object, *, text: bool, format: Format = None) -> object:
        """Read the Python value of one cell; raises ValueError with a sentence for one that is invalid."""
        found = self._read(value, text=text, format=format)
        if self.name in ("dict", "list"):
            jsonlib.dumps(found)
        return found

    def convert(self, value: object, *, text: bool, format: Format = None) -> object:
        """What this type's column holds for one cell; raises as `read` does. What is nested is written as JSON just once."""
        return self.to_cell(self._read(value, text=text, format=format))

    def _read(self, value: object, *, text: bool, format: Format) -> object:
        if isinstance(value, str) and self.name != "string" and (text or self.from_text):
            return self._read_text(self.notation.read(value, self.name) if text and self.notation else value, format)
        if (isinstance(value, bool) and bool not in self.python) or not isinstance(value, self.python):
            raise ValueError(f"must be of {self.name} type")
        if type(value) is datetime and self.name == "date":
            raise ValueError("must be of date type")
        return self._check(value)

    def _read_text(self, value: str, format: Format) -> object:
        if format is not None:
            formats = [format] if isinstance(format, str) else format
            for each in formats:
                with suppress(ValueError):
                    parsed = datetime.strptime(value, each)  # noqa: DTZ007  # the format may name a zone or not
                    return {"date": parsed.date, "time": parsed.timetz}.get(self.name, lambda found=parsed: found)()
            raise ValueError(f"must be a {self.name} like {' or '.join(formats)}")
        if not re.fullmatch(self.pattern, value):
            raise ValueError(f"must be of {self.name} type")
        try:
            return self._check(self.parse(value))
        except (ValueError, OverflowError, ArithmeticError) as error:
            detail = str(error) if str(error).startswith("must") else f"must be of {self.name} type"
            raise ValueError(detail) from None

    def _check(self, value: object) -> object:
        match self.name, value:
            case "string", str():
                jsonlib.dumps(value)
            case "integer", int() if value not in INT64:
                raise ValueError("must fit 64 bits; declare it decimal to send any number of digits")
            case "float", Decimal():
                return self._check(float(value))
            case "float", int():
                if float(value) != value:
                    raise ValueError("must be exact as a float; declare it integer or decimal")
                return float(value)
            case "float" | "number" | "decimal", float() if not math.isfinite(value):
                raise ValueError("must be finite; JSON has no NaN and no infinity")
            case "number" | "decimal", Decimal() if not value.is_finite():
                raise ValueError("must be finite; JSON has no NaN and no infinity")
        return value

    def to_cell(self, value: object) -> object:
        """A value as this type's column holds it."""
        if isinstance(value, timedelta):
            return format_duration(value)
        if self.raw:
            return jsonlib.dumps(value)
        return value.isoformat() if isinstance(value, datetime | time) and self.name in ("datetime", "time") else value


@dataclass(frozen=True, slots=True)
class UnionType(Type):
    """One of several types: the first of them that can read a value."""

    members: tuple[Type, ...] = ()

    def _read(self, value: object, *, text: bool, format: Format) -> object:
        for member in self.members:
            try:
                return member.read(value, text=text, format=format)
            except ValueError:
                continue
        raise ValueError(f"must be of {self.name} type")


def find_type(name: str | Sequence[str]) -> Type:
    """The type of a name, or of several; its column holds JSON then."""
    if isinstance(name, str):
        return TYPES[name]
    members = tuple(TYPES[each] for each in name)
    python = tuple(kind for member in members for kind in member.python)
    is_from_text = any(member.from_text for member in members)
    return UnionType(" or ".join(name), "String", "", python, str, raw=True, from_text=is_from_text, members=members)


def in_notation(type_: Type, notation: Notation) -> Type:
    """The type as a source writes it in this notation."""
    if isinstance(type_, UnionType):
        return replace(type_, members=tuple(in_notation(member, notation) for member in type_.members))
    return replace(type_, notation=notation) if type_.name in {*NUMERIC, "boolean"} else type_


def format_duration(value: timedelta) -> str:
    """A length of time in ISO 8601, as polars writes it: whole days, and hours, minutes and seconds."""
    sign, value = ("-", -value) if value < timedelta() else ("", value)
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{value.microseconds:06}".rstrip("0") if value.microseconds else ""
    day = f"{value.days}D" if value.days else ""
    clock = "".join(f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M")) if count)
    clock += f"{seconds}{fraction}S" if seconds or fraction else ""
    return f"{sign}P{day}" + (f"T{clock}" if clock else "" if day else "T0S")


def localize(moment: datetime, zone: ZoneInfo) -> datetime:
    """A time with this zone if it names none; of a local time that comes twice, when clocks go back, the first.

    Raises ValueError with a sentence for one that does not exist, as clocks went forward over it (PEP 495).
    """
    if moment.tzinfo is not None:
        return moment
    local = moment.replace(tzinfo=zone)
    if local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != moment:
        raise ValueError(f"does not exist in {zone.key}, where clocks were put forward then")
    return local


def _parse_boolean(text: str) -> bool:
    return text.lower() == "true"


def _parse_container(kind: type) -> Callable[[str], object]:
    def parse(text: str) -> object:
        value = jsonlib.loads(text)
        if not isinstance(value, kind):
            raise ValueError  # noqa: TRY004  # `Type.read` raises ValueError for every cell that is invalid
        return value

    return parse


def _parse_number(text: str) -> int | Decimal:
    return int(text) if text.lstrip("-").isdigit() else Decimal(text)


TYPES: Mapping[str, Type] = {
    type_.name: type_
    for type_ in (
        Type("string", "String", r"(?s:.*)", (str,), str),
        Type("integer", "Int64", r"-?(?:0|[1-9][0-9]*)", (int,), int),
        Type("float", "Float64", _NUMBER, (float, int, Decimal), float),
        Type("number", "String", _NUMBER, (int, float, Decimal), _parse_number, raw=True),
        Type("decimal", "String", _NUMBER, (Decimal, int, float), Decimal, raw=True, from_text=True),
        Type("boolean", "Boolean", r"true|false|True|False|TRUE|FALSE", (bool,), _parse_boolean),
        Type("date", "Date", _DATE, (date,), date.fromisoformat, from_text=True),
        Type("datetime", "String", rf"{_DATE}[T ]{_TIME}{_OFFSET}", (datetime,), datetime.fromisoformat, from_text=True),
        Type("time", "String", _TIME, (time,), time.fromisoformat, from_text=True),
        Type("duration", "String", _DURATION, (timedelta,), str, from_text=True),
        Type("dict", "String", r"(?s:\s*\{.*)", (Mapping,), _parse_container(dict), raw=True),
        Type("list", "String", r"(?s:\s*\[.*)", (list, tuple, set, frozenset), _parse_container(list), raw=True),
    )
}
