"""Lines that are alike are read all at once: the same records as one by one, or not at all."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendoff import Page, jsonlib
from sendoff.encode.blocks import make_block
from sendoff.encode.encoder import RecordFormat, encode_rows
from sendoff.records import from_mappings
from sendoff.schema import Schema, declare
from sendoff_plugins.sources._common.uniform_lines import UniformLineReader
from sendoff_plugins.sources.jsonl import parse_each

SCALARS: Any = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=6),
    st.sampled_from(["é", '"', "\\", "\n", "\u2028", "\x7f", "\x00", "1", "true", "null"]),
)
RARE: Any = st.one_of(SCALARS, st.lists(SCALARS, max_size=2), st.dictionaries(st.text(max_size=2), SCALARS, max_size=2))
LINES: Any = st.sampled_from(
    [
        "{",
        "",
        "[1]",
        "nul",
        '{"a": 01}',
        '{"a": 1,}',
        '{"a": 1, "a": 2}',
        '{"a": "\\ud800"}',
        '{"a": "\\x"}',
        '{"a": NaN}',
        "{}",
    ]
)


@st.composite
def files(draw: Any) -> list[str]:
    """Lines of mostly alike objects, written in several styles, with a few that are not."""
    keys = draw(st.lists(st.sampled_from(["a", "b", "c d", "e.f", "$g", "h*", "ä"]), min_size=1, max_size=4, unique=True))
    kinds = {key: draw(st.sampled_from([st.integers(-9, 2**66), st.text(max_size=5), st.booleans(), SCALARS])) for key in keys}
    lines = []
    for _ in range(draw(st.integers(1, 12))):
        row = {key: draw(kinds[key]) for key in keys}
        style = draw(st.sampled_from([{}, {"separators": (",", ":")}, {"ensure_ascii": False}]))
        lines.append(draw(st.sampled_from(["", " ", "\t"])) + json.dumps(row, **style))
    for at in draw(st.lists(st.integers(1, 12), max_size=2)):
        if at >= len(lines):
            continue
        lines[at] = draw(st.one_of(LINES, RARE.map(lambda value: json.dumps({keys[0]: value}))))
    return [line for line in lines if line.strip()] or ["{}"]


@given(files(), st.sampled_from(["keep", "drop"]))
def test_what_is_read_all_at_once_is_what_is_read_one_by_one(lines: list[str], unknown: str) -> None:
    found = UniformLineReader().read(pl.Series(lines))
    if found is None:
        return
    page, faults = found
    found_rows, slow_faults = parse_each(lines)
    slow = from_mappings(found_rows)
    assert faults == slow_faults
    good = [at for at in range(len(lines)) if at not in faults]
    assert rows(page.to_python(), good) == rows(slow, good)
    assert records(page, good, unknown) == records(slow, good, unknown)


def rows(page: Page, good: list[int]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if value is not None} for row in page.frame[good].to_dicts()]


def records(page: Page, good: list[int], unknown: str) -> list[Any]:
    """What would be sent, read back."""
    typed = Schema([declare("a", {"nullable": True, "required": False})], unknown=unknown).apply(page).only(good)
    block = make_block(encode_rows(typed, RecordFormat()))
    data, offsets = block.data, block.offsets
    sent = [jsonlib.loads(data[offsets[at] : offsets[at + 1] - 1].decode()) for at in range(len(good))]
    return [{key: value for key, value in record.items() if value is not None} for record in sent]


@pytest.mark.parametrize(
    "line",
    ['{"a": 1}', '{"a":"x","b":[1]}', '{"a": "x", "b": {}}', '{"b": "x", "a": 1}', '{"a": "x"}', '{"a": "x", "b": 1, "b": 2}'],
)
def test_what_no_expression_knows_is_left_to_the_parser_or_known_exactly(line: str) -> None:
    lines = ['{"a": "x", "b": 1}'] * 40 + [line]
    found = UniformLineReader().read(pl.Series(lines))
    if found is None:
        assert (
            jsonlib.loads(line).keys() != {"a", "b"} or list(jsonlib.loads(line)) != ["a", "b"] or "[" in line or "{}" in line
        )
    else:
        assert found[1] == parse_each(lines)[1]


def test_a_record_that_needs_no_change_is_sent_byte_for_byte() -> None:
    lines = ['{"b": 1.10, "a": "x"}', '{"b": 1e2,  "a": "\\u00e9"}']
    found = UniformLineReader().read(pl.Series(lines))
    assert found is not None
    rules: dict[str, dict[str, Any]] = {"a": {"type": "string"}, "b": {"type": "decimal"}}
    schema = Schema([declare(name, rule) for name, rule in rules.items()], unknown="forbid")
    assert make_block(encode_rows(schema.apply(found[0]), RecordFormat())).data.decode() == ",".join(lines)


@pytest.mark.parametrize(
    ("rules", "sent"),
    [
        ({"a": {"type": "string", "rename": "z"}}, '{"z":"x"}'),
        ({"a": {"type": "string"}, "b": {"type": "integer", "default": 5, "required": False}}, '{"a":"x","b":5}'),
    ],
)
def test_a_record_that_is_to_be_changed_is_written_anew(rules: dict[str, Any], sent: str) -> None:
    found = UniformLineReader().read(pl.Series(['{"a": "x"}']))
    assert found is not None
    schema = Schema([declare(name, rule) for name, rule in rules.items()], unknown="forbid")
    assert make_block(encode_rows(schema.apply(found[0]), RecordFormat())).data.decode() == sent


def test_lines_that_differ_in_what_may_be_null_are_alike_all_the_same() -> None:
    lines = [json.dumps({"a": None if at % 3 == 0 else "é" * (at % 5), "b": [1, 2.5, None][at % 3]}) for at in range(1_000)]
    found = UniformLineReader().read(pl.Series(lines))
    assert found is not None
    assert found[0].to_python().frame["b"].null_count() == 333


@pytest.mark.parametrize("number", ["01", "-01", "1.", ".5", "+1", "1e", "0x1"])
def test_what_only_looks_like_a_number_is_set_aside(number: str) -> None:
    found = UniformLineReader().read(pl.Series(['{"a": 1}', '{"a": 1.5}'] * 10 + [f'{{"a": {number}}}']))
    assert found is not None
    assert list(found[1]) == [20]
