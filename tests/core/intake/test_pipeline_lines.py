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
    "duration": [{}],
    "list": [{}, {"minlength": 1}, {"schema": {"type": "integer"}}, {"schema": {"type": "string"}, "maxlength": 2}],
    "dict": [
        {},
        {"schema": {"x": {"type": "integer"}, "y": {"type": "string", "nullable": True}}},
        {"schema": {"x": {"type": "number", "required": True}, "z": {"type": "dict", "schema": {"deep": {"type": "boolean"}}}}},
        {"schema": {"x": {"type": "float"}}, "require_all": True, "allow_unknown": True},
        {"schema": {"x": {"type": "string", "regex": "[a-z]*"}}},
        {"schema": {"x": {"type": "integer", "default": 3}, "y": {"type": "date", "rename": "day"}}},
        {"valuesrules": {"type": "integer"}},
    ],
    "": [{}, {"allowed": [1, "a", None]}],
}
SHAPES: Any = [{}, {"nullable": True}, {"required": False}, {"nullable": True, "required": False}, {"default": 1}]
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
VALUES["duration"] = st.sampled_from(["P1D", "PT1H", "P", "1"])
VALUES["list"] = st.lists(st.one_of(st.integers(0, 3), st.text(max_size=2), st.none()), max_size=3)
VALUES["dict"] = st.dictionaries(
    st.sampled_from(["x", "y", "z"]),
    st.one_of(
        st.integers(-9, 2**70), st.text(max_size=2), st.none(), st.floats(-2, 2), st.just("1999-12-24"),
        st.dictionaries(st.sampled_from(["deep", "more"]), st.booleans(), max_size=2), st.lists(st.booleans(), max_size=2),
    ),
    max_size=3,
)  # fmt: skip
VALUES[""] = st.one_of(VALUES["integer"], VALUES["string"], VALUES["dict"])
#: What a byte of a line, or a part of it, is made into.
ODD = [
    b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b" : ", b"\t:", b"0", b"-", b"e99", b"E-400", b".0", b"1e400", b"null", b"NaN",
    b"e-99999999999999999999", b"0e99999999999999999999", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\x00", b"\\ud800",
    b"\\ud83d\\ude00", b"\\u0061", b"\\u0022", b"\\u003a", b'":', b'\\":', b"9" * 20, b"9" * 400, b"[" * 101 + b"]" * 101,
    b'{"x":1,"x":2}', b'"a":1,', b'"a" :1,', b'"\\u0061":1,', b'"x":{"y":"a","y":"b"},', b'"\\ud800":1,', b"1", b'"1"', b"true",
]  # fmt: skip


@st.composite
def jobs(draw: Any) -> tuple[dict[str, Any], str, list[bytes]]:
    names = draw(st.lists(st.sampled_from(["a", "b.c", "d e", "$f"]), min_size=1, max_size=3, unique=True))
    fields = {}
    for name in names:
        kind = draw(st.sampled_from(sorted(RULES)))
        extra = {"rename": f"other {name}"} if draw(st.integers(0, 9)) == 0 else {}
        shape = draw(st.sampled_from(SHAPES))
        if "default" in shape and kind not in ("integer", "float", "decimal", "number"):
            shape = {}
        fields[name] = {**({"type": kind} if kind else {}), **draw(st.sampled_from(RULES[kind])), **shape, **extra}
    keys = names + draw(st.sampled_from([[], [], ["more"]]))
    lines = []
    for _ in range(draw(st.integers(1, 10))):
        row = {}
        for key in keys:
            value = VALUES[fields[key].get("type", "")] if key in fields else st.one_of(st.integers(0, 9), VALUES["dict"])
            odd = draw(st.integers(0, 11))
            if odd != 1:
                row[key] = draw(st.one_of(st.none(), *VALUES.values())) if odd == 0 else draw(value)
        row = {key: row[key] for key in draw(st.permutations(list(row)))}
        style = draw(st.sampled_from([None, (",", ":"), (" ,", " : ")]))
        lines.append(mutated(draw, json.dumps(row, ensure_ascii=draw(st.booleans()), separators=style).encode()))
    if draw(st.integers(0, 3)) == 0:
        other = draw(
            st.sampled_from([b"{", b"[]", b"{}", b'{"a": 1, "a": 2}', b'{"other": 1}', b'{"other": {"x": 1, "x": 1}}'])
        )
        lines.insert(draw(st.integers(0, len(lines))), other)
    return fields, draw(st.sampled_from(["keep", "drop", "forbid"])), lines


def mutated(draw: Any, line: bytes) -> bytes:
    """The line; or, every third time, with something odd put in, or in the place of a part."""
    if draw(st.integers(0, 2)):
        return line
    at = draw(st.integers(0, len(line)))
    odd: bytes = draw(st.sampled_from(ODD))
    return line[:at] + odd + line[at + draw(st.integers(0, 3)) :]


def outcome(
    fields: dict[str, Any], unknown: str, lines: list[Any], *, unread: bool, most: int | None = None,
    most_of_one: int | None = None,
) -> Any:  # fmt: skip
    schema = Schema([declare(name, rules) for name, rules in fields.items()], unknown=unknown)
    connector: Any = SimpleNamespace(
        schema=schema, validators=(), router=None, variants={}, order_by=None,
        sender=Batch(max_records=5, max_bytes=most, max_record_bytes=most_of_one),
        destination=SimpleNamespace(idempotency=IdempotencyPolicy(), response=DEFAULT),
    )  # fmt: skip
    stream = io.BytesIO(b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines))
    items = read_lines(stream, "f")
    (read,) = Pipeline(connector, lambda lo, hi, proof: "").read(items if unread else pages(items))
    block = read.block
    sent = [jsonlib.loads(bytes(block.slice(at - block.lo, at - block.lo + 1)).decode()) for at in range(block.lo, block.hi)]
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
def test_what_is_sent_unread_is_what_would_be_sent_read(job: tuple[dict[str, Any], str, list[bytes]]) -> None:
    sent, *rest = outcome(*job, unread=True)
    sent_read, *rest_read = outcome(*job, unread=False)
    assert rest == rest_read
    for one, other in zip(sent, sent_read, strict=True):
        assert {key: same(value) for key, value in one.items()} == {key: same(value) for key, value in other.items()}
        assert {key: type(value) is str for key, value in one.items()} == {
            key: type(value) is str for key, value in other.items()
        }


def taken(fields: dict[str, Any], *lines: bytes, unknown: str = "forbid") -> list[bytes | None]:
    """What is sent of lines without reading them."""
    decoder = Schema([declare(name, rules) for name, rules in fields.items()], unknown=unknown).make_decoder(10_000)
    assert decoder is not None
    return decoder.pass_through(lines)


@pytest.mark.parametrize(
    "kind", ["integer", "float", "decimal", "string", "boolean", "date", "datetime", "time", "list", "dict"]
)
def test_plain_values_are_known_without_being_read(kind: str) -> None:
    value: Any = {
        "integer": 7,
        "float": 0.5,
        "decimal": 1.25,
        "string": "x",
        "boolean": True,
        "list": [1],
        "dict": {"b": {}},
    }.get(kind, {"date": "1999-12-24", "datetime": "1999-12-24T10:00:00Z", "time": "10:00:00"}.get(kind))
    line = json.dumps({"a": value}).encode()
    assert taken({"a": {"type": kind}}, line) == [line]


def test_optional_keys_in_any_order_and_nested_fields_are_known_without_being_read() -> None:
    inner = {"type": "dict", "schema": {"x": {"type": "integer"}, "y": {"type": "list", "schema": {"type": "string"}}}}
    fields = {"a": {"type": "integer"}, "b": {"type": "string", "required": False}, "c": inner}
    lines = [
        b'{"a":1,"b":"x","c":{"x":1,"y":["z"]}}', b'{"c":{},"a":1}', b'{"b": "x: y", "c": {"y": []}, "a": 1}', b'{"a":1,"c":{"x":"1"}}',
    ]  # fmt: skip
    assert taken(fields, *lines) == [*lines[:3], None]


def test_what_stands_for_a_missing_key_is_added_to_the_line() -> None:
    fields = {"a": {"type": "integer"}, "b": {"type": "string", "nullable": True}, "c": {"type": "integer", "default": 5}}
    assert taken(fields, b'{"a": 1}', b"{}") == [b'{"a": 1,"b":null,"c":5}', None]


def test_keys_that_are_not_declared_are_learnt_where_they_are_kept() -> None:
    lines = [b'{"a":1,"b":[{"c":1}]}', b'{"a":1}', b'{"d":null,"a":1}', b'{"a":1,"d":{"e":1,"e":2}}', b'{"a":1,"d":1e400}']
    assert taken({"a": {"type": "integer"}}, *lines, unknown="keep") == [*lines[:3], None, lines[4]]
    assert taken({"a": {"type": "integer"}}, *lines, unknown="drop") == [None, lines[1], None, None, None]


@pytest.mark.parametrize(
    "line",
    [
        b'{"a":1,"a":2}', b'{"a" :1,"a":2}', b'{"a":1,"\\u0061":2}', b'{"a":1,"b":{"x":1,"x":1}}', b'{"b":[{"x":1,"x" : 1}],"a":1}',
        b'{"a":1,"b":"\\u0022:","a":1}', b'{"a":1,"b":{"\\ud800":1}}', b'{"a":1,"b":"\xff"}', b'{"a":1e-99999999999999999999}',
        b'{"a":0e99999999999999999999}', b'{"a":1,"b":0e99999999999999999999}', b'{"a":1,"b":' + b"[" * 100 + b"]" * 100 + b"}",
        b'{"a":1,"b":' + b"9" * 4_301 + b"}", b"\xef\xbb\xbf" + b'{"a":1}', b'{"a":1}x', b'{"a":1,"c":1}',
    ],
)  # fmt: skip
def test_what_msgspec_would_let_pass_and_the_exact_reader_would_not_is_read(line: bytes) -> None:
    assert taken({"a": {"type": "float"}, "b": {"required": False}}, line, b'{"a":1}') == [None, b'{"a":1}']


@pytest.mark.parametrize("limits", [{"most": 100}, {"most_of_one": 100}])
def test_a_record_too_large_for_a_request_or_for_a_record_is_set_aside_unread_as_well(limits: dict[str, Any]) -> None:
    lines = [json.dumps({"a": "x" * size}, separators=(",", ":")) for size in (5, 500, 5)]
    job: Any = ({"a": {"type": "string"}}, "keep", lines)
    unread = outcome(*job, unread=True, **limits)
    assert unread == outcome(*job, unread=False, **limits)
    assert [position for position, *_ in unread[2]] == [1]


def test_hundreds_of_fields_are_read_all_the_same() -> None:
    row = {f"field{at}": at for at in range(600)}
    fields = {name: {"type": "integer"} for name in row}
    sent, *_ = outcome(fields, "keep", [json.dumps(row)] * 3, unread=True)
    assert sent == [row] * 3


@pytest.mark.parametrize(("value", "good"), [(999, True), (1000, False), (5000, False), (-999, True), (-1000, False)])
def test_a_number_is_certain_only_well_within_its_bounds(value: int, good: bool) -> None:
    line = b'{"a": %d}' % value
    assert taken({"a": {"type": "decimal", "min": -1000, "max": 1000}}, line) == [line if good else None]
