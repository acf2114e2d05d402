"""Digests of rows: 16 bytes that identify the row, and 8 that identify its state.

They are made of the values' text, so that a row is the same in a CSV file, in a sheet and among a run's failed
records. Nulls do not count: another column that is empty changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from hashlib import blake2b
from typing import NamedTuple

import polars as pl

from sendoff import jsonlib
from sendoff.errors import SourceError
from sendoff.incremental.rule import IncrementalRule
from sendoff.records import Page

KEY_BYTES, STATE_BYTES = 16, 8


class RowFingerprints(NamedTuple):
    """The digests of a page's rows: of the key, None where a key cell is null; and of the state, if compared."""

    keys: list[bytes | None]
    states: list[bytes]


def fingerprint_rows(page: Page, rule: IncrementalRule) -> RowFingerprints:
    """The fingerprints of a page's rows. Raises `SourceError` if a table lacks a key column."""
    frame = page.to_python().frame
    missing = [name for name in rule.key if name not in frame.columns]
    if missing and page.uniform:
        where = f"{page.file}: " if page.file else ""
        raise SourceError(f"{where}no column {', '.join(map(repr, missing))}, by which incremental knows a row")
    compared = set(frame.columns) if rule.columns is None else {*rule.columns, *rule.key}
    wanted = sorted(compared if rule.resend or not rule.key else rule.key)
    present = set(frame.columns)
    texts = {name: _texts(frame[name], text=page.all_text) for name in wanted if name in present}
    states = [bytes(STATE_BYTES)] * frame.height
    if not rule.key:
        return RowFingerprints([*_digests([*texts.values()], list(texts), frame.height, KEY_BYTES)], states)
    if rule.resend:
        states = _digests([*texts.values()], list(texts), frame.height, STATE_BYTES)
    if missing:
        return RowFingerprints([None] * frame.height, states)
    cells = [texts[name] for name in rule.key]
    keys: list[bytes | None] = [*_digests(cells, list(rule.key), frame.height, KEY_BYTES)]
    nulls = pl.DataFrame(cells).select(pl.any_horizontal(pl.all().is_null())).to_series().arg_true()
    for at in nulls:
        keys[at] = None
    return RowFingerprints(keys, states)


def _digests(cells: Sequence[pl.Series], names: Sequence[str], height: int, size: int) -> list[bytes]:
    if not cells:
        return [blake2b(b"", digest_size=size).digest()] * height
    # Each value with its length before it and its column's name: no two rows that differ have the same text.
    parts = [
        pl.concat_str(
            pl.lit(f"{len(name)}:{name}="), pl.col(f"{at}").str.len_bytes().cast(pl.String), pl.lit(":"), pl.col(f"{at}")
        ).fill_null("")
        for at, name in enumerate(names)
    ]
    table = pl.DataFrame([cell.alias(f"{at}") for at, cell in enumerate(cells)])
    joined = table.select(pl.concat_str(parts)).to_series()
    return [blake2b(text.encode(), digest_size=size).digest() for text in joined.to_list()]


def _texts(cells: pl.Series, *, text: bool) -> pl.Series:
    """A column as text; null where there is nothing."""
    if cells.dtype == pl.String:
        return cells.to_frame("v").select(pl.when(pl.col("v") != "").then(pl.col("v"))).to_series() if text else cells
    if cells.dtype.is_integer() or cells.dtype in (pl.Boolean, pl.Date, pl.Null):
        return cells.cast(pl.String)
    return pl.Series(cells.name, [None if value is None else _text(value) for value in cells.to_list()], dtype=pl.String)


def _text(value: object) -> str:
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case bool():
            return str(value).lower()
        case datetime() | date() | time():
            return value.isoformat()
        case float() | Decimal():
            number = Decimal(repr(value)) if isinstance(value, float) else value
            digits = format(number, "f") if number.is_finite() else str(number)
            return digits.rstrip("0").rstrip(".") if "." in digits else digits
    try:
        return jsonlib.dumps(value)
    except ValueError:
        return repr(value)


def key_cells(page: Page, rule: IncrementalRule) -> list[str]:
    """Each row's key cells as the source had them, as JSON: what can be reported of a removed row."""
    frame = page.to_python().frame.select(rule.key)
    rows = Page(frame).as_json(range(frame.height))
    mark = "text" if page.all_text else "typed"
    return [f'{{"{mark}":{row}}}' for row in rows]
