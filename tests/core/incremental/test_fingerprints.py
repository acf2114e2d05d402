"""A row is known by what it holds, wherever it is read."""

from __future__ import annotations

from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from sendoff import jsonlib
from sendoff.incremental import IncrementalRule, fingerprint_rows
from sendoff.records import Page, from_mappings

RULE = IncrementalRule(("k",), "send", None, resend=True)
VALUES = st.one_of(
    st.none(), st.text(max_size=5), st.integers(-(2**70), 2**70), st.booleans(), st.dates(), st.datetimes(),
    st.floats(allow_nan=False, allow_infinity=False), st.decimals(allow_nan=False, allow_infinity=False),
)  # fmt: skip
ROWS = st.lists(st.fixed_dictionaries({"k": st.integers(0, 9), "v": VALUES, "w": st.text(max_size=3)}), min_size=1, max_size=6)


def of(rows: list[dict[str, Any]], rule: IncrementalRule = RULE) -> list[tuple[bytes | None, bytes]]:
    prints = fingerprint_rows(from_mappings(rows), rule)
    return list(zip(prints.keys, prints.states, strict=True))


@given(ROWS)
def test_it_is_the_same_alone_and_among_others(rows: list[dict[str, Any]]) -> None:
    assert of(rows) == [of([row])[0] for row in rows]


@given(ROWS)
def test_it_is_the_same_when_it_comes_back_from_the_failed_records(rows: list[dict[str, Any]]) -> None:
    kept = from_mappings(rows).as_json(range(len(rows)))
    assert of([jsonlib.loads(text) for text in kept]) == of(rows)


SIMPLE = st.one_of(st.text(max_size=3), st.integers(-3, 30), st.dates())


@given(SIMPLE, SIMPLE)
def test_values_with_another_text_are_another_state(one: Any, other: Any) -> None:
    states = [of([{"k": 1, "v": value}])[0][1] for value in (one, other)]
    assert (states[0] == states[1]) == (str(one) == str(other))


def test_text_numbers_and_spreadsheet_numbers_are_one() -> None:
    text = Page(pl.DataFrame({"k": ["1"], "v": ["20"], "w": [""]}), all_text=True)
    assert fingerprint_rows(text, RULE) == fingerprint_rows(from_mappings([{"k": 1, "v": 20.0, "w": None}]), RULE)


def test_a_column_more_that_is_empty_changes_nothing_and_one_with_a_value_does() -> None:
    assert of([{"k": 1}]) == of([{"k": 1, "v": None}])
    assert of([{"k": 1}])[0][1] != of([{"k": 1, "v": ""}])[0][1]


def test_values_do_not_run_into_each_other() -> None:
    assert of([{"k": 1, "v": "a", "w": "bc"}]) != of([{"k": 1, "v": "ab", "w": "c"}])
    assert of([{"k": 1, "v": "x"}]) != of([{"k": 1, "w": "x"}])


TRICKY = st.none() | st.text("\x1f\x1eab:1\\", max_size=4)


@given(*[st.dictionaries(st.sampled_from(["a", "b", "", "a\x1f", "\x1e", "\\x1f"]), TRICKY, max_size=4)] * 2)
def test_two_rows_are_the_same_exactly_if_their_values_are_whatever_these_hold(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    rule = IncrementalRule((), "send", None)
    names = sorted({*one, *other})
    both = Page(pl.DataFrame({name: pl.Series([one.get(name), other.get(name)], dtype=pl.String) for name in names}))
    same = {name: value for name, value in one.items() if value is not None} == {
        name: value for name, value in other.items() if value is not None
    }
    states = fingerprint_rows(both, rule).states if names else [b"", b""]
    alone = [of([row], rule)[0][1] for row in (one, other)]
    assert (states[0] == states[1]) == same
    assert names == [] or states == alone


def test_a_state_is_the_same_in_every_version() -> None:
    """What is stored in ledgers is compared with it: a change of this resends everything, or loses a change."""
    keys, states = fingerprint_rows(from_mappings([{"k": 1, "v": "ä", "w": None}, {"k": 1, "v": "\x1f"}]), RULE)
    assert [key.hex() for key in keys if key] == ["f04988a93b3bffb2c39fc68438fb0a32"] * 2  # pragma: allowlist secret
    assert [state.hex() for state in states] == [
        "18b81e56f926b3d570f579c1e59f1390",  # pragma: allowlist secret
        "60adec050e16daca531fed4a95e9af63",  # pragma: allowlist secret
    ]


def test_without_a_key_a_row_is_known_by_all_it_holds() -> None:
    rule = IncrementalRule((), "send", ("v",))
    same, other, third = (key for key, _ in of([{"v": 1, "w": 1}, {"v": 1, "w": 2}, {"v": 2, "w": 1}], rule))
    assert same == other != third


def test_a_null_in_the_key_is_no_key() -> None:
    assert of([{"k": None, "v": 1}])[0][0] is None
