"""Find the JSON lines that are valid as they stand, by a typed decoder made of a schema.

Most records break no rule and need no change. A line that msgspec decodes as the schema's type is an object of the declared
fields, in any order, whose values are valid at any depth and written as they would be sent: the line is sent unchanged.
The decoder may be too strict, never too lax; a line that it does not take is read, checked and written field by field.
A rule that the type cannot hold (a pattern, values that are forbidden) is checked on the field's values, as a column.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from operator import attrgetter

import msgspec
import polars as pl
from msgspec import UNSET

from sendoff.jsonlib.quick import REFUSALS, has_no_more, is_whole, loads_bytes
from sendoff.schema.columns import convert
from sendoff.schema.fields import Field
from sendoff.schema.record_type import RecordField, Untypable, ValueType, is_key, make_member, make_struct

#: What can make a number zero because its exponent is out of range: then the exact reader refuses it.
_LONG_EXPONENT = re.compile(rb"[eE][-+]?[0-9]{18}")
#: The column type in which a field's values are checked, as polars names it.
_COLUMNS = {"integer": "Int64", "boolean": "Boolean", "date": "Date"}
_COLUMNS |= dict.fromkeys(("float", "number", "decimal"), "Float64")
#: How many keys a decoder has at most when it learns undeclared ones, and from how many lines it does.
MAX_KEYS, _MAX_LESSONS = 500, 100


class LineDecoder:
    """Takes lines of JSON that are valid as they stand; undeclared keys, where those are kept, are learnt from the lines."""

    def __init__(self, members: Sequence[RecordField], failing: Mapping[str, tuple[int, pl.Expr]], *, max_keys: int) -> None:
        self._members, self._failing = [*members], failing
        self._max_keys = min(max_keys, MAX_KEYS)
        self._lessons = _MAX_LESSONS if max_keys else 0
        self._compile()

    def _compile(self) -> None:
        numbered = {f"f{at}": member for at, member in enumerate(self._members)}

        def getter(names: Sequence[str]) -> Callable[[object], tuple[object, ...]] | None:
            return None if not names else attrgetter(*names) if len(names) > 1 else lambda row: (getattr(row, names[0]),)

        self._decode = msgspec.json.Decoder(make_struct(self._members), float_hook=Decimal).decode
        self._is_deep = any(member.is_deep for member in self._members)
        self._optional = getter([name for name, member in numbered.items() if member.optional])
        may_be_missing = [member for member in self._members if member.optional]
        self._fillings = [(at, member.filling) for at, member in enumerate(may_be_missing) if member.filling]
        self._floats = getter([name for name, member in numbered.items() if member.has_floats])
        self._has_inner_floats = any(member.has_inner_floats for member in self._members)
        self._checked = [(attrgetter(name), member) for name, member in numbered.items() if member.field]

    def pass_through(self, lines: Sequence[bytes]) -> list[bytes | None]:  # noqa: PLR0912  # a call for each line would cost
        """Each line as it is sent; None for one that must be read to know that. No line has space around it."""
        sent: list[bytes | None] = [*lines]
        columns: list[list[object]] = [[] for _ in self._checked]
        cells = [(column.append, get) for column, (get, _) in zip(columns, self._checked, strict=True)]
        # How many members lines have that have not all; what is sent of those.
        whole, others, completed = len(self._members), dict[int, int](), dict[int, bytes]()
        decode, is_deep, optional, floats = self._decode, self._is_deep, self._optional, self._floats
        for at, line in enumerate(lines):
            try:
                row: object = decode(line)
                if optional and UNSET in (found := optional(row)):
                    others[at] = whole - found.count(UNSET)
                    for place, filling in self._fillings:
                        if found[place] is UNSET:
                            completed[at] = _add(completed.get(at, line), filling)
                is_odd = is_deep and not is_whole(line, row)
                if (self._has_inner_floats or (floats and 0.0 in floats(row))) and _LONG_EXPONENT.search(line):
                    is_odd = True
                if is_odd:
                    row = None
            except REFUSALS:
                if self._lessons and self._learn(line):
                    return self.pass_through(lines)
                row = None
            if row is None:
                sent[at] = None
                others[at] = 0
            for append, get in cells:
                append(get(row) if row is not None else None)
        texts = lines if None not in sent else [line for line in sent if line is not None]
        members = whole * (len(lines) - len(others)) + sum(others.values())
        if not is_deep and not has_no_more(b"\n".join(texts), members):
            for at, line in enumerate(lines):
                if not has_no_more(line, others.get(at, whole)):
                    sent[at] = None
        for at, line in completed.items():
            sent[at] = sent[at] and line
        for column, (_, member) in zip(columns, self._checked, strict=True):
            for at in self._find_invalid(member.field, column, optional=member.optional):
                sent[at] = None
        return sent

    def _find_invalid(self, f: Field | None, values: list[object], *, optional: bool) -> pl.Series:
        """The places of values that are not valid by the schema's own mask of the field, or not sent as they stand."""
        assert f is not None
        assert f.type is not None
        at, failing = self._failing[f.name]
        found = [None if value is UNSET else value for value in values] if optional else values
        cells = pl.Series(f"c{at}", found, dtype=getattr(pl, _COLUMNS.get(f.type.name, "String")))
        table = pl.DataFrame([cells, convert(cells, f.type, text=False).alias(f"v{at}")])
        changed = (pl.col(f"c{at}") != pl.col(f"v{at}")).fill_null(False) if cells.dtype == pl.String else pl.lit(False)
        return table.select(failing | changed).to_series().arg_true()

    def _learn(self, line: bytes) -> bool:
        """Whether a line that was not taken has undeclared keys that can be learnt."""
        self._lessons -= 1
        try:
            row = loads_bytes(line)
        except ValueError:
            return False
        known = {member.key for member in self._members}
        new = [name for name in row if name not in known and is_key(name)] if isinstance(row, dict) else []
        if not new or len(known) + len(new) > self._max_keys:
            return False
        self._members += [RecordField(name, ValueType, optional=True, is_deep=True) for name in new]
        self._compile()
        return True


def make_decoder(
    fields: Sequence[Field],
    compiled: Mapping[str, Collection[str]],
    failing: Mapping[str, tuple[int, pl.Expr]],
    max_keys: int,
) -> LineDecoder | None:
    """The decoder of a schema; None if no line is sent as it stands, or a rule can be checked by no type and no column.

    `compiled` are each field's rules that `failing` has, its mask, over columns of a number. Undeclared keys are learnt if
    there are no more than `max_keys` in all.
    """
    try:
        members = [make_member(f, compiled[f.name]) for f in fields]
    except Untypable:
        return None
    return LineDecoder(members, failing, max_keys=max_keys)


def _add(line: bytes, members: bytes) -> bytes:
    """The line with more members, which begin with a comma. Raises ValueError if its object has none."""
    if b":" not in line:
        raise ValueError("an object without members, to which nothing is added")
    return line[:-1] + members + b"}"
