"""Metrics in the Prometheus text format: what there is, how it counts, and how it is written and read again.

One writer serves the file of the textfile collector and ``/metrics`` of `sendoff serve`.
"""

from __future__ import annotations

import re
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from sendoff.monitoring.events import (
    Event,
    RequestCompleted,
    RunEnded,
    RunInfo,
    RunProgressed,
    RunSkipped,
    RunStarted,
)

#: The content types of the two formats.
TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
#: Upper bounds of the histogram, in seconds: those that OpenTelemetry advises for HTTP requests.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)

Labels = tuple[str, ...]


class Metric(NamedTuple):
    """A family: its name, its type, the labels of its samples, and what it is."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: Labels
    help: str


RECORDS = Metric(
    "sendoff_records_total", "counter", ("connector", "outcome"),
    "Records with an outcome: delivered, rejected by the API, or invalid by the connector's schema.",
)  # fmt: skip
REQUESTS = Metric(
    "sendoff_requests_total",
    "counter",
    ("connector", "code"),
    "Requests by the status of their response, none if there was none.",
)
RETRIES = Metric("sendoff_retries_total", "counter", ("connector",), "Requests that were sent again.")
BYTES = Metric("sendoff_request_body_bytes_total", "counter", ("connector",), "Bytes of requests' bodies, before compression.")
WAITS = Metric(
    "sendoff_rate_limit_wait_seconds_total", "counter", ("connector",),
    "Seconds in which a rate limit, a quota or a pause that the API asked for let nothing be sent.",
)  # fmt: skip
RUNS = Metric(
    "sendoff_runs_total", "counter", ("connector", "state"), "Runs that ended: complete, incomplete, stopped, interrupted."
)
SKIPPED = Metric(
    "sendoff_runs_skipped_total", "counter", ("connector",), "Runs that were due and not begun, of `sendoff serve`."
)
DURATION = Metric("sendoff_request_duration_seconds", "histogram", ("connector",), "Seconds from a request's start to its end.")
LAST_RECORDS = Metric(
    "sendoff_last_run_records", "gauge", ("connector", "outcome"),
    "Records of the last run: delivered, rejected, invalid, pending; and unchanged ones, which it left out.",
)  # fmt: skip
LAST_ACCEPTED = Metric(
    "sendoff_last_run_accepted_records", "gauge", ("connector",),
    "Records of the last run that the API has only accepted, and works on still; they are among the delivered ones.",
)  # fmt: skip
LAST_DURATION = Metric("sendoff_last_run_duration_seconds", "gauge", ("connector",), "Seconds that the last run took.")
LAST_END = Metric("sendoff_last_run_end_timestamp_seconds", "gauge", ("connector",), "When the last run ended, in Unix time.")
LAST_CODE = Metric(
    "sendoff_last_run_exit_code",
    "gauge",
    ("connector",),
    "What `sendoff run` ends with for the last run; 0 if all is delivered.",
)
LAST_SUCCESS = Metric(
    "sendoff_last_success_timestamp_seconds", "gauge", ("connector",), "When a run last delivered every record, in Unix time."
)
ACTIVE = Metric("sendoff_run_active", "gauge", ("connector",), "Whether a run is under way, of `sendoff serve`: 1 or 0.")
NEXT = Metric(
    "sendoff_next_run_timestamp_seconds", "gauge", ("connector",), "When the connector's schedule is due next, in Unix time."
)
PENDING = Metric(
    "sendoff_pending_records", "gauge", ("connector",), "Records of an unfinished run that the next run resumes with."
)
FAILED = Metric("sendoff_failed_records", "gauge", ("connector",), "Failed records of all runs that no retry has delivered.")
BUILD = Metric("sendoff_build_info", "gauge", ("version",), "The version of sendoff; always 1.")

METRICS: tuple[Metric, ...] = tuple(each for each in list(globals().values()) if isinstance(each, Metric))
#: The outcomes of `LAST_RECORDS`.
OUTCOMES = ("delivered", "rejected", "invalid", "pending", "unchanged")

_SAMPLE = re.compile(r'([a-z_]+)\{((?:[a-z]+="(?:[^"\\\n]|\\.)*",?)*)\} (\S+)')
_LABEL = re.compile(r'([a-z]+)="((?:[^"\\\n]|\\.)*)"')


class Increments:
    """By how much the counts of a run grow from one event to the next."""

    def __init__(self, started: RunStarted) -> None:
        self._seen: dict[str, float] = {of: getattr(started, of) for of in ("delivered", "rejected", "invalid", "retries")}
        self._seen["limited_seconds"] = 0.0

    def until(self, event: RunProgressed | RunEnded) -> dict[str, float]:
        """By how much they grew since the last event, or the start: records by outcome, `retries`, `limited_seconds`."""
        of = event.report if isinstance(event, RunEnded) else event
        now = {name: getattr(of, name, before) for name, before in self._seen.items()}
        by = {name: max(0.0, now[name] - before) for name, before in self._seen.items()}
        self._seen = now
        return by


class _Durations:
    """How many requests took how long, by bucket; the last bucket is without bound."""

    def __init__(self) -> None:
        self.counts = [0.0] * (len(BUCKETS) + 1)
        self.sum = 0.0


class Metrics:
    """Counts what happens in runs. Safe from any thread."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._values: dict[Metric, dict[Labels, float]] = {metric: {} for metric in METRICS}
        self._durations: dict[str, _Durations] = {}
        self._increments: dict[str, Increments] = {}

    def on_event(self, run: RunInfo, event: Event) -> None:
        """Count an event."""
        name = run.connector
        match event:
            case RequestCompleted():
                with self._lock:
                    self._add(REQUESTS, (name, str(event.status or "none")), 1)
                    self._add(BYTES, (name,), event.bytes)
                    durations = self._durations.get(name) or self._durations.setdefault(name, _Durations())
                    durations.counts[bisect_left(BUCKETS, event.seconds)] += 1
                    durations.sum += event.seconds
            case RunStarted():
                self._increments[name] = Increments(event)
            case RunProgressed():
                self._progress(name, event)
            case RunEnded(report=report):
                self._progress(name, event)
                with self._lock:
                    self._add(RUNS, (name, report.state), 1)
                    self._values[LAST_CODE][name,] = report.exit_code
                self.set_last_run(
                    name, {of: getattr(report, of) for of in OUTCOMES}, report.seconds, self._clock(), report.accepted
                )
                if report.state == "complete":
                    self.set(LAST_SUCCESS, (name,), self._clock())
            case RunSkipped():
                with self._lock:
                    self._add(SKIPPED, (name,), 1)

    def _progress(self, name: str, event: RunProgressed | RunEnded) -> None:
        by = self._increments.setdefault(name, Increments(RunStarted(resumed=False))).until(event)
        with self._lock:
            for outcome in ("delivered", "rejected", "invalid"):
                self._add(RECORDS, (name, outcome), by[outcome])
            self._add(RETRIES, (name,), by["retries"])
            self._add(WAITS, (name,), by["limited_seconds"])

    def set_last_run(self, name: str, records: Mapping[str, int], seconds: float, ended_at: float, accepted: int) -> None:
        """What is known of a connector's last run."""
        with self._lock:
            for outcome in OUTCOMES:
                self._values[LAST_RECORDS][name, outcome] = records[outcome]
            self._values[LAST_ACCEPTED][name,] = accepted
            self._values[LAST_DURATION][name,] = seconds
            self._values[LAST_END][name,] = ended_at

    def set(self, metric: Metric, labels: Labels, value: float) -> None:
        """Set a gauge."""
        with self._lock:
            self._values[metric][labels] = value

    def _add(self, metric: Metric, labels: Labels, by: float) -> None:
        values = self._values[metric]
        values[labels] = values.get(labels, 0) + by

    def merge_into(self, earlier: Metrics) -> None:
        """Add the counters to those of others, and set their gauges."""
        for metric, values in self._values.items():
            for labels, value in values.items():
                if metric.kind == "counter":
                    earlier._add(metric, labels, value)
                else:
                    earlier._values[metric][labels] = value
        for name, durations in self._durations.items():
            theirs = earlier._durations.setdefault(name, _Durations())
            theirs.counts = [one + other for one, other in zip(theirs.counts, durations.counts, strict=True)]
            theirs.sum += durations.sum

    # The text format.

    def text(self, *, openmetrics: bool = False) -> str:
        """All of it, as Prometheus reads it, or by the stricter rules of OpenMetrics."""
        with self._lock:
            return "".join(f"{line}\n" for line in self._lines(openmetrics=openmetrics))

    def _lines(self, *, openmetrics: bool) -> Iterator[str]:
        for metric in METRICS:
            samples = list(self._samples(metric))
            if samples:
                name = metric.name.removesuffix("_total") if openmetrics else metric.name
                yield f"# HELP {name} {metric.help}"
                yield f"# TYPE {name} {metric.kind}"
                yield from samples
        if openmetrics:
            yield "# EOF"

    def _samples(self, metric: Metric) -> Iterator[str]:
        for labels, value in sorted(self._values[metric].items()):
            yield _sample(metric.name, metric.labels, labels, value)
        for name, durations in sorted(self._durations.items()) if metric is DURATION else ():
            total = 0.0
            for bound, count in zip(_BOUNDS, durations.counts, strict=True):
                total += count
                yield _sample(f"{metric.name}_bucket", ("connector", "le"), (name, bound), total)
            yield _sample(f"{metric.name}_sum", metric.labels, (name,), durations.sum)
            yield _sample(f"{metric.name}_count", metric.labels, (name,), total)

    @classmethod
    def read(cls, text: str) -> Metrics:
        """What `text` wrote; lines that it did not write are left out."""
        found = cls()
        by_name = {metric.name: metric for metric in METRICS}
        for match in filter(None, map(_SAMPLE.fullmatch, text.splitlines())):
            labels = tuple(_unescape(value) for _, value in _LABEL.findall(match[2]))
            try:
                value = float(match[3])
            except ValueError:
                continue
            metric = by_name.get(match[1])
            if metric is not None and len(labels) == len(metric.labels):
                found._values[metric][labels] = value
            elif labels and match[1].startswith(DURATION.name):
                found._read_durations(match[1].removeprefix(DURATION.name), labels, value)
        return found

    def _read_durations(self, part: str, labels: Labels, value: float) -> None:
        durations = self._durations.setdefault(labels[0], _Durations())
        if part == "_sum":
            durations.sum = value
        elif part == "_bucket" and labels[-1] in _BOUNDS:
            at = _BOUNDS[labels[-1]]
            durations.counts[at] = value - sum(durations.counts[:at])


def _sample(name: str, names: Sequence[str], labels: Labels, value: float) -> str:
    shown = ",".join(f'{label}="{_escape(text)}"' for label, text in zip(names, labels, strict=True))
    return f"{name}{{{shown}}} {_number(value)}"


def _number(value: float) -> str:
    return repr(int(value)) if value == int(value) else repr(round(value, 6))


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: "\n" if match[1] == "n" else match[1], text)


#: The bounds as they are written (OpenMetrics wants floats), and the place of each.
_BOUNDS = {bound: at for at, bound in enumerate([*map(repr, BUCKETS), "+Inf"])}
