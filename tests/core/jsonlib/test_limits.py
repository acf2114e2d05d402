"""What JSON is not read: nested without end, and half a surrogate pair. What is read can be written and walked."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendoff import Response, jsonlib
from sendoff.ledger import open_history
from sendoff.response import Policy, VerdictKind, classify
from sendoff.response.messages import extract_message
from sendoff.testing import Project, Receiver, Reply

DEPTHS = (101, 150, 600, 5_000, 100_000)


def nested(depth: int, *, objects: bool = False) -> str:
    return '{"a":' * depth + "1" + "}" * depth if objects else "[" * depth + "]" * depth


texts = st.text(st.characters(codec="utf-8") | st.sampled_from("\ud83d\ude00\udfff"), max_size=4)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
)


@given(values, st.integers(0, 130), st.sampled_from(["detail", "errors", "a"]))
def test_what_is_read_can_be_written_and_walked(value: Any, depth: int, key: str) -> None:
    """Kind: a value that can be read and not be walked. Brothers: lists and objects; surrogates in keys and in values."""
    for _ in range(depth):
        value = {key: [value]}
    text = json.dumps(value)
    try:
        read = jsonlib.loads(text)
    except ValueError as error:
        assert "nested deeper than" in str(error) or "lone surrogate" in str(error) or "duplicated" in str(error)  # noqa: PT017  # whether it raises depends on the value
    else:
        assert jsonlib.loads(jsonlib.dumps(read)) == read
        extract_message(read)
    assert jsonlib.loads(jsonlib.replace_lone_surrogates('"' + r"\ud83d" + '"')) == "\ufffd"


@pytest.mark.parametrize("text", [r'"\ud83d"', r'{"\ud83d": 1}', r'["\ude00\ud83d"]', r'"\\\ud83d"', r'"\uD83d\uD83d\uDE00"'])
def test_half_a_surrogate_pair_is_refused_and_can_be_replaced(text: str) -> None:
    with pytest.raises(ValueError, match="a lone surrogate at column"):
        jsonlib.loads(text)
    with pytest.raises(jsonlib.UnfitValue, match="lone surrogate") as caught:
        jsonlib.scan(f"[{text}]", 1)
    assert caught.value.end == len(text) + 1
    assert "\ufffd" in jsonlib.dumps(jsonlib.loads(jsonlib.replace_lone_surrogates(text)))


@pytest.mark.parametrize("text", [r'"\ud83d\ude00"', r'"\\ud83d"', r'"\\\\ud83d"', r'"\ufffd\u00e9"'])
def test_a_whole_pair_and_an_escaped_backslash_are_not_half_a_pair(text: str) -> None:
    assert jsonlib.loads(text) == json.loads(text)
    assert jsonlib.replace_lone_surrogates(text) == text


@pytest.mark.parametrize("objects", [False, True])
def test_the_bound_on_depth_is_the_same_wherever_a_value_begins(objects: bool) -> None:
    good = nested(100, objects=objects)
    assert jsonlib.dumps(jsonlib.loads(good)) == good
    assert jsonlib.scan(f" {good},", 1)[1] == len(good) + 1
    for depth in DEPTHS:
        deep = nested(depth, objects=objects)
        with pytest.raises(ValueError, match="nested deeper than 100 levels"):
            jsonlib.loads(deep)
        with pytest.raises(jsonlib.UnfitValue) as caught:
            jsonlib.scan(f'["]", {deep}, 2]', 6)
        assert caught.value.end == len(deep) + 6
        with pytest.raises(json.JSONDecodeError):
            jsonlib.scan(deep[:-1], 0)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize(
    ("source", "file"),
    [
        ("{use: jsonl, path: in.txt}", '{"v":[1]}\n{"v":%s}\n{"v":[2]}\n'),
        ("{use: jsonl, path: in.txt}\nschema: {v: list}", '{"v":[1]}\n{"v":%s}\n{"v":[2]}\n'),
        ("{use: json, path: in.txt}", '[{"v":[1]},{"v":%s},{"v":[2]}]'),
        ("{use: csv, path: in.txt}\nschema: {v: list}", "v\n[1]\n%s\n[2]\n"),
        ("{use: jsonl, path: in.txt}\nincremental: {initial_load: send}", '{"v":[1]}\n{"v":%s}\n{"v":[2]}\n'),
    ],
)
def test_a_record_that_is_nested_too_deep_is_that_records_fault(
    project: Project, receiver: Receiver, depth: int, source: str, file: str
) -> None:
    """Kind: one record that ends everybody's run. Brothers: lines, arrays, cells, a spooled source, a row from Python."""
    text = f"source: {source}\ndestination: {{url: {receiver.url}}}\n"
    project({"in.txt": file.replace("%s", nested(depth)), "connectors.d/c.yaml": text})
    report = project.run("c")
    assert (report.state, report.delivered, report.invalid) == ("incomplete", 2, 1)


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_row_from_python_that_is_nested_too_deep_is_that_rows_fault(project: Project, receiver: Receiver, depth: int) -> None:
    deep: list[Any] = []
    for _ in range(depth):
        deep = [deep]
    project({"connectors.d/c.yaml": f"source: {{use: jsonl, path: in.txt}}\ndestination: {{url: {receiver.url}}}\n"})
    report = project.run("c", records=[{"v": 1}, {"v": deep}, {"v": 2}])
    assert (report.delivered, report.invalid) == (2, 1)
    assert [row["reason"] for row in open_history(project.home / ".sendoff").failures(1)] == ["nested deeper than 100 levels"]


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize(
    ("status", "rules", "kind"),
    [
        (400, {}, VerdictKind.REJECTED),
        (400, {"reason": "$.a"}, VerdictKind.REJECTED),
        (200, {"records": {"status": "$.s"}}, VerdictKind.STOP),
        (200, {"delivered_when": {"path": "$.ok", "equals": True}}, VerdictKind.STOP),
        (200, {"capture": {"all": "$"}}, VerdictKind.DELIVERED),
    ],
)
@pytest.mark.parametrize("objects", [False, True])
def test_a_response_that_is_nested_too_deep_cannot_be_read(
    depth: int, status: int, rules: dict[str, Any], kind: VerdictKind, objects: bool
) -> None:
    """The same kind: a rejection, a reason, results, a condition, what is captured."""
    body = nested(depth, objects=objects).encode()
    verdict = classify(Response(status, {"content-type": "application/json"}, body), Policy.of(rules))
    assert verdict.kind is kind
    assert len(verdict.reason) < 500


def test_words_cut_off_inside_an_emoji_are_read(project: Project, receiver: Receiver) -> None:
    """Kind: half a character in a response. Brothers: a reason, a key, a result's words, what is captured."""
    body = rb'{"results": [{"s": 400, "error": "no \ud83d", "\ud83d": 1}, {"s": 200, "id": "\ude00"}]}'
    receiver.script = [Reply(200, body, {"Content-Type": "application/json"})]
    project(
        {
            "in.csv": "id\n1\n2\n",
            "connectors.d/c.yaml": f"source: {{use: csv, path: in.csv}}\ndestination:\n  url: {receiver.url}\n"
            "  response: {records: {at: $.results, status: $.s}, capture: {id: $.id}}\n",
        }
    )
    assert project.run("c").delivered == 1
    assert [row["reason"] for row in open_history(project.home / ".sendoff").failures(1)] == ["400: no \ufffd"]
    assert [row["captured"] for row in open_history(project.home / ".sendoff").results(1)] == [{"id": "\ufffd"}]


@pytest.mark.parametrize("compress", ["none", "gzip", "zstd"])
@pytest.mark.parametrize("send", ["batch", "{use: ndjson, before: {index: {id: $id}}}"])
def test_results_by_id_are_matched_whatever_the_body_was_compressed_with(
    project: Project, receiver: Receiver, compress: str, send: str
) -> None:
    """Kind: a request's bytes on the wire taken for its records. Brothers: both codings, arrays and lines."""
    receiver.script = [Reply(200, b'{"errors": [{"id": 7, "error": "no"}]}', {"Content-Type": "application/json"})]
    project(
        {
            "in.csv": "id,text\n" + "".join(f"{n},{'x' * 50}\n" for n in range(100)),
            "connectors.d/c.yaml": f"source: {{use: csv, path: in.csv}}\nschema: {{id: integer, text: string}}\nsend: {send}\n"
            f"destination:\n  url: {receiver.url}\n  compress: {compress}\n"
            "  response: {records: {at: $.errors, id: $.id, field: id}}\n",
        }
    )
    report = project.run("c")
    assert (report.delivered, report.rejected) == (99, 1)
    assert receiver.requests[0].headers.get("content-encoding", "none") == compress
