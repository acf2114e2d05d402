"""What an API has only accepted counts as delivered, and is reported as accepted wherever it is counted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sendoff import Report
from sendoff.testing import Project, Received, Receiver, Reply

JSON = {"Content-Type": "application/json"}
#: Ten records a request.
BATCH = "{use: batch, max_records: 10}"


def job(number: int, status: int = 202) -> Reply:
    return Reply(status, json.dumps({"job": f"j{number}"}).encode(), {**JSON, "Location": f"/jobs/{number}"})


def given(project: Project, url: str, response: str, *, rows: int = 50, send: str = BATCH) -> Project:
    text = (
        f"source: {{use: csv, path: in.csv}}\ndestination:\n  url: {url}/jobs\n  concurrency: 2\n  response: {response}\n"
        f"send: {send}\nobservers: [{{use: metrics, file: metrics.prom}}]\n"
    )
    return project({"in.csv": "id\n" + "".join(f"{at}\n" for at in range(rows)), "connectors.d/c.yaml": text})


def counted(report: Report) -> tuple[str, int, int]:
    return report.state, report.delivered, report.accepted


def shown(project: Project, *words: str) -> str:
    command = [sys.executable, "-c", "from sendoff.cli import main; main()", *words]
    done = subprocess.run(command, cwd=project.home, capture_output=True, text=True, check=False, timeout=120)
    return done.stdout + done.stderr


@pytest.mark.parametrize(("send", "rows"), [(BATCH, 50), ("single", 20)])
@pytest.mark.parametrize("transport", ["http1", "urllib3"])
def test_a_202_with_a_job_is_delivered_and_accepted_only_and_the_job_is_kept(
    project: Project, receiver: Receiver, send: str, rows: int, transport: str
) -> None:
    receiver.script = lambda request: job(len(receiver.requests))
    response = "{accepted_when: {status: 202}, capture: {job: $.job, at: {header: Location}}}"
    given(project, receiver.url, response, rows=rows, send=f"{send}\ntransport: {transport}")
    text = (project.home / "connectors.d/c.yaml").read_text().replace(f"\ntransport: {transport}", "")
    project({"connectors.d/c.yaml": text.replace("  concurrency: 2\n", f"  concurrency: 2\n  transport: {transport}\n")})
    report = project.run("c")
    assert counted(report) == ("complete", rows, rows)
    assert report.exit_code == 0
    assert report.sentence() == f"{rows} of {rows} records delivered ({rows} accepted only)"
    kept = [row["captured"] for row in project.runner().history.results(1)]
    assert sorted(int(row["job"][1:]) for row in kept) == list(range(1, report.requests + 1))
    assert all(row["at"] == f"/jobs/{row['job'][1:]}" for row in kept)


def test_what_is_not_a_202_is_delivered_and_no_more(project: Project, receiver: Receiver) -> None:
    receiver.script = lambda request: job(1, 202 if len(receiver.requests) % 2 else 201)
    given(project, receiver.url, "{accepted_when: {status: 202}}")
    assert counted(project.run("c")) == ("complete", 50, 30)


def test_a_result_may_say_that_its_record_is_accepted_only(project: Project, receiver: Receiver) -> None:
    """Also beside records that are rejected, or retried; each is counted once."""
    seen: set[str] = set()

    def script(request: Received) -> Reply:
        ids = [row["id"] for row in json.loads(request.body)]
        results = []
        for each in ids:
            state = {"1": "queued", "2": "refused", "3": "done"}[each[-1]]
            results.append({"state": "busy" if each == "11" and each not in seen else state})
        seen.update(ids)
        return Reply(200, json.dumps({"results": results}).encode(), JSON)

    receiver.script = script
    response = (
        "{records: {at: $.results, accepted_when: {path: $.state, equals: queued},"
        " rejected_when: {path: $.state, equals: refused}, retry_when: {path: $.state, equals: busy}}}"
    )
    given(project, receiver.url, response, rows=0)
    project({"in.csv": "id\n1\n2\n3\n11\n21\n33\n"})
    text = (project.home / "connectors.d/c.yaml").read_text()
    project({"connectors.d/c.yaml": text.replace("  concurrency: 2\n", "  retry: {initial_backoff: 0}\n")})
    report = project.run("c")
    assert (report.delivered, report.accepted, report.rejected) == (5, 3, 1)
    assert report.sentence() == "5 of 6 records delivered (3 accepted only), 1 rejected"


def test_the_whole_response_may_be_accepted_where_its_failures_are_listed(project: Project, receiver: Receiver) -> None:
    """What is captured then belongs to the records that were accepted, and not to those that were not."""
    receiver.script = lambda request: Reply(202, json.dumps({"job_id": "j", "errors": [{"row": 1}, {"row": 2}]}).encode(), JSON)
    response = (
        "{accepted_when: {path: $.job_id, exists: true}, records: {at: $.errors, index: $.row}, capture: {job: $.job_id}}"
    )
    given(project, receiver.url, response, rows=5)
    report = project.run("c")
    assert (report.delivered, report.accepted, report.rejected) == (3, 3, 2)
    kept = [(row["line"], row["records"], row["captured"]) for row in project.runner().history.results(1)]
    assert kept == [(2, 1, {"job": "j"}), (5, 2, {"job": "j"})]


@pytest.mark.parametrize("stop", [lambda: Reply(401), lambda: Reply(503, headers={"Retry-After": "7200"})])
def test_a_resumed_run_counts_on(project: Project, receiver: Receiver, stop: Callable[[], Reply]) -> None:
    receiver.script = lambda request: job(1) if len(receiver.requests) <= 3 else stop()
    given(project, receiver.url, "{accepted_when: {status: 202}}", rows=100)
    first = project.run("c")
    assert first.state == "stopped"
    assert first.accepted == first.delivered == 30
    receiver.script = lambda request: job(2)
    again = project.runner().run("c", early_stop=False)
    assert counted(again) == ("complete", 100, 100)
    assert again.run == first.run


def test_a_killed_run_counts_what_its_ledger_holds_and_the_next_one_the_rest(project: Project, receiver: Receiver) -> None:
    """Whatever was in flight is sent again and counted once: the count is committed with the records it counts."""
    running: list[subprocess.Popen[bytes]] = []

    def script(request: Received) -> Reply:
        if len(receiver.requests) == 12 and running:
            os.kill(running[0].pid, signal.SIGKILL)
        return job(len(receiver.requests))

    receiver.script = script
    given(project, receiver.url, "{accepted_when: {status: 202}}", rows=400)
    command = [sys.executable, "-c", "from sendoff.cli import main; main()", "run", "c", "--quiet"]
    with subprocess.Popen(command, cwd=project.home) as run:
        running.append(run)
        assert run.wait(60) == -signal.SIGKILL
    held = project.runner().history.run(1)
    assert held["accepted"] == held["delivered"] < 400
    assert counted(project.run("c")) == ("complete", 400, 400)


def test_it_is_shown_wherever_delivered_records_are_counted(project: Project, receiver: Receiver) -> None:
    """Kind: a count that hides a part of it. Looked at: run, runs, a run, JSON of them, results, metrics, digests."""
    receiver.script = lambda request: job(1)
    given(project, receiver.url, "{accepted_when: {status: 202}, capture: {job: $.job}}", rows=1_000, send="batch")
    table = shown(project, "run", "c", "--quiet")
    assert "1,000 (1,000 accepted only)" in table
    assert "c: 1,000 accepted only: the API works on them still, and sendoff does not ask it how that ends" in table
    assert "results 1` shows what was kept of its responses" in table
    assert "1,000 (1,000 accepted only)" in shown(project, "runs")
    assert "accepted         1,000" in shown(project, "runs", "1").splitlines()
    assert json.loads(shown(project, "runs", "1", "--json"))[0]["accepted"] == 1_000
    assert 'sendoff_last_run_accepted_records{connector="c"} 1000' in Path(project.home / "metrics.prom").read_text()
    text = (project.home / "connectors.d/c.yaml").read_text()
    project({"connectors.d/c.yaml": text + f"notify: [{{use: webhook, url: {receiver.url}/chat, on: [digest]}}]\n"})
    receiver.script = lambda request: Reply()
    assert project.runner().digest() == {"c": 1}
    assert receiver.bodies[-1]["sentence"] == "1 runs, 1 of them complete: 1,000 records delivered (1,000 accepted only), 0 not"


def test_where_nothing_is_kept_of_what_is_accepted_only_the_option_that_keeps_it_is_named(
    project: Project, receiver: Receiver
) -> None:
    receiver.script = lambda request: job(1)
    given(project, receiver.url, "{accepted_when: {status: 202}}")
    assert "how that ends; response.capture keeps the ids that it gives" in shown(project, "run", "c", "--quiet")


def test_where_nothing_is_accepted_only_nothing_is_said_of_it(project: Project, receiver: Receiver) -> None:
    receiver.script = lambda request: job(1, 200)
    given(project, receiver.url, "{accepted_when: {status: 202}}")
    assert "accepted" not in shown(project, "run", "c", "--quiet") + shown(project, "runs")
