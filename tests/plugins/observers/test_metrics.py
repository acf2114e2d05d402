"""The file of metrics is replaced in one step, grows from run to run, and may be several connectors'."""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from sendoff import RunInfo, send
from sendoff.monitoring.events import RunEnded
from sendoff.testing import Project, Receiver
from sendoff_plugins.observers.metrics import MetricsFile


def values(file: Path) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(file.read_text())
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


def test_a_link_where_the_draft_or_the_file_goes_leads_nowhere(tmp_path: Path, receiver: Receiver) -> None:
    report = send([{"a": 1}], url=receiver.url)
    victim = tmp_path / "victim"
    victim.write_text('sendoff_runs_total{connector="c",state="complete"} 7\n')
    (tmp_path / f".c.prom.{os.getpid()}").symlink_to(victim)
    (tmp_path / "c.prom").symlink_to(victim)
    MetricsFile(home=tmp_path, file="c.prom").on_event(RunInfo(connector="c", run=1), RunEnded(report=report))
    assert victim.read_text().endswith(" 7\n")
    assert values(tmp_path / "c.prom")["sendoff_runs_total", "c", "complete"] == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.prom", "victim"]


def test_two_connectors_share_a_file_and_their_counters_grow_from_run_to_run(project: Project, receiver: Receiver) -> None:
    text = f"source: {{use: jsonl, path: in.jsonl}}\ndestination: {{url: {receiver.url}}}\nobservers: [{{use: metrics, file: m.prom}}]\n"
    project({"in.jsonl": '{"a": 1}\n{"a": 2}\n', "connectors.d/a.yaml": text, "connectors.d/b.yaml": text + "send: single\n"})
    for name in ("a", "b", "a"):
        project.run(name)
    found = values(project.home / "m.prom")
    assert [found["sendoff_records_total", name, "delivered"] for name in ("a", "b")] == [4, 2]
    assert [found["sendoff_requests_total", name, "200"] for name in ("a", "b")] == [2, 2]
    assert [found["sendoff_last_run_records", name, "delivered"] for name in ("a", "b")] == [2, 2]
    assert found["sendoff_last_success_timestamp_seconds", "a"] > found["sendoff_last_success_timestamp_seconds", "b"]
