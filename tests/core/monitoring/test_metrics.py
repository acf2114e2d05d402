"""Metrics as Prometheus reads them, and as they are read again."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from sendoff import RunInfo
from sendoff.monitoring.events import RequestCompleted, RunEnded, RunProgressed, RunSkipped, RunStarted
from sendoff.monitoring.metrics import BUILD, METRICS, NEXT, Metrics
from sendoff.monitoring.report import Report, State

RUN = RunInfo(connector='a "b"\\c', run=1)


def request(seconds: float, status: int | None = 200) -> RequestCompleted:
    return RequestCompleted(
        method="POST", url="http://h/", status=status, verdict="delivered", reason="", seconds=seconds, bytes=10, records=1, attempt=1, ended_at=0.0
    )  # fmt: skip


def progress(delivered: int, limited: float = 0.0) -> RunProgressed:
    return RunProgressed(
        seconds=1, read=9, delivered=delivered, accepted=0, invalid=0, rejected=1, requests=9, retries=2, bytes=90, limited_seconds=limited, source_read=True
    )  # fmt: skip


def report(delivered: int) -> RunEnded:
    state: State = "complete" if delivered == 9 else "incomplete"
    return RunEnded(
        report=Report(
            connector=RUN.connector, run=1, state=state, read=9, delivered=delivered, invalid=0, rejected=9 - delivered, requests=9, retries=2, bytes=90, seconds=1.5
        )
    )  # fmt: skip


def counted() -> Metrics:
    metrics = Metrics(clock=lambda: 1_700_000_000.25)
    for event in (
        RunStarted(resumed=False), request(0.004), request(0.005), request(3.0, 503), request(99.0, None), progress(5, 2.5), progress(8, 4.0),
        report(8), RunSkipped(reason="late"),
    ):  # fmt: skip
        metrics.on_event(RUN, event)
    return metrics


def test_prometheus_own_parser_reads_every_name_type_and_value() -> None:
    metrics = counted()
    metrics.set(BUILD, ("1.0",), 1)
    metrics.set(NEXT, (RUN.connector,), 1_800_000_000)
    families = {family.name: family for family in parse(metrics.text())}
    strict = {family.name: family for family in parse_openmetrics(metrics.text(openmetrics=True))}  # type: ignore[no-untyped-call]
    assert families.keys() == strict.keys()
    assert len(strict) == len(METRICS) - 4  # those of `sendoff serve`, and the last success, which there was not
    values = {(sample.name, *sample.labels.values()): sample.value for family in strict.values() for sample in family.samples}
    name = RUN.connector
    assert values["sendoff_records_total", name, "delivered"] == 8
    assert values["sendoff_requests_total", name, "none"] == 1
    assert values["sendoff_rate_limit_wait_seconds_total", name] == 4
    assert values["sendoff_last_run_end_timestamp_seconds", name] == 1_700_000_000.25
    assert [values["sendoff_request_duration_seconds_bucket", name, le] for le in ("0.005", "2.5", "5.0", "+Inf")] == [
        2,
        2,
        3,
        4,
    ]
    assert values["sendoff_request_duration_seconds_sum", name] == pytest.approx(102.009)
    assert values["sendoff_runs_skipped_total", name] == 1
    assert "sendoff_last_success_timestamp_seconds" not in families


def test_a_resumed_run_counts_only_what_is_new_in_it() -> None:
    metrics = Metrics()
    metrics.on_event(RUN, RunStarted(resumed=True, delivered=5, rejected=1, retries=2))
    metrics.on_event(RUN, progress(8))
    metrics.on_event(RUN, report(9))
    text = metrics.text()
    assert 'outcome="delivered"} 4\n' in text
    assert 'outcome="rejected"} 0\n' in text
    assert "sendoff_last_success_timestamp_seconds" in text


def test_what_is_written_is_read_again_as_it_was_and_counts_on() -> None:
    text = counted().text()
    assert Metrics.read(text).text() == text
    assert Metrics.read('x\nsendoff_records_total 1\nother{a="b"} 1\nsendoff_runs_total{connector="a"} x\n\udcff').text() == ""
    earlier = Metrics.read(text)
    counted().merge_into(earlier)
    values = {
        (sample.name, *sample.labels.values()): sample.value for family in parse(earlier.text()) for sample in family.samples
    }
    assert values["sendoff_records_total", RUN.connector, "delivered"] == 16
    assert values["sendoff_request_duration_seconds_count", RUN.connector] == 8
    assert values["sendoff_last_run_records", RUN.connector, "delivered"] == 8


@pytest.mark.skipif(not shutil.which("promtool"), reason="needs promtool: make servers")
def test_promtool_finds_nothing_to_say_of_any_metric() -> None:
    metrics = counted()
    for metric in METRICS:
        if metric.kind == "gauge":
            metrics.set(metric, tuple("x" for _ in metric.labels), 1)
    checked = subprocess.run(["promtool", "check", "metrics"], input=metrics.text(), capture_output=True, text=True)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
