"""Records that were sent, and of which the response does not say whether they were applied."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Literal

import pytest

from sendoff import ConfigError
from sendoff.testing import Project, Received, Receiver, Reply

CONNECTOR = """
source: {{use: csv, path: a.csv}}
schema: {{id: integer}}
send: {send}
destination:
  url: "{url}"
  concurrency: 1
  response: {{records: {{at: $.results, id: $.id, field: id, status: $.status}}}}
"""
BATCH, SINGLE = "{use: batch, max_records: 10}", "single"


class Api(Receiver):
    """Applies each record once; from the second request on, its responses cannot be read."""

    def __init__(self) -> None:
        self.applied: list[int] = []
        self.readable = 1
        super().__init__(self._reply_to)

    def _reply_to(self, request: Received) -> Reply:
        found = json.loads(request.body)
        ids = [record["id"] for record in (found if isinstance(found, list) else [found])]
        self.applied += [at for at in ids if at not in self.applied]
        self.readable -= 1
        if self.readable < 0:
            return Reply(200, b'{"other": 1}')
        return Reply(200, json.dumps({"results": [{"id": at, "status": 200} for at in ids]}).encode())


def given(project: Project, api: Api, send: str = BATCH, rows: int = 30) -> Project:
    return project(
        {
            "a.csv": "id\n" + "".join(f"{at}\n" for at in range(rows)),
            "connectors.d/c.yaml": CONNECTOR.format(url=api.url, send=send),
        }
    )


@pytest.mark.parametrize(("send", "size", "records"), [(BATCH, 10, "its 10 records were"), (SINGLE, 1, "its record was")])
def test_each_stop_says_how_often_the_records_were_sent_that_may_have_been_applied(
    project: Project, send: str, size: int, records: str
) -> None:
    """The kind: a stop that repeats itself in silence. Looked at: batches, single records, and the log of requests."""
    with Api() as api:
        given(project, api, send)
        said = [project.run("c").stopped_because or "" for _ in range(3)]
    for sentence, times in zip(said, ("once", "2 times", "3 times"), strict=True):
        assert f"; {records} sent {times} and may have been applied: the next run sends them again" in sentence
        assert "--maybe-applied delivered (or rejected)" in sentence
    sent = [row for row in project.runner().history.requests(1) if row["maybe_applied"]]
    assert [(row["lo"], row["hi"]) for row in sent] == [(size, 2 * size)] * 3


@pytest.mark.parametrize(("send", "size"), [(BATCH, 10), (SINGLE, 1)])
@pytest.mark.parametrize("fate", ["delivered", "rejected"])
def test_a_person_says_what_may_have_been_applied_is_and_nothing_else_is_settled_by_it(
    project: Project, send: str, size: int, fate: Literal["delivered", "rejected"]
) -> None:
    """Each request that was never sent is sent, and what was decided is not sent again."""
    with Api() as api:
        runner = given(project, api, send).runner()
        assert runner.run("c").delivered == size
        api.readable = 1_000
        report = runner.run("c", maybe_applied=fate)
        assert (report.pending, report.delivered) == (0, 30 if fate == "delivered" else 30 - size)
        assert api.applied == list(range(30))
        assert len(api.requests) == 30 // size
        failed = list(runner.history.failures(report.run))
        assert [row["position"] for row in failed] == (list(range(size, 2 * size)) if fate == "rejected" else [])
        assert all(row["maybe_applied"] and row["attempts"] == 1 for row in failed)
        assert all("it may have been applied, and was rejected by --maybe-applied" in row["reason"] for row in failed)
        if fate == "rejected":
            assert runner.retry(report.run).delivered == size


def test_what_a_response_denied_is_not_decided_upon(project: Project) -> None:
    """A 401 applied nothing: its records are sent again, whatever is said of others; and where there are none, that is said."""
    with Api() as api:
        runner = given(project, api).runner()
        runner.run("c")
        api.script = lambda request: Reply(401)
        assert "401" in (runner.run("c", maybe_applied="delivered").stopped_because or "")
        with pytest.raises(ConfigError, match="c has no unfinished run with records that were sent and may have been applied"):
            runner.run("c", maybe_applied="delivered")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["c", "--maybe-applied", "delivered"], "has no unfinished run"),
        (["--maybe-applied", "delivered"], "needs the name of one connector"),
        (["c", "--restart", "--maybe-applied", "rejected"], "needs the name of one connector, and no --restart"),
    ],
)
def test_a_decision_upon_nothing_is_refused_with_2_and_nothing_is_sent(
    project: Project, arguments: list[str], sentence: str
) -> None:
    with Api() as api:
        given(project, api)
        command = [sys.executable, "-m", "sendoff", "run", *arguments]
        ended = subprocess.run(command, cwd=project.home, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, api.requests) == (2, "", [])
    assert sentence in ended.stderr
