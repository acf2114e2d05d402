"""Which destinations are down or asked for a pause, and what was sent to them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager

from sendoff import jsonlib
from sendoff.ledger.ledger import Ledger
from sendoff.transport.rate_limit import Usage


class DestinationState(Ledger):
    """The part of the ledger that keeps the state of destinations."""

    _db: sqlite3.Connection
    _clock: Callable[[], float]
    _transaction: Callable[[], AbstractContextManager[sqlite3.Connection]]

    def save_destination_health(self, origin: str, *, down: bool, rest: float | None) -> None:
        now = self._clock()
        with self._transaction() as db:
            if not down and rest is None:
                db.execute("DELETE FROM destination WHERE origin = ?", (origin,))
            else:
                db.execute(
                    "INSERT INTO destination VALUES (?, ?, ?) ON CONFLICT(origin) DO UPDATE SET"
                    " down_since = CASE WHEN excluded.down_since IS NULL THEN NULL"
                    " ELSE coalesce(down_since, excluded.down_since) END,"
                    " rest_until = excluded.rest_until",
                    (origin, now if down else None, None if rest is None else now + rest),
                )

    def forget_outage(self, origin: str) -> None:
        with self._transaction() as db:
            db.execute("UPDATE destination SET down_since = NULL WHERE origin = ?", (origin,))

    def destination_health(self, origin: str) -> tuple[bool, float]:
        row = self._db.execute("SELECT down_since, rest_until FROM destination WHERE origin = ?", (origin,)).fetchone()
        return (row[0] is not None, max(0.0, (row[1] or 0.0) - self._clock())) if row else (False, 0.0)

    def rate_usage(self, origin: str) -> Usage:
        row = self._db.execute("SELECT sent FROM rate_usage WHERE origin = ?", (origin,)).fetchone()
        sent, now = jsonlib.loads(row[0]) if row else {}, self._clock()
        return {window: [(now - float(at), float(amount)) for at, amount in log] for window, log in sent.items()}

    def save_rate_usage(self, origin: str, usage: Usage) -> None:
        now = self._clock()
        sent = {window: [[now - ago, amount] for ago, amount in log] for window, log in usage.items()}
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO rate_usage VALUES (?, ?)", (origin, jsonlib.dumps(sent)))
