"""The rows a connector has delivered in all its runs, which `incremental` compares the source with."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any

from sendoff.ledger.delivered_rows import DeliveredRow, FilterSummary
from sendoff.ledger.ledger import DeliveredRows
from sendoff.ledger.ranges import Ranges
from sendoff.records import Span

#: Rows read at a time, and rows written: the latter sorted by key, so that neighbours share pages of the file.
_READ_ROWS, _WRITE_ROWS = 20_000, 200_000


class SqliteDeliveredRows(DeliveredRows):
    """The delivered rows of one connector."""

    def __init__(
        self,
        db: sqlite3.Connection,
        transaction: Callable[[], AbstractContextManager[sqlite3.Connection]],
        connector: str,
        now: Callable[[], float],
    ) -> None:
        self._db, self._transaction, self._connector, self._now = db, transaction, connector, now

    @property
    def known_by(self) -> tuple[str, str] | None:
        row = self._db.execute("SELECT key, columns FROM memory WHERE connector = ?", (self._connector,)).fetchone()
        return (row[0], row[1]) if row else None

    def rows(self) -> Iterator[list[tuple[bytes, bytes]]]:
        query = "SELECT key, state FROM remembered WHERE memory = (SELECT id FROM memory WHERE connector = ?) ORDER BY key"
        return self._batches(query)

    def key_cells(self) -> Iterator[list[tuple[bytes, str]]]:
        query = (
            "SELECT key, held FROM remembered WHERE memory = (SELECT id FROM memory WHERE connector = ?)"
            " AND held IS NOT NULL ORDER BY key"
        )
        return self._batches(query)

    def lacks_key_cells(self) -> bool:
        query = "SELECT 1 FROM remembered WHERE memory = (SELECT id FROM memory WHERE connector = ?) AND held IS NULL LIMIT 1"
        return self._db.execute(query, (self._connector,)).fetchone() is not None

    def _batches(self, query: str) -> Iterator[list[tuple[bytes, Any]]]:
        cursor = self._db.cursor()
        cursor.row_factory = None
        cursor.execute(query, (self._connector,))
        while rows := cursor.fetchmany(_READ_ROWS):
            yield rows

    def begin(self, run: int, summary: FilterSummary) -> None:
        """Store how a run's rows were chosen. Called within the transaction that begins the run."""
        self._db.execute(
            "INSERT INTO memory(connector, key, columns, since) VALUES (?, ?, ?, ?)"
            " ON CONFLICT(connector) DO UPDATE SET columns = excluded.columns",
            (self._connector, summary.key, summary.columns, self._now()),
        )
        self._db.execute(
            "UPDATE run SET rule = ?, known = known + ?, settled = 0 WHERE id = ?", (summary.rule, summary.unchanged, run)
        )
        self._write(summary.to_remember)

    def pending_runs(self) -> list[tuple[int, str]]:
        query = (
            "SELECT id, rule FROM run WHERE connector = ? AND settled = 0"
            " AND state IN ('complete', 'incomplete', 'discarded') ORDER BY id"
        )
        return [(row[0], row[1]) for row in self._db.execute(query, (self._connector,))]

    def run_account(self, run: int) -> tuple[set[int], Ranges]:
        invalid = {row[0] for row in self._db.execute("SELECT position FROM failed WHERE run = ? AND kind = 'invalid'", (run,))}
        spans = (Span(*row) for row in self._db.execute("SELECT lo, hi FROM delivered WHERE run = ? ORDER BY lo", (run,)))
        return invalid, Ranges(spans)

    def record_run(self, run: int, rows: Iterable[DeliveredRow]) -> None:
        with self._transaction() as db:
            self._write(rows)
            db.execute("UPDATE run SET settled = 1 WHERE id = ?", (run,))

    def remember(self, rows: Iterable[DeliveredRow]) -> None:
        with self._transaction():
            self._write(rows)

    def _write(self, rows: Iterable[DeliveredRow]) -> None:
        memory_id = self._db.execute("SELECT id FROM memory WHERE connector = ?", (self._connector,)).fetchone()[0]
        remaining = iter(rows)
        while batch := list(islice(remaining, _WRITE_ROWS)):
            batch.sort()
            self._db.executemany(
                "INSERT INTO remembered VALUES (?, ?, ?, ?) ON CONFLICT(memory, key)"
                " DO UPDATE SET state = excluded.state, held = excluded.held",
                ((memory_id, row.key, row.state, row.key_cells) for row in batch if not row.is_removed),
            )
            self._db.executemany(
                "DELETE FROM remembered WHERE memory = ? AND key = ?", ((memory_id, row.key) for row in batch if row.is_removed)
            )

    def forget(self) -> int:
        with self._transaction() as db:
            row = db.execute("SELECT id FROM memory WHERE connector = ?", (self._connector,)).fetchone()
            if row is None:
                return 0
            count = db.execute("DELETE FROM remembered WHERE memory = ?", (row[0],)).rowcount
            db.execute("DELETE FROM memory WHERE id = ?", (row[0],))
            return int(count)
