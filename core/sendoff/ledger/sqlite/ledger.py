"""The ledger on SQLite: one connection that writes, one transaction for changes that belong together."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sendoff import jsonlib
from sendoff.errors import ConfigError, LedgerError, SourceChanged
from sendoff.ledger import state_dir
from sendoff.ledger.changes import Changes, Chunk
from sendoff.ledger.claims import UNFINISHED, Claim, RecordKey
from sendoff.ledger.delivered_rows import DeliveredRow, FilterSummary
from sendoff.ledger.ranges import Ranges
from sendoff.ledger.sqlite import claims
from sendoff.ledger.sqlite.delivered_rows import SqliteDeliveredRows
from sendoff.ledger.sqlite.destination_state import DestinationState
from sendoff.ledger.sqlite.inbox import rename_inbox
from sendoff.ledger.sqlite.locks import RunLock, open_write_lock, writing
from sendoff.ledger.sqlite.opening import open_database
from sendoff.ledger.sqlite.schedule_state import ScheduleState
from sendoff.ledger.sqlite.uncertain import find_uncertain
from sendoff.ledger.state import RunState
from sendoff.records import Span


class SqliteLedger(DestinationState, ScheduleState):
    """The ledger in ``ledger.db`` of a state directory.

    Raises `LedgerError` for a ledger that cannot be opened, is of a newer version, or is not the one
    its companion file names: a missing ledger is never silently replaced by an empty one.
    """

    def __init__(self, directory: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.directory = state_dir.create(directory)
        self._clock = clock
        self._pid = os.getpid()
        self._write_fd = open_write_lock(self.directory)
        try:
            self._db = open_database(self.directory, self._write_fd)
        except BaseException:
            os.close(self._write_fd)
            raise
        self.key_secret: bytes = self._db.execute("SELECT value FROM meta WHERE key = 'key_secret'").fetchone()[0]

    def lock(self, connector: str) -> RunLock:
        return RunLock(self.directory / "locks", connector)

    def close(self) -> None:
        with writing(self._write_fd):
            self._db.close()
        os.close(self._write_fd)

    def unfinished(self, connector: str) -> RunState | None:
        row = self._db.execute(
            # A run that planned nothing sent nothing, so there is nothing to resume.
            f"SELECT * FROM run WHERE connector = ? AND planned > 0 AND state IN {UNFINISHED} ORDER BY id DESC",  # noqa: S608  # a constant; the value is bound
            (connector,),
        ).fetchone()
        return self._state(row) if row else None

    def begin(
        self,
        connector: str,
        *,
        config_digest: bytes,
        fingerprint: bytes,
        quick_fingerprint: bytes | None = None,
        source: str = "connector",
        retry_of: int | None = None,
        claimed: Iterable[Claim] = (),
        skipped: int = 0,
        cursor: str | None = None,
        filter_summary: FilterSummary | None = None,
    ) -> RunState:
        with self._transaction() as db:
            # Also those of a connector that had this name in its keys: none may be made twice.
            query = "SELECT 1 + coalesce(max(generation), 0) FROM run WHERE connector = ? OR key_name = ?"
            generation = db.execute(query, (connector, connector)).fetchone()[0]
            facts = connector, generation, retry_of, source, fingerprint, quick_fingerprint, config_digest
            inserted = db.execute(
                "INSERT INTO run(connector, generation, state, retry_of, source, fingerprint, quick_fingerprint, shape,"
                " started_at, cursor, known) VALUES (?, ?, 'running', ?, ?, ?, ?, ?, ?, ?, ?)",
                (*facts, self._clock(), cursor, skipped),
            )
            assert inserted.lastrowid is not None
            if filter_summary is not None:
                self.delivered_rows(connector).begin(inserted.lastrowid, filter_summary)
            claims.claim(db, inserted.lastrowid, claimed)
        unchanged = skipped + (filter_summary.unchanged if filter_summary else 0)
        return RunState(
            inserted.lastrowid, connector, generation, source, resumed=False, retry_of=retry_of, unchanged=unchanged
        )

    def delivered_rows(self, connector: str) -> SqliteDeliveredRows:
        return SqliteDeliveredRows(self._db, self._transaction, connector, self._clock)

    def cursor(self, connector: str) -> str | None:
        row = self._db.execute(
            "SELECT cursor FROM run WHERE connector = ? AND cursor IS NOT NULL AND retry_of IS NULL"
            " AND (state IN ('complete', 'incomplete') OR (state != 'discarded' AND planned > 0)) ORDER BY id DESC",
            (connector,),
        ).fetchone()
        return row[0] if row else None

    def forget_cursor(self, connector: str) -> None:
        with self._transaction() as db:
            db.execute("UPDATE run SET cursor = NULL WHERE connector = ?", (connector,))

    def resume(self, state: RunState, *, config_digest: bytes, fingerprint: bytes, what: str) -> RunState:
        query = "SELECT shape, coalesce(mark_digest, fingerprint) AS fingerprint FROM run WHERE id = ?"
        row = self._db.execute(query, (state.id,)).fetchone()
        interrupted = f"run {state.id} of {state.connector} was interrupted"
        way_out = (
            f"or discard the rest of it and start over with `sendoff run {state.connector} --restart`, which sends again what "
            "was delivered, unless the connector is incremental"
        )
        if row["shape"] != config_digest:
            raise ConfigError(
                f"{interrupted}, and since then its source, schema, validators or sender changed in the connector file, "
                "or it was begun by another version of sendoff; undo the change, or finish the run with that version, "
                f"{way_out}; nothing was sent"
            )
        if row["fingerprint"] != fingerprint:
            raise SourceChanged(f"{interrupted}, and {what} changed since then; restore what it read, {way_out}")
        with self._transaction() as db:
            db.execute(
                "UPDATE run SET state = 'running', starts = starts + 1, stopped_because = NULL WHERE id = ?", (state.id,)
            )
        return state

    def discard(self, state: RunState) -> None:
        with self._transaction() as db:
            db.execute("UPDATE run SET state = 'discarded', ended_at = ? WHERE id = ?", (self._clock(), state.id))
            db.execute("DELETE FROM piece WHERE run = ?", (state.id,))
            claims.release_pending(db, state)

    def dismiss(self, connector: str, keys: Iterable[RecordKey], remembered: Iterable[DeliveredRow] = ()) -> None:
        self._mark_dismissed(connector, keys, remembered, dismissed=True)

    def reopen(self, connector: str, keys: Iterable[RecordKey], remembered: Iterable[DeliveredRow] = ()) -> None:
        self._mark_dismissed(connector, keys, remembered, dismissed=False)

    def _mark_dismissed(
        self, connector: str, keys: Iterable[RecordKey], remembered: Iterable[DeliveredRow], *, dismissed: bool
    ) -> None:
        rows = list(remembered)
        with self._transaction() as db:
            claims.mark_dismissed(db, keys, dismissed=dismissed)
            if rows:
                self.delivered_rows(connector).store(rows)

    def has_history(self, connector: str) -> bool:
        query = "SELECT 1 FROM run WHERE connector = ? UNION SELECT 1 FROM memory WHERE connector = ?"
        return self._db.execute(query, (connector, connector)).fetchone() is not None

    def rename(self, old: str, new: str) -> int:
        rename_inbox(self.directory, old, new)
        with self._transaction() as db:
            for table in ("schedule", "told"):
                db.execute(f"UPDATE OR IGNORE {table} SET connector = ? WHERE connector = ?", (new, old))  # noqa: S608  # constants
                db.execute(f"DELETE FROM {table} WHERE connector = ?", (old,))  # noqa: S608  # constants
            db.execute("UPDATE memory SET connector = ? WHERE connector = ?", (new, old))
            query = "UPDATE run SET key_name = coalesce(key_name, connector), connector = ? WHERE connector = ?"
            return db.execute(query, (new, old)).rowcount

    def commit(self, state: RunState, changes: Changes) -> None:
        run = state.id
        now = self._clock()
        with self._transaction() as db:
            db.executemany("DELETE FROM piece WHERE run = ? AND lo = ?", [(run, lo) for lo in changes.closed])
            db.executemany(
                "INSERT INTO piece(run, lo, hi, step, digest, apart) VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (run, p.lo, p.hi, p.records_per_request, p.digest, jsonlib.dumps(p.scattered) if p.scattered else None)
                    for p in changes.opened
                ],
            )
            for span in _merged(changes.delivered):
                swallowed, merged = state.delivered.add(*span)
                db.executemany("DELETE FROM delivered WHERE run = ? AND lo = ?", [(run, lo) for lo in swallowed])
                db.execute("INSERT INTO delivered VALUES (?, ?, ?)", (run, *merged))
            db.executemany(
                "INSERT OR IGNORE INTO failed VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?, ?, NULL, 0)",
                (
                    (
                        run,
                        f.kind,
                        f.position,
                        f.file,
                        f.line,
                        f.status,
                        f.reason,
                        f.record,
                        f.attempts,
                        f.maybe_applied,
                        f.text,
                        now,
                        f.change,
                    )
                    for f in changes.failed
                ),
            )
            db.executemany(
                "INSERT OR REPLACE INTO request VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                ((run, *sent[:-1], now, sent.maybe_applied) for sent in changes.sent),
            )
            db.executemany(
                "INSERT OR REPLACE INTO result VALUES (?, ?, ?, ?, ?, ?)",
                ((run, k.lo, k.hi, k.file, k.line, jsonlib.dumps(k.values)) for k in changes.captured),
            )
            db.execute(
                "UPDATE run SET requests = requests + ?, retries = retries + ?, bytes = bytes + ?, accepted = accepted + ?,"
                " planned = coalesce(?, planned), read = max(read, coalesce(?, read)) WHERE id = ?",
                (changes.requests, changes.retries, changes.bytes, changes.accepted, changes.planned, changes.read, run),
            )
            if changes.mark is not None:
                db.execute("UPDATE run SET mark = ?, mark_digest = ? WHERE id = ?", (*changes.mark, run))

    def end(
        self, state: RunState, outcome: str, *, read: int, seconds: float, because: str | None, fingerprint: bytes | None = None
    ) -> None:
        with self._transaction() as db:
            db.execute(
                "UPDATE run SET state = ?, stopped_because = ?, ended_at = ?,"
                " read = max(read, ?), seconds = seconds + ?, fingerprint = coalesce(?, fingerprint) WHERE id = ?",
                (outcome, because, self._clock(), read, seconds, fingerprint, state.id),
            )

    def _state(self, row: sqlite3.Row) -> RunState:
        def spans(query: str) -> Iterator[Span]:
            return (Span(*bounds) for bounds in self._db.execute(query, (row["id"],)))

        counts = dict(
            self._db.execute("SELECT kind, count(*) FROM failed WHERE run = ? GROUP BY kind", (row["id"],)).fetchall()
        )
        delivered = Ranges(spans("SELECT lo, hi FROM delivered WHERE run = ? ORDER BY lo"))
        failed = Ranges(
            spans("SELECT position, position + 1 FROM failed WHERE run = ? AND kind = 'rejected' ORDER BY position")
        )
        return RunState(
            **{
                name: row[name]
                for name in (
                    "id",
                    "connector",
                    "generation",
                    "source",
                    "retry_of",
                    "planned",
                    "read",
                    "mark",
                    "requests",
                    "retries",
                    "bytes",
                    "accepted",
                )
            },
            key_name=row["key_name"] or "",
            unchanged=row["known"],
            resumed=True,
            invalid=counts.get("invalid", 0),
            rejected=counts.get("rejected", 0),
            chunks=[
                Chunk(lo, hi, step, digest, tuple(Span(*span) for span in jsonlib.loads(spans_json or "[]")))
                for lo, hi, step, digest, spans_json in self._db.execute(
                    "SELECT lo, hi, step, digest, apart FROM piece WHERE run = ? ORDER BY lo", (row["id"],)
                )
            ],
            delivered=delivered,
            failed=failed,
            uncertain=find_uncertain(self._db, row["id"], delivered, failed),
        )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        if os.getpid() != self._pid:
            raise LedgerError("this ledger was opened before a fork; open it again in the child")
        try:
            with writing(self._write_fd):
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._db
                except BaseException:
                    with suppress(sqlite3.Error):  # some errors have rolled back already
                        self._db.execute("ROLLBACK")
                    raise
                self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise LedgerError(f"the ledger in {self.directory} cannot be written: {error}; nothing more is sent") from error


def _merged(spans: list[Span]) -> Iterator[Span]:
    return iter(Ranges(sorted(spans)))
