"""The dashboard and the alerts name only metrics that there are, and promtool takes them."""

from __future__ import annotations

import json
import re
import subprocess

from sendoff.monitoring.metrics import METRICS
from tests.servers import wanted

from .pages import ROOT

FOLDER = ROOT / "docs/monitoring"
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}
EXPORTED = {f"{metric.name}{suffix}" for metric in METRICS for suffix in SUFFIXES[metric.kind]}


def named(text: str) -> set[str]:
    return set(re.findall(r"\bsendoff_[a-z_]+", text))


def test_every_metric_of_the_dashboard_is_exported_and_has_the_labels_that_it_is_grouped_by() -> None:
    dashboard = json.loads((FOLDER / "grafana-dashboard.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    variables = [variable.get("definition", "") for variable in dashboard["templating"]["list"]]
    shown = set().union(*map(named, [*expressions, *variables]))
    assert shown <= EXPORTED
    assert len(shown) > 12
    labels = {label for metric in METRICS for label in (*metric.labels, "le")}
    assert {name for text in expressions for by in re.findall(r"by \(([^)]*)\)", text) for name in by.split(", ")} <= labels
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_every_metric_of_the_alerts_is_exported() -> None:
    for file in FOLDER.glob("*.yaml"):
        assert named(file.read_text()) <= EXPORTED
        assert named(file.read_text())


def test_promtool_takes_the_alerts_and_their_tests_hold() -> None:
    tool = wanted("promtool")
    for words in (["check", "rules", "prometheus-rules.yaml"], ["test", "rules", "prometheus-rules.test.yaml"]):
        done = subprocess.run([tool, *words], cwd=FOLDER, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
