"""A run with a limit reads and delivers so many records, and the next one goes on with the rest."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from sendoff.testing import Project, Receiver, Reply

CSV = "source: {use: csv, path: in.csv}\nschema: {id: integer}\n"
JSONL = "source: {use: jsonl, path: in.jsonl}\nschema: {id: integer}\n"
INCREMENTAL = CSV + "incremental: {key: [id], initial_load: send}\n"
SENDS = {
    "single": "send: single\n", "batch": "send: {use: batch, max_records: 3}\n",
    "split": "send: {use: batch, max_records: 4}\non_failure: split\n",
}  # fmt: skip


def files(source: str, send: str, url: str, rows: int = 20) -> dict[str, str]:
    return {
        "in.csv": "id\n" + "".join(f"{at}\n" for at in range(rows)),
        "in.jsonl": "".join(f'{{"id": {at}}}\n' for at in range(rows)),
        "connectors.d/c.yaml": f"{source}destination: {{url: '{url}'}}\n{send}",
    }


def delivered(receiver: Receiver) -> list[int]:
    bodies = [json.loads(request.body) for request in receiver.requests]
    return sorted(record["id"] for body in bodies for record in (body if isinstance(body, list) else [body]))


@pytest.mark.parametrize("send", SENDS)
@pytest.mark.parametrize("source", [CSV, JSONL, INCREMENTAL], ids=["csv", "jsonl", "incremental"])
def test_exactly_so_many_are_sent_each_time_and_in_the_end_all_of_them_once(
    project: Project, receiver: Receiver, source: str, send: str
) -> None:
    project(files(source, SENDS[send], receiver.url))
    runner = project.runner()
    for upto, state in ((7, "interrupted"), (14, "interrupted"), (20, "complete")):
        report = runner.run("c", limit=7)
        assert (report.state, report.run, report.exit_code) == (state, 1, 0)
        assert report.read == report.delivered == upto
        assert delivered(receiver) == [*range(upto)]


def test_a_limit_that_the_source_does_not_reach_changes_nothing(project: Project, receiver: Receiver) -> None:
    project(files(CSV, SENDS["batch"], receiver.url))
    for limit in (20, 1_000):
        report = project.run("c", limit=limit)
        assert (report.state, report.delivered, report.stopped_because) == ("complete", 20, None)


def test_the_command_ends_with_0_if_all_that_was_read_is_delivered_and_else_with_1(project: Project, receiver: Receiver) -> None:
    project(files(CSV, SENDS["split"], receiver.url))
    receiver.script = lambda request: Reply(422 if 9 in [record["id"] for record in json.loads(request.body)] else 200)
    command = [sys.executable, "-m", "sendoff", "run", "c", "--json", "--limit", "8"]
    codes, states = [], []
    for _ in range(3):
        done = subprocess.run(command, cwd=project.home, capture_output=True, text=True)
        (run,) = json.loads(done.stdout)["runs"]
        codes.append(done.returncode)
        states.append((run["state"], run["read"], run["rejected"], run["pending"]))
    assert codes == [0, 1, 1]
    assert states == [("interrupted", 8, 0, 0), ("interrupted", 16, 1, 0), ("incomplete", 20, 1, 0)]
