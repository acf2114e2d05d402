"""Dates and times that no calendar has: a column can hold them, but neither Python nor a reader of JSON can."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import polars as pl

from sendoff.records import Page

_EPOCH = date(1970, 1, 1)
_FIRST, _LAST, _LONGEST = (date.min - _EPOCH).days, (date.max - _EPOCH).days, timedelta.max.days
_PER_DAY = {"ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


def without_impossible_times(page: Page) -> Page:
    """The page with a reason for each row that has a date outside the years 1 to 9999, and a null in its place."""
    errors = dict(page.row_errors)
    nulled: list[pl.Series] = []
    for column in page.frame.iter_columns():
        rows = _impossible(column)
        if len(rows):
            at_fault = pl.Series(range(len(column)), dtype=pl.Int64).is_in(rows.implode())
            nulled.append(pl.select(pl.when(at_fault).then(None).otherwise(column).alias(column.name)).to_series())
            for at in rows:
                errors.setdefault(at, f"{column.name}: a date or time outside {_years(column.dtype)}")
    return replace(page, frame=page.frame.with_columns(nulled), row_errors=errors) if nulled else page


def _years(kind: pl.DataType) -> str:
    return (
        "the years 1677 to 2262, as its column has nanoseconds"
        if isinstance(kind, pl.Datetime) and kind.time_unit == "ns"
        else "the years 1 to 9999"
    )


def _impossible(column: pl.Series) -> pl.Series:
    """The rows of a column that Python has no date, time or duration for."""
    kind, none = column.dtype, pl.Series(dtype=pl.Int64)
    match kind:
        case pl.Date():
            least, most = _FIRST, _LAST
        case pl.Datetime(
            time_unit="ns"
        ):  # what polars gives for a time beyond, as Spark's INT96 has them, is the farthest it can
            least, most = -(2**63) + 1, 2**63 - 2
        case pl.Datetime():  # a zone that is not UTC may add a day at either end
            day, margin = _PER_DAY[kind.time_unit], int(kind.time_zone not in (None, "UTC"))
            least, most = (_FIRST + margin) * day, (_LAST + 1 - margin) * day - 1
        case pl.Duration(time_unit="ms"):  # 64 bits of a finer unit hold none that is too long
            least, most = -_LONGEST * _PER_DAY["ms"], _LONGEST * _PER_DAY["ms"]
        case pl.Struct():
            found = [_impossible(column.struct.field(field.name)) for field in kind.fields if _has_times(field.dtype)]
            return pl.concat([none, *found]).unique().sort()
        case pl.List() | pl.Array() if _has_times(kind.inner):
            inside = pl.DataFrame([pl.Series("row", range(len(column)), dtype=pl.Int64), column.alias("value")]).explode(
                "value"
            )
            return inside["row"].gather(_impossible(inside["value"])).unique().sort()
        case _:
            return none
    values = column.to_physical().cast(pl.Int64)
    return ((values < least) | (values > most)).fill_null(False).arg_true().cast(pl.Int64)


def _has_times(kind: pl.DataType | pl.datatypes.DataTypeClass) -> bool:
    match kind:
        case pl.Struct():
            return any(_has_times(field.dtype) for field in kind.fields)
        case pl.List() | pl.Array():
            return _has_times(kind.inner)
    return kind.is_temporal()
