"""Encode frames as blocks: every record's JSON, written once, one after the other in one buffer.

Polars writes all columns together, in one pass outside the interpreter. Values that it would not write
as JSON APIs expect are turned to text first (datetimes get their ``T``), and columns that hold JSON
text already (decimals, nested values) are passed through.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from json.encoder import encode_basestring
from typing import NamedTuple
from urllib.parse import quote_plus

import polars as pl

from sendoff import jsonlib
from sendoff.encode import templates
from sendoff.schema.columns import format_datetime
from sendoff.schema.schema import TypedPage


@dataclass(frozen=True, slots=True)
class RecordFormat:
    """How a record is written: as JSON by itself, by a template, or as a form."""

    separator: bytes = b","
    kind: str = "json"
    record: object = None
    before: object = None
    omit_null: bool = False
    #: The bytes of an idempotency key in JSON, where the template has one.
    key_size: int = 0

    @property
    def is_plain(self) -> bool:
        """Whether a record is written as its own JSON, without a template or a line before it."""
        return self.kind == "json" and self.record is None and self.before is None and not self.omit_null


def encode(typed: TypedPage, form: RecordFormat) -> tuple[bytes, array[int]]:
    """Encode the frame's records as one buffer, with their offsets: see `join_records`."""
    return (
        join_records(encode_rows(typed, form), form)
        if typed.frame.height
        else join_records(pl.Series([], dtype=pl.String), form)
    )


def encode_rows(typed: TypedPage, form: RecordFormat) -> pl.Series:
    """Encode each of the frame's records as it is sent."""
    if typed.json is not None and form.is_plain:
        return typed.json
    if form.omit_null:
        typed = replace(typed, optional=frozenset(typed.frame.columns))
    # Numbered columns: polars reads names like "*" and "^a$" as patterns.
    frame = typed.frame.rename(dict(zip(typed.frame.columns, map(str, range(typed.frame.width)), strict=True)))
    if form.kind == "form":
        records = _encode_forms(typed, form)
    else:
        records = frame.select(_encode_record(typed, form).alias("record")).to_series()
        if len(records) == 1 != typed.frame.height:  # a template without fields is the same for all
            records = records.new_from_index(0, typed.frame.height)
    return records


def join_records(records: pl.Series, form: RecordFormat) -> tuple[bytes, array[int]]:
    """Join records by the separator; also return the offset at which each starts.

    The last offset lies one separator past the end, so that records i to j are always
    ``data[offsets[i] : offsets[j] - 1]``.
    """
    if not len(records):
        return b"", array("q", [0])
    lengths = records.str.len_bytes().cast(pl.Int64)
    offsets = array("q", [0])
    offsets.extend((lengths + 1).cum_sum().to_list())
    data: bytes = records.str.join(form.separator.decode()).cast(pl.Binary).item()
    return data, offsets


def _encode_record(typed: TypedPage, form: RecordFormat) -> pl.Expr:
    """An expression for a record by its template, with the line before it if there is one."""
    whole = _encode_columns(typed) if form.record is None else _encode_template(form.record, typed, form)
    if form.before is None:
        return whole
    return pl.concat_str([_encode_template(form.before, typed, form), pl.lit("\n"), whole])


def _encode_template(template: object, typed: TypedPage, form: RecordFormat) -> pl.Expr:
    """A template as one expression: its own JSON, with that of a field where it names one."""
    if template == templates.RECORD:
        return _encode_columns(typed)
    if template == templates.KEY:
        return pl.lit(templates.KEY_PLACEHOLDER.decode() * form.key_size)
    if isinstance(template, str) and template.startswith("$") and not template.startswith("$$"):
        return _encode_value(typed, template[1:]).fill_null("null")
    if isinstance(template, Mapping):
        members = [_encode_template_member(name, value, typed, form) for name, value in template.items()]
        return pl.concat_str([pl.lit("{"), pl.concat_str([pl.lit(""), *members]).str.strip_prefix(","), pl.lit("}")])
    if isinstance(template, list):
        items = [pl.concat_str([pl.lit(","), _encode_template(item, typed, form)]) for item in template]
        return pl.concat_str([pl.lit("["), pl.concat_str([pl.lit(""), *items]).str.strip_prefix(","), pl.lit("]")])
    return pl.lit(jsonlib.dumps(templates.unescape(template)))


def _encode_template_member(name: str, value: object, typed: TypedPage, form: RecordFormat) -> pl.Expr:
    head = pl.lit(f",{encode_basestring(name)}:")
    field = value[1:] if isinstance(value, str) and value.startswith("$") and not value.startswith("$$") else ""
    if form.omit_null and field and value not in (templates.RECORD, templates.KEY):
        return pl.concat_str([head, _encode_value(typed, field)]).fill_null("")
    return pl.concat_str([head, _encode_template(value, typed, form)])


def _encode_value(typed: TypedPage, name: str) -> pl.Expr:
    """One field's JSON; null for a null and for a field that is not there."""
    if name not in typed.frame.columns:
        return pl.lit(None, dtype=pl.String)
    at = typed.frame.columns.index(name)
    column = _Column("v", pl.col(str(at)), typed.frame.dtypes[at])
    if name in typed.raw:
        return column.cells
    value = _encode_members([column]).str.strip_prefix('"v":')
    return pl.when(column.cells.is_null()).then(None).otherwise(value)


def _encode_forms(typed: TypedPage, form: RecordFormat) -> pl.Series:
    """Records as forms (WHATWG URL §5.2): text unchanged, everything else as its JSON."""
    names = [quote_plus(name) for name in typed.frame.columns]
    frame = typed.frame.rename(dict(zip(typed.frame.columns, map(str, range(typed.frame.width)), strict=True)))
    cells = []
    for at, (name, dtype) in enumerate(typed.frame.schema.items()):
        writable = pl.col(str(at)) if dtype == pl.String and name not in typed.raw else _encode_value(typed, name)
        if dtype.is_temporal():
            writable = writable.str.strip_chars('"')
        cells.append(frame.select(writable.alias("v")).to_series().to_list())
    written = []
    for row in zip(*cells, strict=True):
        pairs = (
            f"{name}={quote_plus(value or '')}"
            for name, value in zip(names, row, strict=True)
            if value is not None or not form.omit_null
        )
        written.append("&".join(pairs))
    return pl.Series(written, dtype=pl.String)


def _encode_columns(typed: TypedPage) -> pl.Expr:
    """One expression for a whole record: adjacent columns that polars can write are written together, the others singly."""
    columns = [_Column(name, pl.col(str(at)), dtype) for at, (name, dtype) in enumerate(typed.frame.schema.items())]
    parts: list[pl.Expr] = []
    for by_itself, run in groupby(columns, lambda column: column.name in typed.raw or column.name in typed.optional):
        members = list(run)
        if by_itself:
            parts += [_encode_member(c, raw=c.name in typed.raw, optional=c.name in typed.optional) for c in members]
        else:
            parts.append(pl.concat_str([pl.lit(","), _encode_members(members)]))
    if not parts:
        return pl.lit("{}")
    # Every part begins with a comma; the first comma is removed.
    return pl.concat_str([pl.lit("{"), pl.concat_str(parts).str.strip_prefix(","), pl.lit("}")])


class _Column(NamedTuple):
    name: str
    cells: pl.Expr
    dtype: pl.DataType

    def writable(self) -> pl.Expr:
        """The cells, as ISO 8601 text where polars would write a date or time differently."""
        if isinstance(self.dtype, pl.Datetime):
            return format_datetime(self.cells, self.dtype)
        if self.dtype == pl.Time:
            return self.cells.dt.to_string("%H:%M:%S%.f")
        return self.cells


def _encode_members(columns: list[_Column]) -> pl.Expr:
    """The members of an object with these columns, without its braces."""
    whole = pl.struct(column.writable().alias(column.name) for column in columns)
    return whole.struct.json_encode().str.strip_prefix("{").str.strip_suffix("}")


def _encode_member(column: _Column, *, raw: bool, optional: bool) -> pl.Expr:
    """One member with its comma; empty for a null of an optional column."""
    head = f",{encode_basestring(column.name)}:"
    if raw:
        member = pl.concat_str([pl.lit(head), column.cells.fill_null("null")])
    else:
        member = pl.concat_str([pl.lit(","), _encode_members([column])])
    return pl.when(column.cells.is_null()).then(pl.lit("")).otherwise(member) if optional else member
