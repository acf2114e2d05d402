"""The rows a connector has delivered, over all its runs: what `incremental` asks."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from sendoff.ledger.ranges import Ranges
from sendoff.records import Span

#: Rows read at a time, and rows written: these in the keys' order, so that neighbours share pages of the file.
_SOME, _WRITTEN = 20_000, 200_000


class DeliveredRow(NamedTuple):
    """A row that was delivered: what it is known by, its state then, and its key as the source had it."""

    key: bytes
    state: bytes
    key_cells: str | None = None
    #: Whether it was delivered as removed, and is to be forgotten.
    is_removed: bool = False


@dataclass(frozen=True, slots=True)
class FilterSummary:
    """How a run's rows were chosen: by which rule, how many were known, and what is remembered from its start."""

    key: str
    columns: str
    rule: str
    unchanged: int
    noted: Iterable[DeliveredRow] = ()


class DeliveredRows:
    """What one connector remembers."""

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
        """The key and the columns that rows are known by, as JSON; None before the first run."""
        row = self._db.execute("SELECT key, columns FROM memory WHERE connector = ?", (self._connector,)).fetchone()
        return (row[0], row[1]) if row else None

    def rows(self) -> Iterator[list[tuple[bytes, bytes]]]:
        """All keys with their states, in order, some at a time."""
        query = "SELECT key, state FROM remembered WHERE memory = (SELECT id FROM memory WHERE connector = ?) ORDER BY key"
        return self._some(query)

    def key_cells(self) -> Iterator[list[tuple[bytes, str]]]:
        """The keys of which the source's own cells were kept, with them."""
        query = (
            "SELECT key, held FROM remembered WHERE memory = (SELECT id FROM memory WHERE connector = ?)"
            " AND held IS NOT NULL ORDER BY key"
        )
        return self._some(query)

    def lacks_key_cells(self) -> bool:
        """Whether there are rows of which the source's own cells were not kept."""
        query = "SELECT 1 FROM remembered WHERE memory = (SELECT id FROM memory WHERE connector = ?) AND held IS NULL LIMIT 1"
        return self._db.execute(query, (self._connector,)).fetchone() is not None

    def _some(self, query: str) -> Iterator[list[tuple[bytes, Any]]]:
        cursor = self._db.cursor()
        cursor.row_factory = None
        cursor.execute(query, (self._connector,))
        while rows := cursor.fetchmany(_SOME):
            yield rows

    def begin(self, run: int, sifted: FilterSummary) -> None:
        """Note how a run's rows were chosen. Within the transaction that begins the run."""
        self._db.execute(
            "INSERT INTO memory(connector, key, columns, since) VALUES (?, ?, ?, ?)"
            " ON CONFLICT(connector) DO UPDATE SET columns = excluded.columns",
            (self._connector, sifted.key, sifted.columns, self._now()),
        )
        self._db.execute("UPDATE run SET rule = ?, known = ?, settled = 0 WHERE id = ?", (sifted.rule, sifted.unchanged, run))
        self._write(sifted.noted)

    def pending_runs(self) -> list[tuple[int, str]]:
        """The runs that are over and whose delivered rows are not remembered yet, each with its rule."""
        query = (
            "SELECT id, rule FROM run WHERE connector = ? AND settled = 0"
            " AND state IN ('complete', 'incomplete', 'abandoned') ORDER BY id"
        )
        return [(row[0], row[1]) for row in self._db.execute(query, (self._connector,))]

    def run_account(self, run: int) -> tuple[set[int], Ranges]:
        """Of a run: the rows that were invalid, counted from 0, and the ordinals that were delivered."""
        invalid = {row[0] for row in self._db.execute("SELECT position FROM failed WHERE run = ? AND kind = 'invalid'", (run,))}
        spans = (Span(*row) for row in self._db.execute("SELECT lo, hi FROM delivered WHERE run = ? ORDER BY lo", (run,)))
        return invalid, Ranges(spans)

    def record_run(self, run: int, rows: Iterable[DeliveredRow]) -> None:
        """Remember what a run delivered, in one transaction with the note that this is done."""
        with self._transaction() as db:
            self._write(rows)
            db.execute("UPDATE run SET settled = 1 WHERE id = ?", (run,))

    def remember(self, rows: Iterable[DeliveredRow]) -> None:
        """Remember rows as if they had been delivered."""
        with self._transaction():
            self._write(rows)

    def _write(self, rows: Iterable[DeliveredRow]) -> None:
        memory = self._db.execute("SELECT id FROM memory WHERE connector = ?", (self._connector,)).fetchone()[0]
        left = iter(rows)
        while some := list(islice(left, _WRITTEN)):
            some.sort()
            self._db.executemany(
                "INSERT INTO remembered VALUES (?, ?, ?, ?) ON CONFLICT(memory, key)"
                " DO UPDATE SET state = excluded.state, held = excluded.held",
                ((memory, row.key, row.state, row.key_cells) for row in some if not row.is_removed),
            )
            self._db.executemany(
                "DELETE FROM remembered WHERE memory = ? AND key = ?", ((memory, row.key) for row in some if row.is_removed)
            )

    def forget(self) -> int:
        """Forget all rows, as if the connector had never run; answers with how many there were."""
        with self._transaction() as db:
            row = db.execute("SELECT id FROM memory WHERE connector = ?", (self._connector,)).fetchone()
            if row is None:
                return 0
            count = db.execute("DELETE FROM remembered WHERE memory = ?", (row[0],)).rowcount
            db.execute("DELETE FROM memory WHERE id = ?", (row[0],))
            return int(count)
