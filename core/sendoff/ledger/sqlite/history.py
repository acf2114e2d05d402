"""Past runs, read by connections that cannot write, one a call."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

from sendoff import jsonlib
from sendoff.errors import ConfigError, LedgerError
from sendoff.ledger.claims import UNFINISHED, Fate, RecordKey
from sendoff.ledger.history import DestinationRow, FailedRecord, FailureRow, History, ReasonRow, RequestRow, ResultRow, RunRow
from sendoff.ledger.sqlite import claims
from sendoff.ledger.sqlite.locks import is_locked
from sendoff.ledger.sqlite.opening import connect
from sendoff.ledger.sqlite.tables import VERSION

_COUNTS = """
SELECT run.*,
  (SELECT coalesce(sum(hi - lo), 0) FROM delivered WHERE run = run.id) AS delivered,
  (SELECT count(*) FROM failed WHERE run = run.id AND kind = 'invalid') AS invalid,
  (SELECT count(*) FROM failed WHERE run = run.id AND kind = 'rejected') AS rejected,
  (SELECT count(*) FROM failed WHERE run = run.id AND dismissed) AS dismissed
FROM run
"""


class SqliteHistory(History):
    """The history in ``ledger.db`` of a state directory."""

    def __init__(self, state: Path) -> None:
        self._file = state / "ledger.db"
        self._locks = state / "locks"

    def exists(self) -> bool:
        return self._file.exists()

    def runs(self, connector: str | None = None) -> list[RunRow]:
        with closing(self._open()) as db:
            where, values = ("WHERE connector = ?", (connector,)) if connector else ("", ())
            return [self._row(row) for row in db.execute(f"{_COUNTS} {where} ORDER BY id DESC", values)]

    def run(self, number: int) -> RunRow:
        with closing(self._open()) as db:
            row = db.execute(f"{_COUNTS} WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise ConfigError(f"there is no run {number}; `sendoff runs` lists them")
        return self._row(row)

    def unfinished_runs(self) -> list[tuple[int, str]]:
        if not self.exists():
            return []
        query = f"SELECT id, connector FROM run WHERE planned > 0 AND state IN {UNFINISHED} ORDER BY id"  # noqa: S608  # a constant
        with closing(self._open()) as db:
            return [(row[0], row[1]) for row in db.execute(query) if not is_locked(self._locks, row[1])]

    def repeated_run(self, number: int) -> int | None:
        query = """
        SELECT old.id FROM run AS new JOIN run AS old USING (connector, fingerprint, source)
        WHERE new.id = ? AND old.id < new.id AND length(fingerprint) > 0
        AND coalesce(new.retry_of, old.retry_of, new.cursor, old.cursor, new.rule, old.rule) IS NULL
        AND old.state IN ('complete', 'incomplete') AND EXISTS (SELECT 1 FROM delivered WHERE run = old.id)
        ORDER BY old.id DESC
        """
        with closing(self._open()) as db:
            row = db.execute(query, (number,)).fetchone()
        return None if row is None else row[0]

    def may_be_repeated(self, connector: str, quick_fingerprint: bytes) -> bool:
        if not self.exists():
            return False
        query = (
            "SELECT 1 FROM run WHERE connector = ?1 AND source = 'connector' AND length(fingerprint) > 0"
            " AND coalesce(quick_fingerprint, ?2) = ?2 AND state IN ('complete', 'incomplete')"
        )
        with closing(self._open()) as db:
            return db.execute(query, (connector, quick_fingerprint)).fetchone() is not None

    def root_run(self, number: int) -> int:
        with closing(self._open()) as db:
            return claims.root(db, number)

    def failures(self, number: int) -> Iterator[FailureRow]:
        self.run(number)
        with closing(self._open()) as db:
            names = claims.names(db, number)
            for row in db.execute("SELECT * FROM failed WHERE run = ? ORDER BY file, line, kind, position", (number,)):
                name = names.get(RecordKey(number, row["kind"], row["position"]), "")  # it may have failed just now
                record = jsonlib.loads(row["record"], depth=jsonlib.WRAPPED_DEPTH)
                yield cast("FailureRow", {**row, "record": record, "name": name})

    def failed_keys(
        self, number: int, *, retried_by: int | None = None, dismissed: bool = False,
        only: Collection[RecordKey] | None = None,
    ) -> list[RecordKey]:  # fmt: skip
        return [RecordKey(*row) for row in self._failed("run, kind, position", number, retried_by, dismissed, only)]

    def failed_records(
        self, number: int, *, retried_by: int | None = None, dismissed: bool = False,
        only: Collection[RecordKey] | None = None,
    ) -> Iterator[FailedRecord]:  # fmt: skip
        for row in self._failed("run, kind, position, file, line, record, text, change", number, retried_by, dismissed, only):
            yield FailedRecord(
                RecordKey(*row[:3]),
                row["file"],
                row["line"],
                jsonlib.loads(row["record"], depth=jsonlib.WRAPPED_DEPTH),
                bool(row["text"]),
                row["change"],
            )

    def fates(self, number: int) -> dict[RecordKey, Fate]:
        with closing(self._open()) as db:
            return claims.fates(db, number)

    def open_failures(self, number: int | None = None) -> dict[int, int]:
        with closing(self._open()) as db:
            return claims.count_all_open(db) if number is None else claims.count_open(db, number)

    def destinations(self) -> list[DestinationRow]:
        query = "SELECT * FROM destination WHERE down_since IS NOT NULL OR rest_until > ? ORDER BY origin"
        with closing(self._open()) as db:
            return [cast("DestinationRow", dict(row)) for row in db.execute(query, (time.time(),))]

    def reasons(self, number: int, most: int = 5) -> list[ReasonRow]:
        query = (
            "SELECT kind, reason, count(*) AS count, file, line, min(position) AS first FROM failed WHERE run = ?"
            " GROUP BY kind, reason ORDER BY count DESC, first LIMIT ?"
        )
        with closing(self._open()) as db:
            return [cast("ReasonRow", dict(row)) for row in db.execute(query, (number, most))]

    def requests(self, number: int) -> Iterator[RequestRow]:
        self.run(number)
        with closing(self._open()) as db:
            for row in db.execute("SELECT * FROM request WHERE run = ? ORDER BY number", (number,)):
                yield cast("RequestRow", dict(row))

    def results(self, number: int) -> Iterator[ResultRow]:
        self.run(number)
        with closing(self._open()) as db:
            for row in db.execute("SELECT * FROM result WHERE run = ? ORDER BY lo", (number,)):
                yield {
                    "file": row["file"], "line": row["line"], "records": row["hi"] - row["lo"],
                    "captured": jsonlib.loads(row["captured"], depth=jsonlib.WRAPPED_DEPTH),
                }  # fmt: skip

    def _failed(
        self, columns: str, run: int, retried_by: int | None, dismissed: bool, only: Collection[RecordKey] | None
    ) -> Iterator[sqlite3.Row]:
        which = "dismissed" if dismissed else claims.OPEN
        condition, values = ("retried_by = ?", (run, retried_by)) if retried_by else (which, (run,))
        query = f"SELECT {columns} FROM failed WHERE run = ? AND {condition} ORDER BY kind, position"  # noqa: S608  # all parts are written in this package; values are bound
        with closing(self._open()) as db:
            for row in db.execute(query, values):
                if only is None or RecordKey(*row[:3]) in only:
                    yield row

    def _open(self) -> sqlite3.Connection:
        if not self.exists():
            raise ConfigError(f"there are no runs yet: no ledger in {self._file.parent}")
        try:
            db = connect(self._file, read_only=True)
            row = db.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()
        except sqlite3.OperationalError as error:  # a reader, too, writes: the file with the suffix -shm
            raise LedgerError(f"{self._file} cannot be opened or written: {error}") from error
        except sqlite3.Error as error:
            raise LedgerError(f"{self._file} cannot be read: {error}") from error
        if row is not None and row[0] < VERSION:
            db.close()
            raise LedgerError(f"{self._file} was written by an older sendoff; `sendoff doctor` brings it up to date")
        return db

    def _row(self, row: sqlite3.Row) -> RunRow:
        found = dict(row)
        if found["state"] == "running" and not is_locked(self._locks, found["connector"]):
            found["state"] = "interrupted"
        found["unchanged"] = found.pop("known")
        found["pending"] = found["read"] - found["delivered"] - found["invalid"] - found["rejected"]
        return cast("RunRow", found)
