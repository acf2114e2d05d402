"""The page on what is seen of a run from outside: its events and its metrics."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from sendoff.monitoring.events import EVENTS
from sendoff.monitoring.metrics import METRICS

from .page import Page, table


def _events() -> Iterator[str]:
    rows = [
        [
            f"`{event.name}`",
            event.level,
            ", ".join(f"`{field}`" for field in event.field_names()),
            " ".join((inspect.getdoc(event) or "").split()),
        ]
        for event in EVENTS
    ]
    yield from table(["event", "level", "fields", "what happened"], rows)


def _metrics() -> Iterator[str]:
    rows = [[f"`{one.name}`", one.kind, ", ".join(f"`{label}`" for label in one.labels), one.help] for one in METRICS]
    yield from table(["metric", "type", "labels", "what it is"], rows)


PAGES = [
    Page("events", "Events", "What observers receive, and what logs and traces show.", _events),
    Page("metrics", "Metrics", "What the observer `metrics` and `/metrics` of `sendoff serve` export.", _metrics),
]
