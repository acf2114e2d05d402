"""squid, a forward proxy that asks for a password: whole requests go through it, and it responds in place of what is down."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sendoff.sandbox import Sandbox
from sendoff.testing import Project
from tests.servers import free_port, running, wanted

from .servers import kill_when, reasons

CONNECTOR = """
source: {{use: csv, path: people.csv}}
schema: {{id: integer, email: string}}
destination:
  url: {url}/v1/people
  proxy: http://crm:${{env:PROXY_PASSWORD}}@127.0.0.1:{port}
  transport: {transport}
send: {send}
on_failure: {strategy}
"""
CONFIG = """
http_port 127.0.0.1:{port}
pid_filename none
coredump_dir {home}
cache deny all
cache_mem 8 MB
access_log none
cache_log /dev/null
netdb_filename none
shutdown_lifetime 0 seconds
auth_param basic program {helper} {home}/passwords
auth_param basic children 1
acl known proxy_auth REQUIRED
http_access allow known
http_access deny all
"""


@pytest.fixture
def squid(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Its port. As root it becomes a user of its own, who must be able to read what is here."""
    program, port = wanted("squid"), free_port()
    helper = wanted("basic_ncsa_auth", ["/usr/lib/squid"])
    hashed = subprocess.run(["openssl", "passwd", "-apr1", "proxy-password"], capture_output=True, text=True, check=True)
    monkeypatch.setenv("PROXY_PASSWORD", "proxy-password")
    home = Path(tempfile.mkdtemp(prefix="squid-"))
    try:
        home.chmod(0o755)
        (home / "passwords").write_text(f"crm:{hashed.stdout}")
        (home / "squid.conf").write_text(CONFIG.format(port=port, home=home, helper=helper))
        with running([program, "-N", "-f", str(home / "squid.conf")], port, home):
            yield port
    finally:
        shutil.rmtree(home)


def people(count: int, bad: int = -1) -> str:
    return "id,email\n" + "".join(f"{at},p{at}@{'nowhere.test' if at == bad else 'example.com'}\n" for at in range(count))


@pytest.mark.parametrize(
    ("transport", "send", "strategy", "rate"),
    [("http1", "single", "fail", "60/s"), ("urllib3", "{use: batch, max_records: 20}", "split", "4/s")],
    ids=["single", "batches"],
)
def test_killed_and_resumed_through_the_proxy_every_record_is_there_once(
    project: Project, squid: int, transport: str, send: str, strategy: str, rate: str
) -> None:
    with Sandbox(["400 if email ~ @nowhere"]) as api:
        text = CONNECTOR.format(url=api.url, port=squid, transport=transport, send=send, strategy=strategy)
        project({"people.csv": people(300, bad=222), "connectors.d/people.yaml": text})
        kill_when(project, "people", lambda: len(api.records), 60, rate)
        assert len(api.records) < 299
        report = project.run("people")
        assert (report.state, report.delivered, report.rejected) == ("incomplete", 299, 1)
        assert reasons(project, report) == {"222": "400: rejected because: email ~ @nowhere"}
        assert sorted(record["id"] for record in api.records) == [at for at in range(300) if at != 222]


def test_a_password_that_the_proxy_does_not_know_stops_the_run_and_is_in_no_ledger(
    project: Project, squid: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROXY_PASSWORD", "another-password")
    with Sandbox() as api:
        text = CONNECTOR.format(url=api.url, port=squid, transport="http1", send="batch", strategy="fail")
        report = project({"people.csv": people(400), "connectors.d/people.yaml": text}).run("people")
        assert (report.state, report.requests, report.pending) == ("stopped", 1, 400)
        assert "407" in (report.stopped_because or "")
        assert api.records == []
    kept = b"".join(file.read_bytes() for file in (project.home / ".sendoff").rglob("*") if file.is_file())
    assert b"another-password" not in kept


def test_an_api_that_is_down_behind_the_proxy_blames_no_record(project: Project, squid: int) -> None:
    text = CONNECTOR.format(
        url=f"http://127.0.0.1:{free_port()}", port=squid, transport="http1", send="batch", strategy="split"
    )
    text = text.replace("\nsend:", "\n  retry: {initial_backoff: 0, max_elapsed: 1}\nsend:")
    report = project({"people.csv": people(400), "connectors.d/people.yaml": text}).run("people")
    assert (report.delivered, report.rejected, report.pending) == (0, 0, 400)
    assert report.transient
