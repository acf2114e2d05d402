"""Changes to be committed, counts, and why a run stops."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sendoff.cleaning import clean
from sendoff.ledger import CapturedResult, Changes, Chunk, Failure, RequestRecord, RunState
from sendoff.monitoring.events import Event, RunStopping
from sendoff.records import Spans


@dataclass(frozen=True, slots=True)
class RunStop:
    """Why a run ends before its source does."""

    state: Literal["stopped", "interrupted"]
    reason: str
    #: It may pass by itself: the next run goes on. Otherwise something must be fixed first.
    transient: bool = False


class PendingChanges:
    """Collects changes until they are committed."""

    def __init__(self, state: RunState, redact: Callable[[str], str]) -> None:
        self._redact = redact
        self._changes = Changes()
        self._committing: Changes | None = None
        self.stopped: RunStop | None = None
        self._events: list[Event] = []
        self.counts = {
            "read": state.read,
            "delivered": state.delivered.total,
            "accepted": state.accepted,
            "invalid": state.invalid,
            "rejected": state.rejected,
            "requests": state.requests,
            "retries": state.retries,
            "bytes": state.bytes,
        }

    # What happened.

    def rows_read(self, invalid: Sequence[Failure], rows: int) -> None:
        """So many source rows were read, some of them invalid."""
        self._changes.failed += [replace(each, reason=clean(each.reason)) for each in invalid]
        self._changes.read = rows
        self.counts["invalid"] += len(invalid)
        self.counts["read"] = max(self.counts["read"], rows)

    def chunk_opened(self, chunk: Chunk, *, planned: int | None = None) -> None:
        self._changes.opened.append(chunk)
        self._changes.planned = self._changes.planned if planned is None else planned

    def delivered(self, spans: Spans, captured: Iterable[CapturedResult] = (), accepted: int = 0) -> None:
        """These were delivered, `accepted` of them so that the API works on them still."""
        self._changes.delivered += spans
        self._changes.captured += captured
        self._changes.accepted += accepted

    def failed(self, failures: Iterable[Failure]) -> None:
        self._changes.failed += [replace(each, reason=clean(each.reason)) for each in failures]

    def chunk_closed(self, lo: int) -> None:
        self._changes.closed.append(lo)

    def log_requests(self, sent: Iterable[RequestRecord]) -> None:
        self._changes.sent += sent

    def count(self, name: Literal["requests", "retries", "bytes"], by: int) -> int:
        """Add to a count. Returns the new total."""
        self.counts[name] += by
        setattr(self._changes, name, getattr(self._changes, name) + by)
        return self.counts[name]

    def notify(self, event: Event) -> None:
        """Tell the observers of this."""
        self._events.append(event)

    @property
    def has_events(self) -> bool:
        return bool(self._events)

    def drain_events(self) -> list[Event]:
        """The events since the last call."""
        events, self._events = self._events, []
        return events

    def stop(self, reason: str, *, interrupted: bool = False, transient: bool = False, instead: bool = False) -> None:
        """Send nothing more. The first reason is kept, unless `instead` replaces it."""
        if self.stopped is None or instead:
            self.stopped = RunStop("interrupted" if interrupted else "stopped", clean(self._redact(reason)), transient)
            self.notify(RunStopping(reason=self.stopped.reason))

    # What the ledger takes.

    @property
    def committing(self) -> bool:
        return self._committing is not None

    def propose(self) -> Changes | None:
        """All changes since the last time; None if there are none."""
        if not self._changes:
            return None
        self._committing, self._changes = self._changes, Changes()
        return self._committing

    def confirm(self, changes: Changes) -> None:
        """The proposed changes are durable."""
        self._committing = None
        self.counts["delivered"] += sum(span.size for span in changes.delivered)
        self.counts["accepted"] += changes.accepted
        self.counts["rejected"] += sum(failure.kind == "rejected" for failure in changes.failed)

    def is_drained(self) -> bool:
        """Whether there is nothing to commit."""
        return not self._changes and self._committing is None

    def has_urgent(self) -> bool:
        """Whether pending changes hold more than counters."""
        changes = self._changes
        return bool(changes.delivered or changes.closed or changes.opened or changes.failed)
