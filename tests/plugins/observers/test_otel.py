"""What OpenTelemetry gets of a run, at a receiver of OTLP, from the environment's variables alone."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from sendoff.errors import ConfigError
from sendoff.testing import Project, Received, Receiver, Reply

PROGRAM = [sys.executable, "-c", "from sendoff.cli import main; main()"]
SECRET = "geheimnis-13"
CONNECTOR = """
source: {{use: csv, path: in.csv}}
schema: {{id: integer}}
destination: {{url: "{url}/people?key=${{env:KEY}}", concurrency: 1, retry: {{initial_backoff: 0}}}}
send: single
observers: [{{use: otel{more}}}]
"""


class Collector:
    """Keeps the spans and metrics that are posted to it."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.resources: list[Any] = []
        self.metrics: dict[str, Any] = {}
        keep = self._keep

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                keep(self.path, gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def _keep(self, path: str, body: bytes) -> None:
        assert SECRET.encode() not in body
        if path == "/v1/traces":
            for traces in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.resources.append(traces.resource)
                self.spans += [span for scope in traces.scope_spans for span in scope.spans]
        if path == "/v1/metrics":
            for found in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                self.metrics |= {metric.name: metric for scope in found.scope_metrics for metric in scope.metrics}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


def attributes(of: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in of.attributes}


def run(project: Project, receiver: Receiver, rows: int, more: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    failing = {b"2": Reply(400), b"3": Reply(503)}

    def respond(request: Received) -> Reply:
        return next((failing.pop(bad) for bad in list(failing) if b'"id":' + bad + b"}" in request.body), Reply(200))

    receiver.script = respond
    text = CONNECTOR.format(url=receiver.url, more=more)
    project({"in.csv": "id\n" + "".join(f"{at}\n" for at in range(rows)) + "x\n", "connectors.d/people.yaml": text})
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return subprocess.run(
        [*PROGRAM, "run", "-q"], cwd=project.home, capture_output=True, text=True, env={**clean, "KEY": SECRET, **env}
    )


def test_a_run_is_a_trace_with_spans_of_requests_and_its_metrics_have_units(
    project: Project, receiver: Receiver, collector: Collector
) -> None:
    done = run(project, receiver, 6, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert (done.returncode, done.stderr) == (1, "")
    assert attributes(collector.resources[0])["service.name"] == "sendoff"
    (root,) = [span for span in collector.spans if span.name == "run people"]
    requests = sorted((span for span in collector.spans if span.name == "POST"), key=lambda span: span.start_time_unix_nano)
    assert {(span.parent_span_id, span.trace_id) for span in requests} == {(root.span_id, root.trace_id)}
    assert len(requests) == attributes(root)["sendoff.run.requests"] == 7
    assert [event.name for event in root.events if event.name == "retry_scheduled"] == ["retry_scheduled"]
    found = {(attributes(span)["http.response.status_code"], attributes(span)["sendoff.verdict"]): span for span in requests}
    assert found.keys() == {(200, "delivered"), (400, "rejected"), (503, "retry")}
    said = attributes(found[400, "rejected"])
    assert said["url.full"] == f"{receiver.url}/people?key=${{env:KEY}}"
    assert (said["http.request.method"], said["server.address"], said["error.type"], said["sendoff.records"]) == (
        "POST",
        "127.0.0.1",
        "400",
        1,
    )
    assert all(
        root.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano <= root.end_time_unix_nano
        for span in requests
    )
    assert {name: metric.unit for name, metric in collector.metrics.items()} == {
        "http.client.request.duration": "s", "http.client.request.body.size": "By", "sendoff.run.duration": "s", "sendoff.records": "{record}",
        "sendoff.retries": "{request}", "sendoff.rate_limit.wait": "s",
    }  # fmt: skip
    records = {
        attributes(point)["sendoff.outcome"]: getattr(point, point.WhichOneof("value")) for point in collector.metrics["sendoff.records"].sum.data_points
    }
    assert records == {"delivered": 5, "rejected": 1, "invalid": 1}
    assert sum(point.count for point in collector.metrics["http.client.request.duration"].histogram.data_points) == 7


def test_a_long_run_has_as_many_spans_as_it_may_and_those_that_fail_before_others(
    project: Project, receiver: Receiver, collector: Collector
) -> None:
    run(project, receiver, 300, ", request_spans: 3", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_METRICS_EXPORTER="none")
    statuses = [attributes(span)["http.response.status_code"] for span in collector.spans if span.name == "POST"]
    assert (len(statuses), statuses.count(200)) == (3, 2)
    assert collector.metrics == {}


def test_a_collector_that_is_not_there_delays_no_run_and_changes_nothing_of_it(project: Project, receiver: Receiver) -> None:
    done = run(project, receiver, 6, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", OTEL_EXPORTER_OTLP_TIMEOUT="1")
    assert done.returncode == 1
    assert "people" in done.stdout
    assert "Traceback" not in done.stderr


def test_without_the_extra_the_connector_says_what_to_install(
    project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", SECRET)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "sendoff_plugins.observers.otel", raising=False)
    project({"in.csv": "id\n1\n", "connectors.d/people.yaml": CONNECTOR.format(url=receiver.url, more="")})
    with pytest.raises(ConfigError, match=r"otel needs the otel extra: pip install "):
        project.runner().connector("people")
