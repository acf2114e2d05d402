"""A source that must be fixed ends a run with 2, and one that is only not there now with 3."""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from sendoff import Source, SourceError, SourceUnavailable
from sendoff.http import client
from sendoff.testing import Project, Receiver, Reply
from sendoff_plugins.sources.command import Command
from sendoff_plugins.sources.csv import Csv
from sendoff_plugins.sources.google_sheets import GoogleSheets
from sendoff_plugins.sources.http import Http
from sendoff_plugins.sources.singer import Singer
from sendoff_plugins.sources.sql import Sql
from tests.servers import free_port


@pytest.fixture(autouse=True)
def without_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = client.HttpClient.__init__.__kwdefaults__
    assert usual is not None
    monkeypatch.setitem(usual, "sleep", lambda seconds: None)


def program(script: str) -> list[str]:
    return [sys.executable, "-c", script]


KILLED = "import os; os.kill(os.getpid(), 9)"
S3 = {"region": "us-east-1", "access_key_id": "a", "secret_access_key": "b"}


@pytest.mark.parametrize(
    "make",
    [
        lambda at: Http(url=f"{at}/rows"),
        lambda at: Csv(path=f"{at}/rows.csv"),
        lambda at: GoogleSheets(spreadsheet="1AbCdEfGhIjK", docs_root=at),
        lambda at: Sql(url=f"postgresql://a@{at.partition('//')[2]}/db", table="t"),
        lambda at: Sql(url=f"mysql://a@{at.partition('//')[2]}/db", table="t"),
        lambda at: Csv(path=f"sftp://a@{at.partition('//')[2]}/rows.csv", storage={"password": "x"}),
        lambda at: Command(command=program(KILLED)),
        lambda at: Command(command=program("raise SystemExit(75)")),
        lambda at: Singer(command=program(f"import sys; sys.argv = []; {KILLED}")),
    ],
    ids=[
        "http",
        "csv by http",
        "google_sheets",
        "postgresql",
        "mysql",
        "sftp",
        "command killed",
        "command 75",
        "singer killed",
    ],
)
def test_a_source_that_is_not_there_now_is_an_outage(make: Any) -> None:
    """Kind: an exit code that says "fix it" for "again", and the other way round. Nothing listens at the port."""
    source: Source = make(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(SourceUnavailable) as raised:
        list(source.read(None))
    assert raised.value.exit_code == 3
    assert "Error(" not in str(raised.value)


@pytest.mark.parametrize(("status", "code"), [(503, 3), (429, 3), (504, 3), (404, 2), (401, 2), (400, 2)])
@pytest.mark.parametrize("kind", ["http", "csv", "google_sheets"])
def test_a_response_says_whether_it_may_pass(receiver: Receiver, status: int, code: int, kind: str) -> None:
    receiver.script = lambda _: Reply(status, b"no")
    sources: dict[str, Source] = {
        "http": Http(url=f"{receiver.url}/rows"),
        "csv": Csv(path=f"{receiver.url}/rows.csv"),
        "google_sheets": GoogleSheets(spreadsheet="1AbCdEfGhIjK", docs_root=receiver.url),
    }
    source = sources[kind]
    with pytest.raises(SourceError) as raised:
        list(source.read(None))
    assert raised.value.exit_code == code


def test_a_locked_database_is_an_outage_and_a_missing_table_is_not(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    with sqlite3.connect(file) as writer:
        writer.execute("CREATE TABLE t (id INTEGER)")
        writer.commit()
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(SourceUnavailable, match="database is locked"):
            list(Sql(url=f"sqlite:///{file}?timeout=0", table="t").read(None))
        writer.rollback()
    with pytest.raises(SourceError, match="no such table") as raised:
        list(Sql(url=f"sqlite:///{file}", table="people").read(None))
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("source", "content"),
    [
        ({"use": "csv", "path": "in"}, b'id,name\n1,5" pipe\n'),
        ({"use": "csv", "path": "in"}, b"id,name\n1,M\xfcller\n"),
        ({"use": "json", "path": "in"}, b'{"id": 1}'),
        ({"use": "json", "path": "in"}, b'[{"id": 1}'),
        ({"use": "csv", "path": "in"}, b"email\na@example.com\n"),
    ],
    ids=["a stray quote", "a byte that is not UTF-8", "no array", "half an array", "a column that is missing"],
)
def test_a_file_that_must_be_fixed_ends_with_2_though_the_run_has_begun(
    project: Project, receiver: Receiver, source: dict[str, str], content: bytes
) -> None:
    """Kind: an exit code that says "again" for "fix it": a scheduler repeats for ever. Brothers: every reader of files."""
    record = "{id: $id}"
    text = f"source: {json.dumps(source)}\nsend: {{use: batch, record: {record}}}\ndestination: {{url: '{receiver.url}'}}\n"
    report = project({"in": content, "connectors.d/a.yaml": text}).run("a")
    assert (report.state, report.exit_code) == ("stopped", 2)
    assert not receiver.requests
