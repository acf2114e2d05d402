"""Bodies of any form: text with fields in it, JSON and Base64 in text, and a sender's own way of writing records."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendoff import ConfigError, PluginCrash, jsonlib
from sendoff.encode.blocks import make_block
from sendoff.encode.encoder import RecordFormat, encode_rows, encode_texts, read_field
from sendoff.encode.templates import constant_json, envelope_depth, split_envelope
from sendoff.plugin import Block, Sender, TypedPage
from sendoff.records import from_mappings
from sendoff.schema import Schema, declare
from sendoff.testing import Project, Receiver, Reply

ROWS = [{"id": 1, "name": 'Ann "A"\n', "price": "1.10", "on": "2026-01-31"}, {"id": 2, "name": None, "price": "2", "on": None}]
SCHEMA = (
    "{id: integer, name: {type: string, nullable: true}, price: {type: decimal, as: text}, on: {type: date, nullable: true}}"
)


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def deliver(
    project: Project, api: Receiver, send: str, *, schema: str = SCHEMA, rows: Any = ROWS, to: str = "", **more: Any
) -> Any:
    project(
        {
            "in.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
            "connectors.d/c.yaml": f"source: {{use: jsonl, path: in.jsonl}}\nschema: {schema}\n"
            f'destination: {{url: "{api.url}", concurrency: 1{to}}}\nsend: {send}\n',
        }
    )
    return project.run("c", **more)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ('"/users/{id}/{name}"', ['/users/1/Ann "A"\n', None]),
        ('"{id}"', ["1", "2"]),
        ('"{price} on {on}"', ["1.10 on 2026-01-31", None]),
        ("{value: $record, as: json}", [json.dumps(row, separators=(",", ":"), ensure_ascii=False) for row in ROWS]),
        ("{value: $id, as: json}", ["1", "2"]),
        ("{value: null, as: json}", [None, None]),
        ("{value: null, as: base64}", [None, None]),
        ("{value: {value: null, as: literal}, as: json}", [None, None]),
        ("{value: [null], as: json}", ["[null]", "[null]"]),
        ("{value: $name, as: json}", ['"Ann \\"A\\"\\n"', None]),
        ("{value: [$id, {a: $name}], as: json}", ['[1,{"a":"Ann \\"A\\"\\n"}]', '[2,{"a":null}]']),
        ("{value: {value: $id, as: json}, as: json}", ['"1"', '"2"']),
        ("{value: $name, as: base64}", [in_base64('Ann "A"\n'), None]),
        ("{value: $id, as: base64}", [in_base64("1"), in_base64("2")]),
        ('{value: "no {id}", as: base64}', [in_base64("no 1"), in_base64("no 2")]),
        ("{value: {a: $id}, as: base64}", [in_base64('{"a":1}'), in_base64('{"a":2}')]),
        ("{value: constant, as: base64}", [in_base64("constant")] * 2),
        ("{value: {a: [1, null]}, as: json}", ['{"a":[1,null]}'] * 2),
        ('{value: "$id {id}", as: literal}', ["$id {id}"] * 2),
        ("{value: {value: $id, as: json}, as: literal}", [{"value": "$id", "as": "json"}] * 2),
        ("{value: $id, more: 1, as: json}", [{"value": 1, "more": 1, "as": "json"}, {"value": 2, "more": 1, "as": "json"}]),
        ("{value: $id, as: $name}", None),
    ],
)
def test_a_value_is_written_in_the_form_that_is_asked_for(
    project: Project, receiver: Receiver, record: str, expected: Any
) -> None:
    send = f"{{use: batch, record: {{x: {record}}}}}"
    if expected is None:
        with pytest.raises(ConfigError, match="is not a form of a value"):
            deliver(project, receiver, send)
        return
    report = deliver(project, receiver, send)
    assert report.state == "complete"
    assert [row["x"] for row in receiver.bodies[0]] == expected


def test_what_is_null_in_any_form_is_left_out_where_nulls_are(project: Project, receiver: Receiver) -> None:
    record = (
        '{a: "x{name}", b: {value: $name, as: json}, c: {value: $name, as: base64}, d: {value: [$name], as: json}, e: null}'
    )
    deliver(project, receiver, f"{{use: batch, omit_null: true, record: {record}}}", rows=ROWS[1:])
    assert receiver.bodies == [[{"d": "[null]", "e": None}]]


def test_a_whole_list_may_be_json_text_and_is_still_cut_to_size(project: Project) -> None:
    envelope = "{body: {value: {deep: {value: $records, as: json}, n: 1}, as: json}, more: {value: [a], as: json}}"
    with Receiver() as api:
        report = deliver(project, api, f"{{use: batch, max_bytes: 230, envelope: {envelope}}}")
        bodies = api.bodies
    assert (report.state, len(bodies)) == ("complete", 2)
    assert all(len(request.body) <= 230 for request in api.requests)
    rows = [row for body in bodies for row in json.loads(json.loads(body["body"])["deep"])]
    assert rows == ROWS
    assert {body["more"] for body in bodies} == {'["a"]'}


@pytest.mark.parametrize(
    ("send", "sentence"),
    [
        ("{use: batch, record: {a: {value: $id, as: Base64}}}", "send.record: `as: Base64` is not a form of a value; use json, base64 or literal"),
        ("{use: batch, envelope: {a: {value: $records, as: base64}}}", "$records cannot be written as base64"),
        ("{use: batch, envelope: {a: {value: $records, as: literal}}}", "an envelope has $records in it once"),
        ('{use: batch, envelope: {a: $records, b: "{id}"}}', "$id is of one record"),
        ('{use: batch, record: {a: "x {record}"}}', "{record} cannot stand inside text"),
        ('{use: ndjson, before: {a: ["{idd}"]}}', "4:34: send.before.a[0]: no field is sent as 'idd'; did you mean 'id'?"),
        ("{use: batch, record: {a: {value: $key, as: json}}}", "$key is put in when a request is sent"),
        ("{use: batch, record: {a: $key}, envelope: {a: {value: $records, as: json}}}", "$key cannot be in `record`"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_said_at_load(project: Project, receiver: Receiver, send: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        deliver(project, receiver, send, to=", idempotency: {in: body}" if "$key" in send else "")
    assert sentence in str(caught.value)


TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=6)
VALUES = st.fixed_dictionaries(
    {"a": st.none() | st.integers(-9, 9), "b": st.none() | TEXT, "c": TEXT | st.integers() | st.lists(TEXT)}
)


def page_of(rows: list[Mapping[str, Any]]) -> TypedPage:
    fields = [
        declare("a", {"type": "integer", "nullable": True}),
        declare("b", {"type": "string", "nullable": True}),
        declare("c", {}),
    ]
    return Schema(fields, unknown="drop").apply(from_mappings(rows))


def as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else jsonlib.dumps(value)


@given(st.lists(VALUES, min_size=1, max_size=4), TEXT)
def test_text_and_its_forms_are_exact_for_any_values(rows: list[Mapping[str, Any]], text: str) -> None:
    page = page_of(rows)
    template: dict[str, Any] = {
        "t": "{a}|{c}" + text.replace("{", "").replace("}", ""),
        "j": {"value": {"b": "$b"}, "as": "json"},
        "e": {"value": "$c", "as": "base64"},
    }
    written = [json.loads(record) for record in encode_rows(page, RecordFormat(record=template))]
    for row, found in zip(rows, written, strict=True):
        assert found["t"] == (None if row["a"] is None else f"{row['a']}|{as_text(row['c'])}" + template["t"][7:])
        assert json.loads(found["j"]) == {"b": row["b"]}
        assert base64.b64decode(found["e"]).decode() == as_text(row["c"])
    assert encode_texts(page, "$c").to_list() == [as_text(row["c"]) for row in rows] == page.texts()["c"].to_list()
    assert list(page.rows()) == rows


@given(st.lists(VALUES, min_size=1, max_size=4), st.integers(0, 3))
def test_ids_are_read_from_records_at_any_depth_of_text(rows: list[Mapping[str, Any]], depth: int) -> None:
    envelope: Any = "$records"
    for _ in range(depth):
        envelope = {"x": {"value": [envelope], "as": "json"}}
    form = RecordFormat(record={"k": ["$b"]}, depth=envelope_depth(envelope))
    block = make_block(encode_rows(page_of(rows), form))
    assert form.depth == depth
    assert read_field(block, form, "$.k[0]") == [row["b"] for row in rows]
    before, after = split_envelope(envelope)
    found: Any = (before + block.data + after).decode()
    found = json.loads(found)
    for _ in range(depth):
        (found,) = json.loads(found["x"])
    assert found == [{"k": [row["b"]]} for row in rows]


@given(
    st.recursive(
        TEXT.filter(lambda text: "$" not in text) | st.integers() | st.none(),
        lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    )
)
def test_a_template_without_fields_is_its_own_json(template: Any) -> None:
    assert json.loads(constant_json(template)) == template


# A sender's own way of writing.


class Pipes(Sender):
    """Send values between pipes."""

    name = "pipes"
    separator, suffix, content_type = b";", b".", "text/x-pipes"
    max_records = 3
    wrong: Callable[[list[str]], Any] = list[str]

    def write(self, page: TypedPage) -> Block:
        records = ["|".join(str(value) for value in row.values()) for row in page.rows()]
        return self.block(self.wrong(records), {at: "it has a dot" for at, record in enumerate(records) if "." in record})


def pipes(wrong: Callable[[list[str]], Any] = list) -> Any:
    from sendoff.plugin import hookimpl

    own = type("Own", (Pipes,), {"name": "pipes", "__doc__": "Pipes.", "wrong": staticmethod(wrong)})

    class Plugin:
        @hookimpl
        def sendoff_senders(self) -> list[type[Sender]]:
            return [own]

    return Plugin()


def test_a_sender_writes_records_in_its_own_form_and_the_rest_works_as_before(project: Project) -> None:
    def answer(request: Any) -> Reply:
        return Reply(400 if b"x3" in request.body else 200)

    rows = [{"id": at, "n": f"x{at}" + ("." if at == 2 else "")} for at in range(8)]
    with Receiver(answer) as api:
        project({"connectors.d/c.yaml": ""})
        report = deliver(
            project, api, "pipes\non_failure: split", schema="{id: integer, n: string}", rows=rows, plugins=[pipes()], to=", atomic: true"
        )  # fmt: skip
    assert (report.delivered, report.rejected, report.invalid) == (6, 1, 1)
    assert api.requests[0].body == b"0|x0;1|x1;3|x3."
    assert api.requests[0].headers["content-type"] == "text/x-pipes"
    accepted = b"".join(request.body.rstrip(b".") + b";" for request in api.requests if b"x3" not in request.body)
    assert sorted(accepted.rstrip(b";").split(b";")) == [b"%d|x%d" % (at, at) for at in (0, 1, 4, 5, 6, 7)]


@pytest.mark.parametrize("wrong", [lambda records: records[:-1], lambda records: 1 / 0])
def test_a_sender_that_fails_is_named_with_the_place_and_no_record_is_blamed(
    project: Project, receiver: Receiver, wrong: Callable[[list[str]], Any]
) -> None:
    report = deliver(project, receiver, "pipes", plugins=[pipes(wrong)])
    assert (report.state, report.rejected, report.invalid) == ("stopped", 0, 0)
    assert report.stopped_because.startswith("the sender 'pipes'")
    assert report.stopped_because.endswith(("ZeroDivisionError: division by zero", "ValueError: it wrote 1 records of 2"))
    assert " at in.jsonl:1 to 2" in report.stopped_because
    assert receiver.requests == []


WRONG = {
    "text": (lambda own, records: "a,b", "TypeError: `write` returned a str; it returns the block that `self.block(records)` makes"),
    "None": (lambda own, records: None, "TypeError: `write` returned None; it returns the block that `self.block(records)` makes"),
    "list": (lambda own, records: records, "TypeError: `write` returned a list; it returns the block that"),
    "numbers": (lambda own, records: own.block([1, 2]), "`block` takes records as text or bytes; the one at place 0 is int"),
    "booleans": (lambda own, records: own.block(["a", True]), "the one at place 1 is bool"),
    "a series of numbers": (lambda own, records: own.block(pl.Series([1, 2])), "the one at place 0 is int"),
    "a series with a null": (lambda own, records: own.block(pl.Series(["a", None])), "the one at place 1 is NoneType"),
    "one text": (lambda own, records: own.block("ab"), "`block` takes a list of records, each text or bytes; it was given one str"),
    "bytes": (lambda own, records: own.block(b"ab"), "it was given one bytes"),
    "after the end": (
        lambda own, records: own.block(records, {2: "no"}),
        "ValueError: `unwritable` names the place 2, and the block has 2 records, from place 0 on",
    ),
    "before the start": (lambda own, records: own.block(records, {-1: "no"}), "`unwritable` names the place -1"),
    "replaced": (lambda own, records: replace(own.block(records), unwritable={9: "no"}), "`unwritable` names the place 9"),
    "no reason": (lambda own, records: own.block(records, {0: None}), "`unwritable` has a reason, as text, by a record's place"),
    "lines": (
        lambda own, records: own.block(["a", "b\nc"]),
        "ValueError: the record at place 1 has a line break in it, and line breaks separate records",
    ),
    "lines of a series": (lambda own, records: own.block(pl.Series(["a\n", "b"])), "the record at place 0 has a line break in it"),
}  # fmt: skip


def writer(write: Callable[[Any, list[str]], Any], **attributes: Any) -> Any:
    from sendoff.plugin import hookimpl

    def own_write(self: Sender, page: TypedPage) -> Any:
        return write(self, [str(row["id"]) for row in page.rows()])

    own = type("Own", (Sender,), {
        "name": "own", "__doc__": "Own.", "max_records": 9, "separator": b"\n", "write": own_write, **attributes
    })  # fmt: skip

    class Plugin:
        @hookimpl
        def sendoff_senders(self) -> list[type[Sender]]:
            return [own]

    return Plugin()


@pytest.mark.parametrize(("write", "sentence"), WRONG.values(), ids=WRONG)
def test_a_sender_that_writes_no_block_of_its_records_is_named_and_nothing_is_sent(
    project: Project, receiver: Receiver, write: Callable[[Any, list[str]], Any], sentence: str
) -> None:
    report = deliver(project, receiver, "own", plugins=[writer(write)])
    assert (report.state, report.delivered, report.invalid) == ("stopped", 0, 0)
    assert report.stopped_because.startswith("the sender 'own'")
    assert " failed at in.jsonl:1 to 2: " in report.stopped_because
    assert sentence in report.stopped_because
    assert receiver.requests == []


def test_line_breaks_are_for_records_that_are_skipped_and_for_senders_that_say_so(project: Project, receiver: Receiver) -> None:
    def skip(own: Any, records: list[str]) -> Block:
        block: Block = own.block(["a\nb" if each == "1" else each for each in records], {} if len(records) < 2 else {0: "no"})
        return block

    assert deliver(project, receiver, "own", plugins=[writer(skip)]).invalid == 1
    assert receiver.requests[-1].body == b"2"
    quoted = writer(lambda own, records: own.block(['"a\nb"', None], {1: "no"} if len(records) > 1 else {}), multiline=True)
    report = deliver(project, receiver, "own", plugins=[quoted])
    assert "the one at place 1 is NoneType" in report.stopped_because  # where it is not unwritable, it is sent


@pytest.mark.parametrize(
    ("attributes", "sentence"),
    [
        ({"prefix": "["}, "TypeError: `prefix` is bytes, as in b'['; it is a str"),
        ({"separator": b"\r\n"}, "TypeError: `separator` is one byte; b'\\r\\n' has 2"),
        ({"content_type": b"text/plain"}, "TypeError: `content_type` is text; it is a bytes"),
        ({"max_records": None}, "TypeError: `max_records` is a number above 0; it is None"),
        ({"max_bytes": "9"}, "TypeError: `max_bytes` is a number above 0; it is '9'"),
        ({"start": lambda own, fields: dict[str, str]()["key"]}, "KeyError: 'key'"),
    ],
)
def test_a_sender_that_no_request_can_be_made_of_is_named_at_load(
    project: Project, receiver: Receiver, attributes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(PluginCrash) as caught:
        deliver(project, receiver, "own", plugins=[writer(lambda own, records: own.block(records), **attributes)])
    assert str(caught.value).startswith("the sender 'own'")
    assert sentence in str(caught.value)


def test_results_may_name_records_of_any_form_by_their_fields(project: Project) -> None:
    results = ", response: {records: {at: $, id: $.id, field: id, status: $.status}}"
    with Receiver(
        lambda request: Reply(200, json.dumps([{"id": 1, "status": 200}, {"id": "2", "status": 400}]).encode())
    ) as api:
        report = deliver(project, api, "csv", to=results)
    assert (report.delivered, report.rejected) == (1, 1)


@pytest.mark.parametrize(
    ("field", "sentence"),
    [
        (
            "$.id",
            "destination.response.records.field: $.id is a path in a record's JSON, and csv sends none; name the field with the id",
        ),
        ("di", "destination.response.records.field: no field is sent as 'di'; there are id, name, price, on"),
    ],
)
def test_a_form_that_cannot_be_read_back_is_said_at_load(
    project: Project, receiver: Receiver, field: str, sentence: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        deliver(project, receiver, "csv", to=f", response: {{records: {{at: $, id: $.id, field: {field}}}}}")
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("send", "field", "there"),
    [
        ("batch", "zzz", "there are id, name, price, on"),
        ("{use: batch, record: $record}", "nam", "did you mean 'name'?"),
        ("{use: batch, record: {k: $name}}", "id", "there are k"),
        ("{use: ndjson, record: {value: $record, as: json}}", "id", "`record` makes no object of a record, but one value"),
        ("{use: multipart, file: {use: batch, record: {k: $name}}}", "id", "there are k"),
        ("{use: multipart, file: batch}", "zzz", "there are id, name, price, on"),
        ("{use: multipart, file: csv}", "zzz", "there are id, name, price, on"),
        ("{use: lines, record: '{id}'}", "zzz", "there are id, name, price, on"),
    ],
)
def test_results_that_name_records_by_a_field_that_is_not_sent_are_a_mistake_at_load(
    project: Project, receiver: Receiver, send: str, field: str, there: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        deliver(project, receiver, send, to=f", response: {{records: {{at: $, id: $.id, field: {field}}}}}")
    assert f"destination.response.records.field: no field is sent as {field!r}; {there}" in str(caught.value)
    assert receiver.requests == []


@pytest.mark.parametrize(
    ("send", "field"),
    [
        ('{use: multipart, file: {use: batch, record: {k: "p-{id}"}}}', "k"),
        ('{use: multipart, file: {use: batch, record: {k: {l: "p-{id}"}}}}', "$.k.l"),
        ('{use: multipart, file: {use: ndjson, before: {x: 1}, record: {k: "p-{id}"}}}', "k"),
        ('{use: batch, record: {k: "p-{id}"}}', "k"),
    ],
)
def test_results_may_name_the_records_of_an_upload_by_its_template(project: Project, send: str, field: str) -> None:
    results = json.dumps([{"id": "p-1", "status": 200}, {"id": "p-2", "status": 400}]).encode()
    with Receiver(lambda request: Reply(200, results)) as api:
        to = f", response: {{records: {{at: $, id: $.id, field: {field}, status: $.status}}}}"
        report = deliver(project, api, send, to=to)
    assert (report.delivered, report.rejected, report.pending) == (1, 1, 0)


def test_a_separator_is_one_byte() -> None:
    with pytest.raises(ValueError, match="a separator is one byte"):
        make_block(["a"], b"\r\n")


@given(st.lists(TEXT), st.sampled_from([b",", b"\n", b"\x1e", b"\xff"]))
def test_a_block_knows_its_records(records: list[str], separator: bytes) -> None:
    for given_as in (records, [record.encode() for record in records], pl.Series(records, dtype=pl.String)):
        block = make_block(given_as, separator)
        assert block.hi == len(records)
        assert [bytes(block.slice(at, at + 1)).decode() for at in range(len(records))] == records
        assert block.data == separator.join(record.encode() for record in records)
