"""The OpenTelemetry SDK, from the environment's OTEL_* variables, where nobody else has set it up.

`opentelemetry-instrument`, or an application that calls sendoff, sets it up itself; then nothing is done here.
"""

import logging
import os
import threading
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

from opentelemetry import metrics, trace

_log = logging.getLogger("sendoff")
#: Milliseconds that the end of a run waits for what is exported.
FLUSH = 5_000
_done = threading.Lock()


def set_up() -> None:
    """Export what the environment says, once a process."""
    wanted = any(name.startswith("OTEL_EXPORTER_OTLP_") and name.endswith("ENDPOINT") for name in os.environ)
    if not wanted or not _done.acquire(blocking=False):
        return
    if find_spec("opentelemetry.sdk") is None or find_spec("opentelemetry.exporter") is None:
        _log.warning("nothing is exported: pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http")
        return
    if _wants("TRACES") and isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

        provider = TracerProvider(resource=_resource())
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(provider)
    if _wants("METRICS") and type(metrics.get_meter_provider()).__name__ == "_ProxyMeterProvider":
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
        from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415

        metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())], resource=_resource()))


def flush() -> None:
    """Export what has gathered, and wait for it, but not for long."""
    for provider in (trace.get_tracer_provider(), metrics.get_meter_provider()):
        with suppress(Exception):  # what exports logs why it could not
            getattr(provider, "force_flush", lambda _: True)(FLUSH)


def _resource() -> Any:
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415

    named = "OTEL_SERVICE_NAME" in os.environ or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return Resource.create({} if named else {"service.name": "sendoff"})


def _wants(signal: str) -> bool:
    """Whether a signal is exported by OTLP, as it is by default."""
    return "otlp" in os.environ.get(f"OTEL_{signal}_EXPORTER", "otlp").split(",")
