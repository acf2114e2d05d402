"""What answers mean: the safe defaults, and what a destination's owner may declare instead."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendoff import Response
from sendoff.jsonlib import jsonpath
from sendoff.response import Policy, Verdict, VerdictKind, classify
from sendoff.response.condition import statuses
from sendoff.response.rate_headers import quota_reset_delay, retry_after

JSON = {"content-type": "application/json"}


def answered(status: int, body: Any = None, **headers: str) -> Response:
    raw = b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return Response(status, {**JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}, raw)


def verdict(answer: Response, rules: dict[str, Any] | None = None, count: int = 3, **settings: Any) -> Verdict:
    return classify(answer, Policy.of(rules or {}), count=count, **settings)


# The table of statuses.


@pytest.mark.parametrize(
    ("rules", "status", "kind"),
    [
        ({"404": "rejected"}, 404, VerdictKind.REJECTED),
        ({"409": "delivered"}, 409, VerdictKind.DELIVERED),
        ({"4xx": "rejected", "404": "stop"}, 404, VerdictKind.STOP),
        ({"4xx": "rejected", "404": "stop"}, 418, VerdictKind.REJECTED),
        ({"500-599": "stop", "503": "retry"}, 503, VerdictKind.RETRY),
        ({"500-599": "stop", "503": "retry"}, 502, VerdictKind.STOP),
        ({"400": "too_large"}, 400, VerdictKind.TOO_LARGE),
        ({"202": "retry"}, 202, VerdictKind.RETRY),
        ({"207": "delivered"}, 207, VerdictKind.DELIVERED),
        ({"302": "delivered"}, 302, VerdictKind.DELIVERED),
    ],
)
def test_the_owner_of_a_destination_says_what_a_status_means(rules: dict[str, str], status: int, kind: VerdictKind) -> None:
    assert verdict(answered(status), {"statuses": rules}).kind is kind


@pytest.mark.parametrize("text", ["404, 5xx", "500-599", "4xx"])
def test_statuses_are_read(text: str) -> None:
    assert all(100 <= lo <= hi <= 599 for lo, hi in statuses(text))


@pytest.mark.parametrize("text", ["", "40", "6xx", "599-500", "abc", "404;405", "0xx"])
def test_what_is_no_status_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is not a valid status"):
        statuses(text)


# Conditions.


def test_a_200_that_says_no_is_a_refusal_with_its_reason() -> None:
    rules = {"delivered_when": {"path": "$.ok", "equals": True}, "reason": "$.why"}
    assert verdict(answered(200, {"ok": True}), rules).kind is VerdictKind.DELIVERED
    found = verdict(answered(200, {"ok": False, "why": "no such list"}), rules)
    assert (found.kind, found.reason) == (VerdictKind.REJECTED, "200: no such list")


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ("", {}),
        ("<html><title>Log in</title></html>", {"content_type": "text/html"}),
        ("OK", {"content_type": "text/plain"}),
        ("{", {}),
        ({"okay": True}, {}),
        ('{"ok": true, "ok": false}', {}),
        ('{"ok": NaN}', {}),
        ("[" * 100_000, {}),
    ],
    ids=["h10-empty", "h10-login-page", "h10-text", "h13-half", "nothing-there", "h13-twice", "h13-nan", "h13-deep"],
)
def test_a_success_that_cannot_be_read_as_declared_stops_the_run(body: Any, headers: dict[str, str]) -> None:
    found = verdict(answered(200, body, **headers), {"delivered_when": {"path": "$.ok", "equals": True}})
    assert found.kind is VerdictKind.STOP
    assert found.reason.startswith("200: ")


def test_true_is_not_one() -> None:
    rules = {"delivered_when": {"path": "$.ok", "equals": 1}}
    assert verdict(answered(200, {"ok": True}), rules).kind is VerdictKind.REJECTED


def test_h10_a_page_for_people_is_no_success_unless_it_is_said_to_be_one() -> None:
    page = answered(200, "<!DOCTYPE html><html><title>Sign in</title>", content_type="text/html")
    found = verdict(page)
    assert found.kind is VerdictKind.STOP
    assert "Sign in" in found.reason
    assert "response.content_type" in found.reason
    assert verdict(page, {"content_type": "text/html"}).kind is VerdictKind.DELIVERED
    assert verdict(answered(200, "OK", content_type="text/html")).kind is VerdictKind.DELIVERED


def test_conditions_come_before_the_table_and_the_gravest_first() -> None:
    rules = {
        "too_large_when": {"status": "400", "text": "Too many"},
        "retry_when": {"path": "$.code", "one_of": [17, 18]},
        "stop_when": {"text": "suspended"},
        "rejected_when": {"path": "$.status", "equals": "error"},
    }
    assert verdict(answered(400, {"detail": "Too many rows"}), rules).kind is VerdictKind.TOO_LARGE
    assert verdict(answered(422, {"detail": "Too many rows"}), rules).kind is VerdictKind.REJECTED
    assert verdict(answered(200, {"code": 17}), rules).kind is VerdictKind.RETRY
    assert verdict(answered(200, {"code": 19}), rules).kind is VerdictKind.DELIVERED
    assert verdict(answered(400, {"detail": "account suspended", "code": 17}), rules).kind is VerdictKind.STOP
    assert verdict(answered(200, {"status": "error", "message": "no"}), rules).reason == "200: no"


# Results of single records.

BY_ORDER = {"at": "$.results", "status": "$.status", "reason": "$.error"}
BY_INDEX = {"at": "$.errors", "index": "$.row", "reason": "$.text"}
BY_ID = {"at": "$.errors", "id": "$.id", "field": "id"}


def ids(field: str) -> list[Any]:
    return ["a", "b", "c"]


def kinds(found: Verdict, count: int = 3) -> list[str]:
    return [found.per_record[at].kind.value if at in found.per_record else "delivered" for at in range(count)]


def test_results_in_order_with_a_status_each() -> None:
    body = {"results": [{"status": 201}, {"status": 400, "error": "no email"}, {"status": 429}]}
    found = verdict(answered(200, body), {"records": BY_ORDER})
    assert found.kind is VerdictKind.PARTIAL
    assert kinds(found) == ["delivered", "rejected", "retry"]
    assert found.per_record[1].reason == "400: no email"


def test_results_nested_one_level_under_any_one_key() -> None:
    body = {"errors": True, "items": [{"index": {"status": 201}}, {"create": {"status": 409, "error": {"reason": "exists"}}}]}
    rules = {"at": "$.items", "status": "$.*.status", "reason": "$.*.error.reason"}
    found = verdict(answered(200, body), {"records": rules}, count=2)
    assert kinds(found, 2) == ["delivered", "rejected"]
    assert found.per_record[1].reason == "409: exists"


def test_a_list_of_the_bad_ones_only() -> None:
    found = verdict(answered(200, {"errors": [{"row": 2, "text": "bad"}]}), {"records": {**BY_INDEX, "first": 1}})
    assert kinds(found) == ["delivered", "rejected", "delivered"]
    assert found.per_record[1].reason == "200: bad"
    assert kinds(verdict(answered(200, {"errors": []}), {"records": BY_INDEX})) == ["delivered"] * 3
    bare = {"at": "$.failed", "index": "$"}
    assert kinds(verdict(answered(207, {"failed": [0, 2]}), {"records": bare})) == ["rejected", "delivered", "rejected"]


def test_results_by_id() -> None:
    found = verdict(answered(207, {"errors": [{"id": "c", "message": "no"}]}), {"records": BY_ID}, ids=ids)
    assert kinds(found) == ["delivered", "delivered", "rejected"]
    assert found.per_record[2].reason == "207: no"


def test_innocent_records_are_sent_again() -> None:
    rules = {
        "at": "$.insertErrors",
        "index": "$.index",
        "reason": "$.reason",
        "not_attempted_when": {"path": "$.reason", "equals": "stopped"},
    }
    body = {"insertErrors": [{"index": 0, "reason": "stopped"}, {"index": 1, "reason": "invalid"}]}
    found = verdict(answered(200, body), {"records": rules})
    assert kinds(found) == ["retry", "rejected", "delivered"]
    assert found.per_record[0].collateral


def test_results_inside_a_refusal_are_read_where_declared() -> None:
    body = {"results": [{"status": 400, "error": "x"}, {"status": 200}, {"status": 200}]}
    assert kinds(verdict(answered(400, body), {"records": {**BY_ORDER, "on": "2xx, 400"}})) == [
        "rejected",
        "delivered",
        "delivered",
    ]
    assert verdict(answered(400, body), {"records": BY_ORDER}).kind is VerdictKind.REJECTED


@pytest.mark.parametrize(
    ("rules", "body"),
    [
        (BY_ORDER, {"results": [{"status": 201}] * 2}),
        (BY_ORDER, {"results": [{"status": 201}] * 4}),
        (BY_ORDER, {"results": [{"status": 201}, {}, {"status": 201}]}),
        (BY_ORDER, {"results": [{"status": 201}, {"status": 302}, {"status": 201}]}),
        (BY_ORDER, {"results": {"0": {"status": 201}}}),
        (BY_ORDER, {}),
        (BY_ORDER, [1, 2, 3]),
        (BY_INDEX, {"errors": [{"row": 3}]}),
        (BY_INDEX, {"errors": [{"row": -1}]}),
        (BY_INDEX, {"errors": [{"row": "x"}]}),
        (BY_INDEX, {"errors": [{"row": True}]}),
        ({**BY_INDEX, "status": "$.s"}, {"errors": [{"row": 0, "s": 200}]}),
        (BY_ID, {"errors": [{"id": "z"}]}),
        (BY_ID, {"errors": [{}]}),
    ],
    ids=["h12-shorter", "h12-longer", "h12-no-status", "item-302", "h12-no-list", "h12-nothing", "h12-not-there",
         "h12-beyond", "h12-negative", "h12-no-number", "h12-boolean", "h12-silent", "h12-unknown-id", "h12-no-id"],
)  # fmt: skip
def test_h12_results_that_do_not_add_up_stop_the_run(rules: dict[str, Any], body: Any) -> None:
    found = verdict(answered(200, body), {"records": rules}, ids=ids)
    assert found.kind is VerdictKind.STOP
    assert "does not say what happened to each record" in found.reason
    assert found.maybe_applied


def test_h12_two_records_with_one_id_cannot_be_told_apart() -> None:
    found = verdict(answered(200, {"errors": []}), {"records": BY_ID}, ids=lambda field: ["a", "a", "b"])
    assert found.kind in (VerdictKind.STOP, VerdictKind.PARTIAL)
    found = verdict(answered(200, {"errors": [{"id": "a"}]}), {"records": BY_ID}, ids=lambda field: ["a", "a", "b"])
    assert found.kind is VerdictKind.STOP


def test_h11_a_207_is_read_where_mapped_and_stops_the_run_where_not() -> None:
    body = {"results": [{"status": 200}] * 3}
    assert verdict(answered(207, body)).kind is VerdictKind.STOP
    assert kinds(verdict(answered(207, body), {"records": BY_ORDER})) == ["delivered"] * 3


def test_m1_a_body_longer_than_what_is_read_is_not_believed_where_it_matters() -> None:
    long = Response(200, JSON, b'{"ok": true', truncated=True)
    assert verdict(long).kind is VerdictKind.DELIVERED
    assert verdict(long, {"delivered_when": {"path": "$.ok", "equals": True}}).kind is VerdictKind.STOP
    assert verdict(long, {"records": BY_ORDER}).kind is VerdictKind.STOP


# Culprits, reasons, captures.


@pytest.mark.parametrize(
    ("rules", "answer", "places"),
    [
        ({"header": "X-Bad-Row"}, answered(400, {}, x_bad_row="2"), {2}),
        ({"text": "Row {row} has"}, answered(400, "Row 1 has invalid columns: emaill"), {1}),
        ({"text": "Row {row} has", "first": 1}, answered(400, "Row 1 has it. Row 3 has it too"), {0, 2}),
        ({"path": "$.rows"}, answered(400, {"rows": [0, 2]}), {0, 2}),
        ({"pointers": True}, answered(422, {"errors": [{"pointer": "#/1/age"}, {"pointer": "#/2"}]}), {1, 2}),
        ({"pointers": True}, answered(422, {"errors": [{"pointer": "#/rows/0/age"}]}), {0}),
        ({"pointers": True}, answered(422, {"errors": [{"pointer": "#/age"}, {}, 7]}), set()),
        ({"path": "$.row"}, answered(400, {"row": "1"}), {1}),
        ({"path": "$.row"}, answered(400, {"row": 9}), set()),
        ({"path": "$.row"}, answered(400, "not JSON"), set()),
        ({"header": "X-Bad-Row"}, answered(400, {}, x_bad_row="all"), set()),
        ({"header": "X-Bad-Row", "text": "body/{row}/"}, answered(400, {}, x_bad_row="body/0/age, body/2/age"), {0, 2}),
        ({"header": "X-Bad-Row", "text": "body/{row}/"}, answered(400, "body/1/age"), set()),
        (
            {"path": "$.errors[*].at", "text": "rows/{row}/"},
            answered(400, {"errors": [{"at": "rows/1/age"}, {"at": "x"}]}),
            {1},
        ),
    ],
)
def test_a_refusal_may_name_its_culprits(rules: dict[str, Any], answer: Response, places: set[int]) -> None:
    found = verdict(answer, {"bad_record": rules})
    assert found.kind is VerdictKind.REJECTED
    assert set(found.per_record) == places


def test_problem_details_say_what_and_where() -> None:
    body = {"title": "Invalid", "detail": "not accepted", "errors": [{"detail": "must be positive", "pointer": "#/age"}]}
    assert verdict(answered(422, body)).reason == "422: not accepted (#/age: must be positive)"


def test_what_is_to_be_kept_is_captured() -> None:
    rules = {"capture": {"id": "$.id", "at": "$.made", "none": "$.nothing"}}
    assert verdict(answered(201, {"id": 7, "made": "today"}), rules).captured == {-1: {"id": 7, "at": "today"}}
    rules = {"records": BY_ORDER, "capture": {"id": "$.id"}}
    body = {"results": [{"status": 201, "id": "x"}, {"status": 400}, {"status": 201, "id": "z"}]}
    assert verdict(answered(200, body), rules).captured == {0: {"id": "x"}, 2: {"id": "z"}}


def test_h22_a_key_that_came_with_other_bytes_stops_the_run() -> None:
    found = verdict(answered(422, {"detail": "Idempotency-Key was used with a different payload"}))
    assert found.kind is VerdictKind.STOP
    assert "must never happen" in found.reason


def test_h21_a_409_is_a_refusal_at_first_and_tried_again_after_a_repeat() -> None:
    assert verdict(answered(409, {"detail": "in use"})).kind is VerdictKind.REJECTED
    assert verdict(answered(409, {"detail": "in use"}), repeated=True).kind is VerdictKind.RETRY


def test_m6_the_words_of_an_api_are_bounded_and_neutral() -> None:
    found = verdict(answered(400, {"detail": "a\r\nb\x1b[31m\u202e=cmd|' /C calc'!A0" + "x" * 1_000_000}))
    assert len(found.reason) <= 300
    assert found.reason.isprintable()


# Hints of pace.


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"ratelimit": '"default";r=0;t=30'}, 30),
        ({"ratelimit": '"a";r=5;t=30, "b";r=0;t=9'}, 9),
        ({"ratelimit": "limit=100, remaining=0, reset=12"}, 12),
        ({"ratelimit": "limit=100, remaining=1, reset=12"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "7"}, 7),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1700000060", "date": "Tue, 14 Nov 2023 22:13:20 GMT"}, 60),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1700000060"}, 10),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1700000060000", "date": "Tue, 14 Nov 2023 22:13:20 GMT"}, 60),
        (
            {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1700000060", "date": "Mon, 01 Jan 2024 00:00:00 +" + "9" * 20},
            10,
        ),
        ({"x-ratelimit-remaining": "3", "x-ratelimit-reset": "7"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "-7"}, None),
        ({"ratelimit": "garbage;;;r=0"}, None),
        ({"x-ratelimit-remaining": "", "x-ratelimit-reset": "soon"}, None),
        ({}, None),
    ],
)
def test_a_used_up_quota_says_when_it_is_filled_again(headers: dict[str, str], seconds: float | None) -> None:
    assert quota_reset_delay(headers, lambda: 1_700_000_050) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60),
        ("Tuesday, 14-Nov-23 22:14:20 GMT", 60),
        ("Tue Nov 14 22:14:20 2023", 60),
        ("Wed Nov  1 22:14:20 2023", 0),
        ("1700000060", 60),
        ("1700000060000", 60),
        ("1600000000", 0),
        ("999999999", 999_999_999),
        ("9" * 11, 98_299_999_999),
        ("9" * 5_000, 98_300_000_000),
        ("Mon, 01 Jan 2024 00:00:00 +99999999999999999", None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Mon, 31 Dec 9999 23:59:59 -2359", 251_702_387_139),
        ("soon", None),
        ("-1", None),
    ],
)
@pytest.mark.parametrize(
    "date",
    [
        "Tue, 14 Nov 2023 22:13:20 GMT",
        "Tue Nov 14 22:13:20 2023",
        None,
        "",
        "yesterday",
        "Mon, 01 Jan 2024 00:00:00 +" + "9" * 20,
    ],
)
def test_a_retry_after_of_any_form_is_read_against_the_response_s_date_or_else_the_clock(
    value: str, seconds: float | None, date: str | None
) -> None:
    headers = {"retry-after": value} | ({} if date is None else {"date": date})
    assert retry_after(headers, lambda: 1_700_000_000) == seconds


@given(st.text(max_size=60))
def test_h14_no_header_makes_a_wait_that_is_none(text: str) -> None:
    for found in (
        retry_after({"retry-after": text, "date": "Tue, 14 Nov 2023 22:13:20 GMT"}),
        quota_reset_delay({"ratelimit": text, "x-ratelimit-remaining": "0", "x-ratelimit-reset": text}),
    ):
        assert found is None or 0 <= found < 1e12


@given(st.binary(max_size=200), st.sampled_from([200, 207, 400]))
def test_h13_no_body_breaks_the_judge(body: bytes, status: int) -> None:
    for rules in (
        {},
        {"records": BY_ORDER},
        {"delivered_when": {"path": "$.ok", "exists": True}},
        {"bad_record": {"path": "$[0]"}, "reason": "$.a"},
    ):
        found = verdict(Response(status, JSON, body), rules)
        assert found.kind is not VerdictKind.PARTIAL
        assert len(found.reason) < 500


json_values = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=3), lambda v: st.lists(v) | st.dictionaries(st.text(max_size=3), v), max_leaves=9)  # fmt: skip


@given(json_values)
def test_h13_no_json_breaks_the_judge(body: Any) -> None:
    found = verdict(answered(200, json.dumps({"results": body, "errors": body})), {"records": BY_ORDER}, ids=ids)
    assert found.kind in (VerdictKind.STOP, VerdictKind.PARTIAL)
    found = verdict(answered(200, json.dumps({"errors": body})), {"records": BY_INDEX})
    assert found.kind in (VerdictKind.STOP, VerdictKind.PARTIAL)


# Paths.


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", {"a": [{"b c": 1}]}),
        ("$.a[0]['b c']", 1),
        ("$.a[-1].*", 1),
        ("$.a[1]", jsonpath.MISSING),
        ("$.a.b", jsonpath.MISSING),
        ("$.*[0]", {"b c": 1}),
    ],
)
def test_a_path_leads_to_one_value_or_none(path: str, found: Any) -> None:
    assert jsonpath.parse(path).find({"a": [{"b c": 1}]}) is found or jsonpath.parse(path).find({"a": [{"b c": 1}]}) == found


@pytest.mark.parametrize("text", ["a.b", "", "$.", "$..a", "$[", "$[?(@.a)]", "$.a b", "$[1:2]"])
def test_what_is_no_path_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is not a valid path"):
        jsonpath.parse(text)


ON_REPEAT = {"on_repeat": {"statuses": {"409": "delivered"}}}


def test_what_holds_only_on_a_repeat_holds_for_no_first_request() -> None:
    """Kind: an API that knows ids and no keys calls a repeat a conflict. Brothers: a status, a body, each record's result."""
    policy = Policy.of(ON_REPEAT)
    assert classify(Response(409), policy, repeated=True).kind is VerdictKind.DELIVERED
    assert classify(Response(409), policy, repeated=False).kind is VerdictKind.REJECTED
    assert classify(Response(422), policy, repeated=True).kind is VerdictKind.REJECTED
    exists = Response(400, {"content-type": "application/json"}, b'{"code": "exists"}')
    policy = Policy.of({"on_repeat": {"delivered_when": {"path": "$.code", "equals": "exists"}}})
    assert classify(exists, policy, repeated=True).kind is VerdictKind.DELIVERED
    assert classify(exists, policy, repeated=False).kind is VerdictKind.REJECTED


def test_on_a_repeat_a_success_may_say_in_two_ways_that_it_is_there() -> None:
    """Kind: an API whose every response is a 200, with a code for what is new and another for what exists already."""
    rules = {
        "delivered_when": {"path": "$.result", "equals": 0},
        "on_repeat": {"delivered_when": {"path": "$.text", "text": "exists"}},
    }
    policy = Policy.of(rules)
    new, exists, bad = (
        Response(200, {"content-type": "application/json"}, body)
        for body in (b'{"result": 0}', b'{"result": 1, "text": "it exists"}', b'{"result": 1, "text": "no subnet"}')
    )
    kinds = [[classify(given, policy, repeated=repeated).kind for given in (new, exists, bad)] for repeated in (False, True)]
    delivered, rejected = VerdictKind.DELIVERED, VerdictKind.REJECTED
    assert kinds == [[delivered, rejected, rejected], [delivered, delivered, rejected]]


def test_on_a_repeat_the_result_of_a_record_may_say_that_it_is_there() -> None:
    body = b'[{"ok": true}, {"error": "conflict"}, {"error": "forbidden"}]'
    answer = Response(201, {"content-type": "application/json"}, body)
    rules = {
        "records": {"delivered_when": {"path": "$.ok", "equals": True}},
        "on_repeat": {"delivered_when": {"path": "$.error", "equals": "conflict"}},
    }
    first, second = (classify(answer, Policy.of(rules), count=3, repeated=repeated) for repeated in (False, True))
    assert set(first.per_record) == {1, 2}
    assert set(second.per_record) == {2}
    by_status = Policy.of({"records": {"status": "$.s"}, **ON_REPEAT})
    answer = Response(200, {"content-type": "application/json"}, b'[{"s": 201}, {"s": 409}]')
    assert set(classify(answer, by_status, count=2, repeated=False).per_record) == {1}
    assert classify(answer, by_status, count=2, repeated=True).per_record == {}
