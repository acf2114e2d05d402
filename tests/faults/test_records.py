"""R1 to R5, R14 to R16: what records may hold, from Python to the wire."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sendoff import jsonlib, send
from sendoff.encode.blocks import make_block
from sendoff.encode.encoder import RecordFormat, encode_rows
from sendoff.records import from_mappings
from sendoff.schema import Schema, declare
from sendoff.testing import Project, Receiver


def sent(receiver: Receiver, rows: list[dict[str, Any]], **settings: Any) -> str:
    report = send(rows, url=receiver.url, batch=1_000, **settings)
    assert report.state == "complete", report
    return receiver.requests[-1].body.decode()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), Decimal("NaN"), Decimal("Infinity")])
@pytest.mark.parametrize("type_name", ["float", "number", "decimal", None])
def test_r1_what_is_no_finite_number_is_set_aside_never_null(receiver: Receiver, value: Any, type_name: str | None) -> None:
    schema: dict[str, Any] = {"schema": {"x": {"type": type_name}}} if type_name else {}
    report = send([{"x": value}, {"x": 1.5}], url=receiver.url, batch=10, **schema)
    assert (report.invalid, report.delivered) == (1, 1)
    assert receiver.bodies == [[{"x": 1.5}]]


@pytest.mark.parametrize("number", [2**53 + 1, 2**63 - 1, -(2**63)])
def test_r2_64_bit_integers_are_exact(receiver: Receiver, number: int) -> None:
    assert sent(receiver, [{"x": number}], schema={"x": {"type": "integer"}}) == f'[{{"x":{number}}}]'


def test_r2_larger_integers_are_refused_as_integers_and_exact_as_decimals(receiver: Receiver) -> None:
    number = int("9" * 25)
    report = send([{"x": number}], url=receiver.url, batch=10, schema={"x": {"type": "integer"}})
    assert report.invalid == 1
    assert sent(receiver, [{"x": number}], schema={"x": {"type": "decimal"}}) == f'[{{"x":{number}}}]'
    assert sent(receiver, [{"x": number}]) == f'[{{"x":{number}}}]'


@pytest.mark.parametrize("text", ["1.10", "0.30000000000000004", "123456789012345678901234567890.123456789", "1E+400", "-0.0"])
def test_r3_decimals_are_numbers_with_all_their_digits(receiver: Receiver, text: str) -> None:
    body = sent(receiver, [{"x": Decimal(text)}], schema={"x": {"type": "decimal"}})
    found = json.loads(body, parse_float=Decimal)[0]["x"]
    assert str(Decimal(found)) == text


def test_r4_a_lone_surrogate_is_set_aside(receiver: Receiver) -> None:
    report = send([{"x": "\ud800"}, {"x": "ok"}], url=receiver.url, batch=10, schema={"x": {"type": "string"}})
    assert report.invalid == 1
    assert receiver.bodies == [[{"x": "ok"}]]


def test_r5_control_characters_are_kept_escaped(receiver: Receiver) -> None:
    text = '\x00\x01\x1f\x7f\u2028\\"/é😀'
    body = sent(receiver, [{"x": text}], schema={"x": {"type": "string"}})
    assert json.loads(body) == [{"x": text}]
    assert "\x00" not in body


@pytest.mark.parametrize("text", ["1_000", "١٢", " 7 ", "+5", "nan", "0x10", "1e5", "5.", "007", "--1", "1,5", ""])
def test_r14_numbers_as_text_have_a_strict_grammar(project: Project, receiver: Receiver, text: str) -> None:
    connector = f'source: {{use: csv, path: in.csv}}\nschema: {{n: integer}}\ndestination: {{url: "{receiver.url}"}}\n'
    project({"in.csv": f'n,m\n"{text}",x\n', "connectors.d/c.yaml": connector})
    report = project.run("c")
    assert report.invalid == 1
    assert not receiver.requests


@pytest.mark.parametrize(("name", "content"), [("csv", "a,b\n"), ("jsonl", ""), ("jsonl", "\n\n")])
def test_r15_a_source_without_records_ends_complete_with_nothing(
    project: Project, receiver: Receiver, name: str, content: str
) -> None:
    project(
        {"in": content, "connectors.d/c.yaml": f'source: {{use: {name}, path: in}}\ndestination: {{url: "{receiver.url}"}}\n'}
    )
    report = project.run("c")
    assert (report.state, report.read, report.exit_code) == ("complete", 0, 0)
    assert not receiver.requests


def test_r16_equal_rows_are_both_sent_under_different_keys(receiver: Receiver) -> None:
    report = send([{"x": 1}, {"x": 1}], url=receiver.url)
    assert report.delivered == 2
    assert len({request.headers["idempotency-key"] for request in receiver.requests}) == 2


def test_dates_and_times_are_iso_8601(receiver: Receiver) -> None:
    zone = dt.timezone(dt.timedelta(hours=2))
    row = {
        "d": dt.date(2026, 1, 2),
        "t": dt.datetime(2026, 1, 2, 3, 4, 5),  # noqa: DTZ001  # a moment without a zone is the case
        "z": dt.datetime(2026, 1, 2, 3, 4, tzinfo=zone),
        "c": dt.time(3, 4),
    }
    want = '[{"d":"2026-01-02","t":"2026-01-02T03:04:05","z":"2026-01-02T03:04:00+02:00","c":"03:04:00"}]'
    assert sent(receiver, [row]) == want
    types = {"d": "date", "t": "datetime", "z": "datetime", "c": "time"}
    assert sent(receiver, [row], schema={name: {"type": type_name} for name, type_name in types.items()}) == want


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False), st.text(st.characters(exclude_categories=["Cs"]), max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=6,
)  # fmt: skip
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=3)


@given(st.lists(st.dictionaries(names, json_values, min_size=1, max_size=4), min_size=1, max_size=6))
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_without_a_schema_records_arrive_as_they_are(rows: list[dict[str, Any]]) -> None:
    typed = Schema([], unknown="keep").apply(from_mappings(rows))
    block = make_block(encode_rows(typed, RecordFormat()))
    data, offsets = block.data, block.offsets
    assert json.loads(b"[" + data + b"]") == rows
    for at, row in enumerate(rows):
        assert json.loads(data[offsets[at] : offsets[at + 1] - 1]) == row


@given(json_values)
def test_what_jsontext_writes_python_reads(value: Any) -> None:
    assert json.loads(jsonlib.dumps(value)) == value


def test_fields_that_are_not_required_are_left_out_where_null() -> None:
    schema = Schema([declare("a", {"type": "integer"}), declare("b", {"type": "string", "required": False})], unknown="drop")
    data = make_block(encode_rows(schema.apply(from_mappings([{"a": 1}, {"a": 2, "b": "x"}])), RecordFormat())).data
    assert data == b'{"a":1},{"a":2,"b":"x"}'
