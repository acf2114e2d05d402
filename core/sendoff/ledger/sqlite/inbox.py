"""The posts of inboxes, in a file of their own beside the ledger."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from sendoff.errors import LedgerError
from sendoff.ledger import state_dir
from sendoff.ledger.inbox import Inboxes, InboxFull, KeyReused, Post

_TABLES = """
CREATE TABLE IF NOT EXISTS post(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  inbox TEXT NOT NULL,
  key TEXT,                             -- by which the sender knows the post
  kind TEXT NOT NULL,                   -- json, jsonl or csv
  bytes INTEGER NOT NULL,                -- of its body and key
  at REAL NOT NULL,
  body BLOB,                            -- NULL once a run has taken it over
  digest BLOB,                          -- of the kind and the body; NULL for a post of an earlier version
  UNIQUE(inbox, key));
CREATE INDEX IF NOT EXISTS post_waiting ON post(inbox, id, bytes) WHERE body IS NOT NULL;
CREATE INDEX IF NOT EXISTS post_taken_over ON post(at) WHERE body IS NULL;
"""

#: Seconds that the key of a post is kept, to recognise repeats.
KEPT = 30 * 86_400.0


class SqliteInboxes(Inboxes):
    """The posts of all inboxes, in ``inbox.db`` of a state directory."""

    def __init__(self, directory: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = state_dir.create(directory) / "inbox.db"
        self._clock = clock
        self._lock = threading.Lock()
        try:
            os.close(os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW, 0o600))
            self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=10)
            for setting in ("journal_mode = WAL", "synchronous = FULL", "fullfsync = ON", "trusted_schema = OFF"):
                self._db.execute(f"PRAGMA {setting}").fetchall()
            self._db.executescript(_TABLES)
            if not any(column[1] == "digest" for column in self._db.execute("PRAGMA table_info(post)")):
                self._db.execute("ALTER TABLE post ADD COLUMN digest BLOB")
        except (sqlite3.Error, OSError) as error:
            raise LedgerError(f"{self._path} cannot be used: {error}") from error

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def put(self, inbox: str, kind: str, body: bytes, *, key: str | None, most_bytes: int) -> bool:
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    new = self._put(inbox, kind, body, key, most_bytes)
                except BaseException:
                    self._db.execute("ROLLBACK")
                    raise
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                raise LedgerError(f"{self._path} cannot be written: {error}") from error
        return new

    def _put(self, inbox: str, kind: str, body: bytes, key: str | None, most_bytes: int) -> bool:
        now = self._clock()
        self._db.execute("DELETE FROM post WHERE body IS NULL AND at < ?", (now - KEPT,))
        digest = hashlib.sha256(f"{kind}:".encode() + body).digest()
        query = "SELECT digest FROM post WHERE inbox = ? AND key = ?"
        known = self._db.execute(query, (inbox, key)).fetchone() if key is not None else None
        if known is not None:
            if known[0] not in (None, digest):
                raise KeyReused("a post with this key came before, and its body was another")
            return False
        query = "SELECT coalesce(sum(bytes), 0) FROM post WHERE inbox = ? AND body IS NOT NULL"
        waiting = int(self._db.execute(query, (inbox,)).fetchone()[0])
        size = len(body) + len((key or "").encode())
        if waiting + size > most_bytes:
            raise InboxFull(f"{waiting:,} bytes wait here already")
        self._db.execute(
            "INSERT INTO post(inbox, key, kind, body, bytes, at, digest) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (inbox, key, kind, body, size, now, digest),
        )
        return True

    def waiting(self, inbox: str, after: int) -> Iterator[Post]:
        while True:
            query = "SELECT id, kind, body FROM post WHERE inbox = ? AND id > ? AND body IS NOT NULL ORDER BY id LIMIT 1"
            with self._lock:
                row = self._db.execute(query, (inbox, after)).fetchone()
            if row is None:
                return
            yield Post(*row)
            after = row[0]

    def last_post_id(self, inbox: str) -> int:
        query = "SELECT coalesce(max(id), 0) FROM post WHERE inbox = ? AND body IS NOT NULL"
        with self._lock:
            return int(self._db.execute(query, (inbox,)).fetchone()[0])

    def rename(self, old: str, new: str) -> None:
        """Move what one inbox holds to another. A post that is there by its key is not moved."""
        with self._lock:
            self._db.execute("UPDATE OR IGNORE post SET inbox = ? WHERE inbox = ?", (new, old))

    def acknowledge(self, inbox: str, upto: int) -> None:
        with self._lock:
            self._db.execute("UPDATE post SET body = NULL WHERE inbox = ? AND id <= ? AND body IS NOT NULL", (inbox, upto))
            self._db.execute("DELETE FROM post WHERE inbox = ? AND body IS NULL AND key IS NULL AND id < ?", (inbox, upto))


def rename_inbox(directory: Path, old: str, new: str) -> None:
    """Move what one inbox of a state directory holds to another. Creates no file."""
    if (directory / "inbox.db").exists():
        with closing(SqliteInboxes(directory)) as inboxes:
            inboxes.rename(old, new)


def last_post_id(directory: Path, inbox: str) -> int:
    """The number of the last post that waits in a state directory's inbox; 0 if none does. Creates no file."""
    path = directory / "inbox.db"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as db:
        try:
            query = "SELECT coalesce(max(id), 0) FROM post WHERE inbox = ? AND body IS NOT NULL"
            return int(db.execute(query, (inbox,)).fetchone()[0])
        except sqlite3.Error:
            return 0
