"""VictoriaMetrics: a series a line, with its samples in lists. It refuses nothing: what it cannot read it drops, with a 204.

So the schema has to find what is wrong with a record.
"""

from __future__ import annotations

import json
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from sendoff.testing import Project
from tests.servers import free_port, running, wanted

from .servers import connector, kill_when, reasons

LOGIN = "Basic " + b64encode(b"crm:metrics-password").decode()
MOMENT = 1_767_225_600_000


@pytest.fixture
def metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    home, port = tmp_path / "metrics", free_port()
    home.mkdir()
    monkeypatch.setenv("METRICS_PASSWORD", "metrics-password")
    options = {
        "httpListenAddr": f"127.0.0.1:{port}",
        "storageDataPath": home / "data",
        "retentionPeriod": "100y",
        "dedup.minScrapeInterval": "1ms",
        "httpAuth.username": "crm",
        "httpAuth.password": "metrics-password",
        "memory.allowedBytes": "64MB",
    }
    with running([wanted("victoria-metrics"), *(f"-{name}={value}" for name, value in options.items())], port, home) as url:
        yield url


def ask(url: str, path: str) -> str:
    with urllib.request.urlopen(urllib.request.Request(f"{url}{path}", headers={"Authorization": LOGIN})) as answer:
        return str(answer.read().decode())


def stored(url: str) -> dict[str, tuple[list[float], list[int]]]:
    """The values and times of each meter."""
    ask(url, "/internal/force_flush")
    series = [json.loads(line) for line in ask(url, "/api/v1/export?match[]=reading").splitlines()]
    return {one["metric"]["meter"]: (one["values"], one["timestamps"]) for one in series}


def readings(count: int, bad: int = -1) -> str:
    rows = (f"é{at},{'warm' if at == bad else at / 4},{MOMENT + at}\n" for at in range(count))
    return "id,value,time\n" + "".join(rows)


def test_killed_and_resumed_it_has_every_sample_once_and_the_one_that_it_would_drop_is_invalid(
    project: Project, metrics: str
) -> None:
    project(
        {
            "readings.csv": readings(600, bad=555),
            **connector("victoriametrics", metrics, **{"max_records: 10000": "max_records: 20"}),
        }
    )
    kill_when(project, "victoriametrics", lambda: len(stored(metrics)), 100, "4/s")
    assert len(stored(metrics)) < 599
    report = project.run("victoriametrics")
    assert (report.state, report.delivered, report.invalid, report.rejected) == ("incomplete", 599, 1, 0)
    assert reasons(project, report).keys() == {"é555"}
    assert stored(metrics) == {f"é{at}": ([at / 4], [MOMENT + at]) for at in range(600) if at != 555}


def test_a_password_it_does_not_know_stops_the_run_after_one_request(
    project: Project, metrics: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METRICS_PASSWORD", "another")
    project(
        {"readings.csv": readings(500), **connector("victoriametrics", metrics, **{"max_records: 10000": "max_records: 20"})}
    )
    report = project.run("victoriametrics")
    assert (report.state, report.requests, report.pending) == ("stopped", 1, 500)
    assert stored(metrics) == {}
