"""Records that passed the schema, and how their values are written: as JSON, or as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import polars as pl

from sendoff import jsonlib
from sendoff.schema.columns import format_datetime


@dataclass(frozen=True, slots=True)
class TypedPage:
    """A page in its declared types: a row for each record, its columns named and ordered as the API expects them.

    `raw` columns hold JSON text already; a null in an `optional` one is left out of its record.
    `invalid` has the reason of each invalid row, by index.
    """

    frame: pl.DataFrame
    raw: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    invalid: dict[int, str] = field(default_factory=dict)

    def only(self, rows: Sequence[int]) -> TypedPage:
        """The page with these rows only."""
        if len(rows) == self.frame.height:
            return self
        return replace(self, frame=self.frame[list(rows)])

    def rows(self) -> Iterator[dict[str, object]]:
        """Each record by itself, its values as Python's: decimals, lists and objects too. What is left out is not there."""
        for row in self.frame.iter_rows(named=True):
            yield {
                name: jsonlib.loads(str(value)) if name in self.raw and value is not None else value
                for name, value in row.items()
                if value is not None or name not in self.optional
            }

    def texts(self) -> pl.DataFrame:
        """Every value as text: text as it is, everything else as its JSON (numbers with their digits, `true`, `2026-01-31`).

        A null is null.
        """
        places = {str(at): name for at, name in enumerate(self.frame.columns)}
        return self.numbered().with_columns(self.text(name).alias(at) for at, name in places.items()).rename(places)

    def numbered(self) -> pl.DataFrame:
        """The frame with its columns named by place, for `json_of` and `text`: polars reads names like "*" as patterns."""
        return self.frame.rename({name: str(at) for at, name in enumerate(self.frame.columns)})

    def column(self, name: str) -> Column:
        """A column, as an expression on the numbered frame."""
        at = self.frame.columns.index(name)
        return Column(name, pl.col(str(at)), self.frame.dtypes[at])

    def json_of(self, name: str) -> pl.Expr:
        """A field's JSON, on the numbered frame; null for a null and for a field that is not there."""
        if name not in self.frame.columns:
            return pl.lit(None, dtype=pl.String)
        column = self.column(name)
        if name in self.raw:
            return column.cells
        value = encode_members([column._replace(name="v")]).str.strip_prefix('"v":')
        return pl.when(column.cells.is_null()).then(None).otherwise(value)

    def text(self, name: str) -> pl.Expr:
        """A field as text, as `texts` has it; null for a field that is not there."""
        found = self.json_of(name)
        if name not in self.frame.columns:
            return found
        column = self.column(name)
        if name in self.raw:
            return pl.when(found.str.starts_with('"')).then(found.str.json_path_match("$")).otherwise(found)
        if column.dtype == pl.String:
            return column.cells
        return found.str.strip_chars('"') if column.dtype.is_temporal() else found


class Column(NamedTuple):
    """A column of a frame, under the name it is sent with."""

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


def encode_members(columns: Sequence[Column]) -> pl.Expr:
    """The members of a JSON object with these columns, without its braces."""
    whole = pl.struct(column.writable().alias(column.name) for column in columns)
    return whole.struct.json_encode().str.strip_prefix("{").str.strip_suffix("}")
