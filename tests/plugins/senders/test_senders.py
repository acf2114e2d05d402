"""The built-in senders of other forms than JSON: CSV, lines, file uploads, forms. Readers of others read what they send."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendoff import ConfigError
from sendoff.plugin import TypedPage
from sendoff.records import from_mappings
from sendoff.schema import Schema, declare
from sendoff.testing import Project, Received, Receiver, Reply
from sendoff_plugins.senders.csv import Csv
from sendoff_plugins.senders.lines import Lines

ROWS: list[dict[str, Any]] = [
    {"id": 1, "name": 'Ann "A"', "note": None, "price": "1.10"},
    {"id": 2, "name": "Bob\nB, é", "note": "", "price": "2"},
    {"id": 3, "name": "c=d", "note": "x", "price": "3"},
]
SCHEMA = "{id: integer, name: string, note: {type: string, nullable: true}, price: decimal}"
TEXT = st.text(alphabet=st.sampled_from('ab ",;\n\r\té=\\'), max_size=6)


def deliver(
    project: Project, api: Receiver, send: str, *, schema: str = SCHEMA, rows: Any = ROWS, to: str = "", more: str = ""
) -> Any:
    project(
        {
            "in.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
            "connectors.d/c.yaml": f"source: {{use: jsonl, path: in.jsonl}}\nschema: {schema}\n"
            f'destination: {{url: "{api.url}", concurrency: 1{to}}}\nsend: {send}\n{more}',
        }
    )
    return project.run("c")


def reasons(project: Project, run: int = 1) -> list[str]:
    return [failure["reason"] for failure in project.runner().history.failures(run)]


def page_of(rows: list[dict[str, Any]]) -> TypedPage:
    fields = [declare(name, {"type": "string", "nullable": True}) for name in rows[0]]
    return Schema(fields, unknown="drop").apply(from_mappings(rows))


# CSV.


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ("", 'id,name,note,price\n1,"Ann ""A""",,1.10\n2,"Bob\nB, é","",2\n3,c=d,x,3\n'),
        (", header: false, columns: [note, id]", ',1\n"",2\nx,3\n'),
        (r', columns: [note, id], delimiter: ";", crlf: true, "null": x', 'note;id\r\nx;1\r\n;2\r\n"x";3\r\n'),
        (", columns: [note], header: false", '""\n""\nx\n'),
    ],
)
def test_records_travel_as_csv(project: Project, receiver: Receiver, options: str, body: str) -> None:
    assert deliver(project, receiver, f"{{use: csv{options}}}").state == "complete"
    (request,) = receiver.requests
    assert request.body.decode() == body
    assert request.headers["content-type"] == "text/csv; charset=utf-8"


def test_every_request_of_csv_has_the_names_and_keeps_the_limits(project: Project) -> None:
    def refuse(request: Received) -> Reply:
        return Reply(400 if b"c=d" in request.body else 200)

    with Receiver(refuse) as api:
        report = deliver(project, api, "{use: csv, max_bytes: 45}", to=", atomic: true", more="on_failure: split\n")
    assert (report.delivered, report.rejected) == (2, 1)
    assert all(request.body.startswith(b"id,name,note,price\n") and len(request.body) <= 45 for request in api.requests)


@given(
    st.lists(st.fixed_dictionaries({"a": st.none() | TEXT, "b,\n": st.none() | TEXT}), min_size=1, max_size=5),
    st.sampled_from(",;\t"),
)
def test_csv_is_read_back_as_it_was(rows: list[dict[str, Any]], delimiter: str) -> None:
    sender = Csv(delimiter=delimiter, null="\\N")
    sender.start(list(rows[0]))
    block = sender.write(page_of(rows))
    body = (sender.prefix + block.data + sender.suffix).decode()
    found = list(csv.DictReader(io.StringIO(body, newline=""), delimiter=delimiter))
    assert found == [{name: "\\N" if value is None else value for name, value in row.items()} for row in rows]
    parts = [bytes(block.slice(at, at + 1)).decode() for at in range(block.hi)]
    assert [next(csv.reader(io.StringIO(part, newline=""), delimiter=delimiter)) for part in parts] == [
        list(row.values()) for row in found
    ]


@pytest.mark.parametrize(
    ("send", "schema", "sentence"),
    [
        ("csv", "{}", "send: csv needs `columns`, as no schema says which fields there are"),
        ("{use: csv, columns: [nme]}", SCHEMA, "send: columns: no field is sent as 'nme'; did you mean 'name'?"),
        ("{use: csv, delimiter: '\"'}", SCHEMA, "send.delimiter: is one character, and neither a quote nor a line break"),
        ("{use: multipart, file: {use: csv, colums: [id]}}", SCHEMA, "send.file.colums: unknown key; did you mean 'columns'?"),
        ("{use: multipart, file: cvs}", SCHEMA, "send.file.use: no sender is named 'cvs'; did you mean 'csv'?"),
        ('{use: multipart, fields: {a: "x {id}"}}', SCHEMA, "send.fields.a: $id is of one record"),
        ('{use: multipart, file: {use: ndjson, record: {a: "/$id"}}}', SCHEMA, "send.file.record.a: $id inside text"),
        ("{use: lines, record: $record}", SCHEMA, "send.record: $record is for JSON bodies"),
        ('{use: lines, record: "{nme}"}', SCHEMA, "send.record: no field is sent as 'nme'; did you mean 'name'?"),
        ("{use: lines, record: a, escape: {ab: c}}", SCHEMA, "send.escape"),
        ("{use: lines, record: ping}", SCHEMA, "send.record: has no field in it, and would be the same line for each record"),
        (r"""{use: lines, record: '"{name}"', escape_quoted: {'"': '\"'}}""", SCHEMA, (
            r"send.escape_quoted: escapes a quote by a backslash, so a value that ends in one would end the text; add `'\': '\\'`"
        )),
        (r"""{use: lines, record: '{name}', escape: {"\n": "\\\n"}}""", SCHEMA, "has a line break in it, which ends the line"),
        ("{use: csv, 'null': 'x,y'}", SCHEMA, "send: null: 'x,y' has the delimiter, a quote or a line break in it"),
        (r'{use: csv, "null": "\n"}', SCHEMA, "send: null: "),
        ("{use: csv, 'null': '\"'}", SCHEMA, "send: null: "),
        ("{use: csv, 'null': ';', delimiter: ';'}", SCHEMA, "send: null: ';' has the delimiter"),
        (r'{use: multipart, content_type: "a\r\nX: y"}', SCHEMA, "send.content_type: is one line, as in `text/csv; charset=utf-8`"),
        ('{use: multipart, filename: "{id}.csv"}', SCHEMA, "send.filename: $id is of one record, and this is sent with many"),
        ('{use: multipart, part: "{id}"}', SCHEMA, "send.part: $id is of one record"),
        ("{use: multipart, filename: {a: b}}", SCHEMA, "send.filename: is text, or `{value: …, as: literal}`"),
        ("{use: form, record: {a: $key}}", SCHEMA, "send.record: $key is for JSON bodies"),
        ("{use: form, record: {a: {b: $idd}}}", SCHEMA, "send.record.a.b: no field is sent as 'idd'; did you mean 'id'?"),
    ],
)  # fmt: skip
def test_mistakes_are_said_at_load_with_their_place(
    project: Project, receiver: Receiver, send: str, schema: str, sentence: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        deliver(project, receiver, send, schema=schema)
    assert sentence in str(caught.value)
    assert receiver.requests == []


def test_a_file_without_a_column_of_csv_is_at_fault(project: Project, receiver: Receiver) -> None:
    project({"in.csv": "id\n1\n"})
    text = (
        f'source: {{use: csv, path: in.csv}}\ndestination: {{url: "{receiver.url}"}}\nsend: {{use: csv, columns: [id, city]}}\n'
    )
    project({"connectors.d/a.yaml": text})
    report = project.run("a")
    assert (report.state, report.stopped_because) == (
        "stopped",
        "in.csv: no column 'city', which the connector makes requests of",
    )


# Lines.


def test_lines_are_made_of_a_template_and_what_breaks_out_of_its_place_is_invalid(project: Project, receiver: Receiver) -> None:
    report = deliver(project, receiver, "{use: lines, record: 'w,name={name} id={id}i,label=\"{name}\"'}")
    assert (report.delivered, report.invalid) == (1, 2)
    assert receiver.requests[0].body == b'w,name=c=d id=3i,label="c=d"\n'
    assert receiver.requests[0].headers["content-type"] == "text/plain; charset=utf-8"
    assert reasons(project) == [
        "name: a quote ends the text that it is in; say in `escape_quoted` what to write for it",
        "name: a line break ends the line; say in `escape` what to write for it",
    ]


def test_a_null_has_no_line(project: Project, receiver: Receiver) -> None:
    assert deliver(project, receiver, "{use: lines, record: $note}").invalid == 2
    assert receiver.requests[0].body == b"x\n"
    assert reasons(project) == ["note: the line needs it, and it is null", "its line is empty"]


@given(st.lists(st.fixed_dictionaries({"a": TEXT, "b": TEXT}), min_size=1, max_size=5))
def test_escaped_values_stay_in_their_place(rows: list[dict[str, Any]]) -> None:
    outside = {character: f"%{ord(character):02x}" for character in ' ,="\\\n\r%'}
    inside = {character: f"\\{character}" for character in '"\\'} | {"\n": "\\n", "\r": "\\r"}
    block = Lines(record='m,a={a} b="{b}"', escape=outside, escape_quoted=inside).write(page_of(rows))
    assert not block.unwritable
    for row, line in zip(rows, block.data.decode().split("\n"), strict=True):
        head, _, text = line.partition(" ")
        assert head.count("=") == 1
        assert json.loads(text.removeprefix("b=").replace("\t", "\\t")) == row["b"]


ESCAPED = r"""{use: lines, record: 'w t="{a}"', escape_quoted: {'"': '\"', '\': '\\'}}"""


@pytest.mark.parametrize(
    "options",
    [
        """record: 'w t="{a}",b={b}'""",
        r"""record: 'w,t={a} b={b}', escape: {' ': '\ '}""",
    ],
)
def test_a_backslash_at_the_end_of_a_value_escapes_nothing_of_the_template(
    project: Project, receiver: Receiver, options: str
) -> None:
    schema, rows = "{a: string, b: string}", [{"a": "end\\", "b": "1"}, {"a": "in\\side", "b": "2"}]
    report = deliver(project, receiver, f"{{use: lines, {options}}}", schema=schema, rows=rows)
    assert (report.delivered, report.invalid) == (1, 1)
    assert reasons(project)[0].startswith("a: a backslash at its end escapes what follows; say in `escape")
    assert deliver(project, receiver, ESCAPED, schema=schema, rows=rows).delivered == 2
    assert receiver.requests[-1].body == b'w t="end\\\\"\nw t="in\\\\side"\n'


def test_braces_around_a_field_are_written_by_a_field_of_the_schema_as_the_message_says(
    project: Project, receiver: Receiver
) -> None:
    with pytest.raises(ConfigError, match="by `value` in the schema, where `{{` and `}}` are braces") as caught:
        deliver(project, receiver, "{use: lines, record: 'up{job={id}} {price}'}")
    assert "`text: {value: '{{a={b}}}'}`, and write `$text` here" in str(caught.value)
    schema = "{id: integer, text: {value: 'up{{job={id}}} {price}'}, price: decimal}"
    assert deliver(project, receiver, "{use: lines, record: $text}", schema=schema, rows=ROWS[:1]).delivered == 1
    assert receiver.requests[-1].body == b"up{job=1} 1.10\n"


# File uploads.


def parts_of(request: Received) -> dict[str, tuple[str | None, str, Any]]:
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + request.body)
    return {
        str(part.get_param("name", header="content-disposition")): (
            part.get_filename(), part.get_content_type(), part.get_payload(decode=True)
        )
        for part in message.iter_parts()
    }  # fmt: skip


@pytest.mark.parametrize(
    ("file", "kind", "content"),
    [
        ("csv", "text/csv", b'id,name,note,price\n1,"Ann ""A""",,1.10\n'),
        ("{use: ndjson, record: {a: $id}}", "application/x-ndjson", b'{"a":1}\n'),
        ("{envelope: {rows: $records}, record: $id}", "application/json", b'{"rows":[1]}'),
        ("{use: lines, record: '{id}'}", "text/plain", b"1\n"),
    ],
)
def test_a_batch_is_uploaded_as_a_file(project: Project, receiver: Receiver, file: str, kind: str, content: bytes) -> None:
    fields = 'fields: {list_id: 17, note: "é \\"q\\"", on: true, text: {value: "{id}", as: literal}}'
    report = deliver(
        project,
        receiver,
        f"{{use: multipart, file: {file}, part: 'up\"load', filename: {{value: '{{id}}.csv', as: literal}}, {fields}}}",
        rows=ROWS[:1],
    )
    assert report.state == "complete"
    (request,) = receiver.requests
    found = parts_of(request)
    assert found.pop("up%22load") == ("{id}.csv", kind, content)
    assert {name: value.decode() for name, (_, _, value) in found.items()} == {
        "list_id": "17", "note": 'é "q"', "on": "true", "text": "{id}",
    }  # fmt: skip


def test_an_upload_is_the_same_whenever_it_is_sent_and_counts_as_a_whole(project: Project) -> None:
    send = "{use: multipart, file: {use: csv, columns: [id]}, max_bytes: 304, fields: {a: b}}"
    with Receiver([Reply(), Reply(503)]) as api:
        deliver(project, api, send, to=", retry: {initial_backoff: 0}", rows=ROWS * 3)
        bodies = [request.body for request in api.requests]
        assert bodies[1] == bodies[2]
        assert len(bodies) >= 3
        assert all(len(body) <= 304 for body in bodies)
        deliver(Project(Path(tempfile.mkdtemp())), api, send, rows=ROWS * 3)
    assert [request.body for request in api.requests[len(bodies) :]] == [bodies[0], *bodies[2:]]


def test_a_record_that_holds_the_boundary_is_invalid(project: Project, receiver: Receiver) -> None:
    deliver(project, receiver, "{use: multipart, file: csv}")
    boundary = receiver.requests[0].headers["content-type"].partition("boundary=")[2]
    report = deliver(project, receiver, "{use: multipart, file: csv}", rows=[*ROWS, {**ROWS[0], "name": f"\r\n--{boundary}--"}])
    assert (report.delivered, report.invalid) == (3, 1)
    assert reasons(project, 2) == ["it holds the boundary that ends the file"]


# Forms.


@pytest.mark.parametrize(
    ("options", "pairs"),
    [
        ('record: {From: "+1", Body: "{name}!", n: $note}', [("From", "+1"), ("Body", 'Ann "A"!'), ("n", "")]),
        ("omit_null: true, record: {n: $note, id: $id}", [("id", "1")]),
        ("record: {a: {value: null, as: json}, b: {value: null, as: base64}}", [("a", ""), ("b", "")]),
        ("record: {m: {a: {b: $id}}, l: [x, {c: $id}]}", [("m[a][b]", "1"), ("l[0]", "x"), ("l[1][c]", "1")]),
        ("lists: brackets, record: {l: [x, $id]}", [("l[]", "x"), ("l[]", "1")]),
        ("lists: repeated, record: {l: [x, $id]}", [("l", "x"), ("l", "1")]),
        ("record: {all: $record, one: {value: [$id], as: json}}", [
            ("all[id]", "1"), ("all[name]", 'Ann "A"'), ("all[note]", ""), ("all[price]", "1.10"), ("one", "[1]"),
        ]),
    ],
)  # fmt: skip
def test_a_form_has_the_names_that_are_declared(
    project: Project, receiver: Receiver, options: str, pairs: list[tuple[str, str]]
) -> None:
    deliver(project, receiver, f"{{use: form, {options}}}", rows=ROWS[:1])
    assert parse_qsl(receiver.requests[0].body.decode(), keep_blank_values=True) == pairs


def test_texts_of_a_page_are_as_json_has_them() -> None:
    fields = [
        declare("n", {}),
        declare("d", {"type": "decimal"}),
        declare("t", {"type": "date"}),
        declare("b", {"type": "boolean"}),
    ]
    page = Schema(fields, unknown="drop").apply(
        from_mappings(
            [
                {"n": 'q"\n\\', "d": "1.10", "t": "2026-01-31", "b": True},
                {"n": {"a": [1]}, "d": "2", "t": "0999-01-01", "b": False},
            ]
        )
    )
    assert page.texts().rows() == [('q"\n\\', "1.10", "2026-01-31", "true"), ('{"a":[1]}', "2", "0999-01-01", "false")]
    assert page.texts().schema == dict.fromkeys("ndtb", pl.String)
