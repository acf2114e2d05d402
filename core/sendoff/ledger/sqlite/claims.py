"""Which failed records are open, which a retry has claimed, and what became of those, in SQL."""

from __future__ import annotations

import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Literal

from sendoff.ledger.claims import UNFINISHED, Claim, Fate, RecordKey
from sendoff.ledger.ranges import Ranges
from sendoff.ledger.state import RunState
from sendoff.records import Span

#: Runs whose claims hold.
_HOLDING = f"(SELECT id FROM run WHERE planned > 0 OR state NOT IN {UNFINISHED})"  # noqa: S608  # a constant
#: The failed records that no claim holds, and that are not dismissed.
OPEN = f"(dismissed = 0 AND (retried_by IS NULL OR retried_by NOT IN {_HOLDING}))"


def claim(db: sqlite3.Connection, run: int, claims: Iterable[Claim]) -> None:
    """Store the claims of a retry. Called within the transaction that begins it."""
    db.executemany(
        "UPDATE failed SET retried_by = ?, retried_as = ? WHERE run = ? AND kind = ? AND position = ?",
        ((run, row, *key) for key, row in claims),
    )


def mark_dismissed(db: sqlite3.Connection, keys: Iterable[RecordKey], *, dismissed: bool) -> None:
    """Mark failed records as dismissed, or as not. Called within a transaction."""
    db.executemany(
        "UPDATE failed SET dismissed = ? WHERE run = ? AND kind = ? AND position = ?", ((dismissed, *key) for key in keys)
    )


def release_pending(db: sqlite3.Connection, state: RunState) -> None:
    """Release the failed records that a retry claimed and did not settle."""
    if state.retry_of is None:
        return
    rows = _Rows(db, state.id)
    db.executemany(
        "UPDATE failed SET retried_by = NULL, retried_as = NULL WHERE run = ? AND kind = ? AND position = ?",
        [key for key, row in _claims(db, state.retry_of, state.id) if row is not None and rows.outcome(row) == "pending"],
    )


def names(db: sqlite3.Connection, run: int) -> dict[RecordKey, str]:
    """The names of a run's failed records."""
    keys = _keys(db, run)
    parent = _parent(db, run)
    if parent is None:
        return {key: str(key) for key in keys}
    above, rows = names(db, parent), _Rows(db, run)
    by_row = {row: above[key] for key, row in _claims(db, parent, run)}
    return {key: by_row.get(rows.row(key), str(key)) for key in keys}


def fates(db: sqlite3.Connection, run: int) -> dict[RecordKey, Fate]:
    """What has become of each failed record of a run, through all its retries."""
    found: dict[RecordKey, Fate] = {}
    claimed: dict[int, list[tuple[RecordKey, int | None]]] = {}
    columns = f"kind, position, retried_by, retried_as, dismissed, {OPEN}"
    query = f"SELECT {columns} FROM failed WHERE run = ? ORDER BY kind, position"  # noqa: S608  # constants
    for kind, position, by, row, is_dismissed, is_open in db.execute(query, (run,)):
        key = RecordKey(run, kind, position)
        if is_open or is_dismissed:
            found[key] = Fate("open" if is_open else "dismissed", run, key)
        else:
            claimed.setdefault(by, []).append((key, row))
    for by, claims in claimed.items():
        rows, deeper = _Rows(db, by), fates(db, by)
        for key, row in claims:
            outcome = "delivered" if row is None else rows.outcome(row)
            found[key] = deeper[outcome] if isinstance(outcome, RecordKey) else Fate(outcome, by)
    return found


def root(db: sqlite3.Connection, run: int) -> int:
    """The run that a retry goes back to, through retries of retries."""
    while (parent := _parent(db, run)) is not None:
        run = parent
    return run


def count_open(db: sqlite3.Connection, run: int) -> dict[int, int]:
    """How many failed records are open, by run: in the one that a run goes back to, and in all retries of that."""
    query = f"""
    WITH RECURSIVE related(id) AS (VALUES (?) UNION SELECT run.id FROM run JOIN related ON run.retry_of = related.id)
    SELECT run, count(*) FROM failed WHERE run IN related AND {OPEN}
    AND (run IN {_HOLDING} OR run = ?) GROUP BY run ORDER BY run
    """  # noqa: S608  # constants; the values are bound
    first = root(db, run)
    return dict(db.execute(query, (first, first)).fetchall())


def count_all_open(db: sqlite3.Connection) -> dict[int, int]:
    """How many failed records are open, by run."""
    query = f"""
    SELECT run, count(*) FROM failed JOIN run ON run.id = failed.run
    WHERE {OPEN} AND (retry_of IS NULL OR run IN {_HOLDING}) GROUP BY run ORDER BY run
    """  # noqa: S608  # constants
    return dict(db.execute(query).fetchall())


class _Rows:
    """The rows of a run, and what became of each. Ordinals count the rows that are valid."""

    def __init__(self, db: sqlite3.Connection, run: int) -> None:
        self._run = run
        keys = _keys(db, run)
        self._invalid = sorted(key.position for key in keys if key.kind == "invalid")
        self._rejected = {key.position for key in keys if key.kind == "rejected"}
        #: How many valid rows there are before each invalid one.
        self._valid_before = [row - at for at, row in enumerate(self._invalid)]
        spans = db.execute("SELECT lo, hi FROM delivered WHERE run = ? ORDER BY lo", (run,))
        self._delivered = Ranges(Span(*bounds) for bounds in spans)

    def row(self, key: RecordKey) -> int:
        return key.position if key.kind == "invalid" else key.position + bisect_right(self._valid_before, key.position)

    def outcome(self, row: int) -> RecordKey | Literal["delivered", "pending"]:
        """Where the row failed again, or what else became of it."""
        before = bisect_left(self._invalid, row)
        if self._invalid[before : before + 1] == [row]:
            return RecordKey(self._run, "invalid", row)
        if row - before in self._rejected:
            return RecordKey(self._run, "rejected", row - before)
        return "delivered" if row - before in self._delivered else "pending"


def _keys(db: sqlite3.Connection, run: int) -> list[RecordKey]:
    return [RecordKey(run, *row) for row in db.execute("SELECT kind, position FROM failed WHERE run = ?", (run,))]


def _claims(db: sqlite3.Connection, run: int, by: int) -> list[Claim]:
    query = "SELECT kind, position, retried_as FROM failed WHERE run = ? AND retried_by = ?"
    return [Claim(RecordKey(run, kind, position), row) for kind, position, row in db.execute(query, (run, by))]


def _parent(db: sqlite3.Connection, run: int) -> int | None:
    row = db.execute("SELECT retry_of FROM run WHERE id = ?", (run,)).fetchone()
    return None if row is None else row[0]
