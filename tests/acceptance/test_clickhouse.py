"""ClickHouse over HTTP: lines of JSON, and a 500 for a bad row, which by itself would be a failure to be retried."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from sendoff.testing import Project
from tests.servers import free_port, running, wanted

from .servers import connector, kill_when, reasons

#: The deduplication token is younger than this ClickHouse; its table knows a row by its id. The values are sent as they are, for
#: ClickHouse to find the bad one.
CHANGES = {
    "  idempotency: {in: query, name: insert_deduplication_token}\n": "  idempotent: true\n",
    "{type: integer}": "{type: string}",
    "{type: number}": "{type: string}",
    "max_records: 100000": "max_records: 50",
}
CONFIG = """<yandex>
  <logger><level>warning</level><console>1</console></logger>
  <http_port>{port}</http_port><tcp_port>{other}</tcp_port><listen_host>127.0.0.1</listen_host>
  <path>{home}/data/</path><tmp_path>{home}/tmp/</tmp_path>
  <users_config>users.xml</users_config><default_profile>default</default_profile><default_database>default</default_database>
  <mark_cache_size>5368709</mark_cache_size>
</yandex>"""
USERS = """<yandex>
  <profiles><default/></profiles><quotas><default/></quotas>
  <users><crm>
    <password>ch-key</password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>
  </crm></users>
</yandex>"""


def query(url: str, text: str) -> str:
    login = {"X-ClickHouse-User": "crm", "X-ClickHouse-Key": "ch-key"}
    with urllib.request.urlopen(urllib.request.Request(url, text.encode(), login)) as answer:
        return str(answer.read().decode())


@pytest.fixture
def clickhouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    home, port = tmp_path / "clickhouse", free_port()
    home.mkdir()
    (home / "config.xml").write_text(CONFIG.format(home=home, port=port, other=free_port()))
    (home / "users.xml").write_text(USERS)
    monkeypatch.setenv("CLICKHOUSE_PASSWORD", "ch-key")
    with running([wanted("clickhouse-server"), f"--config-file={home}/config.xml"], port, home) as url:
        query(url, "CREATE TABLE visits (id UInt32, page String, seconds Float64) ENGINE = ReplacingMergeTree ORDER BY id")
        yield url


def visits(count: int, bad: int = -1) -> str:
    return "id,page,seconds\n" + "".join(f"{at},/ü/{at},{'soon' if at == bad else at / 4}\n" for at in range(count))


def test_killed_and_resumed_it_has_every_row_once_and_says_which_it_cannot_read(project: Project, clickhouse: str) -> None:
    project({"visits.csv": visits(2_000, bad=1_234), **connector("clickhouse", clickhouse, **CHANGES)})
    kill_when(project, "clickhouse", lambda: int(query(clickhouse, "SELECT count() FROM visits")), 200, "4/s")
    assert int(query(clickhouse, "SELECT count() FROM visits")) < 1_999
    report = project.run("clickhouse")
    assert report.requests <= 40 + 1  # it names the row
    assert (report.state, report.delivered, report.rejected) == ("incomplete", 1_999, 1)
    said = reasons(project, report)
    assert said.keys() == {"1234"}
    assert "Cannot parse" in said["1234"]
    there = query(clickhouse, "SELECT id, page, seconds FROM visits FINAL ORDER BY id FORMAT CSV")
    assert there == "".join(f'{at},"/ü/{at}",{at / 4:g}\n' for at in range(2_000) if at != 1_234)


def test_a_password_it_does_not_know_stops_the_run_after_one_request(
    project: Project, clickhouse: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLICKHOUSE_PASSWORD", "another-key")
    project({"visits.csv": visits(1_000), **connector("clickhouse", clickhouse, **CHANGES)})
    report = project.run("clickhouse")
    assert (report.state, report.requests, report.pending) == ("stopped", 1, 1_000)
    assert "Wrong password for user crm" in (report.stopped_because or "")
    assert query(clickhouse, "SELECT count() FROM visits") == "0\n"
