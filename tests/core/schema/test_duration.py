"""Lengths of time are sent in ISO 8601, whatever the source has them as."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendoff.records import Page, from_mappings
from sendoff.schema import Schema, declare
from sendoff.schema.types import format_duration


def read(page: Page, **rule: Any) -> tuple[list[Any], dict[int, str]]:
    typed = Schema([declare("t", {"type": "duration", **rule})], unknown="drop").apply(page)
    return typed.frame["t"].to_list(), typed.invalid


@pytest.mark.parametrize("good", ["P1Y2M3DT4H5M6.7S", "P2W", "PT0S", "-PT3H", "P1D", "PT36H", "P1Y", "P-1M", "P1DT-2H"])
def test_text_in_iso_8601_is_sent_as_it_is(good: str) -> None:
    assert read(Page(pl.DataFrame({"t": [good]}), all_text=True)) == ([good], {})
    assert read(from_mappings([{"t": good}])) == ([good], {})


@pytest.mark.parametrize("bad", ["P", "PT", "P1DT", "1:30", "P1H", "P1W2D", "PT1.5H", "p1d", "P-", "1 day, 2:00:00"])
def test_other_text_is_its_rows_fault(bad: str) -> None:
    values, invalid = read(Page(pl.DataFrame({"t": [bad]}), all_text=True))
    assert (values, invalid) == ([None], {0: f"t: must be of duration type (got {bad!r})"})


@given(st.lists(st.timedeltas(timedelta(days=-99_999_999), timedelta(days=99_999_999)), min_size=1))
def test_a_native_column_and_single_values_are_written_alike(values: list[timedelta]) -> None:
    texts = [format_duration(value) for value in values]
    assert read(Page(pl.DataFrame({"t": pl.Series(values, dtype=pl.Duration("us"))}))) == (texts, {})
    assert read(from_mappings([{"t": value} for value in values])) == (texts, {})
    assert read(Page(pl.DataFrame({"t": texts}), all_text=True)) == (texts, {})
