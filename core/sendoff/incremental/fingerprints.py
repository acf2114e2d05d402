"""Digests of rows: one of the key, that identifies the row, and one of its state; 16 bytes each.

They are made of the values' text, so that a row is the same in a CSV file, in a sheet and among a run's failed
records. Nulls do not count: another column that is empty changes nothing. As a row that has the digest of another is
taken for it, and not sent, they are cryptographic: nobody can make a record that keeps another one from being sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from functools import partial
from hashlib import blake2b, blake2s
from operator import methodcaller
from typing import NamedTuple

import polars as pl

from sendoff import jsonlib
from sendoff.errors import SourceError
from sendoff.incremental.rule import IncrementalRule
from sendoff.records import Page

KEY_BYTES, STATE_BYTES = 16, 16
#: The states that versions before ledger 10 stored. They are compared where there are any.
OLD_STATE_BYTES = 8

_digest = partial(blake2s, digest_size=STATE_BYTES)
_bytes = methodcaller("digest")
#: What stands after each name and each value, and between names and values.
_END, _MIDDLE = "\x1f", "\x1e"


class RowFingerprints(NamedTuple):
    """The digests of a page's rows: of the key, None where a key cell is null; and of the state."""

    keys: list[bytes | None]
    states: list[bytes]


def fingerprint_rows(page: Page, rule: IncrementalRule) -> RowFingerprints:
    """The fingerprints of a page's rows. Raises `SourceError` if a table lacks a key column."""
    cells, height = _compared(page, rule), page.frame.height
    states = [*_each(_state_digests(cells, height))]
    if not rule.key:
        return RowFingerprints([*_digests(cells, height, KEY_BYTES)], states)
    if any(name not in cells for name in rule.key):
        return RowFingerprints([None] * height, states)
    chosen = {name: cells[name] for name in rule.key}
    keys: list[bytes | None] = [*_digests(chosen, height, KEY_BYTES)]
    nulls = pl.DataFrame([*chosen.values()]).select(pl.any_horizontal(pl.all().is_null())).to_series().arg_true()
    for at in nulls:
        keys[at] = None
    return RowFingerprints(keys, states)


def state_digests(page: Page, rule: IncrementalRule) -> bytes:
    """The digests of the rows' states, one after the other. A row whose state is another's is the same row."""
    return _state_digests(_compared(page, rule), page.frame.height)


def old_states(page: Page, rule: IncrementalRule) -> list[bytes]:
    """The states as they were stored before ledger 10."""
    if not (rule.resend and rule.key):
        return [bytes(OLD_STATE_BYTES)] * page.frame.height
    return _digests(_compared(page, rule), page.frame.height, OLD_STATE_BYTES)


def _compared(page: Page, rule: IncrementalRule) -> dict[str, pl.Series]:
    """The text of the cells that make a row's state, among them the key, by name in their order."""
    frame = page.to_python().frame
    missing = [name for name in rule.key if name not in frame.columns]
    if missing and page.uniform:
        where = f"{page.file}: " if page.file else ""
        raise SourceError(f"{where}no column {', '.join(map(repr, missing))}, by which incremental knows a row")
    compared = set(frame.columns) if rule.columns is None else {*rule.columns, *rule.key}
    wanted = sorted(compared if rule.resend or not rule.key else rule.key)
    present = set(frame.columns)
    return {name: _texts(frame[name], text=page.all_text) for name in wanted if name in present}


def _state_digests(cells: Mapping[str, pl.Series], height: int) -> bytes:
    texts = _joined(cells, height).cast(pl.Binary).to_list()
    return b"".join(map(_bytes, map(_digest, texts)))


def _each(digests: bytes) -> Iterable[bytes]:
    return (digests[at : at + STATE_BYTES] for at in range(0, len(digests), STATE_BYTES))


def _joined(cells: Mapping[str, pl.Series], height: int) -> pl.Series:
    """The text of each row, another one for each row that differs: its names, and then its values, without nulls."""
    table = pl.DataFrame([cell.alias(f"{at}") for at, cell in enumerate(cells.values())])
    if not cells:
        return pl.repeat(_MIDDLE, height, dtype=pl.String, eager=True)
    values = [pl.col(name) for name in table.columns]
    names = [
        pl.lit(written) if not cell.null_count() else pl.when(column.is_not_null()).then(pl.lit(written))
        for column, cell, written in zip(values, cells.values(), map(_written, cells), strict=True)
    ]
    head = pl.concat_str([*names, pl.lit(_MIDDLE)], ignore_nulls=True)
    texts = table.select(pl.concat_str([head, *values], separator=_END, ignore_nulls=True)).to_series()
    marks = sum(height - cell.null_count() for cell in cells.values()) * 2
    if marks == texts.str.count_matches(_END, literal=True).sum():
        return texts
    # A value has the mark in it. A row that could be taken for another is written with the lengths of its values.
    expected = pl.sum_horizontal(column.is_not_null().cast(pl.UInt32) for column in values) * 2
    either = table.select(texts=texts, exact=_with_lengths(cells), expected=expected)
    is_plain = pl.col("texts").str.count_matches(_END, literal=True) == pl.col("expected")
    return either.select(pl.when(is_plain).then("texts").otherwise(pl.concat_str(pl.lit(_MIDDLE), "exact"))).to_series()


def _written(name: str) -> str:
    """A name with the mark that ends it, which is in none."""
    return name.encode("unicode_escape").decode() + _END


def _digests(cells: Mapping[str, pl.Series], height: int, size: int) -> list[bytes]:
    if not cells:
        return [blake2b(b"", digest_size=size).digest()] * height
    return [blake2b(text.encode(), digest_size=size).digest() for text in _with_lengths(cells).to_list()]


def _with_lengths(cells: Mapping[str, pl.Series]) -> pl.Series:
    # Each value with its length before it and its column's name: no two rows that differ have the same text.
    parts = [
        pl.concat_str(
            pl.lit(f"{len(name)}:{name}="), pl.col(f"{at}").str.len_bytes().cast(pl.String), pl.lit(":"), pl.col(f"{at}")
        ).fill_null("")
        for at, name in enumerate(cells)
    ]
    table = pl.DataFrame([cell.alias(f"{at}") for at, cell in enumerate(cells.values())])
    return table.select(pl.concat_str(parts)).to_series()


def _texts(cells: pl.Series, *, text: bool) -> pl.Series:
    """A column as text; null where there is nothing."""
    if cells.dtype == pl.String:
        if text and (cells.str.len_bytes() == 0).any():
            return cells.to_frame("v").select(pl.when(pl.col("v") != "").then(pl.col("v"))).to_series()
        return cells
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
