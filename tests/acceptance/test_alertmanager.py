"""Alertmanager: a bare array; 400 and 422 that name no record, and a 400 that kept the good ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sendoff.testing import Project
from tests.servers import free_port, running, wanted

from .servers import connector, get


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[str]:
    home = tmp_path / "alertmanager"
    home.mkdir()
    (home / "am.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    port = free_port()
    program = wanted("prometheus-alertmanager")
    options = [
        "--config.file=am.yml",
        "--storage.path=data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with running([program, *options], port, home) as url:
        yield url


def stored(url: str) -> set[str]:
    return {alert["labels"]["alertname"] for alert in get(f"{url}/api/v2/alerts")}


def test_every_alert_arrives(project: Project, alertmanager: str) -> None:
    lines = [json.dumps({"labels": {"alertname": f"a{at}", "zone": "é"}}) for at in range(2_000)]
    project({"alerts.jsonl": "\n".join(lines), **connector("alertmanager", alertmanager)})
    report = project.run("alertmanager")
    assert (report.state, report.delivered, report.requests) == ("complete", 2_000, 4)
    assert stored(alertmanager) == {f"a{at}" for at in range(2_000)}


def test_the_alerts_it_refuses_are_found_and_all_others_arrive(project: Project, alertmanager: str) -> None:
    bad = {7, 8, 1_234}
    # An empty label set is a fault of value: 400, and the good alerts of the same array are kept.
    lines = [json.dumps({"labels": {} if at in bad else {"alertname": f"a{at}"}}) for at in range(2_000)]
    project({"alerts.jsonl": "\n".join(lines), **connector("alertmanager", alertmanager)})
    report = project.run("alertmanager")
    assert (report.state, report.delivered, report.rejected) == ("incomplete", 1_997, 3)
    assert stored(alertmanager) == {f"a{at}" for at in range(2_000) if at not in bad}


def test_a_path_it_does_not_know_stops_the_run_after_one_request(project: Project, alertmanager: str) -> None:
    changed = connector("alertmanager", alertmanager, **{"v2/alerts": "v2/alarms"})
    project({"alerts.jsonl": '{"labels": {"alertname": "a"}}\n' * 5_000, **changed})
    report = project.run("alertmanager")
    assert (report.state, report.requests, report.pending) == ("stopped", 1, 5_000)
    assert "check destination.url" in (report.stopped_because or "")
