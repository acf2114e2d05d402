"""Results that are not one to one with the records of their request, as real APIs give them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from sendoff import Report, Response
from sendoff.ledger import open_history
from sendoff.response import Policy, Verdict, VerdictKind, classify
from sendoff.testing import Project, Received, Receiver, Reply
from tests.core.response.test_classifier import kinds

PEOPLE = "id,email,name\n1,ann@example.com,Ann\n2,Bob@Nowhere.test,Bob\n3,cee@example.com,Cee\n4,dee@nowhere.test,Dee\n"


def judge(body: Any, rules: dict[str, Any], *, count: int = 3, **more: Any) -> Verdict:
    given = Response(200, {"content-type": "application/json"}, json.dumps(body).encode())
    ids = more.pop("ids", ["a", 2, " C"])
    return classify(given, Policy.of({"records": rules, **more}), count=count, ids=lambda field: ids)


def deliver(
    project: Project,
    receiver: Receiver,
    reply: Callable[[Any], tuple[int, Any]],
    destination: str,
    send: str,
    rows: str = PEOPLE,
) -> Report:
    """A run of these rows, against an API that responds to each body with a status and JSON."""

    def script(request: Received) -> Reply:
        status, body = reply(json.loads(request.body))
        return Reply(status, json.dumps(body).encode(), {"Content-Type": "application/json"})

    receiver.script = script
    project(
        {
            "in.csv": rows,
            "connectors.d/c.yaml": f"source: {{use: csv, path: in.csv}}\ndestination:\n  url: {receiver.url}\n{destination}\nsend: {send}\n",
        }
    )
    return project.run("c")


def failures(project: Project, run: int = 1) -> list[tuple[int, str]]:
    return [(failure["line"], failure["reason"]) for failure in open_history(project.home / ".sendoff").failures(run)]


# A list of failures that is left out.


@pytest.mark.parametrize("body", [{"kind": "insert"}, {"kind": "insert", "insertErrors": None}, {"insertErrors": []}])
@pytest.mark.parametrize(
    "rules",
    [
        {"index": "$.index"},
        {"id": "$.id", "field": "id"},
        {"index": "key"},
        {"index": "$.index", "status": "$.s", "unlisted": "delivered"},
    ],
)
def test_a_list_of_failures_that_is_absent_null_or_empty_says_that_none_failed(body: Any, rules: dict[str, Any]) -> None:
    """Kind: an optional list, read as unreadable. Brothers: absent, null, empty; by index, id and key; with a status."""
    assert kinds(judge(body, {"at": "$.insertErrors", **rules})) == ["delivered"] * 3


@pytest.mark.parametrize(
    ("body", "rules"),
    [
        ({}, {"at": "$.results", "status": "$.status"}),
        ({}, {"at": "$.results", "index": "$.n", "status": "$.status"}),
        ({}, {"at": "$.errors", "index": "$.n", "unlisted": "stop"}),
        ({}, {"at": "$.data.errors", "index": "$.n"}),
        ({"data": None}, {"at": "$.data.errors", "index": "$.n"}),
        (None, {"at": "$.errors", "index": "$.n"}),
        (None, {"index": "$.n"}),
        ([], {"at": "$.errors", "index": "$.n"}),
        ({"errors": "no"}, {"at": "$.errors", "index": "$.n"}),
        ({"errors": False}, {"at": "$.errors", "index": "$.n"}),
        ({"error": {"code": 1}}, {"at": "$.insertErrors", "index": "$.n"}),
        ({"errors": [{"index": 0}]}, {"at": "$.insertErrors", "index": "$.index"}),
        ({"ok": False}, {"at": "$.insertErrors", "index": "$.n"}),
    ],
)
def test_what_does_not_say_that_none_failed_still_stops(body: Any, rules: dict[str, Any]) -> None:
    """The same kind, the other way: where every record has a result, or something else failed, absence says nothing."""
    assert judge(body, rules).kind is VerdictKind.STOP


def test_bigquery_leaves_its_list_out_when_nothing_failed(project: Project, receiver: Receiver) -> None:
    def reply(body: Any) -> tuple[int, Any]:
        bad = [at for at, row in enumerate(body["rows"]) if "owhere" in row["json"]["email"]]
        if not bad:
            return 200, {"kind": "insertAll"}
        why = {at: "invalid" if at in bad else "stopped" for at in range(len(body["rows"]))}
        return 200, {"insertErrors": [{"index": at, "errors": [{"reason": why[at], "message": "bad"}]} for at in why]}

    report = deliver(
        project, receiver, reply,
        "  response: {records: {at: $.insertErrors, index: $.index, reason: '$.errors[0].message',"
        " not_attempted_when: {path: '$.errors[0].reason', equals: stopped}}}",
        "{use: batch, envelope: {rows: $records}, record: {json: $record}}",
    )  # fmt: skip
    assert (report.state, report.delivered, report.rejected, report.requests) == ("incomplete", 2, 2, 2)


# Several results for one record.


def test_two_faults_of_one_record_are_both_its_reason() -> None:
    """Kind: a result for each fault, not for each record. Brothers: by index, id and key; equal words; three of them."""
    words = [{"n": 1, "error": "no e-mail"}, {"n": 1, "error": "no name"}, {"n": 1, "error": "no name"}]
    found = judge({"errors": words}, {"at": "$.errors", "index": "$.n"})
    assert found.per_record == {1: Verdict(VerdictKind.REJECTED, "200: no e-mail; no name", 200)}
    found = judge({"errors": [{**each, "id": "2"} for each in words]}, {"at": "$.errors", "id": "$.id", "field": "id"})
    assert found.per_record[1].reason == "200: no e-mail; no name"


@pytest.mark.parametrize("first", [0, 1])
def test_of_several_results_for_one_record_the_worst_counts(first: int) -> None:
    """The same kind, where results differ: rejected before retry before delivered, in either order."""
    rules = {"at": "$.r", "index": "$.n", "status": "$.s", "unlisted": "delivered"}
    for worse, better, kind in ((400, 503, "rejected"), (400, 200, "rejected"), (503, 201, "retry"), (204, 201, "delivered")):
        pair = [{"n": 2, "s": worse}, {"n": 2, "s": better}]
        found = judge({"r": pair[::-1] if first else pair}, rules)
        assert kinds(found) == ["delivered", "delivered", kind]
        assert kind == "delivered" or found.per_record[2].maybe_applied is (better < 300)


def test_braze_lists_two_faults_of_one_record(project: Project, receiver: Receiver) -> None:
    def reply(body: Any) -> tuple[int, Any]:
        bad = [at for at, row in enumerate(body["attributes"]) if "owhere" in row["email"]]
        faults = [{"type": f"{name!r} is not valid", "index": at} for at in bad for name in ("email", "name")]
        return 201, {"message": "success", **({"errors": faults} if faults else {})}

    report = deliver(
        project, receiver, reply, "  response: {records: {at: $.errors, index: $.index, reason: $.type}}",
        "{use: batch, envelope: {attributes: $records}}",
    )  # fmt: skip
    assert (report.state, report.delivered, report.rejected) == ("incomplete", 2, 2)
    assert failures(project)[0] == (3, "201: 'email' is not valid; 'name' is not valid")


# One result for several records.


@pytest.mark.parametrize(
    ("rules", "result"),
    [
        ({"id": "$.context.ids", "field": "id"}, {"context": {"ids": ["a", "2"]}}),
        ({"id": "$.context[*].id", "field": "id"}, {"context": [{"id": "a"}, {"id": 2}]}),
        ({"index": "$.rows"}, {"rows": [0, "1"]}),
        ({"index": "$.rows", "first": 1}, {"rows": [1, 2]}),
        ({"index": "$.of.*.row"}, {"of": {"x": {"row": 0}, "y": {"row": 1}}}),
    ],
)
def test_a_result_for_several_records_is_that_of_each(rules: dict[str, Any], result: Any) -> None:
    """Kind: a result that names several records. Brothers: id and index; a list at the end, `[*]` on the way."""
    found = judge({"errors": [{"message": "no such place", **result}]}, {"at": "$.errors", **rules})
    assert kinds(found) == ["rejected", "rejected", "delivered"]
    assert {verdict.reason for verdict in found.per_record.values()} == {"200: no such place"}


@pytest.mark.parametrize(
    ("rules", "result"),
    [
        ({"id": "$.ids[0]", "field": "id"}, {"ids": ["a", "2"]}),
        ({"index": "$.rows[0]"}, {"rows": [0, 1]}),
        ({"id": "$.ids", "field": "id"}, {"ids": []}),
        ({"id": "$.ids", "field": "id"}, {"ids": ["a", None]}),
        ({"id": "$.ids", "field": "id"}, {"ids": ["a", "z"]}),
        ({"id": "$.of[*].id", "field": "id"}, {"of": [{"id": "a"}, {}]}),
        ({"index": "$.rows"}, {"rows": [0, 3]}),
        ({"index": "$.rows"}, {"rows": [0, [1]]}),
    ],
)
def test_a_result_that_does_not_name_all_its_records_stops(rules: dict[str, Any], result: Any) -> None:
    """The same kind: a fixed place in a longer list, an empty list, and one of several that is no id, are not read as one."""
    assert judge({"errors": [result]}, {"at": "$.errors", **rules}).kind is VerdictKind.STOP


def test_a_fixed_place_in_what_is_no_longer_list_is_read() -> None:
    for body, path in (({"errors": [{"ids": ["a"]}]}, "$.ids[0]"), ({"errors": [["a", "no"]]}, "$[0]")):
        assert kinds(judge(body, {"at": "$.errors", "id": path, "field": "id"})) == ["rejected", "delivered", "delivered"]


def test_hubspot_groups_equal_errors(project: Project, receiver: Receiver) -> None:
    def reply(body: Any) -> tuple[int, Any]:
        bad = [row["id"] for row in body["inputs"] if "owhere" in row["id"]]
        return 207, {"errors": [{"message": "INVALID_EMAIL", "context": {"id": bad}}]}

    report = deliver(
        project, receiver, reply,
        "  response: {records: {at: $.errors, on: '207', id: $.context.id, field: id, reason: $.message}}",
        "{use: batch, envelope: {inputs: $records}, record: {id: $email, properties: $record}}",
    )  # fmt: skip
    assert (report.delivered, report.rejected) == (2, 2)
    assert failures(project) == [(3, "207: INVALID_EMAIL"), (5, "207: INVALID_EMAIL")]


# Results in an object.


@pytest.mark.parametrize(
    ("rules", "results"),
    [
        (
            {"id": "key", "field": "id", "status": "$.status"},
            {"2": {"status": 400}, "a": {"status": 201}, " C": {"status": 200}},
        ),
        ({"id": "key", "field": "id"}, {"2": "no such place"}),
        ({"index": "key"}, {"1": ["no such place", "no name"]}),
        ({"index": "key", "first": 1}, {"2": {"message": "no such place"}}),
    ],
)
def test_results_in_an_object_are_named_by_their_keys(rules: dict[str, Any], results: Any) -> None:
    """Kind: results keyed in an object. Brothers: by id and by number; results that are text, lists or objects."""
    assert kinds(judge({"results": results}, {"at": "$.results", **rules})) == ["delivered", "rejected", "delivered"]


@pytest.mark.parametrize("results", [{"z": "no"}, ["no"], "no", 7])
def test_an_object_that_does_not_add_up_stops(results: Any) -> None:
    for rules in ({"id": "key", "field": "id"}, {"index": "key"}):
        assert judge({"results": results}, {"at": "$.results", **rules}).kind is VerdictKind.STOP
    hint = judge({"results": {"1": {"s": 1}}}, {"at": "$.results", "status": "$.s"}).reason
    assert hint.endswith("there is no list at $.results but an object; if its keys are the records' ids, write `id: key`")


# A status of one result.


@pytest.mark.parametrize("status", [401, 403, 404, 405, 410, 415, 501])
def test_a_result_of_404_rejects_its_record_alone(status: int) -> None:
    """Kind: a verdict on a whole request, read into one result. Brothers: every status that stops as a whole answer."""
    body = {"r": [{"s": 204}, {"s": status, "error": "no such user"}, {"s": 429}]}
    found = judge(body, {"at": "$.r", "status": "$.s"})
    assert kinds(found) == ["delivered", "rejected", "retry"]
    assert found.per_record[1] == Verdict(VerdictKind.REJECTED, f"{status}: no such user", status)
    assert judge(body, {"at": "$.r", "status": "$.s"}, statuses={str(status): "stop"}).kind is VerdictKind.STOP


def test_graph_answers_404_for_one_record(project: Project, receiver: Receiver) -> None:
    def reply(body: Any) -> tuple[int, Any]:
        known = [{"id": row["id"], "status": 404 if row["id"] == "2" else 204} for row in body["requests"]]
        return 200, {"responses": known[::-1]}

    report = deliver(
        project, receiver, reply, "  response: {records: {at: $.responses, id: $.id, field: id, status: $.status}}",
        "{use: batch, envelope: {requests: $records}}",
    )  # fmt: skip
    assert (report.state, report.delivered, report.rejected) == ("incomplete", 3, 1)


# Ids in another form.


@pytest.mark.parametrize(
    ("match", "echo", "matches"),
    [
        ("exact", "Ann@X.com", True),
        ("exact", "ann@x.com", False),
        ("exact", "Ann@X.com ", False),
        ("trimmed", " Ann@X.com\n", True),
        ("trimmed", "ann@x.com", False),
        ("case_insensitive", "ann@x.COM ", True),
        ("case_insensitive", "anna@x.com", False),
    ],
)
def test_ids_are_compared_as_declared(match: str, echo: str, matches: bool) -> None:
    """Kind: an id that comes back in another form. Brothers: case, space around it."""
    rules = {"at": "$.e", "id": "$.id", "field": "id", "match": match}
    found = judge({"e": [{"id": echo}]}, rules, ids=["Ann@X.com", "bob@x.com"], count=2)
    assert found.kind is (VerdictKind.PARTIAL if matches else VerdictKind.STOP)


def test_an_id_that_is_null_is_nobodys() -> None:
    missing: object
    for missing in (None, True, {}):
        found = judge({"e": [{"id": missing}]}, {"at": "$.e", "id": "$.id", "field": "id"}, ids=["a", None, "None"])
        assert found.kind is VerdictKind.STOP


def test_mailchimp_answers_in_lower_case(project: Project, receiver: Receiver) -> None:
    def reply(body: Any) -> tuple[int, Any]:
        bad = [row["email"].lower() for row in body if "owhere" in row["email"]]
        return 200, {"errors": [{"email": email, "error": "no valid address"} for email in bad]}

    report = deliver(
        project, receiver, reply,
        "  response: {records: {at: $.errors, id: $.email, field: email, match: case_insensitive, reason: $.error}}", "batch",
    )  # fmt: skip
    assert (report.delivered, report.rejected) == (2, 2)


# The words.


@pytest.mark.parametrize(
    ("rules", "result", "reason"),
    [
        ({}, {"error": "conflict", "reason": "Document update conflict."}, "Document update conflict."),
        ({}, {"error": "bad_request", "reason": "payload_not_string"}, "bad_request: payload_not_string"),
        ({}, {"error": "E17", "title": "Bad Request"}, "E17"),
        ({"reason": "$.nowhere"}, {"message": "no such city"}, "no such city"),
        ({"reason": "$.why"}, {"why": None, "message": "no such city"}, "no such city"),
        ({"reason": "$"}, {"email": ["is taken"]}, '{"email":["is taken"]}'),
        ({"reason": "$.why"}, {"why": 17}, "17"),
        ({}, {}, "rejected, without a reason"),
    ],
)
def test_a_reason_is_words_before_a_code_and_falls_back_to_those_there_are(
    rules: dict[str, Any], result: Any, reason: str
) -> None:
    """Kind: words that are there and not shown. Brothers: a whole answer's reason, a result's, a path that finds nothing."""
    found = judge({"e": [{"n": 0, **result}]}, {"at": "$.e", "index": "$.n", **rules})
    assert found.per_record[0].reason == f"200: {reason}" or rules == {"reason": "$"}
    if not rules and result:
        whole = classify(Response(400, {"content-type": "application/json"}, json.dumps(result).encode()))
        assert whole.reason == f"400: {reason}"


@pytest.mark.parametrize(("echo", "advised"), [("ann@x", True), (" Ann@x", True), ("bob@x", False)])
def test_an_id_in_another_form_names_the_setting_that_compares_it(echo: str, advised: bool) -> None:
    """The kind: a message that names no way on. Looked at: another case, space around it, and an id that is another's."""
    found = judge({"e": [{"id": echo}]}, {"at": "$.e", "id": "$.id", "field": "id"}, ids=["Ann@x", "c"], count=2)
    assert found.kind is VerdictKind.STOP
    assert ("`match: case_insensitive`" in found.reason) is advised
