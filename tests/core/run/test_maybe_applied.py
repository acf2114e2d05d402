"""Records that were sent, and of which the response does not say whether they were applied."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Literal

import pytest

from sendoff import ConfigError
from sendoff.engine.tasks import OpenChunk
from sendoff.ledger import Changes, Chunk, Ledger, RequestRecord, UncertainRequest, open_ledger
from sendoff.records import Span
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


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(open_ledger(tmp_path / "state")) as found:
        yield found


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
        with pytest.raises(ConfigError, match="no unfinished run has records that were sent and may have been applied"):
            runner.run("c", maybe_applied="delivered")


def test_what_is_left_of_a_request_is_not_taken_for_it_though_it_begins_and_ends_as_it_did() -> None:
    """The kind: a record that counts as delivered and was denied. Looked at: batches with holes, single records."""
    request = UncertainRequest(0, 10, records=10, sends=1, reason="504")
    for chunk, spans, found in (
        (Chunk(0, 10, 10), (Span(0, 10),), 1),
        (Chunk(0, 10, 2, scattered=(Span(0, 1), Span(9, 10))), (Span(0, 1), Span(9, 10)), 0),
    ):
        left = OpenChunk.of(chunk, spans, repeats=True)
        left.uncertain = {(0, 10): request}
        assert left.earlier_sends(spans) == found
        assert len(left.take_uncertain()) == found
        assert bool(left.remaining) is not bool(found)


@pytest.mark.parametrize("last", ["rejected", "retry"])
def test_what_the_last_response_rejected_is_not_decided_upon(ledger: Ledger, last: str) -> None:
    """Nor what is delivered already, of single records whose piece is open still."""
    state = ledger.begin("c", config_digest=b"x", fingerprint=b"y")

    def sent(number: int, at: int, verdict: str, *, maybe_applied: bool) -> RequestRecord:
        return RequestRecord(number, at, at + 1, 1, 1, "POST", "http://x", "", 9, None, verdict, "", 0.1, maybe_applied)

    requests = [
        sent(1, 0, "retry", maybe_applied=True), sent(2, 0, last, maybe_applied=False), sent(3, 1, "retry", maybe_applied=True),
    ]  # fmt: skip
    changes = Changes(opened=[Chunk(0, 8, 1)], planned=8, sent=requests, delivered=[Span(1, 2)], requests=3)
    ledger.commit(state, changes)
    left = ledger.unfinished("c")
    assert left is not None
    assert [(request.lo, request.sends) for request in left.uncertain] == ([] if last == "rejected" else [(0, 2)])


def test_a_restart_that_is_told_what_records_are_is_refused_and_discards_nothing(project: Project) -> None:
    with Api() as api:
        runner = given(project, api).runner()
        runner.run("c")
        with pytest.raises(ConfigError, match="no unfinished run has"):
            runner.run("c", restart=True, maybe_applied="delivered")
        assert runner.run("c").run == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["c", "--maybe-applied", "delivered"], "no unfinished run has"),
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
