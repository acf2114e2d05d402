"""What a person is told of responses: what may be wrong with a success, what may have been applied, what a front says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sendoff import Observer, Response, hookimpl
from sendoff.ledger import open_history
from sendoff.monitoring.events import Event, FailureUnread, RunInfo
from sendoff.response import VerdictKind, classify
from sendoff.testing import Project, Received, Receiver, Reply


class Listener(Observer):
    """Keep the events."""

    name = "listener"
    heard: list[Event] = []

    def on_event(self, run: RunInfo, event: Event) -> None:
        self.heard.append(event)


class Plugin:
    @hookimpl
    def sendoff_observers(self) -> list[type[Observer]]:
        return [Listener]


def connector(url: str, send: str, more: str = "") -> str:
    return (
        f"source: {{use: csv, path: in.csv}}\ndestination:\n  url: {url}\n  retry: {{initial_backoff: 0, max_backoff: 0.1, max_attempts: 2}}\n{more}"
        f"send: {send}\nobservers: [listener]\n"
    )


@pytest.mark.parametrize("send", ["single", "{use: batch, max_records: 1}"])
@pytest.mark.parametrize(
    ("body", "more", "warned"),
    [
        (b'{"errors": [{"message": "no"}]}', "", True),
        (b'{"jsonrpc": "2.0", "error": {"code": 1}}', "", True),
        (b'{"ok": false}', "", True),
        (b'{"errors": [], "error": null, "ok": true}', "", False),
        (b'{"data": {"errors": [1]}}', "", False),
        (b'[{"error": 1}]', "", False),
        (b'{"errors": [1]}', "  response: {capture: {id: $.id}, accepted_when: {status: 202}}\n", True),
        (b'{"errors": [1]}', "  response: {retry_when: {path: $.code, equals: 17}}\n", True),
        (b'{"errors": [1]}', "  response: {rejected_when: {path: $.code, equals: 17}}\n", False),
    ],
)
def test_a_success_with_an_error_in_it_is_warned_of_once(
    project: Project, receiver: Receiver, send: str, body: bytes, more: str, warned: bool
) -> None:
    """Kind: an error in a 200 that nobody declared. Brothers: one by one and in batches; what is nested, empty or declared."""
    Listener.heard = []
    receiver.script = lambda request: Reply(200, body, {"Content-Type": "application/json"})
    project({"in.csv": "id\n" + "1\n" * 20, "connectors.d/c.yaml": connector(receiver.url, send, more)})
    assert project.run("c", plugins=[Plugin()]).delivered == 20
    found = [event.reason for event in Listener.heard if isinstance(event, FailureUnread)]
    assert len(found) == warned
    assert all("if it means a failure, add this under `destination`" in reason for reason in found)


@pytest.mark.parametrize(
    ("failure", "successes"),
    [
        ({"errors": [{"message": "no"}]}, [{}, {"errors": []}, {"errors": None}]),
        ({"errors": {"name": ["is missing"]}}, [{}, {"errors": {}}, {"errors": None}]),
        ({"error": {"code": 1, "message": "no"}}, [{"result": 0}, {"error": None}]),
        ({"error": {"1st cause": "no"}}, [{}, {"error": None}]),
        ({"error": "no such list"}, [{}, {"error": None}, {"error": ""}, {"error": False}]),
        ({"errors": 2}, [{}, {"errors": 0}, {"errors": None}]),
        ({"error": True}, [{}, {"error": False}]),
        ({"ok": False}, [{"ok": True}]),
        ({"success": False, "error": None}, [{"success": True, "error": None}]),
    ],
)
def test_the_lines_that_a_warning_says_to_add_read_failures_and_successes(
    project: Project, receiver: Receiver, failure: dict[str, Any], successes: list[dict[str, Any]]
) -> None:
    """Kind: advice that cannot be followed. Each success lacks what reports a failure, or has it empty, null or false."""
    bodies = {"1": successes[0], "2": failure, **{str(at): body for at, body in enumerate(successes[1:], 3)}}
    receiver.script = lambda request: Reply(
        200, json.dumps(bodies[json.loads(request.body)["id"]]).encode(), {"Content-Type": "application/json"}
    )
    Listener.heard = []
    project({"in.csv": "id\n" + "".join(f"{at}\n" for at in bodies), "connectors.d/c.yaml": connector(receiver.url, "single")})
    assert project.run("c", plugins=[Plugin()]).delivered == len(bodies), "nothing is declared"
    (add,) = [event.add for event in Listener.heard if isinstance(event, FailureUnread)]
    assert len(add) == 2
    more = "".join(f"  {line}\n" for line in add)
    project({"connectors.d/c.yaml": connector(receiver.url, "single", more)})
    report = project.run("c", plugins=[Plugin()])
    assert (report.delivered, report.rejected) == (len(bodies) - 1, 1), report


def test_a_record_that_may_have_been_applied_says_so(project: Project, receiver: Receiver) -> None:
    """Kind: a rejection that hides that it is in doubt. Brothers: a cut response and a 500, and a 503, which applied nothing."""
    replies = {"2": Reply(cut=True), "3": Reply(500, b"broken"), "4": Reply(503, b"busy")}
    receiver.script = lambda request: replies.get(json.loads(request.body)["id"], Reply())
    rows = "".join(f"{n}\n" for n in [1, 2, 3, 4, *range(5, 60)])
    text = connector(receiver.url, "single").replace("observers: [listener]\n", "")
    project({"in.csv": "id\n" + rows, "connectors.d/c.yaml": text})
    project.run("c")
    reasons = {row["record"]["id"]: row["reason"] for row in open_history(project.home / ".sendoff").failures(1)}
    for number, reason in reasons.items():
        assert reason.endswith("; it may have been applied") is (number in ("2", "3")), reason


@pytest.mark.parametrize(
    ("title", "advice"),
    [
        ("400 No required SSL certificate was sent", "destination.tls.cert"),
        ("400 The SSL certificate error", "destination.tls.cert"),
        ("400 The plain HTTP request was sent to HTTPS port", "https://"),
    ],
)
def test_what_a_front_says_of_the_connection_is_no_rejection(title: str, advice: str) -> None:
    """Kind: advice about records where the connection is at fault. Brothers: all that nginx answers with a 400 of its own."""
    found = classify(Response(400, {"content-type": "text/html"}, f"<html><head><title>{title}</title></head>".encode()))
    assert found.kind is VerdictKind.STOP
    assert advice in found.reason


def test_what_is_captured_of_a_request_with_holes_counts_its_records(project: Project, receiver: Receiver) -> None:
    """Kind: a request with holes counted from its first to its last record."""

    def script(request: Received) -> Reply:
        rows = [row["id"] for row in json.loads(request.body)]
        bad = [at for at, row in enumerate(rows) if row in ("2", "4")]
        return Reply(400 if bad else 200, json.dumps({"rows": bad, "job": "j"}).encode(), {"Content-Type": "application/json"})

    receiver.script = script
    more = "  atomic: true\n  response: {bad_record: {path: $.rows}, capture: {job: $.job}}\n"
    text = connector(receiver.url, "batch\non_failure: split", more).replace("observers: [listener]\n", "")
    project({"in.csv": "id\n1\n2\n3\n4\n", "connectors.d/c.yaml": text})
    assert project.run("c").delivered == 2
    results = list(open_history(project.home / ".sendoff").results(1))
    assert [(row["line"], row["records"]) for row in results] == [(2, 1), (4, 1)]
