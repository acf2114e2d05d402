"""Rules inside a value do what they do at the top, or are refused when the connector is read."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import cerberus
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendoff import ConfigError, jsonlib
from sendoff.records import Page, from_mappings
from sendoff.schema import INSTEAD, RULES, InvalidRule, Schema, declare, nested
from sendoff.testing import Project


def apply(
    rules: dict[str, dict[str, Any]], *rows: dict[str, Any], unknown: str = "drop"
) -> tuple[list[dict[str, Any]], dict[int, str]]:
    """What is sent of each row, and why some are invalid."""
    typed = Schema([declare(name, rule) for name, rule in rules.items()], unknown=unknown).apply(from_mappings(rows))
    sent = []
    for at, row in enumerate(typed.frame.to_dicts()):
        values = {
            name: jsonlib.loads(value) if name in typed.raw and value is not None else value
            for name, value in row.items()
            if not (value is None and name in typed.optional)
        }
        sent.append(values if at not in typed.invalid else {})
    return sent, typed.invalid


WHO = {"type": "dict", "schema": {"nick": {"type": "string", "rename": "handle"}, "lang": {"type": "string", "default": "en"}}}


@pytest.mark.parametrize(
    ("rules", "value", "sent"),
    [
        (WHO, {"nick": "ann"}, {"handle": "ann", "lang": "en"}),
        (WHO, {"lang": None, "nick": "ann"}, {"lang": "en", "handle": "ann"}),
        (WHO, {"nick": "ann", "lang": "de", "odd": 1}, {"handle": "ann", "lang": "de"}),
        ({**WHO, "allow_unknown": True}, {"nick": "ann", "odd": 1}, {"handle": "ann", "odd": 1, "lang": "en"}),
        ({"type": "list", "schema": WHO}, [{"nick": "a"}, {}], [{"handle": "a", "lang": "en"}, {"lang": "en"}]),
        ({"type": "list", "items": [{"type": "integer"}, WHO]}, [1, {}], [1, {"lang": "en"}]),
        ({"type": "dict", "valuesrules": WHO}, {"x": {"nick": "a"}}, {"x": {"handle": "a", "lang": "en"}}),
        ({"type": "dict", "schema": {"d": "decimal"}}, {"d": Decimal("1.10")}, {"d": Decimal("1.10")}),
    ],
)
def test_names_defaults_and_unknown_fields_are_those_of_the_schema_at_any_depth(rules: Any, value: Any, sent: Any) -> None:
    assert apply({"f": rules}, {"f": value}) == ([{"f": sent}], {})


def test_unknown_fields_inside_follow_what_is_said_of_those_outside() -> None:
    rules: dict[str, Any] = {"f": {"type": "dict", "schema": {"a": {"type": "integer"}}}}
    row = {"f": {"a": 1, "b": 2}}
    assert apply(rules, row, unknown="drop") == ([{"f": {"a": 1}}], {})
    assert apply(rules, row, unknown="keep") == ([{"f": {"a": 1, "b": 2}}], {})
    assert apply(rules, row, unknown="forbid")[1] == {0: "f.b: unknown field (got 2)"}


def test_an_alternative_takes_no_field_that_it_does_not_name() -> None:
    """Kind: a helper's setting that leaks down. Brothers: `anyof`, `noneof`, and an alternative that says otherwise."""
    phone, mail = {"schema": {"phone": {"type": "string"}}}, {"schema": {"mail": {"type": "string"}}}
    rows: list[dict[str, Any]] = [{"f": {"phone": "123"}}, {"f": {"mail": "a@b.example"}}, {"f": {"fax": "456"}}]
    for unknown in ("drop", "keep", "forbid"):
        assert set(apply({"f": {"type": "dict", "oneof": [phone, mail]}}, *rows, unknown=unknown)[1]) == {2}
        assert set(apply({"f": {"type": "dict", "anyof": [phone, mail]}}, *rows, unknown=unknown)[1]) == {2}
        assert set(apply({"f": {"type": "dict", "noneof": [phone, mail]}}, *rows, unknown=unknown)[1]) == {0, 1}
    open_ = {**phone, "allow_unknown": True}
    assert set(apply({"f": {"type": "dict", "oneof": [open_, mail]}}, *rows)[1]) == {1}


def test_dates_times_and_decimals_are_read_from_text_at_any_depth() -> None:
    rules: dict[str, Any] = {
        "visits": {"type": "list", "schema": {"type": "date", "min": "2026-01-01"}},
        "card": {"type": "dict", "schema": {"until": {"type": "datetime"}, "at": {"type": "time"}, "sum": {"type": "decimal"}}},
    }
    good = {"visits": ["2026-01-02"], "card": {"until": "2027-01-31 10:00Z", "at": "10:00", "sum": "1.50"}}
    card = {"until": "2027-01-31T10:00:00Z", "at": "10:00:00", "sum": Decimal("1.50")}
    assert apply(rules, good) == ([{"visits": ["2026-01-02"], "card": card}], {})
    bad = {"visits": ["2025-12-31", "x"], "card": {"until": "2027-02-30T10:00", "at": "25:00", "sum": "1,50"}}
    assert apply(rules, bad)[1] == {
        0: "card.at: must be of time type (got '25:00'); card.sum: must be of decimal type (got '1,50'); "
        "card.until: must be of datetime type (got '2027-02-30T10:00'); visits.0: min value is 2026-01-01 (got '2025-12-31'); "
        "visits.1: must be of date type (got 'x')"
    }


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        ({"type": "dict", "schema": {"a": {"type": "date", "format": "%d"}}}, "a: `format` works on the fields of the record"),
        ({"type": "dict", "schema": {"a": {"value": 1}}}, "a: `value` works on the fields of the record"),
        ({"type": "dict", "anyof": [{"schema": {"a": {"type": "date"}}}]}, "0.a: JSON has no date; in an alternative use"),
        ({"type": "dict", "anyof": [{"schema": {"a": {"default": 1}}}]}, "0.a: `default` does nothing in an alternative"),
        ({"type": "dict", "oneof": [{"schema": {"a": {"rename": "b"}}}]}, "0.a: `rename` does nothing in an alternative"),
        ({"type": "list", "schema": {"type": "date", "max": "soon"}}, "`max`: 'soon' is not of date type"),
        ({"type": "list", "schema": {"rename": "b"}}, "schema: `rename` is for a field, which has a name"),
        ({"type": "dict", "schema": {"a": 5}}, "rules are a mapping"),
        (
            {"type": "dict", "schema": {"a": {"coerce": int}}},
            "a: unknown rule 'coerce'; use `type`, which reads text, or `trim`",
        ),
        ({"type": "list", "schema": {"purge_unknown": True}}, "schema: unknown rule 'purge_unknown'; use `unknown: drop`"),
        (
            {"type": "list", "items": [{"type": "list", "schema": {"readonly": True}}]},
            "0.schema: unknown rule 'readonly'; use `forb",
        ),
        ({"anyof": [{"maxlenght": 5}]}, "0: unknown rule 'maxlenght'; did you mean 'maxlength'?"),
        ({"type": "dict", "schema": {}, "allow_unknown": {"coerce": "x"}}, "allow_unknown: unknown rule 'coerce'; use `type`"),
        (
            {"type": "dict", "schema": {}, "allow_unknown": {"type": "date"}},
            "allow_unknown: JSON has no date; in an alternative",
        ),
        ({"type": "list", "schema": {"type": ["date", "time"], "min": 3}}, "schema: `min`: 3 is not of date or time type"),
        (
            {"type": "dict", "valuesrules": {"anyof_type": ["string"]}},
            "valuesrules: unknown rule 'anyof_type'; did you mean 'anyof'?",
        ),
    ],
)
def test_a_rule_that_would_do_nothing_is_refused(rules: Any, sentence: str) -> None:
    with pytest.raises(InvalidRule, match=re.escape(sentence)):
        declare("f", rules)


def test_a_value_inside_may_be_of_several_types_with_bounds_in_that_of_each() -> None:
    days: dict[str, Any] = {"type": "list", "schema": {"type": ["date", "integer"], "min": "2026-01-01"}}
    assert set(apply({"f": days}, {"f": ["2026-01-01", 5]}, {"f": ["2025-12-31"]}, {"f": ["x"]})[1]) == {1, 2}
    words: dict[str, Any] = {"type": "list", "schema": {"type": ["date", "string"], "allowed": ["2026-01-01", "never"]}}
    assert set(apply({"f": words}, {"f": ["2026-01-01", "never"]}, {"f": ["2026-01-02"]}, {"f": ["soon"]})[1]) == {1, 2}
    parts: dict[str, Any] = {
        "type": "list",
        "schema": {
            "type": ["dict", "string"],
            "anyof": [{"type": "dict", "schema": {"a": {}}}, {"type": "string", "maxlength": 2}],
        },
    }
    assert set(apply({"f": parts}, {"f": ["ab", {"a": 1}]}, {"f": ["abc"]})[1]) == {1}


def test_unknown_fields_inside_may_have_rules_of_their_own() -> None:
    rules: dict[str, Any] = {
        "type": "dict",
        "schema": {"a": {"type": "integer"}},
        "allow_unknown": {"type": "string", "maxlength": 2},
    }
    assert apply({"f": rules}, {"f": {"a": 1, "b": "yy"}}, {"f": {"b": "yyy"}}) == (
        [{"f": {"a": 1, "b": "yy"}}, {}], {1: "f.b: max length is 2 (got 'yyy')"},
    )  # fmt: skip


@pytest.mark.parametrize("unknown", ["forbid", "drop", "keep"])
def test_a_rule_that_runs_in_cerberus_takes_no_other_declared_field_for_unknown(unknown: str) -> None:
    """Kind: a validator that is given a whole record and knows some of its fields."""
    rules: dict[str, Any] = {
        "kind": {"type": "string", "anyof": [{"allowed": ["a"]}, {"maxlength": 2}]},
        "name": {"type": "string"},
        "card": {"type": "dict", "schema": {"a": {"type": "integer"}}, "dependencies": "name"},
    }
    good: dict[str, Any] = {"kind": "a", "name": "Ann", "card": {"a": 1}}
    assert apply(rules, good, unknown=unknown) == ([good], {})
    assert apply(rules, {**good, "kind": "abc", "name": 5}, unknown=unknown)[1].keys() == {0}


def test_to_other_fields_a_null_is_a_field_that_is_not_there() -> None:
    rules: dict[str, Any] = {
        "id": {"type": "integer"},
        "street": {"type": "string", "nullable": True, "required": False},
        "zip": {"type": "string", "required": False, "dependencies": "street"},
    }
    rows: list[dict[str, Any]] = [
        {"id": 1, "street": "s", "zip": "z"},
        {"id": 2, "zip": "z"},
        {"id": 3},
        {"id": 4, "street": None, "zip": "z"},
    ]
    assert set(apply(rules, *rows)[1]) == {1, 3}


def test_one_of_two_fields_that_exclude_each_other_is_enough() -> None:
    rules: dict[str, Any] = {"a": {"type": "string", "excludes": "b"}, "b": {"type": "string", "excludes": ["a"]}}
    sent, invalid = apply(rules, {"a": "x"}, {"b": "y"}, {}, {"a": "x", "b": "y"})
    assert sent[:2] == [{"a": "x"}, {"b": "y"}]
    assert set(invalid) == {2, 3}
    loose = {name: {**rule, "required": False} for name, rule in rules.items()}
    assert set(apply(loose, {"a": "x"}, {}, {"a": "x", "b": "y"})[1]) == {2}


def test_a_field_may_be_of_one_of_several_types() -> None:
    rules: dict[str, Any] = {"x": {"type": ["integer", "date", "string"], "nullable": True}}
    rows: list[dict[str, Any]] = [{"x": 5}, {"x": "a"}, {"x": "2026-01-31"}, {"x": 1.5}, {"x": None}, {"x": True}]
    sent, invalid = apply(rules, *rows)
    assert sent[:3] == rows[:3]
    assert sent[4] == {"x": None}
    assert invalid == {
        3: "x: must be of integer or date or string type (got 1.5)",
        5: "x: must be of integer or date or string type (got True)",
    }
    page = Page(pl.DataFrame({"x": ["5", "a", "05", ""]}), all_text=True)
    typed = Schema([declare("x", rules["x"])], unknown="drop").apply(page)
    assert (typed.frame["x"].to_list(), typed.invalid) == (["5", '"a"', '"05"', None], {})


def test_numbers_of_json_lines_keep_their_digits_where_several_types_are_allowed() -> None:
    page = Page(pl.DataFrame({"x": ["1", "1.10", "1e2"]}), uniform=False, numbers=frozenset({"x"}))
    typed = Schema([declare("x", {"type": ["string", "decimal"]})], unknown="drop").apply(page)
    assert typed.invalid == {}
    assert [Decimal(text) for text in typed.frame["x"]] == [Decimal(1), Decimal("1.10"), Decimal(100)]


NAMES = st.sampled_from("abc")
SCALARS = st.one_of(st.integers(0, 3), st.none(), st.sampled_from(["x", "y"]))
# Not both: Cerberus gives a missing field its default under the old name; here, as at the top, under the new one.
LEAVES = st.one_of(
    st.fixed_dictionaries({}, optional={"nullable": st.booleans(), "rename": st.sampled_from("pqr")}),
    st.fixed_dictionaries({}, optional={"nullable": st.booleans(), "default": st.integers(0, 3)}),
)


def _unnamed(rules: dict[str, Any]) -> dict[str, Any]:
    """The rules of an item, which has no name to change, and is not missing."""
    return {rule: value for rule, value in rules.items() if rule not in ("rename", "default")}


NESTED_RULES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.fixed_dictionaries(
            {"type": st.just("dict"), "schema": st.dictionaries(NAMES, inner, min_size=1, max_size=3)},
            optional={"allow_unknown": st.booleans()},
        ),
        st.fixed_dictionaries({"type": st.just("list"), "schema": inner.map(_unnamed)}),
    ),
    max_leaves=6,
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.dictionaries(NAMES, inner, max_size=3), st.lists(inner, max_size=3)), max_leaves=8
)


@given(st.dictionaries(NAMES, NESTED_RULES, min_size=1, max_size=3), st.dictionaries(NAMES, VALUES, max_size=3), st.booleans())
@settings(max_examples=400)
def test_a_valid_value_is_written_as_cerberus_normalises_it(schema: Any, value: Any, drop: bool) -> None:
    names = [rule.get("rename", name) for name, rule in schema.items()]
    if len(set(names) | set(schema)) < len(names) + len([name for name in schema if name not in names]):
        return  # two fields of one name
    if drop and "'rename'" in repr(schema):
        return  # Cerberus takes away what it has renamed
    oracle = cerberus.Validator({"f": {"type": "dict", "schema": schema}}, allow_unknown=not drop, purge_unknown=drop)
    if not cerberus.Validator({"f": {"type": "dict", "schema": schema}}, allow_unknown=True).validate(
        {"f": value}, normalize=False
    ):
        return
    expected = oracle.normalized({"f": value})
    if expected is not None:
        assert nested.write(value, {"type": "dict", "schema": schema}, drop=drop) == expected["f"]


def test_every_rule_of_cerberus_is_supported_or_there_is_something_to_use_instead() -> None:
    known = {*cerberus.Validator({}).validation_rules, *cerberus.Validator({}).normalization_rules}
    assert known == (known & set(RULES)) | set(INSTEAD)
    assert not set(RULES) & set(INSTEAD)


def test_a_rule_that_is_not_supported_says_what_to_use(project: Project) -> None:
    text = "source: stdin\nschema: {a: {type: dict, purge_unknown: true}}\ndestination: {url: 'http://localhost/x'}\n"
    project({"connectors.d/c.yaml": text})
    with pytest.raises(
        ConfigError, match=r"schema\.a\.purge_unknown: unknown key; use `unknown: drop`, which holds at any depth"
    ):
        project.runner().connector("c")
