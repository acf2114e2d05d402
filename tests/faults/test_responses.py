"""Whole runs against APIs as they are: every way to answer that one policy must read, and what each must not cost.

The first part has a test for each line of the list "ways an API answers"; the second, for the rows of
the fault catalogue that only a whole run shows (row id in the test's name).
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from sendoff import Report
from sendoff.ledger import open_history
from sendoff.testing import Project, Received, Receiver, Reply
from tests.crowd import Crowd

JSON = {"Content-Type": "application/json"}


def said(status: int, body: Any = None, **headers: str) -> Reply:
    return Reply(
        status,
        b"" if body is None else json.dumps(body).encode(),
        {**JSON, **{k.replace("_", "-"): v for k, v in headers.items()}},
    )


class Api(Receiver):
    """An API that keeps what it takes; `rule(records)` answers, and says which records it took."""

    def __init__(self, rule: Callable[[list[int]], tuple[Reply, list[int]]]) -> None:
        self.stored: list[int] = []
        self._rule = rule
        super().__init__(self._taken)

    def _taken(self, request: Received) -> Reply:
        reply, took = self._rule([row["n"] for row in json.loads(request.body)])
        self.stored += took
        return reply


def run(
    project: Project,
    api: Receiver,
    answers: str = "{}",
    *,
    n: int = 300,
    batch: int = 100,
    on_failure: str = "split",
    more: str = "",
    retry: str = "initial_backoff: 0.01, max_attempts: 3",
    **settings: Any,
) -> Report:
    text = (
        f'source: {{use: jsonl, path: in.jsonl}}\ndestination: {{url: "{api.url}/x", concurrency: 2, retry: {{{retry}}}, response: {answers}{more}}}\n'
        f"send: {{use: batch, max_records: {batch}}}\non_failure: {on_failure}\n"
    )
    project({"in.jsonl": "".join(f'{{"n": {at}}}\n' for at in range(n)), "connectors.d/c.yaml": text})
    return project.run("c", **settings)


def failed(project: Project, report: Report) -> dict[int, str]:
    return {row["record"]["n"]: row["reason"] for row in open_history(project.home / ".sendoff").failures(report.run)}


BAD = {7, 150, 299}


# Ways an API answers.


def test_a_400_all_or_nothing_that_names_no_culprit(project: Project) -> None:
    with Api(lambda ns: (said(400, {"detail": "a bad row"}), []) if BAD & set(ns) else (said(200), ns)) as api:
        report = run(project, api)
    assert failed(project, report).keys() == BAD
    assert sorted(api.stored) == sorted(set(range(300)) - BAD)


@pytest.mark.parametrize("where", ["header", "message"])
def test_a_400_that_names_the_row_in_a_header_or_in_the_message_needs_no_search(project: Project, where: str) -> None:
    def rule(ns: list[int]) -> tuple[Reply, list[int]]:
        row = next((place for place, n in enumerate(ns) if n in BAD), None)
        if row is None:
            return said(200), ns
        return said(400, {"error": f"Row {row} has no name"}, **({"X_Row": str(row)} if where == "header" else {})), []

    answers = "{bad_record: {header: X-Row}}" if where == "header" else '{bad_record: {text: "Row {row} has"}}'
    with Api(rule) as api:
        report = run(project, api, answers)
    assert failed(project, report).keys() == BAD
    assert report.requests == 3 + 3
    assert sorted(api.stored) == sorted(set(range(300)) - BAD)


def test_a_400_with_partial_effect_is_warned_of_unless_the_destination_is_declared(project: Project) -> None:
    from sendoff.config.file_warnings import find_warnings

    stored: set[int] = set()

    def rule(ns: list[int]) -> tuple[Reply, list[int]]:
        stored.update(set(ns) - BAD)
        return (said(400, {"detail": "some"}), []) if BAD & set(ns) else (said(200), [])

    with Api(rule) as api:
        report = run(project, api)
        assert "can apply a record twice" in str(find_warnings(project.runner().connector("c"))[0])
        for declared in (", idempotent: true", ", atomic: true"):
            run(project, api, more=declared, n=1)
            assert find_warnings(project.runner().connector("c")) == []
    assert failed(project, report).keys() == BAD
    assert stored == set(range(300)) - BAD


def test_a_200_with_a_verdict_for_each_record_in_order(project: Project) -> None:
    def rule(ns: list[int]) -> tuple[Reply, list[int]]:
        return said(200, [{"ok": n not in BAD, "error": "no"} for n in ns]), [n for n in ns if n not in BAD]

    with Api(rule) as api:
        report = run(
            project, api, "{records: {delivered_when: {path: $.ok, equals: true}, reason: $.error}}", on_failure="fail"
        )
    assert failed(project, report) == dict.fromkeys(BAD, "200: no")
    assert sorted(api.stored) == sorted(set(range(300)) - BAD)
    assert report.requests == 3


def test_a_200_with_verdicts_one_level_down_and_a_status_each(project: Project) -> None:
    busy = {20, 120}

    def rule(ns: list[int]) -> tuple[Reply, list[int]]:
        statuses = [422 if n in BAD else 429 if n in busy else 201 for n in ns]
        took = [n for n, status in zip(ns, statuses, strict=True) if status == 201]
        busy.difference_update(ns)
        return said(
            200, {"errors": True, "items": [{"create": {"status": s, "error": {"reason": f"why {s}"}}} for s in statuses]}
        ), took

    with Api(rule) as api:
        report = run(project, api, "{records: {at: $.items, status: '$.*.status', reason: '$.*.error.reason'}}")
    assert failed(project, report) == dict.fromkeys(BAD, "422: why 422")
    assert sorted(api.stored) == sorted(set(range(300)) - BAD)
    assert report.requests == 3 + 2


@pytest.mark.parametrize("by", ["index", "id"])
def test_a_200_with_a_list_of_the_bad_ones_only(project: Project, by: str) -> None:
    def rule(ns: list[int]) -> tuple[Reply, list[int]]:
        bad = [{"row": place + 1, "n": n} for place, n in enumerate(ns) if n in BAD]
        return said(200, {"failed": bad}), [n for n in ns if n not in BAD]

    answers = (
        "{records: {at: $.failed, index: $.row, first: 1}}" if by == "index" else "{records: {at: $.failed, id: $.n, field: n}}"
    )
    with Api(rule) as api:
        report = run(project, api, answers)
    assert failed(project, report).keys() == BAD
    assert sorted(api.stored) == sorted(set(range(300)) - BAD)
    assert report.requests == 3


def test_a_200_whose_body_says_no(project: Project) -> None:
    with Api(
        lambda ns: (
            (said(200, {"status": "error", "message": "bad one inside"}), [])
            if BAD & set(ns)
            else (said(200, {"status": "ok"}), ns)
        )
    ) as api:
        report = run(project, api, "{delivered_when: {path: $.status, equals: ok}}")
    assert failed(project, report) == dict.fromkeys(BAD, "200: bad one inside")
    assert sorted(api.stored) == sorted(set(range(300)) - BAD)


def test_a_400_that_means_too_many_is_learned(project: Project) -> None:
    with Api(lambda ns: (said(400, {"detail": "limited to 30"}), []) if len(ns) > 30 else (said(200), ns)) as api:
        report = run(project, api, "{too_large_when: {status: 400, text: limited to}}", n=1_000, batch=500)
    assert report.state == "complete"
    assert sorted(api.stored) == list(range(1_000))
    assert sum(len(body) > 30 for body in api.bodies) <= 8  # two at a time, four halvings


def test_m10_a_partial_drop_that_no_client_can_see_is_in_the_docs() -> None:
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs/guarantees.md").read_text()
    assert "What an API does after it confirmed" in page


# Rows of the catalogue.


@pytest.mark.parametrize(
    ("row", "reply", "answers"),
    [
        ("h10", Reply(200, b"<!doctype html><title>Log in</title>", {"Content-Type": "text/html"}), "{}"),
        ("h10", Reply(200, b""), "{delivered_when: {path: $.ok, exists: true}}"),
        ("h11", said(207, {"results": []}), "{}"),
        ("h12", said(200, {"results": [{"s": 200}] * 99}), "{records: {at: $.results, status: $.s}}"),
        ("h13", Reply(200, b"[" * 50_000), "{records: {status: $.s}}"),
        ("h16", said(401), "{}"),
        ("h22", said(422, {"detail": "Idempotency-Key reused with another payload"}), "{}"),
        ("h9", said(308, None, Location="http://127.0.0.1:1/"), "{}"),
    ],
)
def test_what_cannot_be_believed_holds_the_records_and_a_mended_run_goes_on(
    project: Project, row: str, reply: Reply, answers: str
) -> None:
    with Receiver([reply]) as api:
        report = run(project, api, answers)
        assert (report.state, report.requests, report.pending, report.exit_code) == ("stopped", 1, 300, 2)
        assert failed(project, report) == {}
        api.script = lambda request: said(200, {"ok": True, "results": [{"s": 200}] * len(json.loads(request.body))})
        mended = "{records: {at: $.results, status: $.s}}"
        report = run(project, api, mended)
    assert (report.state, report.delivered) == ("complete", 300)
    # The records that were held travelled again under the key they had.
    assert api.requests[1].headers["idempotency-key"] == api.requests[0].headers["idempotency-key"]


def test_h18_400_for_every_record_costs_4_requests(project: Project) -> None:
    with Receiver(lambda request: said(400, {"detail": "unknown field n"})) as api:
        report = run(project, api)
    assert (report.state, report.requests, report.rejected) == ("stopped", 4, 0)


def test_h19_a_413_is_learned_once_and_every_record_delivered(project: Project) -> None:
    with Api(lambda ns: (said(413), []) if len(ns) > 40 else (said(200), ns)) as api:
        report = run(project, api, n=2_000, batch=2_000)
    assert sorted(api.stored) == list(range(2_000))
    assert (report.state, sum(len(body) > 40 for body in api.bodies)) == ("complete", 6)


def test_h21_a_409_after_a_repeat_is_waited_out(project: Project) -> None:
    answers = [
        Reply(cut=True),
        said(409, {"detail": "a request with this key is under way"}),
        said(409, {"detail": "still"}),
        said(200),
    ]
    with Receiver(answers) as api:
        report = run(project, api, batch=300, retry="initial_backoff: 0.01")
    assert (report.state, report.delivered, report.requests) == ("complete", 300, 4)
    assert len({request.headers["idempotency-key"] for request in api.requests}) == 1


def test_h14_m9_a_rest_longer_than_allowed_parks_the_connector_until_then(project: Project) -> None:
    with Receiver([said(429, {"detail": "tomorrow"}, Retry_After="7200")]) as api:
        report = run(project, api)
        assert (report.state, report.requests) == ("stopped", 1)
        assert "7200 seconds (Retry-After)" in (report.stopped_because or "")
        report = project.run("c")
        assert (report.state, report.requests) == ("stopped", 1)
        assert "asked for a pause until" in (report.stopped_because or "")
        assert len(api.requests) == 1
        later = project.runner(clock=lambda: time.time() + 7_201).run("c")
        assert (later.state, later.delivered) == ("complete", 300)


@pytest.mark.parametrize("transport", ["http1", "urllib3"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "Mon, 01 Jan 2024 00:00:00 +99999999999999999"},
        {
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": "1700000000",
            "Date": "Mon, 01 Jan 2024 00:00:00 +99999999999999999",
        },
    ],
)
def test_h14_a_date_that_cannot_be_is_no_date_and_ends_nothing(
    project: Project, transport: str, headers: dict[str, str]
) -> None:
    with Receiver(lambda request: Reply(429, b"{}", headers) if len(api.requests) == 1 else said(200)) as api:
        report = run(project, api, n=2, more=f", transport: {transport}", retry="initial_backoff: 0.01, max_retry_after: 0.01")
    assert (report.state, report.delivered) == ("complete", 2)


def test_a_destination_left_down_costs_the_next_run_two_requests(project: Project) -> None:
    with Receiver(lambda request: said(503) if len(api.requests) > 1 else said(200)) as api:
        report = run(project, api, n=50, batch=10, retry="initial_backoff: 0.01, max_elapsed: 0.2")
        assert report.state == "stopped"
        before = len(api.requests)
        with (
            closing(sqlite3.connect(project.home / ".sendoff/ledger.db")) as db,
            db,
        ):  # as ten failures in a row would have left it
            db.execute("INSERT OR REPLACE INTO destination VALUES (?, 1, NULL)", (api.url,))
        report = project.run("c")
        assert (report.state, len(api.requests) - before) == ("stopped", 2)
        assert "so still" in (report.stopped_because or "")
        api.script = lambda request: said(200)
        assert project.run("c").state == "complete"
        with closing(sqlite3.connect(project.home / ".sendoff/ledger.db")) as db, db:
            assert db.execute("SELECT count(*) FROM destination").fetchone() == (0,)


def test_m6_what_an_api_says_cannot_hurt_a_terminal_or_a_spreadsheet(project: Project) -> None:
    from click.testing import CliRunner

    from sendoff.cli.group import sendoff

    evil = "=cmd|' /C calc'!A0\r\n\x1b[2J\u202eevil" + "x" * 1_000_000
    with Receiver(lambda request: said(200) if len(api.requests) == 1 else said(422, {"detail": evil})) as api:
        report = run(project, api, n=2, batch=1, on_failure="fail")
    (reason,) = failed(project, report).values()
    assert len(reason) <= 300
    assert reason.isprintable()
    for form in ([], ["--csv"], ["--jsonl"]):
        shown = (
            CliRunner()
            .invoke(sendoff, ["--directory", str(project.home / "connectors.d"), "failed", str(report.run), *form])
            .output
        )
        assert "\x1b" not in shown
        assert "\u202e" not in shown


def test_h23_what_was_applied_before_a_500_is_known_by_its_key(project: Project) -> None:
    taken: dict[str, list[int]] = {}

    def answer(request: Received) -> Reply:
        key = request.headers["idempotency-key"]
        if key in taken:
            return said(200)
        taken[key] = [row["n"] for row in json.loads(request.body)]
        return said(500)

    with Receiver(answer) as api:
        report = run(project, api)
    assert report.state == "complete"
    assert sorted(n for ns in taken.values() for n in ns) == list(range(300))


def test_h15_503_for_ever_stops_the_run_resumably_after_seven_requests(project: Project) -> None:
    with Receiver(lambda request: said(503)) as api:
        report = run(project, api, retry="initial_backoff: 0.001")
        assert (report.state, report.requests, report.exit_code) == ("stopped", 7, 3)
        # It is remembered: as long as nothing changes, each further run costs two requests, of different records.
        for more in (2, 4):
            assert (project.run("c").state, len(api.requests)) == ("stopped", 7 + more)
        api.script = lambda request: said(200)
        assert project.run("c").delivered == 300


def test_h20_one_record_that_breaks_the_server_ends_alone(project: Project) -> None:
    with Api(lambda ns: (said(500), []) if 150 in ns else (said(200), ns)) as api:
        report = run(project, api, batch=50, more=", idempotent: true")
    assert failed(project, report).keys() == {150}
    assert sorted(api.stored) == [n for n in range(300) if n != 150]


def test_concurrency_that_finds_itself_delivers_everything_and_rises(project: Project) -> None:
    with Crowd(0.01) as api:
        text = f'source: {{use: jsonl, path: in.jsonl}}\ndestination: {{url: "{api.url}", concurrency: auto}}\nsend: single\n'
        project({"in.jsonl": '{"n": 1}\n' * 1_500, "connectors.d/c.yaml": text})
        report = project.run("c")
    assert report.delivered == 1_500
    assert 4 < api.most <= 64


# Evidence.


def test_requests_and_results_can_be_looked_up(project: Project) -> None:
    from click.testing import CliRunner

    from sendoff.cli.group import sendoff

    def rule(ns: list[int]) -> tuple[Reply, list[int]]:
        return said(200, [{"s": 400 if n in BAD else 201, "made": {"id": f"id-{n}"}} for n in ns]), ns

    with Api(rule) as api:
        report = run(project, api, "{records: {status: $.s}, capture: {their_id: $.made.id}}")

    def shown(*words: str) -> str:
        done = CliRunner().invoke(sendoff, ["--directory", str(project.home / "connectors.d"), *words])
        assert done.exit_code == 0, done.output
        return done.output

    requests = json.loads(shown("runs", str(report.run), "--requests", "--json"))
    assert [(r["number"], r["records"], r["status"], r["verdict"]) for r in requests] == [
        (1, 100, 200, "partial"),
        (2, 100, 200, "partial"),
        (3, 100, 200, "partial"),
    ]
    assert {r["key"] for r in requests} == {request.headers["idempotency-key"] for request in api.requests}
    assert all(r["seconds"] > 0 and r["bytes"] > 100 for r in requests)
    assert "partial" in shown("runs", str(report.run), "--requests")
    rows = [json.loads(line) for line in shown("results", str(report.run), "--jsonl").splitlines()]
    assert rows[0] == {"_row": "in.jsonl:1", "_records": 1, "their_id": "id-0"}
    assert len(rows) == 297
    assert shown("results", str(report.run), "--csv").splitlines()[:2] == ["_row,_records,their_id", "in.jsonl:1,1,id-0"]
    assert "their_id" in shown("results", str(report.run))


def test_of_very_many_requests_only_those_that_did_not_simply_deliver_are_noted(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sendoff.engine.request_log.LOGGED_REQUESTS", 20)
    with Api(lambda ns: (said(400, {"detail": "x"}), []) if ns == [77] else (said(200), ns)) as api:
        report = run(project, api, n=100, batch=1, on_failure="fail")
    noted = list(open_history(project.home / ".sendoff").requests(report.run))
    assert [row["verdict"] for row in noted] == ["delivered"] * 20 + ["rejected"]
    assert report.requests == 100
