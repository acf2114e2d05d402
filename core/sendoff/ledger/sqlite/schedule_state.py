"""When schedules last fired, and which failures and digests were notified."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager

from sendoff.ledger.ledger import Ledger


class ScheduleState(Ledger):
    """The part of the ledger that keeps schedules and notifications."""

    _db: sqlite3.Connection
    _clock: Callable[[], float]
    _transaction: Callable[[], AbstractContextManager[sqlite3.Connection]]

    def last_fired(self, connector: str) -> float | None:
        row = self._db.execute("SELECT due FROM schedule WHERE connector = ?", (connector,)).fetchone()
        return None if row is None else float(row[0])

    def mark_fired(self, connector: str, due: float) -> None:
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO schedule VALUES (?, ?)", (connector, due))

    def is_failing(self, connector: str) -> bool:
        row = self._db.execute("SELECT failing_since FROM told WHERE connector = ?", (connector,)).fetchone()
        return row is not None and row[0] is not None

    def set_failing(self, connector: str, *, failing: bool) -> None:
        with self._transaction() as db:
            db.execute(
                "INSERT INTO told(connector, failing_since) VALUES (?, ?) ON CONFLICT(connector) DO UPDATE SET failing_since ="
                " CASE WHEN excluded.failing_since IS NULL THEN NULL ELSE coalesce(failing_since, excluded.failing_since) END",
                (connector, self._clock() if failing else None),
            )

    def last_digest(self, connector: str) -> float:
        row = self._db.execute("SELECT digest_at FROM told WHERE connector = ?", (connector,)).fetchone()
        return float(row[0] or 0.0) if row is not None else 0.0

    def mark_digest(self, connector: str, at: float) -> None:
        with self._transaction() as db:
            db.execute(
                "INSERT INTO told(connector, digest_at) VALUES (?, ?) ON CONFLICT(connector)"
                " DO UPDATE SET digest_at = excluded.digest_at",
                (connector, at),
            )
