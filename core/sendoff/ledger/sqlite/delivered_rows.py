"""The rows a connector has delivered in all its runs, which `incremental` compares the source with."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice

from sendoff.ledger.delivered_rows import DeliveredRow, FilterSummary
from sendoff.ledger.ledger import DeliveredRows
from sendoff.ledger.ranges import Ranges
from sendoff.ledger.sqlite.digest_blocks import DigestChanges, read_blocks, update_blocks
from sendoff.records import Span

#: Rows read at a time, and rows written: the latter sorted by key, so that neighbours share pages of the file.
_READ_ROWS, _WRITE_ROWS = 20_000, 200_000
#: Keys that one query looks for.
_FIND_KEYS = 500


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

    def digests(self) -> Iterator[bytes]:
        memory_id = self._memory_id()
        return iter(()) if memory_id is None else read_blocks(self._db, memory_id)

    def find(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        memory_id, found = self._memory_id(), dict[bytes, bytes]()
        if memory_id is None or self._is_empty(memory_id):
            return found
        ordered = sorted(keys)
        for at in range(0, len(ordered), _FIND_KEYS):
            some = ordered[at : at + _FIND_KEYS]
            marks = ",".join("?" * len(some))
            query = f"SELECT key, state FROM remembered WHERE memory = ? AND key IN ({marks})"  # noqa: S608  # marks only; the values are bound
            found.update(self._plain(query, memory_id, *some))
        return found

    def key_cells(self) -> Iterator[list[tuple[bytes, bytes, str]]]:
        cursor = self._plain("SELECT key, state, held FROM remembered WHERE memory = ? AND held IS NOT NULL", self._memory_id())
        while rows := cursor.fetchmany(_READ_ROWS):
            yield rows

    def counts(self) -> tuple[int, int]:
        query = "SELECT count(*), count(held) FROM remembered WHERE memory = ?"
        rows, with_cells = self._plain(query, self._memory_id()).fetchone()
        return rows, with_cells

    def _memory_id(self) -> int | None:
        row = self._plain("SELECT id FROM memory WHERE connector = ?", self._connector).fetchone()
        return row[0] if row else None

    def _is_empty(self, memory_id: int) -> bool:
        return self._plain("SELECT 1 FROM remembered WHERE memory = ? LIMIT 1", memory_id).fetchone() is None

    def _plain(self, query: str, *values: object) -> sqlite3.Cursor:
        """The rows of a query as tuples."""
        cursor = self._db.cursor()
        cursor.row_factory = None
        return cursor.execute(query, values)

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
        self.store(summary.to_remember)

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
            self.store(rows)
            db.execute("UPDATE run SET settled = 1 WHERE id = ?", (run,))

    def remember(self, rows: Iterable[DeliveredRow]) -> None:
        with self._transaction():
            self.store(rows)

    def store(self, rows: Iterable[DeliveredRow]) -> None:
        """Store rows, and delete those that are removed. Called within a transaction."""
        memory_id = self._memory_id()
        if memory_id is None:
            raise LookupError(self._connector)
        changes, remaining = DigestChanges(), iter(rows)
        while batch := list(islice(remaining, _WRITE_ROWS)):
            batch.sort(key=lambda row: row.key)
            self._store(memory_id, [row for row in batch if not row.is_removed], changes)
            self._delete(memory_id, [row for row in batch if row.is_removed], changes)
        update_blocks(self._db, memory_id, changes)

    def _store(self, memory_id: int, rows: Sequence[DeliveredRow], changes: DigestChanges) -> None:
        values = [(memory_id, row.key, row.state, row.key_cells) for row in rows]
        new = self._db.executemany("INSERT OR IGNORE INTO remembered VALUES (?, ?, ?, ?)", values).rowcount
        stored = self.find([row.key for row in rows]) if new < len(rows) else {}
        for row in rows:
            if row.key in stored:
                changes.drop(stored[row.key])
                stored[row.key] = row.state
            changes.add(row.state)
        if stored:
            self._db.executemany(
                "UPDATE remembered SET state = ?, held = ? WHERE memory = ? AND key = ?",
                ((row.state, row.key_cells, memory_id, row.key) for row in rows),
            )

    def _delete(self, memory_id: int, rows: Sequence[DeliveredRow], changes: DigestChanges) -> None:
        for state in self.find([row.key for row in rows]).values():
            changes.drop(state)
        self._db.executemany("DELETE FROM remembered WHERE memory = ? AND key = ?", ((memory_id, row.key) for row in rows))

    def forget(self) -> int:
        with self._transaction() as db:
            row = db.execute("SELECT id FROM memory WHERE connector = ?", (self._connector,)).fetchone()
            if row is None:
                return 0
            count = db.execute("DELETE FROM remembered WHERE memory = ?", (row[0],)).rowcount
            db.execute("DELETE FROM digest_block WHERE memory = ?", (row[0],))
            db.execute("DELETE FROM memory WHERE id = ?", (row[0],))
            return int(count)
