"""The connector files of apis.md, each against a server that responds as its API documents it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from sendoff import Report
from sendoff.testing import Project, Received, Receiver, Reply
from tests.docs.pages import ROOT, blocks

FILES = {
    block.file: block.text for block in blocks((ROOT / "tests/core/response/apis.md").read_text()) if block.file is not None
}
#: The records of the page that the APIs here find nothing wrong with, and the others.
GOOD, BAD = ["1", "3"], ["2", "4"]


def ok(body: Any, status: int = 200, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps(body).encode(), {"Content-Type": "application/json", **named})


@dataclass
class Delivery:
    """A run of one of the connector files."""

    report: Report
    project: Project
    requests: list[Received]

    @property
    def counts(self) -> tuple[int, int, int]:
        return self.report.delivered, self.report.rejected, self.report.pending

    @property
    def reasons(self) -> list[tuple[int, str]]:
        return [(row["line"], row["reason"]) for row in self.project.runner().history.failures(self.report.run)]

    @property
    def captured(self) -> list[dict[str, Any]]:
        return [row["captured"] for row in self.project.runner().history.results(self.report.run)]


Deliver = Callable[[str, Callable[[Received, int], Reply]], Delivery]


@pytest.fixture
def deliver(project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Deliver:
    """Run a connector file of the page against a function of each request and its number, from 1."""

    def run(name: str, respond: Callable[[Received, int], Reply]) -> Delivery:
        text = FILES[f"connectors.d/{name}.yaml"]
        for variable in re.findall(r"\$\{env:(\w+)\}", text):
            monkeypatch.setenv(variable, "a-made-up-value")
        text = re.sub(r"(?m)^  url: https://[^/?]+", f"  url: {receiver.url}", text)
        text = text.replace(
            "destination:\n", "destination:\n  concurrency: 1\n  retry: {initial_backoff: 0, max_attempts: 3}\n", 1
        )
        receiver.script = lambda request: respond(request, len(receiver.requests))
        project({"people.csv": FILES["people.csv"], f"connectors.d/{name}.yaml": text})
        return Delivery(project.run(name), project, receiver.requests)

    return run


def rows_of(request: Received, *path: str) -> list[Any]:
    found = json.loads(request.body)
    for name in path:
        found = found[name]
    return list(found)


def test_bigquery_rejects_the_bad_rows_and_takes_the_stopped_ones_again(deliver: Deliver) -> None:
    keys: Counter[str] = Counter()

    def respond(request: Received, number: int) -> Reply:
        rows = rows_of(request, "rows")
        keys.update(row["insertId"] for row in rows)
        bad = [at for at, row in enumerate(rows) if "nowhere" in row["json"]["email"]]
        if not bad:
            return ok({"kind": "bigquery#tableDataInsertAllResponse"})
        errors = [
            {"index": at, "errors": [{"reason": "invalid", "message": "no such domain"} if at in bad else {"reason": "stopped", "message": ""}]}
            for at in range(len(rows))
        ]  # fmt: skip
        return ok({"kind": "bigquery#tableDataInsertAllResponse", "insertErrors": errors})

    found = deliver("bigquery", respond)
    assert found.counts == (2, 2, 0)
    assert found.reasons == [(3, "200: no such domain"), (5, "200: no such domain")]
    assert sorted(keys.values()) == [1, 1, 2, 2], "the stopped rows have the keys they had"


def test_hubspot_rejects_all_that_one_error_names(deliver: Deliver) -> None:
    def respond(request: Received, number: int) -> Reply:
        bad = [row["id"].upper() for row in rows_of(request, "inputs") if "nowhere" in row["id"]]
        error = {"status": "error", "category": "VALIDATION_ERROR", "message": "no such domain", "context": {"id": bad}}
        return ok({"status": "COMPLETE", "results": [], "numErrors": 1, "errors": [error]}, 207)

    found = deliver("hubspot", respond)
    assert found.counts == (2, 2, 0)
    assert found.reasons == [(3, "207: no such domain"), (5, "207: no such domain")]


def test_hubspot_without_failures_responds_200_without_a_list(deliver: Deliver) -> None:
    assert deliver("hubspot", lambda request, number: ok({"status": "COMPLETE", "results": []})).counts == (4, 0, 0)


def test_graph_reads_each_result_by_its_id_and_waits_as_long_as_it_says(deliver: Deliver) -> None:
    def respond(request: Received, number: int) -> Reply:
        def result(row: dict[str, Any]) -> dict[str, Any]:
            if row["id"] == "2":
                return {"id": "2", "status": 404, "body": {"error": {"code": "ResourceNotFound", "message": "no such user"}}}
            if row["id"] == "3" and number == 1:
                return {"id": "3", "status": 429, "headers": {"Retry-After": "0"}, "body": {"error": {"code": "Busy"}}}
            if row["id"] == "4" and number == 1:
                return {"id": "4", "status": 423, "body": {"error": {"message": "it is locked"}}}
            return {"id": row["id"], "status": 204}

        return ok({"responses": [result(row) for row in rows_of(request, "requests")][::-1]})

    found = deliver("graph", respond)
    assert found.requests[0].path == "/v1.0/$batch"
    assert found.counts == (3, 1, 0)
    assert found.reasons == [(3, "404: no such user")]
    assert [[row["id"] for row in rows_of(request, "requests")] for request in found.requests] == [
        ["1", "2", "3", "4"],
        ["3", "4"],
    ]


def test_salesforce_retries_what_was_locked_and_keeps_the_ids(deliver: Deliver) -> None:
    def respond(request: Received, number: int) -> Reply:
        def result(row: dict[str, Any]) -> dict[str, Any]:
            of = {"referenceId": row["referenceId"], "httpHeaders": {}}
            if row["referenceId"] == "r2":
                return {**of, "httpStatusCode": 400, "body": [{"errorCode": "INVALID_EMAIL", "message": "no such domain"}]}
            if row["referenceId"] == "r3" and number == 1:
                return {**of, "httpStatusCode": 400, "body": [{"errorCode": "UNABLE_TO_LOCK_ROW", "message": "locked"}]}
            if row["referenceId"] == "r4":
                return {**of, "httpStatusCode": 204, "body": None}
            return {**of, "httpStatusCode": 201, "body": {"id": f"003{row['referenceId']}", "success": True}}

        return ok({"compositeResponse": [result(row) for row in rows_of(request, "compositeRequest")]})

    found = deliver("salesforce", respond)
    assert found.counts == (3, 1, 0)
    assert found.reasons == [(3, "400: no such domain")]
    assert found.captured == [{"salesforce_id": "003r1"}, {"salesforce_id": "003r3"}]


def test_meta_delivers_only_where_as_many_were_received_as_sent(deliver: Deliver) -> None:
    def respond(request: Received, number: int) -> Reply:
        ids = [row["event_id"] for row in rows_of(request, "data")]
        if number == 1:
            return ok({"error": {"code": 4, "message": "Application request limit reached", "is_transient": True}}, 400)
        if number == 2:
            return ok({"error": {"code": 17, "message": "User request limit reached"}}, 400)
        return ok({"events_received": len([each for each in ids if each in GOOD]), "messages": ["a parameter is missing"]})

    found = deliver("meta", respond)
    assert found.counts == (2, 2, 0)
    assert [line for line, _ in found.reasons] == [3, 5]


def test_clickhouse_names_the_row_and_its_header_says_what_kind_of_error_it_is(deliver: Deliver) -> None:
    def respond(request: Received, number: int) -> Reply:
        rows = [json.loads(line) for line in request.body.splitlines()]
        if number == 1:
            return Reply(
                500, b"Code: 202. DB::Exception: Too many simultaneous queries.", {"X-ClickHouse-Exception-Code": "202"}
            )
        for at, row in enumerate(rows, 1):
            if "nowhere" in row["email"]:
                return Reply(
                    500,
                    f"Code: 27. DB::Exception: Cannot parse input: (at row {at})".encode(),
                    {"X-ClickHouse-Exception-Code": "27"},
                )
        return Reply(200)

    found = deliver("clickhouse", respond)
    assert found.counts == (2, 2, 0)
    assert len(found.requests) == 4, "one retry, and a request more for each row that is named"
    assert all("Code: 27" in reason for _, reason in found.reasons)


@pytest.mark.parametrize("code", ["60", "516"])
def test_clickhouse_without_the_table_or_rights_blames_no_row(deliver: Deliver, code: str) -> None:
    found = deliver("clickhouse", lambda request, number: Reply(404, b"Code: 60.", {"X-ClickHouse-Exception-Code": code}))
    assert found.counts == (0, 0, 4)
    assert len(found.requests) == 1


def test_aws_tells_throttling_from_a_quota_by_a_header(deliver: Deliver) -> None:
    def respond(request: Received, number: int) -> Reply:
        own = f"r{number}"
        if number == 2:
            return ok(
                {"message": "Rate exceeded"},
                400,
                x_amzn_ErrorType="ThrottlingException:http://internal.example/",
                x_amzn_RequestId=own,
            )
        if json.loads(request.body)["email"] == "bob@nowhere.test":
            return ok({"message": "no such domain"}, 400, x_amzn_ErrorType="BadRequestException", x_amzn_RequestId=own)
        if number == 5:
            return ok({"message": "Limit Exceeded"}, 429, x_amzn_ErrorType="LimitExceededException", x_amzn_RequestId=own)
        return ok({}, x_amzn_RequestId=own)

    found = deliver("aws", respond)
    assert found.counts == (2, 1, 1)
    assert "Limit Exceeded" in (found.report.stopped_because or "")
    assert found.reasons == [(3, "400: no such domain")]
    assert [each["request"] for each in found.captured] == ["r1", "r4"]


def test_shopify_is_throttled_refused_and_told_user_errors_in_a_200(deliver: Deliver) -> None:
    def respond(request: Received, number: int) -> Reply:
        email = json.loads(request.body)["variables"]["input"]["email"]
        if number == 1:
            return ok({"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]})
        if email.startswith("bob"):
            return ok({"data": {"customerCreate": {"customer": None, "userErrors": [{"message": "no such domain"}]}}})
        if email.startswith("dee"):
            return ok({"errors": [{"message": "Variable is invalid", "extensions": {"code": "INVALID_VARIABLE"}}]})
        return ok({"data": {"customerCreate": {"customer": {"id": f"gid/{number}"}, "userErrors": []}}})

    found = deliver("shopify", respond)
    assert found.counts == (2, 2, 0)
    assert found.reasons == [(3, "200: no such domain"), (5, "200: Variable is invalid")]
    assert found.captured == [{"shopify_id": "gid/2"}, {"shopify_id": "gid/4"}]


def test_shopify_without_rights_blames_no_record(deliver: Deliver) -> None:
    denied = {"errors": [{"message": "Access denied", "extensions": {"code": "ACCESS_DENIED"}}]}
    assert deliver("shopify", lambda request, number: ok(denied)).counts == (0, 0, 4)


def test_sendgrid_accepts_and_names_the_message_in_a_header(deliver: Deliver) -> None:
    found = deliver("sendgrid", lambda request, number: Reply(202, b"", {"X-Message-Id": f"m{number}"}))
    assert (found.counts, found.report.accepted) == ((4, 0, 0), 4)
    assert found.captured == [{"message": f"m{at}"} for at in range(1, 5)]


def test_zendesk_accepts_all_records_for_one_job(deliver: Deliver) -> None:
    job = {"id": "j1", "url": "https://example.zendesk.com/api/v2/job_statuses/j1.json", "status": "queued", "results": None}
    found = deliver("zendesk", lambda request, number: ok({"job_status": job}))
    assert (found.counts, found.report.accepted, found.captured) == ((4, 0, 0), 4, [{"job": "j1"}])


def test_elasticsearch_takes_what_is_there_already_for_delivered_as_a_result_only(deliver: Deliver) -> None:
    def respond(request: Received, number: int) -> Reply:
        lines = [json.loads(line) for line in request.body.splitlines()]
        items: list[dict[str, Any]] = []
        for action, row in zip(lines[::2], lines[1::2], strict=True):
            status = {1: 201, 2: 400, 3: 409, 4: 429 if number == 1 else 201}[row["id"]]
            error = {"error": {"type": "x", "reason": "failed to parse"}} if status >= 400 else {}
            items.append({"create": {"_id": action["create"]["_id"], "status": status, **error}})
        return ok({"took": 3, "errors": True, "items": items})

    found = deliver("elasticsearch", respond)
    assert found.counts == (3, 1, 0)
    assert found.reasons == [(3, "400: failed to parse")]
    assert len(found.requests) == 2
    whole = deliver("elasticsearch", lambda request, number: ok({"error": {"reason": "closed"}}, 409))
    assert whole.report.delivered == 0


def test_discord_waits_as_long_as_its_body_says(deliver: Deliver) -> None:
    def respond(request: Received, number: int) -> Reply:
        if number == 2:
            return ok({"message": "You are being rate limited.", "retry_after": 0.05, "global": False}, 429, Retry_After="3600")
        return Reply(204)

    found = deliver("discord", respond)
    assert found.counts == (4, 0, 0)
    assert found.report.seconds < 60, "what is declared comes before the header"


def test_a_wait_in_a_body_has_the_bounds_of_retry_after(deliver: Deliver) -> None:
    found = deliver("discord", lambda request, number: ok({"message": "limited", "retry_after": 7200.5}, 429))
    assert found.counts == (0, 0, 4)
    assert found.report.transient
    assert "7200 seconds (Retry-After), more than max_retry_after allows" in (found.report.stopped_because or "")


def test_every_connector_file_of_the_page_is_tried_here() -> None:
    tried = set(re.findall(r'deliver\("(\w+)"', (ROOT / "tests/core/response/test_apis.py").read_text()))
    assert {f"connectors.d/{name}.yaml" for name in tried} == set(FILES) - {"people.csv"}
