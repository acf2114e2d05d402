"""Datasette: rows in an envelope, all or nothing, no row named, and "Too many rows" with status 400."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sendoff.testing import Project
from tests.servers import free_port, running, wanted

from .servers import DATASETTE, connector


class Server:
    """A datasette, its token, and its table as SQL sees it."""

    def __init__(self, url: str, token: str, database: Path) -> None:
        self.url, self.token, self._database = url, token, database

    def rows(self) -> set[tuple[int, str]]:
        with closing(sqlite3.connect(self._database)) as db, db:
            return set(db.execute("SELECT id, email FROM people"))


@pytest.fixture
def datasette(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    home = tmp_path / "datasette"
    home.mkdir()
    database = home / "crm.db"
    with closing(sqlite3.connect(database)) as db, db:
        db.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT UNIQUE CHECK (email LIKE '%@%'), age INTEGER)")
    program = wanted(DATASETTE)
    made = subprocess.run([program, "create-token", "root", "--secret", "S"], capture_output=True, text=True, check=True)
    monkeypatch.setenv("DATASETTE_TOKEN", token := made.stdout.strip())
    port = free_port()
    with running([program, "serve", "crm.db", "--secret", "S", "--root", "--port", str(port)], port, home) as url:
        yield Server(url, token, database)


def people(count: int, **bad: str) -> str:
    rows = {at: f"{at},p{at}@example.com,{at % 90}" for at in range(1, count + 1)}
    rows |= {int(at.removeprefix("row")): row for at, row in bad.items()}
    return "id,email,age\n" + "".join(f"{row}\n" for row in rows.values())


def test_its_limit_of_rows_is_learned_and_every_row_arrives(project: Project, datasette: Server) -> None:
    project({"people.csv": people(1_000), **connector("datasette", datasette.url)})
    report = project.run("datasette")
    assert (report.state, report.delivered) == ("complete", 1_000)
    assert len(datasette.rows()) == 1_000
    # 1,000, 500, 250 and 125 rows are too many; 62 or 63 are not.
    assert report.requests == 4 + 16


def test_the_rows_it_refuses_are_found_and_all_others_are_there(project: Project, datasette: Server) -> None:
    bad = {"row7": "7,p8@example.com,1", "row301": "301,no-address,1", "row999": "999,neither,"}
    project({"people.csv": people(1_000, **bad), **connector("datasette", datasette.url)})
    report = project.run("datasette")
    assert (report.state, report.delivered, report.rejected) == ("incomplete", 997, 3)
    emails = {email for _, email in datasette.rows()}
    # Of two rows with one address whichever comes first is taken, and the other is refused.
    assert emails == {f"p{at}@example.com" for at in range(1, 1_001)} - {f"p{at}@example.com" for at in (7, 301, 999)}
    from sendoff.ledger import open_history

    reasons = {row["record"]["id"]: row["reason"] for row in open_history(project.home / ".sendoff").failures(report.run)}
    assert reasons.keys() in ({"7", "301", "999"}, {"8", "301", "999"})
    assert any("UNIQUE constraint failed: people.email" in reason for reason in reasons.values())
    assert "CHECK constraint failed" in reasons["301"]


def test_a_token_it_does_not_know_stops_the_run_after_one_request(
    project: Project, datasette: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATASETTE_TOKEN", "dstok_nonsense")
    project({"people.csv": people(1_000), **connector("datasette", datasette.url)})
    report = project.run("datasette")
    assert (report.state, report.requests, report.pending) == ("stopped", 1, 1_000)
    assert datasette.rows() == set()
