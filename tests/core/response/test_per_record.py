"""Every part of a verdict, exactly: its kind, its reason, its status, its wait, and what became of each record."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sendoff import Answer
from sendoff.response import Kind, Policy, Verdict, judge


def each(**rules: Any) -> dict[str, Any]:
    """A policy with a list of results at $.r."""
    return {"records": {"at": "$.r", **rules}}


def answer(status: int, body: Any = None, **headers: str) -> Answer:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return Answer(
        status, {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}, raw
    )


@pytest.mark.parametrize(
    ("rules", "given", "verdict"),
    [
        pytest.param(
            each(status="$.s", reason="$.e"),
            answer(200, {"r": [{"s": 201}, {"s": "400", "e": "bad"}, {"s": 500, "e": {"a": 1}}]}),
            Verdict(
                Kind.PARTIAL,
                "",
                200,
                apart={
                    1: Verdict(Kind.REJECTED, "400: bad", 400),
                    2: Verdict(Kind.RETRY, '500: {"a":1}', 500, maybe_applied=True),
                },
            ),
            id="a status each",
        ),
        pytest.param(
            each(status="$.s", reason="$.e"),
            answer(200, {"r": [{"s": 201}, {"s": 422}, {"s": 413, "e": "big"}]}),
            Verdict(
                Kind.PARTIAL,
                "",
                200,
                apart={
                    1: Verdict(Kind.REJECTED, "422: refused, without a reason", 422),
                    2: Verdict(Kind.REJECTED, "413: big", 413),
                },
            ),
            id="a status each, without a reason",
        ),
        pytest.param(
            each(status="$.s"),
            answer(207, {"r": [{"s": 429, "message": "slow"}, {"s": 503, "detail": "later"}, {"s": 200}]}),
            Verdict(
                Kind.PARTIAL,
                "",
                207,
                apart={0: Verdict(Kind.RETRY, "429: slow", 429), 1: Verdict(Kind.RETRY, "503: later", 503)},
            ),
            id="a status with words in the usual places",
        ),
        pytest.param(
            each(status="$.s"),
            answer(200, {"r": [{"s": 401}, {"s": 200}, {"s": 200}]}),
            Verdict(
                Kind.STOP,
                "200: the answer does not say what became of each record: a result has status 401",
                200,
                maybe_applied=True,
            ),
            id="a status that stops",
        ),
        pytest.param(
            each(status="$.s"),
            answer(200, {"r": [{"s": 99}, {"s": 200}, {"s": 200}]}),
            Verdict(
                Kind.STOP,
                "200: the answer does not say what became of each record: a result has no status at $.s",
                200,
                maybe_applied=True,
            ),
            id="a status that is none",
        ),
        pytest.param(
            each(status="$.s"),
            answer(200, {"r": [{"s": 599}, {"s": 599}, {"s": 600}]}),
            Verdict(
                Kind.STOP,
                "200: the answer does not say what became of each record: a result has no status at $.s",
                200,
                maybe_applied=True,
            ),
            id="the last status there is",
        ),
        pytest.param(
            each(status="$.s"),
            answer(200, {"r": [{"s": True}, {"s": 200}, {"s": 200}]}),
            Verdict(
                Kind.STOP,
                "200: the answer does not say what became of each record: a result has no status at $.s",
                200,
                maybe_applied=True,
            ),
            id="a status that is true",
        ),
        pytest.param(
            each(status="$.s"),
            answer(200, {"r": [{"s": "2000"}, {"s": 200}, {"s": 200}]}),
            Verdict(
                Kind.STOP,
                "200: the answer does not say what became of each record: a result has no status at $.s",
                200,
                maybe_applied=True,
            ),
            id="a status of four digits as text",
        ),
        pytest.param(
            each(index="$.n", first=1, reason="$.e"),
            answer(200, {"r": [{"n": 3, "e": "x"}, {"n": "1", "e": "y"}]}),
            Verdict(
                Kind.PARTIAL,
                "",
                200,
                apart={2: Verdict(Kind.REJECTED, "200: x", 200), 0: Verdict(Kind.REJECTED, "200: y", 200)},
            ),
            id="only the bad ones by number",
        ),
        pytest.param(
            each(index="$.n", reason="$.e"),
            answer(200, {"r": [{"n": 2, "e": "x"}]}),
            Verdict(Kind.PARTIAL, "", 200, apart={2: Verdict(Kind.REJECTED, "200: x", 200)}),
            id="by number from nought",
        ),
        pytest.param(
            each(index="$.n"),
            answer(200, {"r": [{"n": 3}]}),
            Verdict(
                Kind.STOP,
                "200: the answer does not say what became of each record: it speaks of record 3, and 3 were sent",
                200,
                maybe_applied=True,
            ),
            id="a number beyond",
        ),
        pytest.param(
            each(index="$.n", first=1),
            answer(200, {"r": [{"n": 0}]}),
            Verdict(
                Kind.STOP,
                "200: the answer does not say what became of each record: it speaks of record 0, and 3 were sent",
                200,
                maybe_applied=True,
            ),
            id="a number below",
        ),
        pytest.param(
            each(index="$.n", first=1),
            answer(200, {"r": [{"n": 1}, {"n": 1}]}),
            Verdict(
                Kind.STOP,
                "200: the answer does not say what became of each record: it speaks twice of record 1",
                200,
                maybe_applied=True,
            ),
            id="a number twice",
        ),
        pytest.param(
            each(index="$.n"),
            answer(200, {"r": [{"n": True}]}),
            Verdict(
                Kind.STOP,
                "200: the answer does not say what became of each record: a result has no number at $.n",
                200,
                maybe_applied=True,
            ),
            id="a number that is true",
        ),
        pytest.param(
            each(index="$.n"),
            answer(200, {"r": [{"m": 1}]}),
            Verdict(
                Kind.STOP,
                "200: the answer does not say what became of each record: a result has no number at $.n",
                200,
                maybe_applied=True,
            ),
            id="no number",
        ),
        pytest.param(
            each(index="$.n"),
            answer(200, {"r": [{"n": "0000000001"}]}),
            Verdict(
                Kind.STOP,
                "200: the answer does not say what became of each record: a result has no number at $.n",
                200,
                maybe_applied=True,
            ),
            id="a number of ten digits as text",
        ),
        pytest.param(
            each(index="$.n", unlisted="retry"),
            answer(200, {"r": [{"n": 1, "error": "no"}]}),
            Verdict(
                Kind.PARTIAL,
                "",
                200,
                apart={
                    1: Verdict(Kind.REJECTED, "200: no", 200),
                    0: Verdict(Kind.RETRY, "the answer says nothing of this record", 200),
                    2: Verdict(Kind.RETRY, "the answer says nothing of this record", 200),
                },
            ),
            id="by number, the unlisted again",
        ),
        pytest.param(
            each(index="$.n", unlisted="rejected", rejected_when={"path": "$.ok", "equals": False}),
            answer(200, {"r": [{"n": 1, "ok": True}, {"n": 0, "ok": False, "reason": "why"}]}),
            Verdict(
                Kind.PARTIAL,
                "",
                200,
                apart={
                    0: Verdict(Kind.REJECTED, "200: why", 200),
                    2: Verdict(Kind.REJECTED, "the answer says nothing of this record", 200),
                },
            ),
            id="by number, the unlisted refused",
        ),
        pytest.param(
            each(index="$.n", unlisted="stop"),
            answer(200, {"r": [{"n": 1}]}),
            Verdict(
                Kind.STOP,
                "200: the answer does not say what became of each record: it says nothing of 2 of 3 records",
                200,
                maybe_applied=True,
            ),
            id="by number, nothing may be missing",
        ),
        pytest.param(
            each(id="$.id", field="id", delivered_when={"path": "$.ok", "equals": True}),
            answer(200, {"r": [{"id": "a", "ok": True}, {"id": 2, "ok": False, "error": "two"}, {"id": "c", "ok": True}]}),
            Verdict(Kind.PARTIAL, "", 200, apart={1: Verdict(Kind.REJECTED, "200: two", 200)}),
            id="by id",
        ),
        pytest.param(
            each(id="$.id", field="id"),
            answer(200, {"r": [{"id": "z"}]}),
            Verdict(
                Kind.STOP,
                "200: the answer does not say what became of each record: it speaks of id 'z', which was not sent",
                200,
                maybe_applied=True,
            ),
            id="by an id of nobody",
        ),
        pytest.param(
            each(delivered_when={"path": "$.ok", "equals": True}),
            answer(200, {"r": [{"ok": True}, {"ok": False, "error": "no"}, {}]}),
            Verdict(
                Kind.PARTIAL,
                "",
                200,
                apart={
                    1: Verdict(Kind.REJECTED, "200: no", 200),
                    2: Verdict(Kind.REJECTED, "200: refused, without a reason", 200),
                },
            ),
            id="delivered when, refused otherwise",
        ),
        pytest.param(
            each(rejected_when={"path": "$.bad", "equals": 1}),
            answer(200, {"r": [{"bad": 1, "detail": "d"}, {"bad": 0}, {}]}),
            Verdict(Kind.PARTIAL, "", 200, apart={0: Verdict(Kind.REJECTED, "200: d", 200)}),
            id="rejected when, delivered otherwise",
        ),
        pytest.param(
            each(retry_when={"text": "busy"}, resend_when={"path": "$.why", "equals": "stopped"}, status="$.s"),
            answer(200, {"r": [{"s": 400, "why": "stopped"}, {"s": 500, "why": "busy"}, {"s": 400, "why": "bad"}]}),
            Verdict(
                Kind.PARTIAL,
                "",
                200,
                apart={
                    0: Verdict(Kind.RETRY, "400: refused, without a reason", 400, innocent=True),
                    1: Verdict(Kind.RETRY, "500: refused, without a reason", 500),
                    2: Verdict(Kind.REJECTED, "400: refused, without a reason", 400),
                },
            ),
            id="retry when, and resend when",
        ),
        pytest.param(
            each(status="$.s"),
            answer(200, {"r": [{"s": 200}, {"s": 200}]}),
            Verdict(
                Kind.STOP,
                "200: the answer does not say what became of each record: it has 2 results for 3 records",
                200,
                maybe_applied=True,
            ),
            id="as many as were sent",
        ),
        pytest.param(
            each(status="$.s"),
            answer(200, {"r": {"s": 200}}),
            Verdict(
                Kind.STOP,
                "200: the answer does not say what became of each record: there is no list at $.r",
                200,
                maybe_applied=True,
            ),
            id="no list",
        ),
        pytest.param(
            {**each(status="$.s"), "capture": {"their": "$.id", "more": "$.x"}},
            answer(200, {"r": [{"s": 200, "id": 7}, {"s": 400, "id": 8, "error": "e"}, {"s": 200, "x": None}]}),
            Verdict(
                Kind.PARTIAL,
                "",
                200,
                apart={1: Verdict(Kind.REJECTED, "400: e", 400)},
                captured={0: {"their": 7}, 2: {"more": None}},
            ),
            id="captured",
        ),
        pytest.param(
            {"content_type": "application/json"},
            Answer(200, {"content-type": "Text/HTML"}, b"<p>"),
            Verdict(Kind.STOP, "200: the answer's content type is text/html, not application/json", 200, maybe_applied=True),
            id="another content type",
        ),
        pytest.param(
            {"content_type": "application/json"},
            Answer(200, {}, b"{}"),
            Verdict(Kind.STOP, "200: the answer's content type is missing, not application/json", 200, maybe_applied=True),
            id="no content type",
        ),
        pytest.param(
            {"content_type": "Application/JSON"},
            Answer(200, {"content-type": "application/json; charset=utf-8"}, b"{}"),
            Verdict(Kind.DELIVERED, "", 200),
            id="the content type in any case, with its parameters",
        ),
        pytest.param(
            {},
            Answer(200, {"content-type": "text/html"}, b"  <!doctype html><title>Log in</title>"),
            Verdict(
                Kind.STOP,
                "200: Log in: the answer is a page for people, perhaps a login form or a proxy's; if this is how the API says yes, declare answers.content_type",
                200,
                maybe_applied=True,
            ),
            id="a page for people",
        ),
        pytest.param(
            {"delivered_when": {"path": "$.ok", "equals": True}},
            answer(200, {"ok": True}),
            Verdict(Kind.DELIVERED, "", 200),
            id="delivered when, and it is",
        ),
        pytest.param(
            {"delivered_when": {"path": "$.ok", "equals": True}},
            answer(200, {"ok": False, "error": "quota"}),
            Verdict(Kind.REJECTED, "200: quota", 200),
            id="delivered when, and it is not",
        ),
        pytest.param(
            {"delivered_when": {"path": "$.ok", "equals": True}},
            answer(200, {"no": 1}),
            Verdict(
                Kind.STOP, "200: the answer has nothing at $.ok, where answers.delivered_when looks", 200, maybe_applied=True
            ),
            id="delivered when, and there is nothing",
        ),
        pytest.param(
            {"delivered_when": {"path": "$.ok", "equals": True}},
            answer(200, "nope"),
            Verdict(
                Kind.STOP,
                "200: the answer cannot be read as answers.delivered_when declares: its body is not JSON at column 1: Expecting value",
                200,
                maybe_applied=True,
            ),
            id="delivered when, and it is no JSON",
        ),
        pytest.param(
            {"delivered_when": {"text": "done"}},
            Answer(200, {}, b"all done"),
            Verdict(Kind.DELIVERED, "", 200),
            id="delivered when the text says so",
        ),
        pytest.param(
            {"delivered_when": {"text": "done"}},
            Answer(299, {}, b"all well"),
            Verdict(Kind.REJECTED, "299: all well", 299),
            id="delivered when the text says so, and it does not",
        ),
        pytest.param(
            {"capture": {"id": "$.id"}},
            answer(201, {"id": 5}),
            Verdict(Kind.DELIVERED, "", 201, captured={-1: {"id": 5}}),
            id="capture for the whole request",
        ),
        pytest.param(
            {"capture": {"id": "$.id"}}, answer(201, {"x": 5}), Verdict(Kind.DELIVERED, "", 201), id="nothing to capture"
        ),
        pytest.param(
            {"reason": "$.a.b"},
            answer(400, {"a": {"b": {"c": [1]}}, "error": "other"}),
            Verdict(Kind.REJECTED, '400: {"c":[1]}', 400),
            id="the reason from where it stands",
        ),
        pytest.param(
            {"culprit": {"header": "X-Row", "first": 1}},
            answer(400, {"error": "e"}, x_row="2"),
            Verdict(Kind.REJECTED, "400: e", 400, apart={1: Verdict(Kind.REJECTED, "400: e", 400)}),
            id="a culprit by header",
        ),
        pytest.param(
            {"culprit": {"path": "$.rows"}},
            answer(400, {"error": "e", "rows": [0, 2]}),
            Verdict(
                Kind.REJECTED,
                "400: e",
                400,
                apart={0: Verdict(Kind.REJECTED, "400: e", 400), 2: Verdict(Kind.REJECTED, "400: e", 400)},
            ),
            id="a culprit by path",
        ),
        pytest.param(
            {"culprit": {"path": "$.rows"}},
            answer(400, {"error": "e", "rows": [3]}),
            Verdict(Kind.REJECTED, "400: e", 400),
            id="a culprit out of reach",
        ),
        pytest.param(
            {"culprit": {"text": "Row {row} has", "first": 1}},
            answer(422, {"error": "Row 3 has no name"}),
            Verdict(
                Kind.REJECTED, "422: Row 3 has no name", 422, apart={2: Verdict(Kind.REJECTED, "422: Row 3 has no name", 422)}
            ),
            id="a culprit by words",
        ),
        pytest.param(
            {"culprit": {"pointers": True}},
            answer(400, {"title": "t", "errors": [{"pointer": "/1/name", "detail": "d"}, {"pointer": "#/2", "detail": "f"}]}),
            Verdict(
                Kind.REJECTED,
                "400: d; f",
                400,
                apart={1: Verdict(Kind.REJECTED, "400: d; f", 400), 2: Verdict(Kind.REJECTED, "400: d; f", 400)},
            ),
            id="culprits by pointers",
        ),
        pytest.param(
            {},
            Answer(301, {"location": "https://x.example/a?token=1"}),
            Verdict(
                Kind.STOP,
                "301: the API has moved to https://x.example/a; sendoff follows no redirects, so change destination.url",
                301,
            ),
            id="moved",
        ),
        pytest.param(
            {},
            Answer(308, {}),
            Verdict(Kind.STOP, "308: the API has moved; sendoff follows no redirects, so change destination.url", 308),
            id="moved to nobody knows where",
        ),
        pytest.param(
            {},
            Answer(429, {"retry-after": "7"}),
            Verdict(Kind.RETRY, "429: Too Many Requests", 429, 7.0),
            id="busy, and says for how long",
        ),
        pytest.param(
            {},
            Answer(429, {"ratelimit": '"a";r=0;t=9'}),
            Verdict(Kind.RETRY, "429: Too Many Requests", 429, 9.0),
            id="busy, and a quota says for how long",
        ),
        pytest.param(
            {},
            Answer(500, {"retry-after": "3"}, b"x"),
            Verdict(Kind.RETRY, "500: x", 500, 3.0, maybe_applied=True),
            id="out of order, and may have been applied",
        ),
        pytest.param(
            {}, Answer(503, {}, b""), Verdict(Kind.RETRY, "503: Service Unavailable", 503), id="out of order, and was not"
        ),
        pytest.param({}, Answer(501, {}, b""), Verdict(Kind.STOP, "501: Not Implemented", 501), id="never better"),
        pytest.param({}, Answer(413, {}, b"big"), Verdict(Kind.TOO_LARGE, "413: big", 413), id="too large"),
        pytest.param(
            {}, Answer(413, {"retry-after": "5"}, b"big"), Verdict(Kind.RETRY, "413: big", 413, 5.0), id="too large for now"
        ),
        pytest.param(
            {},
            Answer(404, {}, b""),
            Verdict(Kind.STOP, "404: Not Found; there is nothing at this URL; check destination.url", 404),
            id="not known",
        ),
        pytest.param({}, Answer(418, {}, b"tea"), Verdict(Kind.STOP, "418: tea", 418), id="a teapot"),
        pytest.param(
            {"statuses": {"404": "retry"}},
            Answer(404, {"retry-after": "4"}),
            Verdict(Kind.RETRY, "404: Not Found", 404, 4.0),
            id="the owner's own retry waits as told",
        ),
        pytest.param(
            {"statuses": {"500": "stop"}},
            Answer(500, {"retry-after": "4"}),
            Verdict(Kind.STOP, "500: Internal Server Error", 500, maybe_applied=True),
            id="the owner's own stop waits for nothing",
        ),
        pytest.param(
            {},
            answer(422, {"error": "Idempotency-Key reused"}),
            Verdict(
                Kind.STOP,
                "422: Idempotency-Key reused; a key came with other bytes, which must never happen: please report it",
                422,
            ),
            id="the key came with other bytes",
        ),
        pytest.param(
            {}, Answer(error="reset by peer"), Verdict(Kind.RETRY, "reset by peer", maybe_applied=True), id="lost on the way"
        ),
        pytest.param({}, Answer(error="refused", sent=False), Verdict(Kind.RETRY, "refused"), id="never sent"),
        pytest.param(
            {},
            Answer(error="TLS: expired", sent=False, fatal=True),
            Verdict(Kind.STOP, "TLS: expired"),
            id="nobody to be trusted",
        ),
        pytest.param(
            each(status="$.s", resend_when={"status": "4xx"}),
            answer(200, {"r": [{"s": 400}, {"s": 500}, {"s": 200}]}),
            Verdict(
                Kind.PARTIAL,
                "",
                200,
                apart={
                    0: Verdict(Kind.RETRY, "400: refused, without a reason", 400, innocent=True),
                    1: Verdict(Kind.RETRY, "500: refused, without a reason", 500, maybe_applied=True),
                },
            ),
            id="resend when the status says so",
        ),
        pytest.param(
            each(status="$.s", resend_when={"text": "later"}),
            answer(200, {"r": [{"s": 400, "e": "later"}, {"s": 400}, {"s": 200}]}),
            Verdict(
                Kind.PARTIAL,
                "",
                200,
                apart={
                    0: Verdict(Kind.RETRY, "400: refused, without a reason", 400, innocent=True),
                    1: Verdict(Kind.REJECTED, "400: refused, without a reason", 400),
                },
            ),
            id="resend when the words say so",
        ),
        pytest.param(
            each(status="$.s", retry_when={"status": "404"}),
            answer(200, {"r": [{"s": 404}, {"s": 400}, {"s": 200}]}),
            Verdict(
                Kind.PARTIAL,
                "",
                200,
                apart={
                    0: Verdict(Kind.RETRY, "404: refused, without a reason", 404),
                    1: Verdict(Kind.REJECTED, "400: refused, without a reason", 400),
                },
            ),
            id="retry when the status says so",
        ),
        pytest.param(
            each(status="$.s", retry_when={"path": "$.e", "equals": "x"}),
            answer(200, {"r": [{"s": 400, "e": "x"}, {"s": 400}, {"s": 200}]}),
            Verdict(
                Kind.PARTIAL,
                "",
                200,
                apart={
                    0: Verdict(Kind.RETRY, "400: refused, without a reason", 400),
                    1: Verdict(Kind.REJECTED, "400: refused, without a reason", 400),
                },
            ),
            id="retry when a value says so",
        ),
        pytest.param(
            each(status="$.s", rejected_when={"status": "500"}),
            answer(200, {"r": [{"s": 500}, {"s": 503}, {"s": 200}]}),
            Verdict(
                Kind.PARTIAL,
                "",
                200,
                apart={
                    0: Verdict(Kind.REJECTED, "500: refused, without a reason", 500),
                    1: Verdict(Kind.RETRY, "503: refused, without a reason", 503),
                },
            ),
            id="rejected when the status says so",
        ),
        pytest.param(
            each(rejected_when={"text": "bad"}),
            answer(200, {"r": [{"e": "bad"}, {}, {}]}),
            Verdict(Kind.PARTIAL, "", 200, apart={0: Verdict(Kind.REJECTED, "200: refused, without a reason", 200)}),
            id="rejected when the words say so",
        ),
        pytest.param(
            each(status="$.s", delivered_when={"status": "2xx"}),
            answer(200, {"r": [{"s": 201}, {"s": 302}, {"s": 200}]}),
            Verdict(Kind.PARTIAL, "", 200, apart={1: Verdict(Kind.REJECTED, "302: refused, without a reason", 302)}),
            id="delivered when the status says so",
        ),
        pytest.param(
            each(delivered_when={"text": "fine"}),
            answer(200, {"r": [{"e": "fine"}, {}, {"e": "fine"}]}),
            Verdict(Kind.PARTIAL, "", 200, apart={1: Verdict(Kind.REJECTED, "200: refused, without a reason", 200)}),
            id="delivered when the words say so",
        ),
        pytest.param(
            each(status="$.s"),
            answer(200, {"r": [{"s": 599}, {"s": 200}, {"s": 599}]}),
            Verdict(
                Kind.PARTIAL,
                "",
                200,
                apart={
                    0: Verdict(Kind.RETRY, "599: refused, without a reason", 599, maybe_applied=True),
                    2: Verdict(Kind.RETRY, "599: refused, without a reason", 599, maybe_applied=True),
                },
            ),
            id="the outermost statuses",
        ),
        pytest.param(
            each(status="$.s"),
            answer(200, {"r": [{"s": 100}, {"s": 200}, {"s": 200}]}),
            Verdict(
                Kind.STOP,
                "200: the answer does not say what became of each record: a result has status 100",
                200,
                maybe_applied=True,
            ),
            id="the lowest status there is stops",
        ),
        pytest.param(
            each(status="$.s"),
            Answer(200, {"content-type": "text/html"}, b'{"r":[{"s":200},{"s":200},{"s":200}]}'),
            Verdict(
                Kind.STOP,
                "200: the answer does not say what became of each record: its content type is text/html, not JSON (answers.content_type)",
                200,
                maybe_applied=True,
            ),
            id="results in what is no JSON by its type",
        ),
        pytest.param(
            each(status="$.s"),
            Answer(200, {"content-type": "application/vnd.x+json"}, b'{"r":[{"s":200},{"s":200},{"s":200}]}'),
            Verdict(Kind.PARTIAL, "", 200),
            id="results in JSON of a kind of its own",
        ),
        pytest.param(
            {"statuses": {"300": "delivered"}, "content_type": "application/json"},
            Answer(300, {}, b""),
            Verdict(Kind.DELIVERED, "300: Multiple Choices", 300),
            id="a status that is no success needs no content type",
        ),
        pytest.param(
            {"capture": {"id": "$.id"}},
            Answer(200, {"content-type": "application/json"}, b'{"id":1}', truncated=True),
            Verdict(Kind.DELIVERED, "", 200),
            id="nothing is captured of what was not read whole",
        ),
        pytest.param(
            {},
            Answer(429, {"ratelimit": '"a";r=0;t=9, "b";r=0;t=30, "c";r=5;t=99'}),
            Verdict(Kind.RETRY, "429: Too Many Requests", 429, 30.0),
            id="several quotas, and the longest wait",
        ),
        pytest.param(
            {},
            Answer(429, {"ratelimit": "limit=9, remaining=0, reset=31"}),
            Verdict(Kind.RETRY, "429: Too Many Requests", 429, 31.0),
            id="a quota as it was written before",
        ),
        pytest.param(
            {"delivered_when": {"status": "201"}},
            answer(202, {"error": "not yet"}),
            Verdict(Kind.REJECTED, "202: not yet", 202),
            id="delivered when the status says so, of the whole",
        ),
    ],
)
def test_the_verdict_is_exactly_this(rules: dict[str, Any], given: Answer, verdict: Verdict) -> None:
    assert judge(given, Policy.of(rules), count=3, ids=lambda field: {"id": ["a", 2, "c"], "": [1, 2, 3]}[field]) == verdict
