"""Opening the ledger's file: created durably, identified by a companion file, never silently recreated."""

from __future__ import annotations

import os
import secrets
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from sendoff.errors import LedgerError
from sendoff.ledger import state_dir
from sendoff.ledger.sqlite.locks import writing
from sendoff.ledger.sqlite.tables import MIGRATIONS, TABLES, VERSION

LIBRARY_VERSION = sqlite3.sqlite_version


def open_database(directory: Path, write_fd: int) -> sqlite3.Connection:
    """Open the ledger of a state directory, or create it.

    A companion file, ``ledger.id``, holds the ledger's id. Raises `LedgerError` for a ledger that is missing,
    empty, damaged, of a newer version, or has another id.
    """
    path, companion = directory / "ledger.db", directory / "ledger.id"
    if companion.exists() and not path.exists():
        raise LedgerError(
            f"{path} is missing; restore it, or delete {companion} to create a new ledger that knows nothing of the old runs"
        )
    try:
        with writing(write_fd):
            if not path.exists():
                os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW, 0o600))
            db = connect(path)
            try:
                _verify_identity(db, path, companion)
            except BaseException:
                db.close()
                raise
    except (sqlite3.OperationalError, OSError) as error:
        raise LedgerError(f"{path} cannot be opened or written: {error}; nothing was sent") from error
    except (sqlite3.Error, TypeError) as error:
        raise LedgerError(
            f"{path} is not a ledger that can be used ({error}); restore it from a backup, or move it away"
        ) from error
    return db


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Connect with the settings that the guarantees depend on (see docs/guarantees.md)."""
    uri = f"file:{quote(str(path))}?mode={'ro' if read_only else 'rw'}"
    db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=10)
    db.row_factory = sqlite3.Row
    settings = ["trusted_schema = OFF"]
    if read_only:
        settings += ["query_only = ON"]
    else:
        settings += ["journal_mode = WAL", "synchronous = FULL", "fullfsync = ON", "journal_size_limit = 67108864"]
    try:
        for setting in settings:
            db.execute(f"PRAGMA {setting}").fetchall()
    except BaseException:
        db.close()
        raise
    return db


def _verify_identity(db: sqlite3.Connection, path: Path, companion: Path) -> None:
    """Create the tables in a new file; else check version and id, and migrate an older version."""
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
        if companion.exists():
            raise LedgerError(f"{path} is empty, and was not before; restore it, or delete {companion} to create a new one")
        _create(db)
        state_dir.sync_directory(path.parent)
    foreign = db.execute("SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view')").fetchone()
    if foreign is not None:
        raise LedgerError(f"{path} has a {foreign[0]} named {foreign[1]!r}, not created by sendoff; restore it from a backup")
    version, identity = (db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()[0] for key in ("version", "id"))
    if version > VERSION:
        raise LedgerError(
            f"{path} was written by a newer sendoff (version {version} of the ledger; "
            f"this one knows {VERSION}); upgrade sendoff"
        )
    if version < VERSION:
        _migrate(db, version)
    if not companion.exists():
        _write_durably(companion, identity)
    if companion.read_text().strip() != identity:
        raise LedgerError(
            f"{path} is not the ledger that {companion} names; restore the right one, or delete {companion} to trust this one"
        )


def _migrate(db: sqlite3.Connection, version: int) -> None:
    """Migrate an older ledger to this version, in one transaction."""
    db.execute("BEGIN IMMEDIATE")
    for step in range(version + 1, VERSION + 1):
        _execute(db, MIGRATIONS[step])
    db.execute("UPDATE meta SET value = ? WHERE key = 'version'", (VERSION,))
    db.execute("COMMIT")


def _execute(db: sqlite3.Connection, statements: str) -> None:
    for statement in statements.split(";\n"):
        if statement.strip():
            db.execute(statement)


def _create(db: sqlite3.Connection) -> None:
    db.execute("BEGIN IMMEDIATE")
    _execute(db, TABLES)
    facts = [("version", VERSION), ("id", str(uuid.uuid4())), ("key_secret", secrets.token_bytes(32))]
    db.executemany("INSERT INTO meta VALUES (?, ?)", facts)
    db.execute("COMMIT")


def _write_durably(path: Path, text: str) -> None:
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with closing(os.fdopen(fd, "w")) as file:
        file.write(text)
        file.flush()
        os.fsync(fd)
    state_dir.sync_directory(path.parent)
