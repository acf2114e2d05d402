"""Reading the ledger: past runs, their requests, and the records they did not deliver."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import polars as pl

from sendoff import jsonlib
from sendoff.components import Source
from sendoff.errors import ConfigError, LedgerError
from sendoff.ledger.locks import is_locked
from sendoff.ledger.opening import connect
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
    """The records of a run that were not delivered, as the source had them, in order, with the reason."""
    run(state, number)
    with closing(_open(state)) as db:
        for row in db.execute("SELECT * FROM failed WHERE run = ? ORDER BY file, line, kind, position", (number,)):
            yield {**row, "record": jsonlib.loads(row["record"])}


def reasons(state: Path, number: int, most: int = 5) -> list[dict[str, Any]]:
    """Why records of a run were not delivered: the commonest reasons, how often, and where first."""
    with closing(_open(state)) as db:
        query = (
            "SELECT kind, reason, count(*) AS count, file, min(line) AS line FROM failed WHERE run = ?"
            " GROUP BY kind, reason ORDER BY count DESC, line LIMIT ?"
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
                "captured": jsonlib.loads(row["captured"]),
            }  # fmt: skip


class Failed(Source):
    """The failed records of a run, as a source: what `sendoff retry` sends."""

    name = "failed"

    def __init__(self, state: Path, number: int, retried_by: int | None = None) -> None:
        super().__init__()
        self._state, self._run, self._retried_by = state, number, retried_by

    def fingerprint(self) -> bytes | None:
        """The run's number and how many records there are: the ledger's copies of them do not change."""
        count = sum(1 for _ in self._rows("1"))
        return f"retry:{self._run}:{count}".encode() if count else None

    def read(self, cursor: object) -> Iterator[Page]:
        for (text, change), rows in groupby(
            self._rows("file, line, record, text, change"), lambda row: (row["text"], row["change"])
        ):
            while batch := list(islice(rows, PAGE_ROWS)):
                page = from_mappings([jsonlib.loads(row["record"]) for row in batch])
                frame = page.frame.cast(pl.String) if text else page.frame
                lines = [row["line"] for row in batch]
                yield Page(
                    frame,
                    batch[0]["file"],
                    lines,
                    all_text=bool(text),
                    uniform=False,
                    missing_keys=page.missing_keys,
                    change=change,
                )

    def _rows(self, what: str) -> Iterator[sqlite3.Row]:
        retried = "retried_by = ?" if self._retried_by else "retried_by IS NULL"
        values = (self._run, self._retried_by) if self._retried_by else (self._run,)
        with closing(_open(self._state)) as db:
            yield from db.execute(f"SELECT {what} FROM failed WHERE run = ? AND {retried} ORDER BY kind, position", values)  # noqa: S608  # both parts are written in this file; values are bound


def _open(state: Path) -> sqlite3.Connection:
    path = state / "ledger.db"
    if not path.exists():
        raise ConfigError(f"there are no runs yet: no ledger in {state}")
    try:
        return connect(path, read_only=True)
    except sqlite3.Error as error:
        raise LedgerError(f"{path} cannot be read: {error}") from error


def _row(state: Path, row: sqlite3.Row) -> dict[str, Any]:
    found = dict(row)
    if found["state"] == "running" and not is_locked(state / "locks", found["connector"]):
        found["state"] = "interrupted"
    found["unchanged"] = found.pop("known")
    found["pending"] = found["read"] - found["delivered"] - found["invalid"] - found["rejected"]
    return found
