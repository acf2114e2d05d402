"""Reading the ledger: past runs, their requests, and the records they did not deliver."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import polars as pl

from sendoff import jsonlib
from sendoff.components import Source
from sendoff.errors import ConfigError, LedgerError
from sendoff.ledger.claims import UNFINISHED, Fate, RecordKey, parse_name
from sendoff.ledger.sqlite import claims
from sendoff.ledger.sqlite.locks import is_locked
from sendoff.ledger.sqlite.opening import connect
from sendoff.ledger.sqlite.tables import VERSION
from sendoff.records import PAGE_ROWS, Page, from_mappings

_COUNTS = """
SELECT run.*,
  (SELECT coalesce(sum(hi - lo), 0) FROM delivered WHERE run = run.id) AS delivered,
  (SELECT count(*) FROM failed WHERE run = run.id AND kind = 'invalid') AS invalid,
  (SELECT count(*) FROM failed WHERE run = run.id AND kind = 'rejected') AS rejected
FROM run
"""


def runs(state: Path, connector: str | None = None) -> list[dict[str, Any]]:
    """All runs in the ledger, newest first, with the counts of `Report`."""
    with closing(_open(state)) as db:
        where, values = ("WHERE connector = ?", (connector,)) if connector else ("", ())
        return [_row(state, row) for row in db.execute(f"{_COUNTS} {where} ORDER BY id DESC", values)]


def run(state: Path, number: int) -> dict[str, Any]:
    """One run. Raises `ConfigError` if no run has that number."""
    with closing(_open(state)) as db:
        row = db.execute(f"{_COUNTS} WHERE id = ?", (number,)).fetchone()
    if row is None:
        raise ConfigError(f"there is no run {number}; `sendoff runs` lists them")
    return _row(state, row)


def failures(state: Path, number: int) -> Iterator[dict[str, Any]]:
    """The records of a run that were not delivered, as the source had them, in order, with the reason and their names."""
    run(state, number)
    with closing(_open(state)) as db:
        names = claims.names(db, number)
        for row in db.execute("SELECT * FROM failed WHERE run = ? ORDER BY file, line, kind, position", (number,)):
            name = names.get(RecordKey(number, row["kind"], row["position"]), "")  # it may have failed just now
            yield {**row, "record": jsonlib.loads(row["record"], depth=jsonlib.WRAPPED_DEPTH), "name": name}


def fates(state: Path, number: int) -> dict[RecordKey, Fate]:
    """What has become of each failed record of a run, through all its retries."""
    with closing(_open(state)) as db:
        return claims.fates(db, number)


def open_failures(state: Path, number: int) -> dict[int, int]:
    """How many failed records are open, by run: in the run that this one goes back to, and in all retries of that."""
    with closing(_open(state)) as db:
        return claims.count_open(db, number)


def is_void(row: Mapping[str, Any]) -> bool:
    """Whether a run of `run` or `runs` is a retry that sent nothing and is never resumed, so that its claims do not hold."""
    return row["retry_of"] is not None and row["planned"] == 0 and row["state"] in UNFINISHED


def unfinished_runs(state: Path) -> list[tuple[int, str]]:
    """The runs that can be resumed and are not running, each with its connector; none where there is no ledger yet."""
    if not (state / "ledger.db").exists():
        return []
    query = f"SELECT id, connector FROM run WHERE planned > 0 AND state IN {UNFINISHED} ORDER BY id"  # noqa: S608  # a constant
    with closing(_open(state)) as db:
        return [(row[0], row[1]) for row in db.execute(query) if not is_locked(state / "locks", row[1])]


def repeated_run(state: Path, number: int) -> int | None:
    """The last run of the same connector that delivered something and read, byte for byte, what this one reads.

    None also where each run reads only what is new: by a cursor, or as `incremental` says.
    """
    query = """
    SELECT old.id FROM run AS new JOIN run AS old USING (connector, fingerprint, source)
    WHERE new.id = ? AND old.id < new.id AND length(fingerprint) > 0
    AND coalesce(new.retry_of, old.retry_of, new.cursor, old.cursor, new.rule, old.rule) IS NULL
    AND old.state IN ('complete', 'incomplete') AND EXISTS (SELECT 1 FROM delivered WHERE run = old.id) ORDER BY old.id DESC
    """
    with closing(_open(state)) as db:
        row = db.execute(query, (number,)).fetchone()
    return None if row is None else row[0]


class Resolver:
    """Says what has become of a failed record, by its name; None for one that neither the run nor a related one has."""

    def __init__(self, state: Path, number: int) -> None:
        self._state, self._run = state, number
        self._fates: dict[int, dict[RecordKey, Fate]] = {}

    def __call__(self, name: str) -> Fate | None:
        key = parse_name(name)
        if key is None:
            return None
        if key.run not in self._fates:
            with closing(_open(self._state)) as db:
                related = claims.root(db, self._run) == claims.root(db, key.run)
                self._fates[key.run] = claims.fates(db, key.run) if related else {}
        return self._fates[key.run].get(key)


def reasons(state: Path, number: int, most: int = 5) -> list[dict[str, Any]]:
    """Why records of a run were not delivered: the commonest reasons, how often, and where first."""
    with closing(_open(state)) as db:
        query = (
            "SELECT kind, reason, count(*) AS count, file, line, min(position) AS first FROM failed WHERE run = ?"
            " GROUP BY kind, reason ORDER BY count DESC, first LIMIT ?"
        )
        return [dict(row) for row in db.execute(query, (number, most))]


def requests(state: Path, number: int) -> Iterator[dict[str, Any]]:
    """The logged requests of a run, in order."""
    run(state, number)
    with closing(_open(state)) as db:
        yield from map(dict, db.execute("SELECT * FROM request WHERE run = ? ORDER BY number", (number,)))


def results(state: Path, number: int) -> Iterator[dict[str, Any]]:
    """What was captured from a run's responses: rows with `file`, `line`, `records` and the captured values."""
    run(state, number)
    with closing(_open(state)) as db:
        for row in db.execute("SELECT * FROM result WHERE run = ? ORDER BY lo", (number,)):
            yield {
                "file": row["file"], "line": row["line"], "records": row["hi"] - row["lo"],
                "captured": jsonlib.loads(row["captured"], depth=jsonlib.WRAPPED_DEPTH),
            }  # fmt: skip


@dataclass(frozen=True, slots=True)
class FailedRecord:
    """A failed record as its source had it, and where it was there."""

    key: RecordKey
    file: str
    line: int
    record: Mapping[str, object]
    #: Whether its values are text still to be parsed.
    text: bool
    change: str


def pages_of(records: Iterable[FailedRecord]) -> Iterator[Page]:
    """Failed records as pages, in their order, each with its own file and line."""
    for (file, text, change), group in groupby(records, lambda found: (found.file, found.text, found.change)):
        while batch := list(islice(group, PAGE_ROWS)):
            page = from_mappings([found.record for found in batch])
            frame = page.frame.cast(pl.String) if text else page.frame
            yield Page(
                frame, file, [found.line for found in batch], all_text=text, uniform=False, missing_keys=page.missing_keys,
                change=change,
            )  # fmt: skip


class Failed(Source):
    """The failed records of a run, as a source: those that are open, or `only` some, or those that a retry claimed."""

    name = "failed"

    def __init__(
        self, state: Path, number: int, *, retried_by: int | None = None, only: Collection[RecordKey] | None = None
    ) -> None:
        super().__init__()
        self._state, self._run, self._retried_by, self._only = state, number, retried_by, only

    def fingerprint(self) -> bytes | None:
        """The run's number and how many records there are: the ledger's copies of them do not change."""
        count = len(self.keys())
        return f"retry:{self._run}:{count}".encode() if count else None

    def keys(self) -> list[RecordKey]:
        """The keys of the records, in order."""
        return [RecordKey(*row) for row in self._rows("run, kind, position")]

    def records(self) -> Iterator[FailedRecord]:
        for row in self._rows("run, kind, position, file, line, record, text, change"):
            yield FailedRecord(
                RecordKey(*row[:3]),
                row["file"],
                row["line"],
                jsonlib.loads(row["record"], depth=jsonlib.WRAPPED_DEPTH),
                bool(row["text"]),
                row["change"],
            )

    def read(self, cursor: object) -> Iterator[Page]:
        return pages_of(self.records())

    def _rows(self, what: str) -> Iterator[sqlite3.Row]:
        condition = "retried_by = ?" if self._retried_by else claims.OPEN
        values = (self._run, self._retried_by) if self._retried_by else (self._run,)
        with closing(_open(self._state)) as db:
            for row in db.execute(f"SELECT {what} FROM failed WHERE run = ? AND {condition} ORDER BY kind, position", values):  # noqa: S608  # all parts are written in this package; values are bound
                if self._only is None or RecordKey(*row[:3]) in self._only:
                    yield row


def _open(state: Path) -> sqlite3.Connection:
    path = state / "ledger.db"
    if not path.exists():
        raise ConfigError(f"there are no runs yet: no ledger in {state}")
    try:
        db = connect(path, read_only=True)
        row = db.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()
    except sqlite3.Error as error:
        raise LedgerError(f"{path} cannot be read: {error}") from error
    if row is not None and row[0] < VERSION:
        db.close()
        raise LedgerError(f"{path} was written by an older sendoff; `sendoff doctor` brings it up to date")
    return db


def _row(state: Path, row: sqlite3.Row) -> dict[str, Any]:
    found = dict(row)
    if found["state"] == "running" and not is_locked(state / "locks", found["connector"]):
        found["state"] = "interrupted"
    found["unchanged"] = found.pop("known")
    found["pending"] = found["read"] - found["delivered"] - found["invalid"] - found["rejected"]
    return found
