"""Turn pages of a source into typed frames, with a reason for each invalid row.

The file is long because a page goes through all its steps here, on columns, from renaming to the reasons of invalid rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from sendoff import jsonlib
from sendoff.bounds import listed
from sendoff.errors import SourceError
from sendoff.errors.codes import Code
from sendoff.records import Page
from sendoff.schema import explain, nested
from sendoff.schema.checks import compile_checks
from sendoff.schema.columns import (
    compile_conversion,
    convert_each_cell,
    convert_json_numbers,
    empty_to_null,
    format_values,
    localize_datetimes,
    names_zone,
    to_json,
)
from sendoff.schema.derive import derive
from sendoff.schema.fields import Field
from sendoff.schema.typed_page import TypedPage
from sendoff.schema.types import UnionType

if TYPE_CHECKING:
    from sendoff.schema.decoder import LineDecoder

_MAX_CACHED = 10_000


class Schema:
    """Field rules, compiled to columns once and explained by Cerberus where they are broken."""

    def __init__(self, fields: Sequence[Field], *, unknown: str) -> None:
        self.fields = fields
        self.unknown = unknown
        keeps = unknown != "forbid"
        self._explainers = {f.name: explain.make_validator({f.name: _alone(f.rules)}, allow_unknown=keeps) for f in fields}
        drops = unknown == "drop"
        self._rewritten = {f.name: f.rules for f in fields if f.raw and nested.changes(f.rules, drop=drops)}
        self._reasons: dict[tuple[str, bool, str], str | None] = {}
        self._declared = {f.name for f in fields}
        #: Each field by the name that it is sent under.
        self._output_names = {f.output_name: f.name for f in fields}
        self._derived = [f for f in fields if f.derivation]
        #: The columns that values are made of; they need not be declared.
        self._used = {name for f in fields for name in f.columns}

    @cached_property
    def _checks(self) -> dict[str, tuple[list[pl.Expr], list[str]]]:
        """By field: its rules as expressions, and the names of those that have none."""
        return {f.name: compile_checks(f, pl.col(f"v{at}")) for at, f in enumerate(self.fields)}

    @cached_property
    def _slow(self) -> list[Field]:
        return [f for f in self.fields if self._checks[f.name][1]]

    @cached_property
    def _slow_validator(self) -> explain.RecordValidator:
        """Checks whole records, so it has to know the other fields too."""
        slow = {f.name for f in self._slow}
        rules = {f.name: f.rules if f.name in slow else {} for f in self.fields}
        return explain.make_validator(rules, allow_unknown=self.unknown != "forbid")

    @property
    def slow(self) -> dict[str, list[str]]:
        """The rules that run in Cerberus for every row, by field: `sendoff check -v` shows them."""
        return {f.name: self._checks[f.name][1] for f in self._slow}

    def to_cell(self, name: str, value: object, text: str) -> str:
        """A value, whose JSON is `text`, as the source would write it in a field's cell."""
        notation = next((f.type.notation for f in self.fields if f.name == name and f.type is not None), None)
        is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
        return notation.write(text) if notation is not None and is_number else text

    def missing(self, columns: Iterable[str]) -> list[str]:
        """The fields that must be columns and are not."""
        present = set(columns)
        needed = [
            name
            for f in self.fields
            if f.required and f.default is None and not present & set(f.excluded)
            for name in f.columns
        ]
        return [name for name in dict.fromkeys(needed) if name not in present]

    def extra(self, columns: Iterable[str]) -> list[str]:
        """The columns that the schema does not declare."""
        return [name for name in columns if name not in self._declared]

    def check_columns(self, file: str, columns: Sequence[str]) -> None:
        """Raise `SourceError` if a source with these columns cannot be delivered by this schema."""
        where = f"{file}: " if file else ""
        missing = self.missing(columns)
        if missing:
            raise SourceError(
                f"{where}no column {listed(missing)}; its columns are {listed(columns, str) or 'none'}", code=Code.COLUMN
            )
        known = self._declared | self._used
        unknown = [name for name in columns if name not in known]
        if self.unknown == "forbid" and unknown:
            raise SourceError(
                f"{where}unknown column {listed(unknown)}; declare it in the schema, or use `unknown: drop`", code=Code.COLUMN
            )
        taken = [name for name in unknown if name in self._output_names]
        if self.unknown == "keep" and taken:
            raise SourceError(
                f"{where}{self._why_taken(taken[0])}; declare the column, or use `unknown: drop`", code=Code.COLUMN
            )

    def make_decoder(self, max_columns: int) -> LineDecoder | None:
        """The decoder of lines that are sent as they stand; None if there can be none, or if they may have too many keys."""
        from sendoff.schema.decoder import make_decoder  # noqa: PLC0415  # only JSON Lines need msgspec

        # What it takes has no unknown field at any depth, so that none would be taken away.
        rewritten = any(nested.changes(f.rules, drop=False) for f in self.fields if f.raw)
        if self._derived or rewritten or len(self.fields) > max_columns:
            return None
        compiled = {f.name: set(f.rules) - set(self._checks[f.name][1]) for f in self.fields}
        failing = {f.name: (at, self._failing_mask(at, f)) for at, f in enumerate(self.fields)}
        return make_decoder(self.fields, compiled, failing, max_columns if self.unknown == "keep" else 0)

    def apply(self, page: Page) -> TypedPage:
        """Convert a page to its declared types, with a reason for each invalid row."""
        if page.all_text:
            page = replace(page, frame=empty_to_null(page.frame))
        if page.uniform:
            self.check_columns(page.file, page.frame.columns)
        invalid = _Reasons(page.row_errors)
        page, unmapped = derive(page, self._derived) if self._derived else (page, {})
        for (_, index), reason in unmapped.items():
            invalid.add(index, reason)
        frame = page.frame
        columns = self._convert_fields(page, frame, unmapped, invalid) if self.fields else []
        if self._slow:
            self._explain_rows(page.to_python().frame if page.numbers else frame, page.all_text, invalid)
        extra = self.extra(frame.columns)  # noqa: S610  # the schema's own `extra`; there is no Django here
        raw = {f.output_name for f in self.fields if f.raw}
        optional = {f.output_name for f in self.fields if f.optional}
        if self.unknown == "keep":
            for name in extra:
                if name in self._output_names:
                    absent = page.missing_keys.get(name)
                    has_it = pl.repeat(True, frame.height, eager=True) if absent is None else ~absent
                    invalid.add_where(has_it, self._why_taken(name))
                    continue
                is_number = name in page.numbers
                kept, is_raw = (
                    (frame[name], True) if is_number else _keep_column(frame[name], invalid, page.missing_keys.get(name))
                )
                columns.append(kept)
                raw.update({name} if is_raw else ())
                optional.update({name} if name in page.missing_keys else ())
        elif self.unknown == "forbid":
            for name in extra:
                if name not in self._used:
                    invalid.add_where(frame[name].is_not_null(), f"{name}: unknown field")
        # By name, as polars gives a column of a list that is named "" another name.
        typed = pl.DataFrame({column.name: column for column in columns}) if columns else pl.DataFrame(height=frame.height)
        return TypedPage(typed, frozenset(raw), frozenset(optional), invalid.sentences())

    def _why_taken(self, name: str) -> str:
        """Why an undeclared field cannot be kept."""
        return f"{name}: not declared, and the field {self._output_names[name]!r} is sent under this name"

    def _convert_fields(
        self, page: Page, frame: pl.DataFrame, unmapped: Mapping[tuple[str, int], str], invalid: _Reasons
    ) -> list[pl.Series]:
        """The fields' columns, typed and under the API's names; invalid rows are added to `invalid`."""
        # Numbered columns: polars reads names like "*" and "^a$" as patterns.
        present = set(frame.columns)
        cells = [
            (frame[f.name] if f.name in present else pl.Series([None] * frame.height, dtype=pl.Null)).alias(f"c{at}")
            for at, f in enumerate(self.fields)
        ]
        table = pl.DataFrame(cells)
        values = [self._convert_field(at, f, cells[at], page, is_present=f.name in present) for at, f in enumerate(self.fields)]
        table = table.with_columns(*values)
        failing = table.select(self._failing_mask(at, f) for at, f in enumerate(self.fields))
        for at, (f, cell, suspect) in enumerate(zip(self.fields, cells, failing, strict=True)):
            if not suspect.any():
                continue
            for index in suspect.arg_true():
                if (f.name, index) in unmapped:
                    continue
                value = cell[index]
                if f.name in page.numbers and value is not None:
                    value = jsonlib.loads(value)
                reason = self._reason(f, value, page.all_text)
                if not reason and value is not None and table[f"v{at}"][index] is None:
                    reason = f"{f.name}: cannot be sent exactly{explain.shown_value(value)}"
                if reason:
                    invalid.add(index, reason)
        return [self._write_field(f, table[f"v{at}"], invalid).alias(f.output_name) for at, f in enumerate(self.fields)]

    def _write_field(self, f: Field, values: pl.Series, invalid: _Reasons) -> pl.Series:
        """A field's typed values as they are sent; rows whose value cannot be are added to `invalid`."""
        if f.name not in self._rewritten:
            return format_values(values, f.output_format)
        rules, drop = self._rewritten[f.name], self.unknown == "drop"
        written: list[str | None] = [None] * len(values)
        for index, text in enumerate(values):
            if text is not None and not invalid.has(index):
                try:
                    written[index] = jsonlib.dumps(nested.write(jsonlib.loads(text), rules, drop=drop))
                except ValueError as error:
                    invalid.add(index, f"{f.name}: {error}")
        return pl.Series(written, dtype=pl.String)

    def _convert_field(self, at: int, f: Field, cells: pl.Series, page: Page, *, is_present: bool) -> pl.Series | pl.Expr:
        """The expression, or the column, of a field's typed values."""
        column: pl.Expr | None = pl.col(f"c{at}")
        assert column is not None
        is_number = f.name in page.numbers
        if f.type is None:
            if not is_number:
                return to_json(cells).alias(f"v{at}")
        elif is_number and isinstance(f.type, UnionType):
            numbers = pl.Series([None if each is None else jsonlib.loads(each) for each in cells], dtype=pl.Object)
            column = pl.lit(convert_each_cell(numbers, f.type, text=False, format=None))
        elif is_number:
            column = convert_json_numbers(column, f.type)
        else:
            column = compile_conversion(column, cells.dtype, f.type, text=page.all_text, format=f.format)
        if column is None:
            assert f.type is not None
            values = convert_each_cell(cells, f.type, page.all_text, f.format)
            column = pl.lit(values)
        if f.timezone is not None:
            column = localize_datetimes(column, f.timezone)
        elif f.needs_zone and f.type is not None and f.type.name == "datetime":
            column = pl.when(names_zone(column)).then(column)
        absent = page.missing_keys.get(f.name)
        if f.default is not None and (not is_present or not f.nullable or absent is not None):
            cell = jsonlib.dumps(f.default) if f.type is None else f.type.to_cell(f.default)
            default = pl.lit(pl.Series([cell], dtype=f.type.dtype if f.type else pl.String)).first()
            stands_in = pl.lit(absent) if is_present and f.nullable and absent is not None else pl.col(f"c{at}").is_null()
            column = pl.when(stands_in).then(default).otherwise(column)
        return column.alias(f"v{at}")

    def _failing_mask(self, at: int, f: Field) -> pl.Expr:
        """The rows that a field's rules may find invalid."""
        value, null = pl.col(f"v{at}"), pl.col(f"c{at}").is_null()
        failing = value.is_null() & ~null
        if not f.nullable and f.default is None:
            if f.excluded:
                others = [pl.col(f"c{place}").is_null() for place, other in enumerate(self.fields) if other.name in f.excluded]
                failing = failing | (null & pl.all_horizontal(others)) if f.required else failing
            elif not f.optional:
                failing = failing | null
        for check in self._checks[f.name][0]:
            failing = failing | (~check.fill_null(False) & value.is_not_null() & ~null)
        return failing.alias(str(at))

    def _reason(self, f: Field, cell: object, text: bool) -> str | None:
        """Why a cell is invalid; None if Cerberus accepts it. Cached, as errors repeat."""
        key = (f.name, isinstance(cell, str), repr(cell))
        if key not in self._reasons:
            if len(self._reasons) >= _MAX_CACHED:
                self._reasons.clear()
            self._reasons[key] = _explain_cell(self._explainers[f.name], f, cell, text)
        return self._reasons[key]

    def _explain_rows(self, frame: pl.DataFrame, text: bool, invalid: _Reasons) -> None:
        """Check the rules that have no expression with Cerberus, for every row that is not invalid already."""
        present = set(frame.columns)
        names = [f.name for f in self.fields if f.name in present]
        for index, row in enumerate(frame[names].iter_rows(named=True)):
            if invalid.has(index):
                continue
            record = {}
            for f in self.fields:
                # Whether it may be null is checked already, and to other fields' rules a null is a field that is not there.
                value = row.get(f.name)
                if value is not None:
                    record[f.name] = f.read(value, text=text)
            for reason in explain.explain_record(self._slow_validator, record):
                invalid.add(index, reason)


class _Reasons:
    """Reasons by row; a row may have several."""

    def __init__(self, row_errors: Mapping[int, str]) -> None:
        self._row_errors = row_errors
        self._reasons: dict[int, list[str]] = {}

    def add(self, index: int, reason: str) -> None:
        if index not in self._row_errors and reason not in self._reasons.get(index, ()):
            self._reasons.setdefault(index, []).append(reason)

    def add_where(self, mask: pl.Series, reason: str) -> None:
        for index in mask.arg_true():
            self.add(index, reason)

    def has(self, index: int) -> bool:
        return index in self._row_errors or index in self._reasons

    def sentences(self) -> dict[int, str]:
        found = {**self._row_errors, **{index: "; ".join(reasons) for index, reasons in self._reasons.items()}}
        return dict(sorted(found.items()))


def _alone(rules: Mapping[str, object]) -> dict[str, object]:
    """A field's rules but those that look at other fields."""
    return {rule: constraint for rule, constraint in rules.items() if rule not in ("dependencies", "excludes")}


def _explain_cell(checker: explain.RecordValidator, f: Field, cell: object, text: bool) -> str | None:
    problem, value = "", cell
    if cell is not None:
        try:
            value = f.read(cell, text=text)
        except ValueError as error:
            problem = str(error)
        if f.type is None:
            problem = _json_problem(cell)
    reasons = (
        explain.explain_record(checker, {f.name: value})
        if not problem or problem.startswith(f"must be of {f.type and f.type.name}")
        else []
    )
    if reasons:
        return "; ".join(reasons)
    return f"{f.name}: {problem}{explain.shown_value(cell)}" if problem else None


def _json_problem(value: object) -> str:
    try:
        jsonlib.dumps(value)
    except ValueError as error:
        return str(error)
    return ""


def _keep_column(cells: pl.Series, invalid: _Reasons, missing_keys: pl.Series | None) -> tuple[pl.Series, bool]:
    """A column that the schema does not declare, as it is sent, and whether it has become JSON text."""
    dtype = cells.dtype
    if missing_keys is not None:  # a null stays a null, and a missing key stays missing
        text = to_json(cells)
        _reject_unwritable(cells, text, invalid)
        written = pl.when(pl.lit(missing_keys)).then(None).otherwise(pl.col("v").fill_null("null"))
        return text.to_frame("v").select(written.alias(cells.name)).to_series(), True
    if dtype in (pl.Categorical, pl.Enum):
        return cells.cast(pl.String), False
    if dtype.is_integer() or dtype in (pl.String, pl.Boolean, pl.Date, pl.Time, pl.Datetime, pl.Null):
        return cells, False
    if dtype.is_float():
        invalid.add_where(~cells.is_finite().fill_null(True), f"{cells.name}: must be finite; JSON has no NaN and no infinity")
        return cells, False
    if dtype.is_decimal():
        return cells.cast(pl.String), True
    text = to_json(cells)
    _reject_unwritable(cells, text, invalid)
    return text, True


def _reject_unwritable(cells: pl.Series, text: pl.Series, invalid: _Reasons) -> None:
    for index in (text.is_null() & cells.is_not_null()).arg_true():
        invalid.add(index, f"{cells.name}: {_json_problem(cells[index])}")
