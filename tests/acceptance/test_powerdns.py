"""PowerDNS's HTTP API: a PATCH with many record sets, all or nothing, and a 422 that quotes the bad one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sendoff.testing import Project
from tests.servers import free_port, running, wanted

from .servers import get, kill_when, reasons

SCHEMA = Path("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql")
CONNECTOR = """
source: {{use: csv, path: hosts.csv}}
schema:
  id:      {{type: string}}
  name:    {{value: "{{id}}.example.com."}}
  address: {{type: string}}
destination:
  url: {url}/api/v1/servers/localhost/zones/example.com.
  method: PATCH
  headers: {{X-API-Key: "${{env:POWERDNS_KEY}}"}}
  atomic: true
  idempotent: true             # REPLACE says what is there afterwards
  response: {{reason: $.error}}
send:
  use: batch
  max_records: 20
  envelope: {{rrsets: $records}}
  record: {{name: $name, type: A, ttl: 300, changetype: REPLACE, records: [{{content: $address, disabled: false}}]}}
on_failure: split
"""


@pytest.fixture
def powerdns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    home, port = tmp_path / "powerdns", free_port()
    home.mkdir()
    program, database = wanted("pdns_server"), home / "zones.db"
    with closing(sqlite3.connect(database)) as db:
        db.executescript(SCHEMA.read_text())
    settings = {
        "config-dir": home,
        "socket-dir": home,
        "launch": "gsqlite3",
        "gsqlite3-database": database,
        "local-address": "127.0.0.1",
        "local-port": free_port(),
        "api": "yes",
        "api-key": "crm-key",
        "webserver-address": "127.0.0.1",
        "webserver-port": port,
        "daemon": "no",
        "guardian": "no",
        "security-poll-suffix": "",
    }
    monkeypatch.setenv("POWERDNS_KEY", "crm-key")
    with running([program, *(f"--{name}={value}" for name, value in settings.items())], port, home) as url:
        zone = {"name": "example.com.", "kind": "Native", "nameservers": ["ns.example.com."]}
        get(f"{url}/api/v1/servers/localhost/zones", method="POST", body=zone, X_API_Key="crm-key")
        yield url, database


def hosts(count: int, bad: int = -1) -> str:
    return "id,address\n" + "".join(
        f"h{at},{'10.0.0.999' if at == bad else f'10.0.{at // 250}.{at % 250}'}\n" for at in range(count)
    )


def stored(database: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(database)) as db:
        return sorted(db.execute("SELECT name, content FROM records WHERE type = 'A'"))


def test_killed_and_resumed_it_has_every_record_set_once_and_says_which_address_is_none(
    project: Project, powerdns: tuple[str, Path]
) -> None:
    url, database = powerdns
    project({"hosts.csv": hosts(600, bad=476), "connectors.d/hosts.yaml": CONNECTOR.format(url=url)})
    kill_when(project, "hosts", lambda: len(stored(database)), 100, "4/s")
    assert len(stored(database)) < 599
    report = project.run("hosts")
    assert (report.state, report.delivered, report.rejected) == ("incomplete", 599, 1)
    said = reasons(project, report)
    assert said.keys() == {"h476"}
    assert "10.0.0.999" in said["h476"]
    expected = [(f"h{at}.example.com", f"10.0.{at // 250}.{at % 250}") for at in range(600) if at != 476]
    assert stored(database) == sorted(expected)


def test_a_key_it_does_not_know_stops_the_run_after_one_request(
    project: Project, powerdns: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, database = powerdns
    monkeypatch.setenv("POWERDNS_KEY", "another-key")
    project({"hosts.csv": hosts(1_000), "connectors.d/hosts.yaml": CONNECTOR.format(url=url)})
    report = project.run("hosts")
    assert (report.state, report.requests, report.pending) == ("stopped", 1, 1_000)
    assert stored(database) == []
