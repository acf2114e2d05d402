"""The page on what is seen of a run from outside: the events that observers, logs and traces show."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from sendoff.monitoring.events import EVENTS

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


PAGES = [Page("events", "Events", "What observers receive, and what logs and traces show.", _events)]
