"""Values that a field makes of others: a constant or text with fields in it, trimmed, in another case, or looked up.

The steps are taken in this order: `value`, `trim`, `lower` or `upper`, `map`; then the field's type and rules apply. They work
on text; a number that a text source or a JSON source has is text too, with all its digits. A null stays a null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from sendoff import jsonlib
from sendoff.records import Page, column
from sendoff.schema.columns import empty_to_null
from sendoff.schema.explain import shown_value
from sendoff.schema.fields import Derivation, Field


def derive(page: Page, fields: Sequence[Field]) -> tuple[Page, dict[tuple[str, int], str]]:
    """The page with the columns of these fields made, and by field and row why a value is not in its `map`."""
    columns, reasons = dict[str, pl.Series](), dict[tuple[str, int], str]()
    for f in fields:
        assert f.derivation is not None
        cells = _first_values(page, f.name, f.derivation)
        if cells is None:
            continue  # the source does not have it: `required` and `default` say what that means
        cells = _change_text(cells, f.derivation)
        if page.all_text and cells.dtype == pl.String:
            cells = empty_to_null(cells.to_frame()).to_series()
        if f.derivation.map is not None:
            cells, unmapped = _look_up(cells, f, f.derivation.map)
            for at, text in unmapped.items():
                reasons[f.name, at] = f"{f.name}: is not in `map`{shown_value(text)}"
        columns[f.name] = cells
    # A frame without columns has no height of its own: with none made either, it stays as it is.
    is_bare = not page.frame.width and bool(columns)
    frame = pl.DataFrame(list(columns.values())) if is_bare else page.frame.with_columns(*columns.values())
    missing = {name: mask for name, mask in page.missing_keys.items() if name not in columns}
    return replace(page, frame=frame, numbers=page.numbers - set(columns), missing_keys=missing), reasons


def _first_values(page: Page, name: str, derivation: Derivation) -> pl.Series | None:
    """The values that the steps begin with; None if the source does not have them."""
    if not derivation.is_made:
        return page.frame[name] if name in page.frame.columns else None
    if not derivation.fields:
        return column(name, [derivation.constant] * page.frame.height)
    if not set(derivation.fields) <= set(page.frame.columns):
        return pl.Series(name, [None] * page.frame.height, dtype=pl.String)
    texts = {each: _to_text(page.frame[each]).alias(f"t{at}") for at, each in enumerate(dict.fromkeys(derivation.fields))}
    parts = [pl.lit(part) if field is None else pl.col(texts[field].name) for part, field in derivation.parts]
    return pl.DataFrame(list(texts.values())).select(pl.concat_str(parts).alias(name)).to_series()


def _to_text(cells: pl.Series) -> pl.Series:
    """The cells as a person would write them: text as it is, everything else as in JSON."""
    if cells.dtype == pl.String:
        return cells
    if cells.dtype.is_integer() or cells.dtype in (pl.Boolean, pl.Categorical, pl.Enum):
        return cells.cast(pl.String)
    return pl.Series(cells.name, [_text_of(value) for value in cells.to_list()], dtype=pl.String)


def _text_of(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    try:
        text = jsonlib.dumps(value)
    except ValueError:
        return None
    return str(jsonlib.loads(text)) if text.startswith('"') else text


def _change_text(cells: pl.Series, derivation: Derivation) -> pl.Series:
    if not (derivation.trim or derivation.case):
        return cells
    if cells.dtype == pl.Object:  # texts beside other values
        changed = [_change_one(value, derivation) if isinstance(value, str) else value for value in cells.to_list()]
        return column(cells.name, changed)
    if cells.dtype in (pl.Categorical, pl.Enum):
        cells = cells.cast(pl.String)
    if cells.dtype != pl.String:
        return cells
    text = pl.col("v").str.strip_chars() if derivation.trim else pl.col("v")
    match derivation.case:
        case "lower":
            text = text.str.to_lowercase()
        case "upper":
            text = text.str.to_uppercase()
    return cells.to_frame("v").select(text.alias(cells.name)).to_series()


def _change_one(text: str, derivation: Derivation) -> str:
    text = text.strip() if derivation.trim else text
    return {"lower": text.lower, "upper": text.upper}.get(derivation.case, lambda: text)()


def _look_up(cells: pl.Series, f: Field, values: Mapping[str, object]) -> tuple[pl.Series, dict[int, str]]:
    """What the texts of the cells stand for, and those that stand for nothing, by row."""
    texts = _to_text(cells).to_list()
    unmapped = {at: text for at, text in enumerate(texts) if text is not None and text not in values}
    found = [f.default if at in unmapped else None if text is None else values[text] for at, text in enumerate(texts)]
    return column(f.name, found), {} if f.default is not None else unmapped
