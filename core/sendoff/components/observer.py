"""Observers: progress, logs and metrics of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sendoff.components.component import Component


class Observer(Component):
    """Watches a run: progress, logs, metrics. Its methods do nothing unless overridden."""

    kind = "observers"

    def started(self, connector: str, run: int, facts: Mapping[str, Any]) -> None:
        """A run begins or is resumed; `facts` say what it resumes, if anything."""

    def progressed(self, connector: str, counts: Mapping[str, int], seconds: float) -> None:
        """The counts of `Report` changed, as committed."""

    def event(self, connector: str, name: str, facts: Mapping[str, Any]) -> None:
        """An event worth logging: a retry, a split, a pause, a stop."""

    def ended(self, connector: str, report: Any) -> None:
        """The run is over; `report` is its `sendoff.Report`."""
