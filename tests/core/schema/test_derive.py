"""A field may be made of others, and its text trimmed, put in another case and looked up."""

from __future__ import annotations

import re
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendoff import ConfigError, SourceError
from sendoff.records import Page, from_mappings
from sendoff.schema import InvalidRule, Schema, declare
from sendoff.testing import Project, Receiver


def apply(rules: dict[str, dict[str, Any]], page: Page, unknown: str = "drop") -> tuple[list[dict[str, Any]], dict[int, str]]:
    typed = Schema([declare(name, rule) for name, rule in rules.items()], unknown=unknown).apply(page)
    return typed.frame.to_dicts(), typed.invalid


def from_text(**columns: list[str | None]) -> Page:
    return Page(pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String)), all_text=True)


def test_text_is_made_of_columns_that_need_not_be_declared() -> None:
    page = from_text(first=["Ann", "Bob", ""], last=["Lee", "", "Ray"], id=["1", "2", "3"])
    found, invalid = apply(
        {"name": {"type": "string", "value": "{last}, {first} {{{id}}}", "nullable": True}, "id": {"type": "integer"}}, page
    )
    assert found == [{"name": "Lee, Ann {1}", "id": 1}, {"name": None, "id": 2}, {"name": None, "id": 3}]
    assert invalid == {}


def test_a_constant_needs_no_column_and_keeps_its_type() -> None:
    rules: dict[str, dict[str, Any]] = {
        "from": {"value": "web"},
        "version": {"value": 2},
        "on": {"type": "boolean", "value": True},
        "day": {"type": "date", "value": "2026-01-31"},
        "tags": {"value": ["a", {"b": 1}]},
        "none": {"value": None, "nullable": True},
    }
    for page in (from_text(id=["1", "2"]), from_mappings([{"id": 1}, {"other": 2}])):
        found, invalid = apply(rules, page)
        assert invalid == {}
        assert [{**row, "day": str(row["day"])} for row in found] == [
            {"from": '"web"', "version": "2", "on": True, "day": "2026-01-31", "tags": '["a",{"b":1}]', "none": None}
        ] * 2


def test_text_is_trimmed_and_put_in_a_case_before_its_type_applies() -> None:
    page = from_text(mail=[" Ann@Example.COM\t", "  "], count=[" 12 ", "7"], code=["ab", " Ünï "])
    rules: dict[str, dict[str, Any]] = {
        "mail": {"type": "string", "trim": True, "lower": True},
        "count": {"type": "integer", "trim": True},
        "code": {"type": "string", "upper": True},
    }
    found, invalid = apply(rules, page)
    assert found[0] == {"mail": "ann@example.com", "count": 12, "code": "AB"}
    assert found[1]["code"] == " ÜNÏ "
    assert invalid == {1: "mail: null value not allowed"}


def test_values_are_looked_up_and_one_that_is_not_there_is_the_default_or_invalid() -> None:
    texts = from_text(ok=["ja", "NEIN ", "vielleicht", ""])
    rule: dict[str, Any] = {
        "type": "boolean",
        "trim": True,
        "lower": True,
        "map": {"ja": True, "nein": False},
        "nullable": True,
    }
    assert apply({"ok": rule}, texts) == (
        [{"ok": True}, {"ok": False}, {"ok": None}, {"ok": None}],
        {2: "ok: is not in `map` (got 'vielleicht')"},
    )
    assert apply({"ok": {**rule, "nullable": False}}, texts)[1] == {
        2: "ok: is not in `map` (got 'vielleicht')", 3: "ok: null value not allowed"
    }  # fmt: skip
    assert apply({"ok": {**rule, "default": False}}, texts)[0][2] == {"ok": False}
    mixed = from_mappings([{"ok": 1}, {"ok": True}, {"ok": "1"}, {"ok": None}, {}, {"ok": 2.5}])
    found, invalid = apply({"ok": {"map": {"1": "one", True: "yes", 2.5: [2, 5]}, "nullable": True}}, mixed)
    assert [row["ok"] for row in found] == ['"one"', '"yes"', '"one"', None, None, "[2,5]"]
    assert invalid == {}


def test_records_that_lack_a_column_that_a_value_is_made_of_have_none(project: Project, receiver: Receiver) -> None:
    lines = '{"a": "x", "b": 12345678901234567890123}\n{"a": "y"}\n{"a": "z", "b": {"c": [1.50]}}\n'
    schema = "schema: {ab: {type: string, value: '{a}-{b}'}}\nunknown: drop\n"
    project(
        {
            "in.jsonl": lines,
            "connectors.d/c.yaml": f"source: {{use: jsonl, path: in.jsonl}}\n{schema}destination: {{url: '{receiver.url}'}}\n",
        }
    )
    report = project.run("c")
    assert (report.delivered, report.invalid) == (2, 1)
    assert receiver.bodies == [[{"ab": "x-12345678901234567890123"}, {"ab": 'z-{"c":[1.50]}'}]]


def test_a_file_without_a_column_that_a_value_is_made_of_is_refused() -> None:
    page = from_text(first=["Ann"])
    with pytest.raises(SourceError, match="no column 'last'; its columns are first"):
        apply({"name": {"value": "{first} {last}"}}, page)
    assert apply({"name": {"value": "{first} {last}", "required": False}}, page) == ([{"name": None}], {})


def test_a_column_that_a_value_is_made_of_is_not_unknown() -> None:
    page = from_text(first=["Ann"], last=["Lee"])
    assert apply({"name": {"type": "string", "value": "{first} {last}"}}, page, "forbid") == ([{"name": "Ann Lee"}], {})
    with pytest.raises(SourceError, match="unknown column 'last'"):
        apply({"name": {"type": "string", "value": "{first}"}}, page, "forbid")


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        ({"value": "{first"}, "braces hold the name of a column"),
        ({"value": "{}"}, "braces hold the name of a column"),
        ({"value": "{first!r}"}, "braces hold the name of a column"),
        ({"value": "{first:>10}"}, "braces hold the name of a column"),
        ({"lower": True, "upper": True}, "exclude each other"),
        ({"type": "integer", "value": "many"}, "'many' is not of integer type"),
        ({"type": "boolean", "map": {"yes": "treu"}}, "'treu' is not of boolean type"),
    ],
)
def test_what_cannot_be_meant_is_said_when_the_file_is_read(rules: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidRule, match=re.escape(sentence)):
        declare("x", rules)


def test_a_mistake_in_a_connector_has_its_place(project: Project) -> None:
    text = "source: stdin\nschema:\n  name:\n    value: '{first'\ndestination: {url: 'http://localhost/x'}\n"
    project({"connectors.d/c.yaml": text})
    with pytest.raises(ConfigError, match=r"c\.yaml:4:12: schema\.name\.value: braces hold"):
        project.runner().connector("c")


@given(st.lists(st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=6)), min_size=1))
def test_json_and_csv_make_the_same_text(values: list[str | None]) -> None:
    rules: dict[str, dict[str, Any]] = {
        "x": {"type": "string", "value": "<{a}>", "nullable": True}, "a": {"type": "string", "trim": True, "nullable": True}
    }  # fmt: skip
    typed, _ = apply(rules, from_mappings([{"a": value} for value in values]))
    expected = [{"x": None if v is None else f"<{v}>", "a": None if v is None else v.strip()} for v in values]
    # Python's white space has four separators (U+001C to U+001F) that Unicode's has not.
    if not any(v and set(v) & set("\x1c\x1d\x1e\x1f") for v in values):
        assert typed == expected


@pytest.mark.parametrize("rule", [{"map": {"a": "z"}}, {"trim": True}, {"lower": True}])
def test_records_without_any_field_are_invalid_one_by_one(rule: dict[str, Any]) -> None:
    """Kind: a page without columns, whose height is lost. Brother: no page at all."""
    found, invalid = apply({"a": {"type": "string", **rule}}, from_mappings([{}, {}]))
    assert len(found) == 2
    assert invalid == {0: "a: null value not allowed", 1: "a: null value not allowed"}
