"""Write records as JSON, and templates as text: all of a page at once.

Polars writes all columns together, in one pass outside the interpreter. Values that it would not write
as JSON APIs expect are turned to text first (datetimes get their ``T``), and columns that hold JSON
text already (decimals, nested values) are passed through.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from json.encoder import encode_basestring

import polars as pl

from sendoff import jsonlib
from sendoff.encode import templates
from sendoff.jsonlib import jsonpath
from sendoff.records import Block
from sendoff.schema.typed_page import Column, TypedPage, encode_members


@dataclass(frozen=True, slots=True)
class RecordFormat:
    """How a record is written as JSON: by itself, or by a template."""

    record: object = None
    before: object = None
    omit_null: bool = False
    #: The bytes of an idempotency key in JSON, where the template has one.
    key_size: int = 0
    #: How many strings the records are in as JSON text: see `templates.envelope_depth`.
    depth: int = 0

    @property
    def is_plain(self) -> bool:
        """Whether a record is written as its own JSON, without a template or a line before it."""
        return self.record is None and self.before is None and not self.omit_null and not self.depth


def encode_rows(typed: TypedPage, form: RecordFormat) -> pl.Series:
    """Encode each of the frame's records as it is sent."""
    if not typed.frame.height:
        return pl.Series([], dtype=pl.String)
    if form.omit_null:
        typed = replace(typed, optional=frozenset(typed.frame.columns))
    record = _encode_record(typed, form)
    for _ in range(form.depth):
        record = _quote(record).str.strip_prefix('"').str.strip_suffix('"')
    return _evaluate(record, typed)


def encode_texts(typed: TypedPage, template: object) -> pl.Series:
    """A template as the text of each record: text as it is, everything else as its JSON; null for a null."""
    return _evaluate(_encode_text(template, typed, RecordFormat()), typed)


def read_field(block: Block, form: RecordFormat, field: str) -> Sequence[object]:
    """The values that a field, or a path, has in the records of a block, as they are sent by this form."""
    path = jsonpath.parse(field if field.startswith("$") else f"$['{field}']")
    values = []
    for ordinal in range(block.lo, block.hi):
        record = bytes(block.slice(ordinal, ordinal + 1)).decode()
        if form.before is not None:
            record = record.partition("\n")[2]
        for _ in range(form.depth):
            record = jsonlib.loads(f'"{record}"')
        values.append(path.find(jsonlib.loads(record, depth=jsonlib.WRAPPED_DEPTH)))
    return values


def _evaluate(written: pl.Expr, typed: TypedPage) -> pl.Series:
    records = typed.numbered().select(written.alias("record")).to_series()
    if len(records) == 1 != typed.frame.height:  # a template without fields is the same for all
        records = records.new_from_index(0, typed.frame.height)
    return records


def _encode_record(typed: TypedPage, form: RecordFormat) -> pl.Expr:
    """An expression for a record by its template, with the line before it if there is one."""
    whole = _encode_columns(typed) if form.record is None else _encode_template(form.record, typed, form).fill_null("null")
    if form.before is None:
        return whole
    return pl.concat_str([_encode_template(form.before, typed, form).fill_null("null"), pl.lit("\n"), whole])


def _encode_template(template: object, typed: TypedPage, form: RecordFormat) -> pl.Expr:
    """A template as one expression: its own JSON, with that of a field where it names one. Null where it is null."""
    if template == templates.RECORD:
        return _encode_columns(typed)
    if template == templates.KEY:
        return pl.lit(templates.KEY_PLACEHOLDER.decode() * form.key_size)
    if templates.is_reference(template):
        return typed.json_of(str(template)[1:])
    if not any(templates.placeholders(template)):
        return pl.lit(templates.constant_json(template))
    value_form = templates.form_of(template)
    if value_form is not None:
        value, name = value_form
        written = _encode_template(value, typed, form) if name == "json" else _encode_text(template, typed, form)
        return _quote(written)
    if isinstance(template, Mapping):
        members = [_encode_template_member(name, value, typed, form) for name, value in template.items()]
        return pl.concat_str([pl.lit("{"), pl.concat_str([pl.lit(""), *members]).str.strip_prefix(","), pl.lit("}")])
    if isinstance(template, list):
        items = [pl.concat_str([pl.lit(","), _encode_template(item, typed, form).fill_null("null")]) for item in template]
        return pl.concat_str([pl.lit("["), pl.concat_str([pl.lit(""), *items]).str.strip_prefix(","), pl.lit("]")])
    return _quote(_encode_text(template, typed, form))


def _encode_template_member(name: str, value: object, typed: TypedPage, form: RecordFormat) -> pl.Expr:
    head = pl.lit(f",{encode_basestring(name)}:")
    written = _encode_template(value, typed, form)
    if form.omit_null:
        return pl.concat_str([head, written]).fill_null("")
    return pl.concat_str([head, written.fill_null("null")])


def _encode_text(template: object, typed: TypedPage, form: RecordFormat) -> pl.Expr:
    """A template as text; null where it is null."""
    if not any(templates.placeholders(template)):
        return pl.lit(None, dtype=pl.String) if templates.is_null(template) else pl.lit(templates.constant_text(template))
    value_form = templates.form_of(template)
    if value_form is not None:
        value, name = value_form
        if name == "json":
            return _encode_template(value, typed, form)
        return _encode_text(value, typed, form).str.encode("base64")
    if templates.is_reference(template) and template != templates.RECORD:
        return typed.text(str(template)[1:])
    if isinstance(template, str) and template != templates.RECORD:
        parts = templates.split_text(template)
        return pl.concat_str([typed.text(part.field) if part.field else pl.lit(part.text) for part in parts])
    return _encode_template(template, typed, form)


def _quote(text: pl.Expr) -> pl.Expr:
    """Text as a JSON string; null where it is null."""
    written = encode_members([Column("v", text, pl.String())]).str.strip_prefix('"v":')
    return pl.when(text.is_null()).then(None).otherwise(written)


def _encode_columns(typed: TypedPage) -> pl.Expr:
    """One expression for a whole record: adjacent columns that polars can write are written together, the others singly."""
    columns = [typed.column(name) for name in typed.frame.columns]
    parts: list[pl.Expr] = []
    for by_itself, run in groupby(columns, lambda column: column.name in typed.raw or column.name in typed.optional):
        members = list(run)
        if by_itself:
            parts += [_encode_member(c, raw=c.name in typed.raw, optional=c.name in typed.optional) for c in members]
        else:
            parts.append(pl.concat_str([pl.lit(","), encode_members(members)]))
    if not parts:
        return pl.lit("{}")
    # Every part begins with a comma; the first comma is removed.
    return pl.concat_str([pl.lit("{"), pl.concat_str(parts).str.strip_prefix(","), pl.lit("}")])


def _encode_member(column: Column, *, raw: bool, optional: bool) -> pl.Expr:
    """One member with its comma; empty for a null of an optional column."""
    head = f",{encode_basestring(column.name)}:"
    if raw:
        member = pl.concat_str([pl.lit(head), column.cells.fill_null("null")])
    else:
        member = pl.concat_str([pl.lit(","), encode_members([column])])
    return pl.when(column.cells.is_null()).then(pl.lit("")).otherwise(member) if optional else member
