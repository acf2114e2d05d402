"""Every part of a verdict, exactly: its kind, its reason, its status, its wait, and what became of each record."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sendoff import Response
from sendoff.response import Policy, Verdict, VerdictKind, classify


def each(**rules: Any) -> dict[str, Any]:
    """A policy with a list of results at $.r."""
    return {"records": {"at": "$.r", **rules}}


def answer(status: int, body: Any = None, **headers: str) -> Response:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return Response(
        status, {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}, raw
    )


NO_WAITS: list[Any] = [None, True, -1, "soon", [], {"seconds": 3}]


@pytest.mark.parametrize(
    ("rules", "given", "verdict"),
    [
        pytest.param(
            each(status="$.s", reason="$.e"),
            answer(200, {"r": [{"s": 201}, {"s": "400", "e": "bad"}, {"s": 500, "e": {"a": 1}}]}),
            Verdict(
                VerdictKind.PARTIAL,
                "",
                200,
                per_record={
                    1: Verdict(VerdictKind.REJECTED, "400: bad", 400),
                    2: Verdict(VerdictKind.RETRY, '500: {"a":1}', 500, maybe_applied=True),
                },
            ),
            id="a status each",
        ),
        pytest.param(
            each(status="$.s", reason="$.e"),
            answer(200, {"r": [{"s": 201}, {"s": 422}, {"s": 413, "e": "big"}]}),
            Verdict(
                VerdictKind.PARTIAL,
                "",
                200,
                per_record={
                    1: Verdict(VerdictKind.REJECTED, "422: rejected, without a reason", 422),
                    2: Verdict(VerdictKind.REJECTED, "413: big", 413),
                },
            ),
            id="a status each, without a reason",
        ),
        pytest.param(
            each(status="$.s"),
            answer(207, {"r": [{"s": 429, "message": "slow"}, {"s": 503, "detail": "later"}, {"s": 200}]}),
            Verdict(
                VerdictKind.PARTIAL,
                "",
                207,
                per_record={0: Verdict(VerdictKind.RETRY, "429: slow", 429), 1: Verdict(VerdictKind.RETRY, "503: later", 503)},
            ),
            id="a status with words in the usual places",
        ),
        pytest.param(
            {**each(status="$.s"), "statuses": {"401": "stop"}},
            answer(200, {"r": [{"s": 401}, {"s": 200}, {"s": 200}]}),
            Verdict(
                VerdictKind.STOP,
                "one record's result stops the run: 401: Unauthorized",
                200,
                maybe_applied=True,
            ),
            id="a status that stops",
        ),
        pytest.param(
            each(status="$.s"),
            answer(200, {"r": [{"s": 99}, {"s": 200}, {"s": 200}]}),
            Verdict(
                VerdictKind.STOP,
                "200: the response does not say what happened to each record: a result has no status at $.s",
                200,
                maybe_applied=True,
            ),
            id="a status that is none",
        ),
        pytest.param(
            each(status="$.s"),
            answer(200, {"r": [{"s": 599}, {"s": 599}, {"s": 600}]}),
            Verdict(
                VerdictKind.STOP,
                "200: the response does not say what happened to each record: a result has no status at $.s",
                200,
                maybe_applied=True,
            ),
            id="the last status there is",
        ),
        pytest.param(
            each(status="$.s"),
            answer(200, {"r": [{"s": True}, {"s": 200}, {"s": 200}]}),
            Verdict(
                VerdictKind.STOP,
                "200: the response does not say what happened to each record: a result has no status at $.s",
                200,
                maybe_applied=True,
            ),
            id="a status that is true",
        ),
        pytest.param(
            each(status="$.s"),
            answer(200, {"r": [{"s": "2000"}, {"s": 200}, {"s": 200}]}),
            Verdict(
                VerdictKind.STOP,
                "200: the response does not say what happened to each record: a result has no status at $.s",
                200,
                maybe_applied=True,
            ),
            id="a status of four digits as text",
        ),
        pytest.param(
            each(index="$.n", first=1, reason="$.e"),
            answer(200, {"r": [{"n": 3, "e": "x"}, {"n": "1", "e": "y"}]}),
            Verdict(
                VerdictKind.PARTIAL,
                "",
                200,
                per_record={2: Verdict(VerdictKind.REJECTED, "200: x", 200), 0: Verdict(VerdictKind.REJECTED, "200: y", 200)},
            ),
            id="only the bad ones by number",
        ),
        pytest.param(
            each(index="$.n", reason="$.e"),
            answer(200, {"r": [{"n": 2, "e": "x"}]}),
            Verdict(VerdictKind.PARTIAL, "", 200, per_record={2: Verdict(VerdictKind.REJECTED, "200: x", 200)}),
            id="by number from nought",
        ),
        pytest.param(
            each(index="$.n"),
            answer(200, {"r": [{"n": 3}]}),
            Verdict(
                VerdictKind.STOP,
                "200: the response does not say what happened to each record: it speaks of record 3, and 3 were sent",
                200,
                maybe_applied=True,
            ),
            id="a number beyond",
        ),
        pytest.param(
            each(index="$.n", first=1),
            answer(200, {"r": [{"n": 0}]}),
            Verdict(
                VerdictKind.STOP,
                "200: the response does not say what happened to each record: it speaks of record 0, and 3 were sent",
                200,
                maybe_applied=True,
            ),
            id="a number below",
        ),
        pytest.param(
            each(index="$.n", first=1),
            answer(200, {"r": [{"n": 1, "error": "no name"}, {"n": 1, "error": "no city"}]}),
            Verdict(VerdictKind.PARTIAL, "", 200, per_record={0: Verdict(VerdictKind.REJECTED, "200: no name; no city", 200)}),
            id="a number twice",
        ),
        pytest.param(
            each(index="$.n"),
            answer(200, {"r": [{"n": True}]}),
            Verdict(
                VerdictKind.STOP,
                "200: the response does not say what happened to each record: a result has no number at $.n",
                200,
                maybe_applied=True,
            ),
            id="a number that is true",
        ),
        pytest.param(
            each(index="$.n"),
            answer(200, {"r": [{"m": 1}]}),
            Verdict(
                VerdictKind.STOP,
                "200: the response does not say what happened to each record: a result has no number at $.n",
                200,
                maybe_applied=True,
            ),
            id="no number",
        ),
        pytest.param(
            each(index="$.n"),
            answer(200, {"r": [{"n": "0000000001"}]}),
            Verdict(
                VerdictKind.STOP,
                "200: the response does not say what happened to each record: a result has no number at $.n",
                200,
                maybe_applied=True,
            ),
            id="a number of ten digits as text",
        ),
        pytest.param(
            each(index="$.n", unlisted="retry"),
            answer(200, {"r": [{"n": 1, "error": "no"}]}),
            Verdict(
                VerdictKind.PARTIAL,
                "",
                200,
                per_record={
                    1: Verdict(VerdictKind.REJECTED, "200: no", 200),
                    0: Verdict(VerdictKind.RETRY, "the response says nothing of this record", 200),
                    2: Verdict(VerdictKind.RETRY, "the response says nothing of this record", 200),
                },
            ),
            id="by number, the unlisted again",
        ),
        pytest.param(
            each(index="$.n", unlisted="rejected", rejected_when={"path": "$.ok", "equals": False}),
            answer(200, {"r": [{"n": 1, "ok": True}, {"n": 0, "ok": False, "reason": "why"}]}),
            Verdict(
                VerdictKind.PARTIAL,
                "",
                200,
                per_record={
                    0: Verdict(VerdictKind.REJECTED, "200: why", 200),
                    2: Verdict(VerdictKind.REJECTED, "the response says nothing of this record", 200),
                },
            ),
            id="by number, the unlisted refused",
        ),
        pytest.param(
            each(index="$.n", unlisted="stop"),
            answer(200, {"r": [{"n": 1}]}),
            Verdict(
                VerdictKind.STOP,
                "200: the response does not say what happened to each record: it says nothing of 2 of 3 records",
                200,
                maybe_applied=True,
            ),
            id="by number, nothing may be missing",
        ),
        pytest.param(
            each(id="$.id", field="id", delivered_when={"path": "$.ok", "equals": True}),
            answer(200, {"r": [{"id": "a", "ok": True}, {"id": 2, "ok": False, "error": "two"}, {"id": "c", "ok": True}]}),
            Verdict(VerdictKind.PARTIAL, "", 200, per_record={1: Verdict(VerdictKind.REJECTED, "200: two", 200)}),
            id="by id",
        ),
        pytest.param(
            each(id="$.id", field="id"),
            answer(200, {"r": [{"id": "z"}]}),
            Verdict(
                VerdictKind.STOP,
                "200: the response does not say what happened to each record: it speaks of id 'z', which was not sent",
                200,
                maybe_applied=True,
            ),
            id="by an id of nobody",
        ),
        pytest.param(
            each(delivered_when={"path": "$.ok", "equals": True}),
            answer(200, {"r": [{"ok": True}, {"ok": False, "error": "no"}, {}]}),
            Verdict(
                VerdictKind.PARTIAL,
                "",
                200,
                per_record={
                    1: Verdict(VerdictKind.REJECTED, "200: no", 200),
                    2: Verdict(VerdictKind.REJECTED, "200: rejected, without a reason", 200),
                },
            ),
            id="delivered when, refused otherwise",
        ),
        pytest.param(
            each(rejected_when={"path": "$.bad", "equals": 1}),
            answer(200, {"r": [{"bad": 1, "detail": "d"}, {"bad": 0}, {}]}),
            Verdict(VerdictKind.PARTIAL, "", 200, per_record={0: Verdict(VerdictKind.REJECTED, "200: d", 200)}),
            id="rejected when, delivered otherwise",
        ),
        pytest.param(
            each(retry_when={"text": "busy"}, not_attempted_when={"path": "$.why", "equals": "stopped"}, status="$.s"),
            answer(200, {"r": [{"s": 400, "why": "stopped"}, {"s": 500, "why": "busy"}, {"s": 400, "why": "bad"}]}),
            Verdict(
                VerdictKind.PARTIAL,
                "",
                200,
                per_record={
                    0: Verdict(VerdictKind.RETRY, "400: rejected, without a reason", 400, collateral=True),
                    1: Verdict(VerdictKind.RETRY, "500: rejected, without a reason", 500),
                    2: Verdict(VerdictKind.REJECTED, "400: rejected, without a reason", 400),
                },
            ),
            id="retry when, and resend when",
        ),
        pytest.param(
            each(status="$.s"),
            answer(200, {"r": [{"s": 200}, {"s": 200}]}),
            Verdict(
                VerdictKind.STOP,
                "200: the response does not say what happened to each record: it has 2 results for 3 records",
                200,
                maybe_applied=True,
            ),
            id="as many as were sent",
        ),
        pytest.param(
            each(status="$.s"),
            answer(200, {"r": {"s": 200}}),
            Verdict(
                VerdictKind.STOP,
                "200: the response does not say what happened to each record: there is no list at $.r but an object; if its keys are the records' ids, write `id: key`",
                200,
                maybe_applied=True,
            ),
            id="no list",
        ),
        pytest.param(
            {**each(status="$.s"), "capture": {"their": "$.id", "more": "$.x"}},
            answer(200, {"r": [{"s": 200, "id": 7}, {"s": 400, "id": 8, "error": "e"}, {"s": 200, "x": None}]}),
            Verdict(
                VerdictKind.PARTIAL,
                "",
                200,
                per_record={1: Verdict(VerdictKind.REJECTED, "400: e", 400)},
                captured={0: {"their": 7}, 2: {"more": None}},
            ),
            id="captured",
        ),
        pytest.param(
            {"content_type": "application/json"},
            Response(200, {"content-type": "Text/HTML"}, b"<p>"),
            Verdict(
                VerdictKind.STOP, "200: the response's content type is text/html, not application/json", 200, maybe_applied=True
            ),
            id="another content type",
        ),
        pytest.param(
            {"content_type": "application/json"},
            Response(200, {}, b"{}"),
            Verdict(
                VerdictKind.STOP, "200: the response's content type is missing, not application/json", 200, maybe_applied=True
            ),
            id="no content type",
        ),
        pytest.param(
            {"content_type": "Application/JSON"},
            Response(200, {"content-type": "application/json; charset=utf-8"}, b"{}"),
            Verdict(VerdictKind.DELIVERED, "", 200),
            id="the content type in any case, with its parameters",
        ),
        pytest.param(
            {},
            Response(200, {"content-type": "text/html"}, b"  <!doctype html><title>Log in</title>"),
            Verdict(
                VerdictKind.STOP,
                "200: Log in: the response is an HTML page, perhaps a login form or a proxy's; if this is how the API reports success, declare response.content_type",
                200,
                maybe_applied=True,
            ),
            id="a page for people",
        ),
        pytest.param(
            {"delivered_when": {"path": "$.ok", "equals": True}},
            answer(200, {"ok": True}),
            Verdict(VerdictKind.DELIVERED, "", 200),
            id="delivered when, and it is",
        ),
        pytest.param(
            {"delivered_when": {"path": "$.ok", "equals": True}},
            answer(200, {"ok": False, "error": "quota"}),
            Verdict(VerdictKind.REJECTED, "200: quota", 200),
            id="delivered when, and it is not",
        ),
        pytest.param(
            {"delivered_when": {"path": "$.ok", "equals": True}},
            answer(200, {"no": 1}),
            Verdict(
                VerdictKind.STOP,
                "200: the response has nothing at $.ok, where response.delivered_when looks",
                200,
                maybe_applied=True,
            ),
            id="delivered when, and there is nothing",
        ),
        pytest.param(
            {"delivered_when": {"path": "$.ok", "equals": True}},
            answer(200, "nope"),
            Verdict(
                VerdictKind.STOP,
                "200: the response cannot be read as response.delivered_when declares: its body is not JSON at column 1: Expecting value",
                200,
                maybe_applied=True,
            ),
            id="delivered when, and it is no JSON",
        ),
        pytest.param(
            {"delivered_when": {"text": "done"}},
            Response(200, {}, b"all done"),
            Verdict(VerdictKind.DELIVERED, "", 200),
            id="delivered when the text says so",
        ),
        pytest.param(
            {"delivered_when": {"text": "done"}},
            Response(299, {}, b"all well"),
            Verdict(VerdictKind.REJECTED, "299: all well", 299),
            id="delivered when the text says so, and it does not",
        ),
        pytest.param(
            {"capture": {"id": "$.id"}},
            answer(201, {"id": 5}),
            Verdict(VerdictKind.DELIVERED, "", 201, captured={-1: {"id": 5}}),
            id="capture for the whole request",
        ),
        pytest.param(
            {"capture": {"id": "$.id"}}, answer(201, {"x": 5}), Verdict(VerdictKind.DELIVERED, "", 201), id="nothing to capture"
        ),
        pytest.param(
            {"reason": "$.a.b"},
            answer(400, {"a": {"b": {"c": [1]}}, "error": "other"}),
            Verdict(VerdictKind.REJECTED, '400: {"c":[1]}', 400),
            id="the reason from where it stands",
        ),
        pytest.param(
            {"bad_record": {"header": "X-Row", "first": 1}},
            answer(400, {"error": "e"}, x_row="2"),
            Verdict(VerdictKind.REJECTED, "400: e", 400, per_record={1: Verdict(VerdictKind.REJECTED, "400: e", 400)}),
            id="a bad_record by header",
        ),
        pytest.param(
            {"bad_record": {"path": "$.rows"}},
            answer(400, {"error": "e", "rows": [0, 2]}),
            Verdict(
                VerdictKind.REJECTED,
                "400: e",
                400,
                per_record={0: Verdict(VerdictKind.REJECTED, "400: e", 400), 2: Verdict(VerdictKind.REJECTED, "400: e", 400)},
            ),
            id="a bad_record by path",
        ),
        pytest.param(
            {"bad_record": {"path": "$.rows"}},
            answer(400, {"error": "e", "rows": [3]}),
            Verdict(VerdictKind.REJECTED, "400: e", 400),
            id="a bad_record out of reach",
        ),
        pytest.param(
            {"bad_record": {"text": "Row {row} has", "first": 1}},
            answer(422, {"error": "Row 3 has no name"}),
            Verdict(
                VerdictKind.REJECTED,
                "422: Row 3 has no name",
                422,
                per_record={2: Verdict(VerdictKind.REJECTED, "422: Row 3 has no name", 422)},
            ),
            id="a bad_record by words",
        ),
        pytest.param(
            {"bad_record": {"pointers": True}},
            answer(400, {"title": "t", "errors": [{"pointer": "/1/name", "detail": "d"}, {"pointer": "#/2", "detail": "f"}]}),
            Verdict(
                VerdictKind.REJECTED,
                "400: d; f",
                400,
                per_record={
                    1: Verdict(VerdictKind.REJECTED, "400: d; f", 400),
                    2: Verdict(VerdictKind.REJECTED, "400: d; f", 400),
                },
            ),
            id="culprits by pointers",
        ),
        pytest.param(
            {},
            Response(301, {"location": "https://x.example/a?token=1"}),
            Verdict(
                VerdictKind.STOP,
                "301: the API has moved to https://x.example/a; sendoff follows no redirects, so change destination.url",
                301,
            ),
            id="moved",
        ),
        pytest.param(
            {},
            Response(308, {}),
            Verdict(VerdictKind.STOP, "308: the API has moved; sendoff follows no redirects, so change destination.url", 308),
            id="moved to nobody knows where",
        ),
        pytest.param(
            {},
            Response(429, {"retry-after": "7"}),
            Verdict(VerdictKind.RETRY, "429: Too Many Requests", 429, 7.0),
            id="busy, and says for how long",
        ),
        pytest.param(
            {},
            Response(429, {"ratelimit": '"a";r=0;t=9'}),
            Verdict(VerdictKind.RETRY, "429: Too Many Requests", 429, 9.0),
            id="busy, and a quota says for how long",
        ),
        pytest.param(
            {},
            Response(500, {"retry-after": "3"}, b"x"),
            Verdict(VerdictKind.RETRY, "500: x", 500, 3.0, maybe_applied=True),
            id="out of order, and may have been applied",
        ),
        pytest.param(
            {},
            Response(503, {}, b""),
            Verdict(VerdictKind.RETRY, "503: Service Unavailable", 503),
            id="out of order, and was not",
        ),
        pytest.param({}, Response(501, {}, b""), Verdict(VerdictKind.STOP, "501: Not Implemented", 501), id="never better"),
        pytest.param({}, Response(413, {}, b"big"), Verdict(VerdictKind.TOO_LARGE, "413: big", 413), id="too large"),
        pytest.param(
            {},
            Response(413, {"retry-after": "5"}, b"big"),
            Verdict(VerdictKind.RETRY, "413: big", 413, 5.0),
            id="too large for now",
        ),
        pytest.param(
            {},
            Response(404, {}, b""),
            Verdict(VerdictKind.STOP, "404: Not Found; there is nothing at this URL; check destination.url", 404),
            id="not known",
        ),
        pytest.param({}, Response(418, {}, b"tea"), Verdict(VerdictKind.STOP, "418: tea", 418), id="a teapot"),
        pytest.param(
            {"statuses": {"404": "retry"}},
            Response(404, {"retry-after": "4"}),
            Verdict(VerdictKind.RETRY, "404: Not Found", 404, 4.0),
            id="the owner's own retry waits as told",
        ),
        pytest.param(
            {"statuses": {"500": "stop"}},
            Response(500, {"retry-after": "4"}),
            Verdict(VerdictKind.STOP, "500: Internal Server Error", 500, maybe_applied=True),
            id="the owner's own stop waits for nothing",
        ),
        pytest.param(
            {},
            answer(422, {"error": "Idempotency-Key reused"}),
            Verdict(
                VerdictKind.STOP,
                "422: Idempotency-Key reused; a key came with other bytes, which must never happen: please report it",
                422,
            ),
            id="the key came with other bytes",
        ),
        pytest.param(
            {},
            Response(error="reset by peer"),
            Verdict(VerdictKind.RETRY, "reset by peer", maybe_applied=True),
            id="lost on the way",
        ),
        pytest.param(
            {}, Response(error="refused", may_have_been_sent=False), Verdict(VerdictKind.RETRY, "refused"), id="never sent"
        ),
        pytest.param(
            {},
            Response(error="TLS: expired", may_have_been_sent=False, permanent=True),
            Verdict(VerdictKind.STOP, "TLS: expired"),
            id="nobody to be trusted",
        ),
        pytest.param(
            each(status="$.s", not_attempted_when={"status": "4xx"}),
            answer(200, {"r": [{"s": 400}, {"s": 500}, {"s": 200}]}),
            Verdict(
                VerdictKind.PARTIAL,
                "",
                200,
                per_record={
                    0: Verdict(VerdictKind.RETRY, "400: rejected, without a reason", 400, collateral=True),
                    1: Verdict(VerdictKind.RETRY, "500: rejected, without a reason", 500, maybe_applied=True),
                },
            ),
            id="resend when the status says so",
        ),
        pytest.param(
            each(status="$.s", not_attempted_when={"text": "later"}),
            answer(200, {"r": [{"s": 400, "e": "later"}, {"s": 400}, {"s": 200}]}),
            Verdict(
                VerdictKind.PARTIAL,
                "",
                200,
                per_record={
                    0: Verdict(VerdictKind.RETRY, "400: rejected, without a reason", 400, collateral=True),
                    1: Verdict(VerdictKind.REJECTED, "400: rejected, without a reason", 400),
                },
            ),
            id="resend when the words say so",
        ),
        pytest.param(
            each(status="$.s", retry_when={"status": "404"}),
            answer(200, {"r": [{"s": 404}, {"s": 400}, {"s": 200}]}),
            Verdict(
                VerdictKind.PARTIAL,
                "",
                200,
                per_record={
                    0: Verdict(VerdictKind.RETRY, "404: rejected, without a reason", 404),
                    1: Verdict(VerdictKind.REJECTED, "400: rejected, without a reason", 400),
                },
            ),
            id="retry when the status says so",
        ),
        pytest.param(
            each(status="$.s", retry_when={"path": "$.e", "equals": "x"}),
            answer(200, {"r": [{"s": 400, "e": "x"}, {"s": 400}, {"s": 200}]}),
            Verdict(
                VerdictKind.PARTIAL,
                "",
                200,
                per_record={
                    0: Verdict(VerdictKind.RETRY, "400: rejected, without a reason", 400),
                    1: Verdict(VerdictKind.REJECTED, "400: rejected, without a reason", 400),
                },
            ),
            id="retry when a value says so",
        ),
        pytest.param(
            each(status="$.s", rejected_when={"status": "500"}),
            answer(200, {"r": [{"s": 500}, {"s": 503}, {"s": 200}]}),
            Verdict(
                VerdictKind.PARTIAL,
                "",
                200,
                per_record={
                    0: Verdict(VerdictKind.REJECTED, "500: rejected, without a reason", 500),
                    1: Verdict(VerdictKind.RETRY, "503: rejected, without a reason", 503),
                },
            ),
            id="rejected when the status says so",
        ),
        pytest.param(
            each(rejected_when={"text": "bad"}),
            answer(200, {"r": [{"e": "bad"}, {}, {}]}),
            Verdict(
                VerdictKind.PARTIAL,
                "",
                200,
                per_record={0: Verdict(VerdictKind.REJECTED, "200: rejected, without a reason", 200)},
            ),
            id="rejected when the words say so",
        ),
        pytest.param(
            each(status="$.s", delivered_when={"status": "2xx"}),
            answer(200, {"r": [{"s": 201}, {"s": 302}, {"s": 200}]}),
            Verdict(
                VerdictKind.PARTIAL,
                "",
                200,
                per_record={1: Verdict(VerdictKind.REJECTED, "302: rejected, without a reason", 302)},
            ),
            id="delivered when the status says so",
        ),
        pytest.param(
            each(delivered_when={"text": "fine"}),
            answer(200, {"r": [{"e": "fine"}, {}, {"e": "fine"}]}),
            Verdict(
                VerdictKind.PARTIAL,
                "",
                200,
                per_record={1: Verdict(VerdictKind.REJECTED, "200: rejected, without a reason", 200)},
            ),
            id="delivered when the words say so",
        ),
        pytest.param(
            each(status="$.s"),
            answer(200, {"r": [{"s": 599}, {"s": 200}, {"s": 599}]}),
            Verdict(
                VerdictKind.PARTIAL,
                "",
                200,
                per_record={
                    0: Verdict(VerdictKind.RETRY, "599: rejected, without a reason", 599, maybe_applied=True),
                    2: Verdict(VerdictKind.RETRY, "599: rejected, without a reason", 599, maybe_applied=True),
                },
            ),
            id="the outermost statuses",
        ),
        pytest.param(
            each(status="$.s"),
            answer(200, {"r": [{"s": 100}, {"s": 200}, {"s": 200}]}),
            Verdict(
                VerdictKind.STOP,
                "200: the response does not say what happened to each record: a result has status 100",
                200,
                maybe_applied=True,
            ),
            id="the lowest status there is stops",
        ),
        pytest.param(
            each(status="$.s"),
            Response(200, {"content-type": "text/html"}, b'{"r":[{"s":200},{"s":200},{"s":200}]}'),
            Verdict(
                VerdictKind.STOP,
                "200: the response does not say what happened to each record: its content type is text/html, not JSON (response.content_type)",
                200,
                maybe_applied=True,
            ),
            id="results in what is no JSON by its type",
        ),
        pytest.param(
            each(status="$.s"),
            Response(200, {"content-type": "application/vnd.x+json"}, b'{"r":[{"s":200},{"s":200},{"s":200}]}'),
            Verdict(VerdictKind.PARTIAL, "", 200),
            id="results in JSON of a kind of its own",
        ),
        pytest.param(
            each(status="$.s"),
            Response(200, {"content-type": "application/json-rpc"}, b'{"r":[{"s":200},{"s":200},{"s":200}]}'),
            Verdict(VerdictKind.PARTIAL, "", 200),
            id="results in what JSON-RPC over HTTP calls JSON",
        ),
        pytest.param(
            {"statuses": {"300": "delivered"}, "content_type": "application/json"},
            Response(300, {}, b""),
            Verdict(VerdictKind.DELIVERED, "300: Multiple Choices", 300),
            id="a status that is no success needs no content type",
        ),
        pytest.param(
            {"capture": {"id": "$.id"}},
            Response(200, {"content-type": "application/json"}, b'{"id":1}', truncated=True),
            Verdict(VerdictKind.DELIVERED, "", 200),
            id="nothing is captured of what was not read whole",
        ),
        pytest.param(
            {},
            Response(429, {"ratelimit": '"a";r=0;t=9, "b";r=0;t=30, "c";r=5;t=99'}),
            Verdict(VerdictKind.RETRY, "429: Too Many Requests", 429, 30.0),
            id="several quotas, and the longest wait",
        ),
        pytest.param(
            {},
            Response(429, {"ratelimit": "limit=9, remaining=0, reset=31"}),
            Verdict(VerdictKind.RETRY, "429: Too Many Requests", 429, 31.0),
            id="a quota as it was written before",
        ),
        pytest.param(
            {
                "records": {"at": "$.r", "status": "$.s", "statuses": {"404": "delivered", "409": "retry"}},
                "statuses": {"4xx": "retry"},
            },
            answer(200, {"r": [{"s": 404}, {"s": 409}, {"s": 422}]}),
            Verdict(
                VerdictKind.PARTIAL,
                "",
                200,
                per_record={
                    1: Verdict(VerdictKind.RETRY, "409: rejected, without a reason", 409),
                    2: Verdict(VerdictKind.RETRY, "422: rejected, without a reason", 422),
                },
            ),
            id="a table for results, and for what is not in it the other",
        ),
        pytest.param(
            {"records": {"at": "$.r", "status": "$.s", "statuses": {"404": "stop"}}},
            answer(200, {"r": [{"s": 201}, {"s": 404, "message": "no such list"}, {"s": 201}]}),
            Verdict(VerdictKind.STOP, "one record's result stops the run: 404: no such list", 200, maybe_applied=True),
            id="a result for which the run stops",
        ),
        pytest.param(
            {"records": {"at": "$.r", "status": "$.s", "statuses": {"404": "delivered"}}},
            answer(404, {"r": []}),
            Verdict(VerdictKind.STOP, '404: {"r": []}; there is nothing at this URL; check destination.url', 404),
            id="a table for results says nothing of a response",
        ),
        pytest.param(
            each(status="$.s", retry_after="$.h.Retry-After"),
            answer(
                200,
                {
                    "r": [
                        {"s": 429, "h": {"Retry-After": "5"}},
                        {"s": 429, "h": {"Retry-After": 9}},
                        {"s": 400, "h": {"Retry-After": 99}},
                    ]
                },
            ),
            Verdict(
                VerdictKind.PARTIAL,
                "",
                200,
                9.0,
                per_record={
                    0: Verdict(VerdictKind.RETRY, "429: rejected, without a reason", 429, 5.0),
                    1: Verdict(VerdictKind.RETRY, "429: rejected, without a reason", 429, 9.0),
                    2: Verdict(VerdictKind.REJECTED, "400: rejected, without a reason", 400),
                },
            ),
            id="the longest wait of the results that are to be retried",
        ),
        pytest.param(
            each(status="$.s", retry_after="$.wait"),
            answer(200, {"r": [{"s": 503, "wait": 5}, {"s": 200}, {"s": 200}]}, retry_after="7"),
            Verdict(
                VerdictKind.PARTIAL,
                "",
                200,
                7.0,
                per_record={0: Verdict(VerdictKind.RETRY, "503: rejected, without a reason", 503, 5.0)},
            ),
            id="the response's own wait is longer",
        ),
        pytest.param(
            {"retry_after": "$.retry_after"},
            answer(429, {"message": "slow down", "retry_after": 0.25}, retry_after="60"),
            Verdict(VerdictKind.RETRY, "429: slow down", 429, 0.25),
            id="a wait in the body, before the header",
        ),
        pytest.param(
            {"retry_after": "$.retry_after", "retry_when": {"path": "$.code", "equals": 17}},
            answer(200, {"code": 17, "retry_after": "3"}),
            Verdict(VerdictKind.RETRY, '200: {"code": 17, "retry_after": "3"}', 200, 3.0),
            id="a wait in the body of a 200 that is to be retried",
        ),
        pytest.param(
            {"retry_after": {"header": "X-Wait"}},
            answer(503, "busy", x_wait="4"),
            Verdict(VerdictKind.RETRY, "503: busy", 503, 4.0),
            id="a wait in a header of its own",
        ),
        *(
            pytest.param(
                {"retry_after": "$.wait"},
                answer(429, {"wait": wait}, **({"retry_after": "6"} if header else {})),
                Verdict(VerdictKind.RETRY, f'429: {{"wait": {json.dumps(wait)}}}', 429, 6.0 if header else None),
                id=f"a wait that is none: {wait}, {header}",
            )
            for wait in NO_WAITS
            for header in (False, True)
        ),
        pytest.param(
            {"accepted_when": {"status": "202"}, "capture": {"job": "$.job", "id": {"header": "X-Message-Id"}}},
            answer(202, {"job": 7}, x_message_id="m"),
            Verdict(VerdictKind.DELIVERED, status=202, captured={-1: {"job": 7, "id": "m"}}, accepted=3),
            id="accepted only, with what is kept of body and header",
        ),
        pytest.param(
            {"capture": {"id": {"header": "X-Message-Id"}, "job": "$.job"}},
            Response(202, {"x-message-id": "m"}, b""),
            Verdict(VerdictKind.DELIVERED, status=202, captured={-1: {"id": "m"}}),
            id="a header is kept of a response without a body",
        ),
        pytest.param(
            {"capture": {"id": "$.id"}, "statuses": {"409": "delivered"}},
            answer(409, {"id": "x"}),
            Verdict(VerdictKind.DELIVERED, '409: {"id": "x"}', 409, captured={-1: {"id": "x"}}),
            id="what is kept of a 409 that means delivered",
        ),
        pytest.param(
            {"accepted_when": {"path": "$.state", "equals": "queued"}, "delivered_when": {"path": "$.ok", "equals": True}},
            answer(200, {"ok": False, "state": "queued"}),
            Verdict(VerdictKind.REJECTED, '200: {"ok": false, "state": "queued"}', 200),
            id="what is rejected is not accepted",
        ),
        pytest.param(
            {"accepted_when": {"path": "$.state", "equals": "queued"}},
            answer(202, "no JSON"),
            Verdict(VerdictKind.DELIVERED, status=202),
            id="what cannot be read says nothing of being accepted only",
        ),
        pytest.param(
            {
                **each(status="$.s", accepted_when={"path": "$.s", "equals": 202}),
                "accepted_when": {"header": "X-Job", "exists": True},
            },
            answer(200, {"r": [{"s": 202}, {"s": 201}, {"s": 400}]}, x_job="j"),
            Verdict(
                VerdictKind.PARTIAL,
                "",
                200,
                per_record={2: Verdict(VerdictKind.REJECTED, "400: rejected, without a reason", 400)},
                accepted=2,
            ),
            id="a whole response that is accepted only, but for what it rejects",
        ),
        pytest.param(
            {
                "records": {
                    "at": "$.r",
                    "index": "$.n",
                    "status": "$.s",
                    "unlisted": "delivered",
                    "accepted_when": {"status": "202"},
                }
            },
            answer(200, {"r": [{"n": 0, "s": 200}, {"n": 0, "s": 202}, {"n": 1, "s": 202}, {"n": 1, "s": 503}]}),
            Verdict(
                VerdictKind.PARTIAL,
                "",
                200,
                per_record={1: Verdict(VerdictKind.RETRY, "503: rejected, without a reason", 503, maybe_applied=True)},
                accepted=1,
            ),
            id="of several results for one record, one that is accepted only",
        ),
        pytest.param(
            {"rejected_when": {"header": "X-Error-Code", "exists": True}, "reason": {"header": "X-Error-Type"}},
            answer(200, "", x_error_code="27", x_error_type="ParseError"),
            Verdict(VerdictKind.REJECTED, "200: ParseError", 200),
            id="a rejection and its reason in headers",
        ),
        pytest.param(
            {"delivered_when": {"path": "$.received", "equals": "$count"}},
            answer(200, {"received": 2}),
            Verdict(VerdictKind.REJECTED, '200: {"received": 2}', 200),
            id="fewer received than sent",
        ),
        pytest.param(
            {"delivered_when": [{"path": "$.ok", "equals": True}, {"header": "X-Ok", "equals": "yes"}]},
            answer(200, "fine", x_ok="yes"),
            Verdict(VerdictKind.DELIVERED, status=200),
            id="a body that cannot be read, where a header says it",
        ),
        pytest.param(
            {"delivered_when": [{"path": "$.ok", "equals": True}, {"header": "X-Ok", "equals": "yes"}]},
            answer(200, "fine", x_ok="no"),
            Verdict(
                VerdictKind.STOP,
                "200: the response cannot be read as response.delivered_when declares: "
                "its body is not JSON at column 1: Expecting value",
                200,
                maybe_applied=True,
            ),
            id="a body that cannot be read, where no header says it",
        ),
        pytest.param(
            {"delivered_when": [{"path": "$.ok", "equals": True}, {"header": "X-Ok", "equals": "yes"}]},
            Response(200, {"content-type": "text/plain"}, b'{"ok": true}'),
            Verdict(
                VerdictKind.STOP,
                "200: the response cannot be read as response.delivered_when declares: "
                "its content type is text/plain, not JSON (response.content_type)",
                200,
                maybe_applied=True,
            ),
            id="a body that is not said to be JSON",
        ),
        pytest.param(
            {"delivered_when": [{"path": "$.ok", "equals": True}, {"header": "X-Ok", "equals": "yes"}]},
            answer(200, {}),
            Verdict(
                VerdictKind.STOP,
                "200: the response has nothing at $.ok or the header X-Ok, where response.delivered_when looks",
                200,
                maybe_applied=True,
            ),
            id="nothing anywhere where success is declared",
        ),
        pytest.param(
            {"delivered_when": {"status": "201"}},
            answer(202, {"error": "not yet"}),
            Verdict(VerdictKind.REJECTED, "202: not yet", 202),
            id="delivered when the status says so, of the whole",
        ),
    ],
)
def test_the_verdict_is_exactly_this(rules: dict[str, Any], given: Response, verdict: Verdict) -> None:
    ids: dict[str, list[Any]] = {"id": ["a", 2, "c"], "": [1, 2, 3]}
    assert classify(given, Policy.of(rules), count=3, ids=ids.__getitem__) == verdict


LINES = '{"success": true}\n{"success": false, "error": "a\u2028b", "code": 400}\n\n{"success": true}\n'.encode()


def test_results_may_be_a_line_each_whatever_the_content_type_is() -> None:
    """Kind: a response of more than one JSON value. Brothers: an empty line, one record, a line that is no JSON, a 401 of one object."""
    rules = {"records": {"json_lines": True, "delivered_when": {"path": "$.success", "equals": True}, "reason": "$.error"}}
    policy, plain = Policy.of(rules), {"content-type": "text/plain; charset=utf8"}
    verdict = classify(Response(200, plain, LINES), policy, count=3)
    assert {place: own.reason for place, own in verdict.per_record.items()} == {1: "200: a b"}
    assert classify(Response(200, plain, b'{"success": true}'), policy).per_record == {}
    broken = classify(Response(200, plain, LINES.replace(b"false", b"fals")), policy, count=3)
    assert broken.kind is VerdictKind.STOP
    assert "its body is not one JSON value a line: line 2 is not JSON at column 13" in broken.reason
    assert "2 results for 3 records" in classify(Response(200, plain, LINES[:-18]), policy, count=3).reason
    refused = classify(Response(401, {"content-type": "application/json"}, b'{"message": "no such key"}'), policy, count=3)
    assert (refused.kind, refused.reason[:16]) == (VerdictKind.STOP, "401: no such key")
