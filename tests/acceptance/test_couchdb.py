"""CouchDB's HTTP API, as pouchdb-server has it: a result for each record in a 201, and ids instead of idempotency keys."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from sendoff.testing import Project
from tests.servers import free_port, running, wanted

from .servers import POUCHDB, connector, get, kill_when, reasons

LOGIN = "Basic " + b64encode(b"crm:couch-password").decode()
SINGLE = """
source: {use: csv, path: people.csv}
schema: {id: string, email: string, city: {type: string, nullable: true}}
destination:
  url: "URL/people/{id}"
  method: PUT
  auth: {use: basic, user: crm, password: couch-password}
  response: {statuses: {409: rejected}, on_repeat: {statuses: {409: delivered}}, reason: $.reason}
send: single
"""


BULK = connector("couchdb", "URL", **{"max_records: 500": "max_records: 25"})["connectors.d/couchdb.yaml"]


@pytest.fixture
def couchdb(tmp_path: Path) -> Iterator[str]:
    home, port = tmp_path / "couchdb", free_port()
    home.mkdir()
    options = ["--in-memory", "--no-stdout-logs", "--host", "127.0.0.1", "--port", str(port)]
    with running([wanted(POUCHDB), *options], port, home) as url:
        get(f"{url}/_config/admins/crm", method="PUT", body="couch-password")
        get(f"{url}/people", method="PUT", Authorization=LOGIN)
        yield url


def people(count: int, **changed: str) -> str:
    rows = (f"{changed.get(f'p{at}', f'p{at}')},p{at}@example.com,{'Malmö' if at % 2 else ''}\n" for at in range(count))
    return "id,email,city\n" + "".join(rows)


def held(url: str) -> int:
    return int(get(f"{url}/people")["doc_count"])


@pytest.mark.parametrize(("text", "rate"), [(BULK, "4/s"), (SINGLE, "60/s")], ids=["bulk", "single"])
def test_killed_and_resumed_it_has_every_document_once_and_says_which_two_it_refused(
    project: Project, couchdb: str, text: str, rate: str
) -> None:
    get(f"{couchdb}/people/p1", method="PUT", body={"email": "older@example.com"})
    # An id that begins with an underscore is refused with the whole request; one that is taken, by itself.
    project({"people.csv": people(300, p177="_p177"), "connectors.d/couchdb.yaml": text.replace("URL", couchdb)})
    kill_when(project, "couchdb", lambda: held(couchdb), 50, rate)
    assert held(couchdb) < 298
    report = project.run("couchdb")
    assert (report.state, report.delivered, report.rejected) == ("incomplete", 298, 2)
    said = reasons(project, report)
    assert said.keys() == {"p1", "_p177"}
    assert "conflict" in said["p1"]
    assert "Only reserved document ids may start with underscore" in said["_p177"]
    rows = get(f"{couchdb}/people/_all_docs?include_docs=true")["rows"]
    there = {row["doc"]["_id"]: (row["doc"]["_rev"].partition("-")[0], row["doc"]["email"]) for row in rows}
    expected = {f"p{at}": ("1", f"p{at}@example.com") for at in range(300) if at != 177}
    assert there == expected | {"p1": ("1", "older@example.com")}


def test_a_password_it_does_not_know_stops_the_run_after_one_request(project: Project, couchdb: str) -> None:
    text = BULK.replace("URL", couchdb).replace("couch-password", "another")
    project({"people.csv": people(300), "connectors.d/couchdb.yaml": text})
    report = project.run("couchdb")
    assert (report.state, report.requests, report.pending) == ("stopped", 1, 300)
    assert held(couchdb) == 0
