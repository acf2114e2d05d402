"""Traces and metrics by OpenTelemetry, with the names and units of its semantic conventions."""

from __future__ import annotations

import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sendoff.plugin import (
    ConfigError,
    Event,
    Increments,
    Observer,
    RequestCompleted,
    RunEnded,
    RunInfo,
    RunProgressed,
    RunStarted,
    hookimpl,
    install_command,
)

if TYPE_CHECKING:
    from opentelemetry.trace import Span

#: Upper bounds in seconds that the conventions advise for the duration of HTTP requests.
_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
#: The same for whole runs.
_RUN_SECONDS = [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 14_400, 43_200]


class OpenTelemetry(Observer):
    """Export traces and metrics by OpenTelemetry.

    A trace of each run, with a span for requests; metrics of records, requests and retries. An application, or
    `opentelemetry-instrument`, says where they go. Without either, `OTEL_EXPORTER_OTLP_ENDPOINT` is enough, if
    `opentelemetry-sdk` and `opentelemetry-exporter-otlp-proto-http` are installed; what is left is exported when a run ends.
    """

    name = "otel"
    per_request = True
    options = {
        "request_spans": {
            "type": "integer",
            "min": 0,
            "default": 1000,
            "meta": {"help": "Spans of requests in a run at most: half of any requests, half of failed ones."},
        },
    }

    request_spans: int

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if find_spec("opentelemetry") is None:
            raise ConfigError(f"otel needs the otel extra: {install_command('otel')}")

    def _open(self) -> None:
        """Ask the API for what is measured and traced with: only when a run begins, as `sendoff check` needs none of it."""
        from opentelemetry import metrics, trace  # noqa: PLC0415

        from sendoff_plugins.observers._otel import setup  # noqa: PLC0415

        setup.set_up()
        self._flush, self._trace, self._tracer = setup.flush, trace, trace.get_tracer("sendoff")
        meter = metrics.get_meter("sendoff")
        self._durations = meter.create_histogram(
            "http.client.request.duration", "s", "Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )  # fmt: skip
        self._sizes = meter.create_histogram("http.client.request.body.size", "By", "Size of HTTP client request bodies.")
        self._run_durations = meter.create_histogram(
            "sendoff.run.duration", "s", "Duration of runs.", explicit_bucket_boundaries_advisory=_RUN_SECONDS
        )
        self._records = meter.create_counter("sendoff.records", "{record}", "Records with an outcome.")
        self._retries = meter.create_counter("sendoff.retries", "{request}", "Requests that were sent again.")
        self._waits = meter.create_counter("sendoff.rate_limit.wait", "s", "Time in which limits let nothing be sent.")

    def on_event(self, run: RunInfo, event: Event) -> None:
        match event:
            case RunStarted():
                self._start(run, event)
            case RequestCompleted():
                self._request(run, event)
            case RunProgressed():
                self._count(run, event)
            case RunEnded():
                self._count(run, event)
                self._end(run, event)
            case _:
                self._span.add_event(event.name, _plain(event))

    def _start(self, run: RunInfo, event: RunStarted) -> None:
        self._open()
        self._increments = Increments(event)
        self._spans = 0
        where = urlsplit(run.url)
        port = where.port or (443 if where.scheme == "https" else 80)
        self._server: dict[str, Any] = {"server.address": where.hostname or "", "server.port": port}
        about: dict[str, Any] = {"sendoff.connector": run.connector, "sendoff.run.id": run.run}
        about["sendoff.run.resumed"] = event.resumed
        self._span: Span = self._tracer.start_span(f"run {run.connector}", attributes={**about, **self._server})
        self._inside = self._trace.set_span_in_context(self._span)

    def _request(self, run: RunInfo, event: RequestCompleted) -> None:
        attributes: dict[str, Any] = {"http.request.method": event.method, **self._server}
        if event.status is not None:
            attributes["http.response.status_code"] = event.status
        if event.status is None or event.status >= 400:
            attributes["error.type"] = str(event.status or "_OTHER")
        self._durations.record(event.seconds, {**attributes, "sendoff.connector": run.connector})
        self._sizes.record(event.bytes, {**attributes, "sendoff.connector": run.connector})
        most = (self.request_spans + 1) // 2 if event.verdict == "delivered" else self.request_spans
        if self._spans >= most:
            return
        self._spans += 1
        kind, ended = self._trace.SpanKind.CLIENT, int(event.ended_at * 1e9)
        span = self._tracer.start_span(
            event.method, self._inside, kind, start_time=ended - int(event.seconds * 1e9), attributes={
                **attributes, "url.full": event.url, "http.request.body.size": event.bytes,
                "http.request.resend_count": event.attempt - 1, "sendoff.records": event.records,
                "sendoff.verdict": event.verdict,
            },
        )  # fmt: skip
        if event.verdict != "delivered":
            span.set_status(self._trace.StatusCode.ERROR, event.reason)
        span.end(ended)

    def _count(self, run: RunInfo, event: RunProgressed | RunEnded) -> None:
        connector = {"sendoff.connector": run.connector}
        by = self._increments.until(event)
        for outcome in ("delivered", "rejected", "invalid"):
            if by[outcome]:
                self._records.add(by[outcome], {**connector, "sendoff.outcome": outcome})
        self._retries.add(by["retries"], connector)
        self._waits.add(by["limited_seconds"], connector)

    def _end(self, run: RunInfo, event: RunEnded) -> None:
        report = event.report
        self._run_durations.record(report.seconds, {"sendoff.connector": run.connector, "sendoff.run.state": report.state})
        for name in ("read", "delivered", "rejected", "invalid", "pending", "requests", "retries", "bytes"):
            self._span.set_attribute(f"sendoff.run.{name}", getattr(report, name))
        self._span.set_attribute("sendoff.run.state", report.state)
        if report.state != "complete":
            self._span.set_status(self._trace.StatusCode.ERROR, report.sentence())
        self._span.end(time.time_ns())
        self._flush()


def _plain(event: Event) -> dict[str, Any]:
    """An event's fields, as attributes may be."""
    return {f"sendoff.{name}": value for name, value in event.fields().items() if value is not None}


@hookimpl
def sendoff_observers() -> list[type[Observer]]:
    return [OpenTelemetry]
