"""Read JSON Lines whose objects are uniform: the same keys in the same order, nothing nested, as in most files.

Such lines are matched by one regular expression over all of them at once, made from the first line, instead of being parsed
one by one. It has the whole grammar of RFC 8259 for the values it matches, so that it matches no line that is not JSON, and
it keeps the digits of every number. Lines that do not match are parsed; what they hold either widens the expression or
makes the page be read line by line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl

from sendoff.plugin import Page, jsonlib

_PLAIN = f'"({jsonlib.PLAIN})"'
_ESCAPED = r'("(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*")'
_INTEGER, _NUMBER = f"({jsonlib.INTEGER})", f"({jsonlib.NUMBER})"
_BOOLEAN = r"(true|false)"
#: The pattern of each kind of value, and the kind that covers two of them. A null goes with any.
_TOKENS = {"plain": _PLAIN, "escaped": _ESCAPED, "integer": _INTEGER, "number": _NUMBER, "boolean": _BOOLEAN, "null": "(null)"}
_WIDER = {
    frozenset({"plain", "escaped"}): "escaped",
    frozenset({"integer", "number"}): "number",
}
#: How often the expression is widened before a page is read line by line; after how many such pages in a row all are.
_MAX_PATTERN_CHANGES, _MAX_FAILURES = 8, 3
#: Lines with more keys are parsed: what an expression with a group for each takes of memory grows with their square.
MAX_KEYS = 200
#: Numbers of more digits than this are left to the parser.
_LONG = 1_000
_KEY = re.compile(r"[A-Za-z0-9_ .$@:/-]+")


@dataclass(frozen=True, slots=True)
class FieldPattern:
    """A key, the kind of its values (of `_TOKENS`), and whether null is among them."""

    key: str
    kind: str
    nullable: bool = False

    def pattern(self) -> str:
        token = _TOKENS[self.kind]
        return jsonlib.key_pattern(self.key) + (f"(?:{token}|null)" if self.nullable and self.kind != "null" else token)

    def widened(self, other: FieldPattern) -> FieldPattern | None:
        """A pattern that matches whatever one of the two matches; None if there is none."""
        nullable = self.nullable or other.nullable or "null" in (self.kind, other.kind)
        kinds = frozenset({self.kind, other.kind} - {"null"})
        kind = next(iter(kinds)) if len(kinds) == 1 else _WIDER.get(kinds) if kinds else "null"
        return None if kind is None else FieldPattern(self.key, kind, nullable)


class UniformLineReader:
    """Reads pages of uniform lines; the expression is kept for the next page."""

    def __init__(self) -> None:
        self._fields: tuple[FieldPattern, ...] = ()
        self._failures = 0

    def read(self, lines: pl.Series) -> tuple[Page, dict[int, str]] | None:
        """The page of some lines, and by index why some are not records; None if the lines are not uniform."""
        if self._failures == _MAX_FAILURES:
            return None
        try:
            found = self._read(lines)
        except pl.exceptions.ComputeError:  # long keys make too large an expression
            found = None
        if found is None:
            self._fields = ()
            self._failures += 1
        else:
            self._failures = 0
        return found

    def _read(self, lines: pl.Series) -> tuple[Page, dict[int, str]] | None:
        faults: dict[int, str] = {}
        for _ in range(_MAX_PATTERN_CHANGES):
            tokens = self._tokens(lines)
            unmatched = tokens["1"].is_null().arg_true().to_list()
            for index in unmatched:
                try:
                    row = parsed(lines[index])
                except ValueError as error:
                    faults[index] = str(error)
                    if len(faults) > _MAX_PATTERN_CHANGES + len(lines) // 10:
                        return None
                else:
                    if not self._extend_pattern(row, lines[index]):
                        return None
                    break
            else:
                page = self._page(lines, tokens, faults) if self._fields else None  # no valid line to make an expression from
                return None if page is None else (page, faults)
        return None

    def _tokens(self, lines: pl.Series) -> pl.DataFrame:
        """The text of each line's values, in columns numbered from 2; all null for a line that does not match."""
        found = lines.to_frame("line").lazy().select(pl.col("line").str.extract_groups(self._pattern()).alias("groups"))
        # The streaming engine uses all cores for one expression (measured: half the time on two).
        return found.unnest("groups").collect(engine="streaming")

    def _pattern(self) -> str:
        members = f"{jsonlib.SPACE},{jsonlib.SPACE}".join(member.pattern() for member in self._fields)
        # The first group is null for a line that does not match; without fields, none does.
        return rf"\A{jsonlib.SPACE}(\{{){jsonlib.SPACE}{members}{jsonlib.SPACE}\}}\z" if self._fields else r"\A(\z)\A."

    def _extend_pattern(self, row: Mapping[str, Any], line: str) -> bool:
        """Widen the expression to match a row; False if none can."""
        found = [_member(key, value, line) for key, value in row.items()]
        if not all(found) or len(found) > MAX_KEYS or (self._fields and [m.key for m in self._fields] != list(row)):
            return False
        members = [m for m in found if m is not None]
        wider = [old.widened(new) for old, new in zip(self._fields, members, strict=True)] if self._fields else [*members]
        self._fields = tuple(m for m in wider if m is not None)
        return bool(members) and all(wider)

    def _page(self, lines: pl.Series, tokens: pl.DataFrame, faults: Mapping[int, str]) -> Page | None:
        columns, numbers = [], set()
        for place, member in enumerate(self._fields, 2):
            cells = tokens[str(place)].alias(member.key)
            match member.kind:
                case "escaped":
                    decoded = _decoded(cells)
                    if decoded is None:
                        return None
                    cells = decoded
                case "boolean":
                    cells = cells == "true"
                case "null":
                    cells = pl.Series(member.key, [None] * len(cells), dtype=pl.Null)
                case "integer" | "number":
                    if (cells.str.len_bytes().max() or 0) > _LONG:  # type: ignore[operator]  # a length is an integer
                        return None
                    integers = cells.cast(pl.Int64, strict=False) if member.kind == "integer" else None
                    if integers is not None and integers.null_count() == cells.null_count():
                        cells = integers
                    else:
                        numbers.add(member.key)
            columns.append(cells)
        if faults:
            lines = lines.clone().scatter(list(faults), None)  # in place
        return Page(pl.DataFrame(columns), uniform=False, numbers=frozenset(numbers), json=lines)


def parsed(line: str) -> dict[str, Any]:
    """Parse a line as a record; raises ValueError with a sentence if it is not one."""
    row = jsonlib.loads(line)
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004  # every line that is not a record raises ValueError
    return row


def _member(key: str, value: Any, line: str) -> FieldPattern | None:
    """The pattern of a key and its value; None if there is no pattern for it."""
    if not _KEY.fullmatch(key):
        return None
    match value:
        case bool():
            return FieldPattern(key, "boolean")
        case str():
            return FieldPattern(key, "escaped" if "\\" in line else "plain")
        case int():
            return FieldPattern(key, "integer")
        case Decimal():
            return FieldPattern(key, "number")
        case None:
            return FieldPattern(key, "null")
    return None


def _decoded(cells: pl.Series) -> pl.Series | None:
    """Strings without their quotes and escapes; None if one of them is not valid Unicode."""
    bare = cells.str.strip_prefix('"').str.strip_suffix('"')
    escaped = bare.str.contains("\\", literal=True).arg_true()
    if not len(escaped):
        return bare
    try:
        return bare.scatter(escaped, pl.Series(json.loads(f"[{','.join(cells.gather(escaped))}]"), dtype=pl.String))
    except UnicodeEncodeError:
        return None
