"""Observers: progress, logs, metrics and traces of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sendoff.components.component import Component

if TYPE_CHECKING:
    from sendoff.monitoring.events import Event, RunInfo


class Observer(Component):
    """Watches runs: progress, logs, metrics, traces. The events are in `sendoff.monitoring.events`."""

    kind = "observers"

    @property
    def per_request(self) -> bool:
        """Whether it receives an event of every single request, `RequestCompleted`, when a run begins."""
        return False

    def on_event(self, run: RunInfo, event: Event) -> None:
        """Something happened. Events of a run come one after the other, and while it waits for nothing: return soon."""
