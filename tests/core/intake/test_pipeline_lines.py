"""Lines that are sent as they stand: the same records, and the same refused, as when every one of them is read."""

from __future__ import annotations

import io
import json
from datetime import datetime, time
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendoff import jsonlib
from sendoff.encode.idempotency import IdempotencyPolicy
from sendoff.intake.pipeline import Pipeline
from sendoff.records import pages
from sendoff.response import DEFAULT
from sendoff.schema import Schema, declare
from sendoff_plugins.senders.batch import Batch
from sendoff_plugins.sources.jsonl import read_lines

RULES: Any = {
    "string": [{}, {"minlength": 1}, {"maxlength": 3}, {"regex": "[a-z]+"}, {"allowed": ["a", "b"]}, {"empty": False}],
    "integer": [{}, {"min": 0}, {"min": -100, "max": 100}, {"max": 5}, {"min": -0.5}, {"allowed": [1, 2]}],
    "float": [{}, {"min": 0, "max": 1}, {"min": -0.5}, {"max": 0.5}],
    "decimal": [{}, {"min": -1000}, {"min": 0, "max": 99.5}],
    "number": [{}, {"max": 1000}],
    "boolean": [{}, {"allowed": [True]}],
    "date": [{}, {"min": "1950-01-01"}],
    "datetime": [{}],
    "time": [{}],
}
SHAPES: Any = [{}, {"nullable": True}, {"required": False}, {"nullable": True, "required": False}]
VALUES: dict[str, Any] = {
    "string": st.one_of(st.sampled_from(["", "a", "b", "abcd", "é", 'q"', "\\", "A", "\x7f"]), st.text(max_size=4)),
    "integer": st.one_of(st.integers(-120, 120), st.integers(-(2**65), 2**65)),
    "float": st.one_of(
        st.floats(-2, 2, allow_nan=False), st.integers(-2, 2), st.sampled_from([1e300, 1e-7, 12345678901234567890])
    ),
    "boolean": st.booleans(),
    "date": st.dates().map(str) | st.sampled_from(["1999-02-29", "2000-02-29", "1950-01-01", "1899-12-31", "19-1-1"]),
    "datetime": st.datetimes().map(lambda at: at.isoformat())
    | st.sampled_from(["1999-01-01 10:00", "1999-01-01T10:00:00.5+01:00", "x"]),
    "time": st.times().map(str) | st.sampled_from(["10:00", "25:00:00", "10:00:00.5"]),
}
VALUES["decimal"] = VALUES["number"] = VALUES["float"]


@st.composite
def jobs(draw: Any) -> tuple[dict[str, Any], str, list[str]]:
    names = draw(st.lists(st.sampled_from(["a", "b.c", "d e", "$f"]), min_size=1, max_size=3, unique=True))
    fields = {}
    for name in names:
        kind = draw(st.sampled_from(sorted(RULES)))
        extra = {"rename": f"other {name}"} if draw(st.integers(0, 4)) == 0 else {}
        fields[name] = {"type": kind, **draw(st.sampled_from(RULES[kind])), **draw(st.sampled_from(SHAPES)), **extra}
    keys = names + draw(st.sampled_from([[], [], ["more"]]))
    lines = []
    for _ in range(draw(st.integers(1, 10))):
        row = {}
        for key in keys:
            value = VALUES[fields[key]["type"]] if key in fields else st.integers(0, 9)
            odd = draw(st.integers(0, 11)) == 0
            row[key] = draw(st.one_of(st.none(), *VALUES.values())) if odd else draw(value)
        lines.append(json.dumps(row, ensure_ascii=draw(st.booleans()), separators=draw(st.sampled_from([None, (",", ":")]))))
    if draw(st.integers(0, 3)) == 0:
        lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from(["{", "[]", '{"a": 1, "a": 2}', '{"other": 1}'])))
    return fields, draw(st.sampled_from(["keep", "drop", "refuse"])), lines


def outcome(
    fields: dict[str, Any], unknown: str, lines: list[str], *, unread: bool, most: int | None = None,
    most_of_one: int | None = None,
) -> Any:  # fmt: skip
    schema = Schema([declare(name, rules) for name, rules in fields.items()], unknown=unknown)
    connector: Any = SimpleNamespace(
        schema=schema, validators=(), router=None, variants={}, order_by=None,
        sender=Batch(max_records=5, max_bytes=most, max_record_bytes=most_of_one),
        destination=SimpleNamespace(idempotency=IdempotencyPolicy(), response=DEFAULT),
    )  # fmt: skip
    stream = io.BytesIO(("\n".join(lines) + "\n").encode())
    (read,) = Pipeline(connector, lambda lo, hi, proof: "").read(pages(read_lines(stream, "f"), lazy=unread))
    block = read.block
    sent = [jsonlib.loads(bytes(block.slice(at, at + 1)).decode()) for at in range(block.hi)]
    return sent, list(block.rows), [(f.position, f.line, f.reason, f.file) for f in read.invalid], read.rows


def same(value: Any) -> Any:
    """A moment, however many digits its seconds are written with; anything else as it is."""
    for kind in (datetime, time):
        try:
            return kind.fromisoformat(value) if isinstance(value, str) and ":" in value else value
        except ValueError:
            continue
    return value


@given(jobs())
def test_what_is_sent_unread_is_what_would_be_sent_read(job: tuple[dict[str, Any], str, list[str]]) -> None:
    sent, *rest = outcome(*job, unread=True)
    sent_read, *rest_read = outcome(*job, unread=False)
    assert rest == rest_read
    for one, other in zip(sent, sent_read, strict=True):
        assert {key: same(value) for key, value in one.items()} == {key: same(value) for key, value in other.items()}
        assert {key: type(value) is str for key, value in one.items()} == {
            key: type(value) is str for key, value in other.items()
        }


@pytest.mark.parametrize("kind", ["integer", "float", "decimal", "string", "boolean", "date", "datetime", "time"])
def test_plain_values_are_known_without_being_read(kind: str) -> None:
    value: Any = {"integer": 7, "float": 0.5, "decimal": 1.25, "string": "x", "boolean": True}.get(
        kind, {"date": "1999-12-24", "datetime": "1999-12-24T10:00:00Z", "time": "10:00:00"}.get(kind)
    )
    schema = Schema([declare("a", {"type": kind})], unknown="forbid")
    (page,) = read_lines(io.BytesIO(json.dumps({"a": value}).encode()), "f")
    assert page.lazy is not None
    assert page.json is not None
    found = schema.passthrough_mask(page.json, page.lazy.keys)
    assert found is not None
    assert found.to_list() == [True]


@pytest.mark.parametrize("limits", [{"most": 100}, {"most_of_one": 100}])
def test_a_record_too_large_for_a_request_or_for_a_record_is_set_aside_unread_as_well(limits: dict[str, Any]) -> None:
    lines = [json.dumps({"a": "x" * size}) for size in (5, 500, 5)]
    job: Any = ({"a": {"type": "string"}}, "keep", lines)
    unread = outcome(*job, unread=True, **limits)
    assert unread == outcome(*job, unread=False, **limits)
    assert [position for position, *_ in unread[2]] == [1]


def test_hundreds_of_fields_are_read_all_the_same() -> None:
    row = {f"field{at}": at for at in range(600)}
    fields = {name: {"type": "integer"} for name in row}
    sent, *_ = outcome(fields, "keep", [json.dumps(row)] * 3, unread=True)
    assert sent == [row] * 3


@pytest.mark.parametrize(("value", "good"), [(999, True), (1000, False), (5000, False), (-999, True), (-5000, False)])
def test_a_number_is_certain_only_well_within_its_bounds(value: int, good: bool) -> None:
    schema = Schema([declare("a", {"type": "integer", "min": -1000, "max": 1000})], unknown="forbid")
    (page,) = read_lines(io.BytesIO(b'{"a": %d}' % value), "f")
    assert page.json is not None
    found = schema.passthrough_mask(page.json, ("a",))
    assert found is not None
    assert found.to_list() == [good]
