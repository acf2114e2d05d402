"""Infer a schema from a sample: a header and one row are enough, more rows make it more certain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl

from sendoff.jsonlib.notation import Notation
from sendoff.records import Page
from sendoff.schema.columns import convert, empty_to_null
from sendoff.schema.types import TYPES, in_notation

#: In order of preference: a text column has the first of these types that all its cells fit, and is a string if none does.
_GUESSES = ("integer", "decimal", "boolean", "date", "datetime", "time", "duration")
#: Integers beyond it are not exact in readers that have only doubles, as JavaScript (RFC 8259 §6).
_EXACT = 2**53


@dataclass
class Inferred:
    """Declared for the fields of a sample, what is to be said of some of them, and how many rows were looked at."""

    fields: dict[str, dict[str, object]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    rows: int = 0


@dataclass
class _Column:
    """What is known of a column so far."""

    left: list[str]
    notation: Notation | None = None
    is_nullable: bool = False
    is_empty: bool = True
    has_leading_zeros: bool = False
    has_long_integers: bool = False
    has_other_text: bool = False

    def add(self, cells: pl.Series, *, text: bool) -> None:
        self.left = [name for name in self.left if _fits(cells, name, text, self.notation)]
        self.is_nullable = self.is_nullable or cells.null_count() > 0
        self.is_empty = self.is_empty and cells.null_count() == len(cells)
        if text and cells.dtype == pl.String:
            self.has_leading_zeros = self.has_leading_zeros or bool(cells.str.contains(r"\A0[0-9]+\z").any())
            self.has_other_text = self.has_other_text or not cells.str.contains(r"\A[0-9]*\z").fill_null(True).all()
        whole = cells.cast(pl.String).str.to_integer(strict=False, dtype=pl.Int128) if cells.dtype == pl.String else cells
        if whole.dtype.is_integer():
            self.has_long_integers = self.has_long_integers or bool((whole.abs() > _EXACT).any())

    def rules(self) -> dict[str, object]:
        """The first type that all its cells fit, and nullable where one was empty."""
        return {"type": self.left[0] if self.left and not self.is_empty else "string"} | (
            {"nullable": True} if self.is_nullable else {}
        )

    def note(self) -> str:
        """What a person should know of it; empty if nothing."""
        if self.is_empty:
            return "always empty in this sample"
        if self.has_leading_zeros and not self.has_other_text:
            return "text, as a number would lose the leading zeros"
        if self.has_long_integers and self.left[:1] in (["integer"], ["decimal"]):
            return "beyond 2^53, which JavaScript rounds; `as: text` sends text"
        return ""


def infer(pages: Iterable[Page], notation: Notation | None = None) -> Inferred:
    """Field rules for the columns of some pages, whose text may be in a notation."""
    columns: dict[str, _Column] = {}
    rows = 0
    for page in (page.to_python() for page in pages):
        frame = empty_to_null(page.frame) if page.all_text else page.frame
        rows += frame.height
        for cells in frame:
            if cells.name not in columns:
                columns[cells.name] = _Column(_candidates(cells, page.all_text), notation)
            columns[cells.name].add(cells, text=page.all_text)
    notes = {name: note for name, column in columns.items() if (note := column.note())}
    return Inferred({name: column.rules() for name, column in columns.items()}, notes, rows)


def _candidates(cells: pl.Series, text: bool) -> list[str]:
    if text:
        return list(_GUESSES)
    if cells.dtype != pl.String:
        return [name for name in TYPES if name not in ("string", "number")]
    return ["date", "datetime", "time"]


def _fits(cells: pl.Series, name: str, text: bool, notation: Notation | None) -> bool:
    type_ = TYPES[name] if notation is None else in_notation(TYPES[name], notation)
    return convert(cells, type_, text=text).null_count() == cells.null_count()
