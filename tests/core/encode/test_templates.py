"""Requests in any shape: envelopes, templates, lines, forms, keys in any place, compressed."""

from __future__ import annotations

import gzip
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from sendoff import ConfigError, jsonlib
from sendoff.encode import templates as shape
from sendoff.encode.blocks import make_block
from sendoff.encode.encoder import RecordFormat, encode_rows
from sendoff.records import from_mappings
from sendoff.schema import Schema, declare
from sendoff.testing import Project, Received, Receiver, Reply

ROWS = [
    {"id": 1, "email": "a@x.org", "note": None},
    {"id": 2, "email": "b@x.org", "note": 'say "hi"'},
    {"id": 3, "email": "c@x.org", "note": None},
]
SCHEMA = "{id: integer, email: string, note: {type: string, nullable: true}}"


def deliver(
    project: Project,
    api: Receiver,
    send: str,
    *,
    destination: str = "",
    schema: str = SCHEMA,
    rows: Any = ROWS,
    more: str = "",
    path: str = "",
) -> Any:
    text = (
        f"source: {{use: jsonl, path: in.jsonl}}\nschema: {schema}\n"
        f'destination: {{url: "{api.url}{path}", concurrency: 1{destination}}}\nsend: {send}\n{more}'
    )
    project({"in.jsonl": "".join(json.dumps(row) + "\n" for row in rows), "connectors.d/c.yaml": text})
    return project.run("c")


# Envelopes and templates.


@pytest.mark.parametrize(
    ("send", "bodies"),
    [
        ("{use: batch, envelope: {rows: $records, source: crm, n: 1, deep: {ok: true, none: null}}}",
         [{"rows": ROWS, "source": "crm", "n": 1, "deep": {"ok": True, "none": None}}]),
        ("{use: batch, max_records: 2, envelope: {data: {items: $records}}}",
         [{"data": {"items": ROWS[:2]}}, {"data": {"items": ROWS[2:]}}]),
        ("{use: batch, envelope: [$records, 7]}", [[ROWS, 7]]),
        ("{use: batch, record: {id: $email, properties: $record, tags: [$id, fixed], text: $$$$id}}",
         [[{"id": row["email"], "properties": row, "tags": [row["id"], "fixed"], "text": "$id"} for row in ROWS]]),
        ("{use: batch, record: {body: {data: $record}}, envelope: {requests: $records}}",
         [{"requests": [{"body": {"data": row}} for row in ROWS]}]),
        ("{use: single, record: {user: $record}}", [{"user": row} for row in ROWS]),
        ("{use: single, record: {constant: 1}}", [{"constant": 1}] * 3),
        ("{use: batch, record: [$id, $note]}", [[[1, None], [2, 'say "hi"'], [3, None]]]),
        ("{use: batch, omit_null: true}", [[{k: v for k, v in row.items() if v is not None} for row in ROWS]]),
        ("{use: batch, omit_null: true, record: {n: $note, r: $record}}",
         [[{**({"n": row["note"]} if row["note"] else {}), "r": {k: v for k, v in row.items() if v is not None}} for row in ROWS]]),
    ],
)  # fmt: skip
def test_what_is_sent_has_the_shape_that_was_declared(
    project: Project, receiver: Receiver, send: str, bodies: list[Any]
) -> None:
    report = deliver(project, receiver, send)
    assert (report.state, report.delivered) == ("complete", 3)
    assert receiver.bodies == bodies


def test_a_record_s_text_never_becomes_structure(project: Project, receiver: Receiver) -> None:
    rows = [{"id": 1, "email": '","x":"$id', "note": '"}],"evil":[{"'}]
    deliver(project, receiver, "{use: batch, envelope: {rows: $records}, record: {e: $email, n: $note}}", rows=rows)
    assert receiver.bodies == [{"rows": [{"e": rows[0]["email"], "n": rows[0]["note"]}]}]


def test_max_bytes_counts_the_envelope(project: Project, receiver: Receiver) -> None:
    deliver(project, receiver, "{use: batch, max_bytes: 120, envelope: {some_long_name_for_rows: $records}}")
    assert len(receiver.requests) > 1
    assert all(len(request.body) <= 120 for request in receiver.requests)
    assert [row for body in receiver.bodies for row in body["some_long_name_for_rows"]] == ROWS


def test_lines(project: Project, receiver: Receiver) -> None:
    deliver(project, receiver, "{use: ndjson, max_records: 2}")
    assert [request.body for request in receiver.requests] == [
        b'{"id": 1, "email": "a@x.org", "note": null}\n{"id": 2, "email": "b@x.org", "note": "say \\"hi\\""}\n',
        b'{"id": 3, "email": "c@x.org", "note": null}\n',
    ]
    assert receiver.requests[0].headers["content-type"] == "application/x-ndjson"


def test_a_line_before_each_record_as_bulk_apis_want_it(project: Project) -> None:
    def bulk(request: Received) -> Reply:
        lines = [json.loads(line) for line in request.body.splitlines()]
        assert request.body.endswith(b"\n")
        items = [{"index": {"_id": action["index"]["_id"], "status": 400 if doc["id"] == 2 else 201, "error": {"reason": "mapping"}}}
                 for action, doc in zip(lines[::2], lines[1::2], strict=True)]  # fmt: skip
        return Reply(200, json.dumps({"errors": True, "items": items}).encode())

    answers = ", response: {records: {at: $.items, status: '$.*.status', reason: '$.*.error.reason', id: '$.*._id', field: id}}"
    with Receiver(bulk) as api:
        report = deliver(project, api, "{use: ndjson, before: {index: {_id: $id}}}", destination=answers)
    assert (report.delivered, report.rejected, report.requests) == (2, 1, 1)


def test_forms(project: Project, receiver: Receiver) -> None:
    rows = [{"id": 1, "email": "a+b@x.org", "note": "ü & é=1"}, {"id": 2, "email": "c d", "note": None}]
    deliver(project, receiver, "form", rows=rows)
    deliver(project, receiver, "{use: form, omit_null: true}", rows=rows)
    found = [parse_qsl(request.body.decode(), keep_blank_values=True) for request in receiver.requests]
    assert found[:2] == [
        [("id", "1"), ("email", "a+b@x.org"), ("note", "ü & é=1")],
        [("id", "2"), ("email", "c d"), ("note", "")],
    ]
    assert found[3] == [("id", "2"), ("email", "c d")]
    assert receiver.requests[0].headers["content-type"] == "application/x-www-form-urlencoded"


# The JSON of single fields.


def test_fields_are_written_as_they_are_asked_to_be(project: Project, receiver: Receiver) -> None:
    schema = (
        "{big: {type: integer, as: text}, price: {type: decimal, as: text}, plain: decimal, on: {type: boolean, as: text}, "
        "day: {type: date, as: epoch}, at: {type: datetime, as: epoch_ms}, then: {type: datetime, as: epoch}, none: {type: integer, as: text, nullable: true}}"
    )
    row = {
        "big": 9007199254740993,
        "price": "1.10",
        "plain": "1.10",
        "on": True,
        "day": "2024-02-29",
        "at": "2024-02-29T12:00:00.250+02:00",
        "then": "1969-12-31 23:59:59Z",
        "none": None,
    }
    report = deliver(project, receiver, "batch", schema=schema, rows=[row])
    assert report.delivered == 1
    assert receiver.requests[0].body == (
        b'[{"big":"9007199254740993","price":"1.10","plain":1.10,"on":"true","day":1709164800,"at":1709200800250,"then":-1,"none":null}]'
    )


# Keys.


def keys_of(requests: list[Received]) -> list[str]:
    return [dict(parse_qsl(urlsplit(request.path).query))["dedup"] for request in requests]


@pytest.mark.parametrize("form", ["text", "uuid", "int64"])
def test_a_key_may_travel_in_the_query_in_any_form(project: Project, receiver: Receiver, form: str) -> None:
    deliver(project, receiver, "single", destination=f", idempotency: {{in: query, name: dedup, form: {form}}}", path="/x?a=b")
    keys = keys_of(receiver.requests)
    assert len(set(keys)) == 3
    assert all(request.path.startswith("/x?a=b&dedup=") for request in receiver.requests)
    for key in keys:
        if form == "int64":
            assert 0 < int(key) < 2**63
            assert len(key) == 18
        elif form == "uuid":
            assert UUID(key).version == 4
        else:
            assert int(key, 16) >= 0
    assert "idempotency-key" not in receiver.requests[0].headers


def test_a_key_may_be_quoted(project: Project, receiver: Receiver) -> None:
    deliver(project, receiver, "batch", destination=", idempotency: {quoted: true, form: uuid}")
    key = receiver.requests[0].headers["idempotency-key"]
    assert key == f'"{UUID(key.strip(chr(34)))}"'


@pytest.mark.parametrize("form", ["text", "uuid", "int64"])
def test_a_key_may_stand_in_the_envelope_and_a_repeat_has_the_same(project: Project, form: str) -> None:
    with Receiver([Reply(503), Reply(503)]) as api:
        send = "{use: batch, max_records: 2, max_bytes: 170, envelope: {request: $key, rows: $records}}"
        report = deliver(
            project, api, send, destination=f", idempotency: {{in: body, form: {form}}}, retry: {{initial_backoff: 0}}"
        )
        assert report.state == "complete"
        bodies = api.bodies
        assert bodies[0] == bodies[1] == bodies[2]
        assert bodies[3]["request"] != bodies[0]["request"]
        assert isinstance(bodies[0]["request"], int if form == "int64" else str)
        assert [row for body in bodies[2:] for row in body["rows"]] == ROWS


def test_each_record_may_have_a_key_of_its_own_and_a_split_does_not_change_it(project: Project) -> None:
    seen: dict[int, set[str]] = {}

    def answer(request: Received) -> Reply:
        records = json.loads(request.body)
        for record in records:
            seen.setdefault(record["n"], set()).add(record["key"])
        return Reply(400) if any(record["n"] == 2 for record in records) else Reply()

    with Receiver(answer) as api:
        more = "on_failure: split\n"
        report = deliver(
            project,
            api,
            "{use: batch, record: {key: $key, n: $id}}",
            destination=", idempotency: {in: body, form: uuid}",
            more=more,
        )
    assert (report.delivered, report.rejected) == (2, 1)
    assert all(len(keys) == 1 for keys in seen.values())
    assert len(set().union(*seen.values())) == 3


# Compression.


@pytest.mark.parametrize(("coding", "unpack"), [("gzip", gzip.decompress), ("zstd", zstd.decompress)])
def test_bodies_are_compressed_where_it_pays(project: Project, receiver: Receiver, coding: str, unpack: Any) -> None:
    rows = [{"id": at, "email": f"p{at}@example.org", "note": None} for at in range(5_000)]
    report = deliver(project, receiver, "batch", destination=f", compress: {coding}", rows=rows)
    assert report.state == "complete"
    (request,) = receiver.requests
    assert request.headers["content-encoding"] == coding
    assert json.loads(unpack(request.body)) == rows
    assert len(request.body) < 100_000
    deliver(project, receiver, "batch", destination=f", compress: {coding}")
    assert "content-encoding" not in receiver.requests[1].headers


# Addresses made of records.


def test_requests_go_where_their_records_say_and_batches_are_gathered_by_it(project: Project, receiver: Receiver) -> None:
    rows = [{"id": at, "email": f"t{at % 3}", "note": ["a b", "ü/%", "x"][at % 3]} for at in range(90)]
    report = deliver(
        project, receiver, "{use: batch, max_records: 10}", rows=rows, path="/v1/{email}/items?n={note}",
        destination=', headers: {X-Tenant: "tenant {email}", X-Plain: "yes"}',
    )  # fmt: skip
    assert (report.state, report.requests) == ("complete", 9)
    assert {request.path for request in receiver.requests} == {
        "/v1/t0/items?n=a%20b",
        "/v1/t1/items?n=%C3%BC%2F%25",
        "/v1/t2/items?n=x",
    }
    for request, body in zip(receiver.requests, receiver.bodies, strict=True):
        assert len(body) == 10
        assert {f"tenant {row['email']}" for row in body} == {request.headers["x-tenant"]}
        assert request.headers["x-plain"] == "yes"
    assert sorted(row["id"] for body in receiver.bodies for row in body) == list(range(90))


def test_one_record_each_is_put_under_its_own_url(project: Project, receiver: Receiver) -> None:
    deliver(project, receiver, "single", path="/users/{id}", destination=", method: PUT")
    assert [(r.method, r.path) for r in receiver.requests] == [("PUT", f"/users/{at}") for at in (1, 2, 3)]


def test_a_header_that_a_record_would_break_sets_it_aside(project: Project, receiver: Receiver) -> None:
    rows = [
        {"id": 1, "email": "a\r\nX-Evil: 1", "note": None},
        {"id": 2, "email": "→", "note": None},
        {"id": 3, "email": "ok", "note": None},
    ]
    report = deliver(project, receiver, "single", rows=rows, destination=', headers: {X-Who: "{email}"}')
    assert (report.delivered, report.invalid) == (1, 2)


def test_order_by_sends_what_shares_a_key_one_after_the_other(project: Project) -> None:
    import threading

    under_way: set[int] = set()
    together, clash = 0, 0
    guard = threading.Lock()

    def answer(request: Received) -> Reply:
        nonlocal together, clash
        key = json.loads(request.body)["id"]
        with guard:
            clash += key in under_way
            under_way.add(key)
            together = max(together, len(under_way))
        threading.Event().wait(0.002)
        with guard:
            under_way.discard(key)
        return Reply()

    rows = [{"id": at % 5, "email": str(at), "note": None} for at in range(150)]
    with Receiver(answer) as api:
        report = deliver(
            project,
            api,
            "single",
            rows=rows,
            more="order_by: id\n",
            destination=", concurrency: 8".replace(", concurrency: 8", ""),
        )
        assert report.state == "complete"
        text = (project.home / "connectors.d/c.yaml").read_text().replace("concurrency: 1", "concurrency: 8")
        report = project({"connectors.d/c.yaml": text}).run("c")
    assert (report.state, clash) == ("complete", 0)
    assert together > 1
    for key in range(5):
        own = [int(body["email"]) for body in api.bodies[150:] if body["id"] == key]
        assert own == sorted(own)


# Mistakes.


@pytest.mark.parametrize(
    ("send", "destination", "path", "told"),
    [
        ("{use: batch, envelope: {rows: 1}}", "", "", "$records in it once"),
        ("{use: batch, envelope: {rows: $records, more: $records}}", "", "", "$records in it once"),
        ("{use: batch, envelope: {rows: $records, id: $id}}", "", "", "$id is of one record"),
        ("{use: batch, record: {rows: $records}}", "", "", "belongs in `envelope`"),
        ("{use: batch, record: {a: $emial}}", "", "", "no field is sent as 'emial'; did you mean 'email'?"),
        ("single", "", "/x/{emial}", "no field is sent as 'emial'; did you mean 'email'?"),
        ("single", "", "/{id}", "first segment"),
        ("single", "", "/x/{}", "has no field name"),
        ("single", "", "/x/{id", "a brace starts or ends a field"),
        ("batch", ", idempotency: {in: body}", "", "the body has no place for the key"),
        ("{use: batch, record: {k: $key}}", "", "", "say `destination.idempotency: {in: body}` as well"),
        ("batch", ", rate_limit: fast", "", "'fast' is not a valid rate"),
        ("batch", ", timeout: soon", "", "must be of number type"),
        ("batch", ", tls: {ca: no.pem}", "", "cannot be read"),
        ("batch", ", tls: {key: no.pem}", "", "has no effect without `cert`"),
        ("batch", ", response: {statuses: {600: retry}}", "", "'600' is not a valid status"),
        ("batch", ", response: {statuses: {404: ignore}}", "", "must be one of delivered, retry, rejected, too_large, stop"),
        ("batch", ", response: {delivered_when: {path: ok}}", "", "a path begins with $"),
        ("batch", ", response: {records: {at: $.x}}", "", "does not say how a result that is bad looks"),
        ("batch", ", response: {records: {id: $.x}}", "", "go together"),
        ("batch", ", response: {bad_record: {text: Row}}", "", "{row} in it once"),
        ("batch", ", response: {records: {index: $.n, match: trimmed}}", "", "goes with `id`"),
        ("batch", ", response: {records: {id: ids, field: id}}", "", "a path begins with $"),
        ("batch", ", response: {bad_record: {header: X-Row, path: $.row}}", "", "`header` or `path`, not both"),
        ("batch", ", response: {bad_record: {pointers: true, text: 'Row {row}'}}", "", "`pointers` or `text`, not both"),
        ("batch", ", response: {bad_record: {first: 1}}", "", "needs `header`, `path`, `text` or `pointers`"),
        ("batch", ", auth: {use: bearer, token: a, file: b}", "", "must not be present with"),
        ("batch", ", proxy: 'ftp://x'", "", "a proxy is `env`, or a URL"),
    ],
)  # fmt: skip
def test_mistakes_are_told_before_anything_is_sent(
    project: Project, receiver: Receiver, send: str, destination: str, path: str, told: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        deliver(project, receiver, send, destination=destination, path=path)
    assert told in str(caught.value)
    assert receiver.requests == []


def test_what_does_not_fit_together_is_told_with_what_is_wrong_by_itself(project: Project, receiver: Receiver) -> None:
    with pytest.raises(ConfigError) as caught:
        deliver(
            project, receiver, "{use: single, record: {a: $emial}}", destination=", rate_limit: fast, tls: {ca: no.pem}", path="/x/{idd}",
            more="on_failure: split\norder_by: nota\n",
        )  # fmt: skip
    told = str(caught.value)
    for part in (
        "not a valid rate",
        "cannot be read",
        "did you mean 'email'",
        "did you mean 'id'",
        "nothing to split",
        "did you mean 'note'",
    ):
        assert part in told
    assert len(caught.value.problems) == 6


# Properties.

templates = st.recursive(
    st.sampled_from(["$a", "$b", "$record", "$$a", 1, None, True, "text", 'q"uote'])
    | st.text(max_size=4).filter(lambda t: not t.startswith("$")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def expected(template: Any, record: dict[str, Any]) -> Any:
    if isinstance(template, dict):
        return {key: expected(value, record) for key, value in template.items()}
    if isinstance(template, list):
        return [expected(value, record) for value in template]
    if template == "$record":
        return record
    if isinstance(template, str) and template.startswith("$$"):
        return template[1:]
    return record[template[1:]] if isinstance(template, str) and template.startswith("$") else template


@given(
    templates.filter(lambda template: template is not None),
    st.lists(
        st.fixed_dictionaries(
            {
                "a": st.none() | st.integers(-9, 9),
                "b": st.none() | st.text(max_size=5, alphabet=st.characters(exclude_categories=["Cs"])),
            }
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_a_template_is_filled_as_data(template: Any, rows: list[dict[str, Any]]) -> None:
    schema = Schema(
        [declare("a", {"type": "integer", "nullable": True}), declare("b", {"type": "string", "nullable": True})],
        unknown="drop",
    )
    block = make_block(encode_rows(schema.apply(from_mappings(rows)), RecordFormat(record=template)))
    found = [jsonlib.loads(bytes(block.slice(at, at + 1)).decode()) for at in range(len(rows))]
    assert found == [expected(template, row) for row in rows]


@given(templates)
def test_an_envelope_is_written_around_its_records(template: Any) -> None:
    envelope = {"x": json.loads(json.dumps(template).replace("$", "")), "rows": "$records"}
    before, after = shape.split_envelope(envelope)
    assert json.loads(before + b"1,2" + after) == {**envelope, "rows": [1, 2]}
