"""The compiled rules refuse exactly the rows that Cerberus refuses, one by one and value by value."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from sendoff.records import Page, from_mappings
from sendoff.schema import Schema, declare
from sendoff.schema.explain import make_validator
from sendoff.schema.types import TYPES

CHARACTERS = st.characters(exclude_categories=["Cs"])
TEXTS = st.one_of(
    st.text(CHARACTERS, max_size=8),
    st.sampled_from(
        ["1", "-0", "007", "+5", "1_000", " 7", "١٢", "0x10", "nan", "inf", "1e400", "1.10", "-1.5e3", ".5", "5.", "9" * 19, "9" * 40,
         "true", "TRUE", "yes", "2026-02-28", "2026-02-29", "2024-02-29", "0000-01-01", "2026-1-1", "2026-01-01T10:00",
         "2026-01-01 10:00:00.5+02:00", "2026-01-01T25:00:00", "2026-01-01T10:00:00Z", "10:00", "24:00", "10:00:60", "[1,2]",
         "[NaN]", "{}", '{"a":1,"a":2}', "[1", "a\n", "a", "ab", "b", "abc", "é", "a b"]
    ),
)  # fmt: skip
VALUES = st.one_of(
    TEXTS,
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.integers(-5, 5),
    st.floats(),
    st.decimals(allow_nan=True, places=2),
    st.dates(),
    st.datetimes(),
    st.times(),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(CHARACTERS, max_size=2), st.integers(), max_size=2),
    st.just("\ud800"),
)

NUMBERS = st.one_of(st.integers(-5, 5), st.floats(-5, 5).map(lambda x: round(x, 2)))
DAYS = st.dates(dt.date(2026, 1, 1), dt.date(2026, 3, 1)).map(str)
REGEXES = st.sampled_from(["a", "a|b", "[ab]+", r"\d+", r"\w*", "a$", ".", "", r"(a)\1", "[^a]", "(?i)A", r"\s*", "a{1,2}"])
BOUNDS = {"integer": NUMBERS, "float": NUMBERS, "number": NUMBERS, "decimal": NUMBERS, "date": DAYS}


@st.composite
def rules(draw: st.DrawFn, type_name: str) -> dict[str, Any]:
    """A field's rules with constraints of its type."""
    chosen: dict[str, Any] = {"type": type_name}
    if draw(st.booleans()):
        chosen["nullable"] = draw(st.booleans())
    if type_name in BOUNDS:
        for rule in ("min", "max"):
            if draw(st.booleans()):
                chosen[rule] = draw(BOUNDS[type_name])
    if type_name == "string":
        for rule, values in {
            "minlength": st.integers(0, 4), "maxlength": st.integers(0, 4), "regex": REGEXES, "empty": st.booleans(),
            "allowed": st.lists(TEXTS, max_size=3), "forbidden": st.lists(TEXTS, max_size=3),
        }.items():  # fmt: skip
            if draw(st.integers(0, 3)) == 0:
                chosen[rule] = draw(values)
    if type_name == "integer" and draw(st.integers(0, 3)) == 0:
        chosen[draw(st.sampled_from(["allowed", "forbidden"]))] = draw(st.lists(st.integers(-5, 5), max_size=3))
    if type_name in ("list", "dict") and draw(st.booleans()):
        chosen[draw(st.sampled_from(["minlength", "maxlength"]))] = draw(st.integers(0, 2))
    return chosen


def refused_by_cerberus(declared: dict[str, Any], cells: list[Any], *, text: bool) -> set[int]:
    """The oracle: each cell read by itself, then judged by Cerberus by itself."""
    field = declare("f", declared)
    judge = make_validator({"f": field.rules})
    refused = set()
    for index, cell in enumerate(cells):
        value = None if text and cell == "" else cell
        try:
            value = None if value is None else TYPES[declared["type"]].read(value, text=text)
        except ValueError:
            refused.add(index)
            continue
        if not judge.validate({"f": value}, normalize=False):
            refused.add(index)
    return refused


fields = st.sampled_from(list(TYPES)).flatmap(rules)


@given(fields, st.lists(TEXTS, min_size=1, max_size=12))
@settings(max_examples=600)
def test_of_text_the_same_rows_are_refused(declared: dict[str, Any], cells: list[str]) -> None:
    page = Page(pl.DataFrame({"f": pl.Series(cells, dtype=pl.String)}), all_text=True)
    refused = Schema([declare("f", declared)], unknown="drop").apply(page).invalid
    assert set(refused) == refused_by_cerberus(declared, cells, text=True)


@given(fields, st.lists(st.one_of(st.none(), VALUES), min_size=1, max_size=12))
@settings(max_examples=600)
def test_of_values_the_same_rows_are_refused(declared: dict[str, Any], cells: list[Any]) -> None:
    refused = Schema([declare("f", declared)], unknown="drop").apply(from_mappings([{"f": cell} for cell in cells])).invalid
    assert set(refused) == refused_by_cerberus(declared, cells, text=False)


@given(fields, st.data())
@settings(max_examples=400)
def test_of_native_columns_the_same_rows_are_refused(declared: dict[str, Any], data: st.DataObject) -> None:
    kind = data.draw(
        st.sampled_from([st.integers(-(2**63), 2**63 - 1), st.integers(-5, 5), st.floats(), st.booleans(), st.dates(), TEXTS])
    )
    cells = data.draw(st.lists(st.one_of(st.none(), kind), min_size=1, max_size=12))
    frame = pl.DataFrame({"f": pl.Series(cells)})
    refused = Schema([declare("f", declared)], unknown="drop").apply(Page(frame)).invalid
    assert set(refused) == refused_by_cerberus(declared, cells, text=False)


@given(st.lists(TEXTS, min_size=1, max_size=12), st.sampled_from(list(TYPES)))
def test_a_refused_row_has_a_reason_that_names_the_field_and_shows_the_value(cells: list[str], type_name: str) -> None:
    page = Page(pl.DataFrame({"f": pl.Series(cells, dtype=pl.String)}), all_text=True)
    for reason in Schema([declare("f", {"type": type_name})], unknown="drop").apply(page).invalid.values():
        assert reason.startswith("f: ")
        assert len(reason) < 400


def test_two_bad_rows_side_by_side_get_two_reasons() -> None:
    page = Page(pl.DataFrame({"age": ["x", "200"]}), "a.csv", [2, 3], all_text=True)
    refused = Schema([declare("age", {"type": "integer", "max": 150})], unknown="drop").apply(page).invalid
    assert refused == {0: "age: must be of integer type (got 'x')", 1: "age: max value is 150 (got 200)"}


def test_a_rule_that_does_not_compile_runs_in_cerberus_and_is_listed() -> None:
    schema = Schema([declare("email", {"type": "string", "anyof": [{"regex": ".*@a"}, {"regex": ".*@b"}]})], unknown="drop")
    assert schema.slow == {"email": ["anyof"]}
    assert set(schema.apply(from_mappings([{"email": "x@a"}, {"email": "x@c"}])).invalid) == {1}


def test_defaults_fill_what_may_not_be_null() -> None:
    schema = Schema(
        [declare("n", {"type": "integer", "default": 7}), declare("d", {"type": "decimal", "default": 1})], unknown="drop"
    )
    frame = schema.apply(Page(pl.DataFrame({"n": ["", "3"]}), all_text=True)).frame
    assert frame.rows() == [(7, "1"), (3, "1")]


def test_dates_in_another_format_are_read_by_it() -> None:
    schema = Schema([declare("d", {"type": "date", "format": "%d.%m.%Y"})], unknown="drop")
    typed = schema.apply(Page(pl.DataFrame({"d": ["28.02.2026", "2026-02-28", "29.02.2026"]}), all_text=True))
    assert typed.frame["d"].to_list() == [dt.date(2026, 2, 28), None, None]
    assert set(typed.invalid) == {1, 2}


def test_decimal_keeps_its_digits() -> None:
    typed = Schema([declare("d", {"type": "decimal"})], unknown="drop").apply(
        from_mappings([{"d": Decimal("1.10")}, {"d": Decimal(3)}])
    )
    assert typed.frame["d"].to_list() == ["1.10", "3"]
