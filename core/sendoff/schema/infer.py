"""Infer a schema from a sample: a header and one row are enough, more rows make it more certain."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from sendoff.records import Page
from sendoff.schema.columns import convert, empty_to_null
from sendoff.schema.types import TYPES

#: In order of preference: a text column has the first of these types that all its cells fit, and is a string if none does.
_GUESSES = ("integer", "decimal", "boolean", "date", "datetime", "time")


def infer(pages: Iterable[Page]) -> dict[str, dict[str, object]]:
    """Field rules for the columns of some pages: a type that all cells fit, and nullable where one was empty."""
    guesses: dict[str, list[str]] = {}
    nullable: dict[str, bool] = {}
    for page in (page.to_python() for page in pages):
        frame = empty_to_null(page.frame) if page.all_text else page.frame
        for column in frame:
            left = guesses.setdefault(column.name, _candidates(column, page.all_text))
            guesses[column.name] = [name for name in left if _fits(column, name, page.all_text)]
            nullable[column.name] = nullable.get(column.name, False) or column.null_count() > 0
    return {
        name: {"type": left[0] if left else "string", **({"nullable": True} if nullable[name] else {})}
        for name, left in guesses.items()
    }


def _candidates(column: pl.Series, text: bool) -> list[str]:
    if column.null_count() == len(column):
        return []
    if text:
        return list(_GUESSES)
    return (
        [name for name in TYPES if name not in ("string", "number")]
        if column.dtype != pl.String
        else ["date", "datetime", "time"]
    )


def _fits(column: pl.Series, name: str, text: bool) -> bool:
    return convert(column, TYPES[name], text=text).null_count() == column.null_count()
