"""json-server: one object a request; a duplicate is a 500 with a page of stack trace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sendoff.ledger import open_history
from sendoff.testing import Project
from tests.servers import free_port, running, wanted

from .servers import JSON_SERVER, connector, get


@pytest.fixture
def json_server(tmp_path: Path) -> Iterator[str]:
    home = tmp_path / "json-server"
    home.mkdir()
    (home / "db.json").write_text('{"contacts": []}')
    port = free_port()
    program = wanted(JSON_SERVER)
    with running([program, "--quiet", "--host", "127.0.0.1", "--port", str(port), "db.json"], port, home) as url:
        yield url


def test_each_record_arrives_as_an_object(project: Project, json_server: str) -> None:
    rows = "".join(f'{at},p{at}@example.com,"{"ü, " if at % 2 else ""}"\n' for at in range(1, 101))
    project({"contacts.csv": f"id,email,note\n{rows}", **connector("json-server", json_server)})
    report = project.run("json-server")
    assert (report.state, report.delivered, report.requests) == ("complete", 100, 100)
    stored = get(f"{json_server}/contacts")
    assert sorted(contact["id"] for contact in stored) == list(range(1, 101))
    kept = list(open_history(project.home / ".sendoff").results(report.run))
    assert [row["captured"]["stored"] for row in kept] == list(range(1, 101))
    assert (kept[0]["file"], kept[0]["line"]) == ("contacts.csv", 2)
    assert next(c for c in stored if c["id"] == 2) == {"id": 2, "email": "p2@example.com", "note": None}


def test_a_duplicate_fails_alone_with_its_reason(project: Project, json_server: str) -> None:
    project({"contacts.csv": "id,email,note\n1,a@example.com,\n1,b@example.com,\n2,c@example.com,\n3,d@example.com,\n"})
    report = project(connector("json-server", json_server)).run("json-server")
    assert (report.state, report.delivered, report.rejected) == ("incomplete", 3, 1)
    assert {contact["id"] for contact in get(f"{json_server}/contacts")} == {1, 2, 3}
