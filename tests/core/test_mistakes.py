"""What is said of ordinary mistakes on the command line."""

from __future__ import annotations

import io
import json
import subprocess

import pytest

from sendoff.errors import SourceError
from sendoff.sandbox import Sandbox
from sendoff.testing import Project, Receiver, Reply
from sendoff_plugins.sources import stdin
from tests.terminals import SENDOFF

CONNECTOR = """
source: {{use: {source}}}
schema: {{id: integer}}
destination: {{url: "{url}"}}
send: {{use: batch, max_records: 1}}
"""


def sendoff(project: Project, *words: str, given: str = "", code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*SENDOFF, *words], cwd=project.home, input=given, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stderr
    return done


def test_preview_lists_the_invalid_rows_before_its_records_and_none_behind_them(project: Project) -> None:
    rows = "id\nx\n1\ny\n2\nz\n3\n"
    project({"in.csv": rows, "connectors.d/c.yaml": CONNECTOR.format(source="csv, path: in.csv", url="http://127.0.0.1:9/x")})
    done = sendoff(project, "preview", "c", "-n", "2")
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == ["in.csv:2", "in.csv:4"]


def test_csv_where_json_lines_are_read_asks_for_the_format(project: Project) -> None:
    with Sandbox() as api:
        project({"connectors.d/c.yaml": CONNECTOR.format(source="stdin", url=api.url)})
        done = sendoff(project, "run", given="id,name\n1,a\n", code=2)
        assert done.stderr == "c: stdin:1: not JSON, but it looks like CSV; is `format: csv` missing under `source`?\n"


def test_json_lines_whose_first_line_is_broken_are_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in (b"", b"\n", b'{"a": 1, \n', b"[1, 2]\n", b"abc\n"):
        stdin._refuse_csv(io.BufferedReader(io.BytesIO(text)))
    with pytest.raises(SourceError, match="format: csv"):
        stdin._refuse_csv(io.BufferedReader(io.BytesIO(b"\xef\xbb\xbfid;name\n")))


def test_a_directory_that_is_not_there_offers_to_name_the_project_or_to_make_one(project: Project) -> None:
    done = sendoff(project, "-d", "none", "run", code=2)
    assert "no such directory; `sendoff -d DIRECTORY` names another, `sendoff init` creates one" in done.stderr


def test_a_success_that_says_no_is_warned_of_once_with_the_lines_to_add(project: Project, receiver: Receiver) -> None:
    receiver.script = [Reply(200, b'{"ok": false}')] * 2
    project({"in.csv": "id\n1\n2\n", "connectors.d/c.yaml": CONNECTOR.format(source="csv, path: in.csv", url=receiver.url)})
    done = sendoff(project, "run")
    assert done.stderr.count("warning") == 1
    assert "    delivered_when: {path: $.ok, equals: true}" in done.stderr.splitlines()


def test_the_account_is_shown_also_of_a_run_whose_ledger_cannot_be_written(project: Project) -> None:
    program = (
        "import itertools, sqlite3\n"
        "from sendoff.ledger.sqlite.ledger import SqliteLedger\n"
        "commit, left = SqliteLedger.commit, itertools.count()\n"
        "def full(self, state, changes):\n"
        "    if next(left) < 2: return commit(self, state, changes)\n"
        "    with self._transaction(): raise sqlite3.OperationalError('database or disk is full')\n"
        "SqliteLedger.commit = full\n"
        "from sendoff.cli import main; main()"
    )
    with Sandbox() as api:
        rows = "id\n" + "".join(f"{at}\n" for at in range(500))
        project({"in.csv": rows, "connectors.d/c.yaml": CONNECTOR.format(source="csv, path: in.csv", url=api.url)})
        done = subprocess.run([SENDOFF[0], "-c", program, "run"], cwd=project.home, capture_output=True, text=True, timeout=60)
    assert f"{project.home}/.sendoff" in done.stderr
    assert "cannot be written: database or disk is full; nothing more is sent" in done.stderr
    assert "c interrupted: the ledger cannot be written" in done.stdout
    assert "run c  # resume it" in done.stdout


def test_a_good_run_was_interrupted_by_nothing(project: Project) -> None:
    with Sandbox() as api:
        project({"in.csv": "id\n1\n", "connectors.d/c.yaml": CONNECTOR.format(source="csv, path: in.csv", url=api.url)})
        assert project.runner().run("c").interrupted_by is None
        assert json.loads(sendoff(project, "run", "--json").stdout)["exit_code"] == 0
