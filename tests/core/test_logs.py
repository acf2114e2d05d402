"""What a program that collects logs gets from the command line: entries, and nothing between them."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from sendoff.testing import Project, Received, Receiver, Reply

PROGRAM = [sys.executable, "-c", "from sendoff.cli import main; main()"]
SECRET = "geheimnis-13"
CONNECTOR = """
source: {{use: csv, path: in.csv}}
destination: {{url: "{url}/people?key=${{env:KEY}}", retry: {{initial_backoff: 0}}{more}}}
send: single
observers: [log]
"""


def sendoff(project: Project, *arguments: str, env: dict[str, str] | None = None) -> tuple[int, list[dict[str, Any]], str]:
    """The exit code, the entries on standard error, all of which are objects, and the output."""
    done = subprocess.run(
        [*PROGRAM, *arguments],
        cwd=project.home,
        capture_output=True,
        text=True,
        env={**os.environ, "KEY": SECRET, **(env or {})},
    )
    assert SECRET not in done.stderr + done.stdout
    entries = [json.loads(line) for line in done.stderr.splitlines()]
    for entry in entries:
        assert entry.keys() >= {"ts", "level", "logger", "message"}
    return done.returncode, entries, done.stdout


def rejects_2(request: Received) -> Reply:
    """Says the secret in what it rejects."""
    return (
        Reply(400, f'{{"message": "no, {SECRET}"}}'.encode(), {"Content-Type": "application/json"})
        if b'"2"' in request.body
        else Reply(200)
    )


@pytest.fixture
def people(project: Project, receiver: Receiver) -> Project:
    receiver.script = rejects_2
    text = CONNECTOR.format(url=receiver.url, more="")
    return project({"in.csv": "id\n" + "".join(f"{at}\n" for at in range(300)), "connectors.d/people.yaml": text})


def test_a_run_is_logged_as_objects_that_name_it_and_hold_no_secret(people: Project) -> None:
    """Looked at: the log observer is there once although the connector names it too; nothing per record below DEBUG."""
    code, entries, out = sendoff(people, "--log-format", "json", "run")
    assert (code, [entry["event"] for entry in entries]) == (1, ["run_started", "run_ended"])
    assert {(entry["connector"], entry["run"]) for entry in entries} == {("people", 1)}
    end = entries[-1]
    assert (end["level"], end["fields"]["delivered"], end["fields"]["rejected"], end["fields"]["exit_code"]) == (
        "warning",
        299,
        1,
        1,
    )
    assert "299" in out
    code, entries, _ = sendoff(people, "retry", "1", env={"SENDOFF_LOG_FORMAT": "json", "SENDOFF_LOG_LEVEL": "debug"})
    (request,) = [entry["fields"] for entry in entries if entry["event"] == "request_completed"]
    assert (request["status"], request["verdict"], request["url"][-10:]) == (400, "rejected", "${env:KEY}")
    code, entries, _ = sendoff(people, "--log-format", "json", "--log-level", "error", "run")
    assert (code, entries) == (1, [])


def test_errors_are_objects_too(people: Project) -> None:
    """Looked at: a wrong command line, a connector that is not there, one with mistakes, an API that cannot be reached."""
    env = {"SENDOFF_LOG_FORMAT": "json"}
    assert [sendoff(people, "runn", env=env)[1][0]["message"]] == ["No such command 'runn'. Did you mean 'run'?"]
    code, (entry,), _ = sendoff(people, "run", "nobody", env=env)
    assert (code, entry["level"], entry["event"], entry["fields"]) == (2, "error", "error", {"exit_code": 2})
    people({"connectors.d/people.yaml": CONNECTOR.format(url="http://127.0.0.1:9", more=", deadlin: 3")})
    assert "destination.deadlin: unknown key" in sendoff(people, "run", env=env)[1][0]["message"]
    people(
        {"connectors.d/people.yaml": CONNECTOR.format(url="http://127.0.0.1:9", more="").replace("0}", "0, max_attempts: 1}")}
    )
    code, entries, _ = sendoff(people, "run", env=env)
    assert (code, entries[-1]["event"], entries[-1]["level"]) == (3, "run_ended", "error")


def test_a_log_on_a_terminal_has_no_progress_between_its_entries_and_an_interruption_is_one(
    people: Project, receiver: Receiver
) -> None:
    def slow(request: Received) -> Reply:
        time.sleep(0.05)
        return Reply(200)

    receiver.script = slow
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, "--log-format", "json", "run"],
        cwd=people.home,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env={**os.environ, "KEY": SECRET},
    )
    os.close(theirs)
    shown = b""
    while chunk := _read(ours):
        if not shown and b"run_started" in chunk:
            process.send_signal(signal.SIGINT)
        shown += chunk
    assert process.wait(30) == 130
    entries = [json.loads(line) for line in shown.decode().splitlines()]
    assert [entry.get("event", entry["message"]) for entry in entries] == [
        "run_started", "ending after the requests in flight; press again to end at once", "run_stopping", "run_ended",
    ]  # fmt: skip


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # nobody writes there any more
        return b""


def test_a_log_of_text_has_a_line_for_each_entry(people: Project) -> None:
    done = subprocess.run(
        [*PROGRAM, "--log-level", "info", "run"],
        cwd=people.home,
        capture_output=True,
        text=True,
        env={**os.environ, "KEY": SECRET},
    )
    first, last = done.stderr.splitlines()
    assert first[24:] == " INFO    people: the run begins"
    assert last[24:] == " WARNING people: run 1: 299 of 300 records delivered, 1 rejected"


def test_the_server_logs_objects_with_the_connector_of_each(people: Project, receiver: Receiver) -> None:
    receiver.script = lambda request: Reply(200)
    text = (
        CONNECTOR.format(url=receiver.url, more="")
        .replace("source:", "schedule: {cron: '0 7 * * *', timezone: UTC}\nwatch: true\nsource:")
        .replace("path: in.csv", "path: in.csv, once: true")
    )
    people({"connectors.d/people.yaml": text})
    process = subprocess.Popen(
        [*PROGRAM, "--log-format", "json", "serve"],
        cwd=people.home,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "KEY": SECRET},
    )
    entries = []
    with process:
        for line in process.stderr or ():
            entries.append(json.loads(line))
            if entries[-1].get("event") == "run_ended":
                process.send_signal(signal.SIGTERM)
    assert process.returncode == 0, entries[-1]["message"]
    events = [(entry["event"], entry["connector"], entry["message"]) for entry in entries if "event" in entry]
    assert events == [
        ("run_due", "people", "people: something has arrived"),
        ("run_started", "people", "people: the run begins"),
        ("run_ended", "people", "people: run 1: 300 of 300 records delivered"),
    ]
