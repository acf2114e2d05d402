"""InfluxDB: lines that are no JSON, and a 400 "partial write" for a bad one, of which the good ones are kept."""

from __future__ import annotations

import urllib.parse
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sendoff.testing import Project
from tests.servers import free_port, running, wanted

from .servers import connector, get, kill_when, reasons

LOGIN = "Basic " + b64encode(b"crm:metrics-password").decode()
#: InfluxDB 1 has another address, and no tokens. A temperature is sent as it is, for InfluxDB to find the bad one.
CHANGES = {
    "/api/v2/write?org=${env:INFLUX_ORG}&bucket=weather&": "/write?db=weather&",
    'headers: {Authorization: "Token ${env:INFLUX_TOKEN}"}': 'auth: {use: basic, user: crm, password: "${env:INFLUX_PASSWORD}"}',
    "{type: number}": "{type: string}",
    "$.message": "$.error",
    "max_records: 5000": "max_records: 25",
}
CONFIG = """
reporting-enabled = false
bind-address = "127.0.0.1:{other}"
[meta]
  dir = "meta"
[data]
  dir = "data"
  wal-dir = "wal"
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  auth-enabled = true
  log-enabled = false
"""


def query(url: str, text: str, method: str = "POST", login: str = LOGIN) -> Any:
    return get(f"{url}/query?db=weather&q={urllib.parse.quote(text)}", method=method, Authorization=login)["results"][0]


@pytest.fixture
def influxdb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    home, port = tmp_path / "influxdb", free_port()
    home.mkdir()
    (home / "influx.toml").write_text(CONFIG.format(port=port, other=free_port()))
    monkeypatch.setenv("INFLUX_PASSWORD", "metrics-password")
    with running([wanted("influxd"), "run", "-config", "influx.toml"], port, home) as url:
        query(url, "CREATE USER crm WITH PASSWORD 'metrics-password' WITH ALL PRIVILEGES")
        query(url, "CREATE DATABASE weather")
        yield url


def stored(url: str) -> list[tuple[str, str, float]]:
    """Station, city and temperature of each point."""
    series = query(url, "SELECT station, city, temp FROM weather", "GET").get("series", [{"values": []}])
    return sorted((station, city, temp) for _, station, city, temp in series[0]["values"])


def weather(count: int, bad: int = -1) -> str:
    rows = (f's{at},"São Paulo, {at % 3}=x",{"warm" if at == bad else at / 4},2026-01-01T00:00:00Z\n' for at in range(count))
    return "id,city,temp,time\n" + "".join(rows)


def test_killed_and_resumed_it_has_every_point_once_and_says_which_it_cannot_read(project: Project, influxdb: str) -> None:
    project({"weather.csv": weather(600, bad=444), **connector("influxdb", influxdb, **CHANGES)})
    kill_when(project, "influxdb", lambda: len(stored(influxdb)), 100, "4/s")
    assert len(stored(influxdb)) < 599
    report = project.run("influxdb")
    assert (report.state, report.delivered, report.rejected) == ("incomplete", 599, 1)
    (why,) = reasons(project, report).items()
    assert why[0] == "s444"
    assert "unable to parse 'weather,station=s444,city=São\\ Paulo\\,\\ 0\\=x temp=warm 1767225600': invalid boolean" in why[1]
    assert stored(influxdb) == sorted((f"s{at}", f"São Paulo, {at % 3}=x", at / 4) for at in range(600) if at != 444)


def test_a_password_it_does_not_know_stops_the_run_after_one_request(
    project: Project, influxdb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFLUX_PASSWORD", "another")
    project({"weather.csv": weather(500), **connector("influxdb", influxdb, **CHANGES)})
    report = project.run("influxdb")
    assert (report.state, report.requests, report.pending) == ("stopped", 1, 500)
    assert "authorization failed" in (report.stopped_because or "")
    assert stored(influxdb) == []
