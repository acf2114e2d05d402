"""A disk that loses what was not synced, under the real ledger: SQLite's own method of testing, by APSW.

Every write passes through to the real file, and is noted until the file is synced. When the power is
cut, each file is what was synced of it, and of every later write each sector is there or not by
chance, as a real disk may leave it.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import apsw

SECTOR = 512


class PowerCut(Exception):
    """The power is gone: this call, and every further one, fails."""


class Disk(apsw.VFS):
    """A VFS whose power is cut at its n-th write, truncation, sync or deletion.

    A deletion is durable with the next sync of any file, as on ext4; on a `pessimistic` disk only once
    the directory is synced.
    """

    def __init__(self, cut_at: int, *, pessimistic: bool = False) -> None:
        self.name = f"disk-{id(self)}"
        self.left, self.pessimistic = cut_at, pessimistic
        self.synced: dict[str, bytes] = {}
        self.pending: dict[str, list[tuple[str, int, bytes]]] = {}
        #: Files that were deleted, and are there again if the power goes now.
        self.undead: dict[str, bytes] = {}
        super().__init__(self.name, base="")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if path is not None and path not in self.synced:
            self.synced[path] = Path(path).read_bytes() if Path(path).exists() else b""
            self.pending[path] = []
        return _File(self, name, path, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self.spend()
        if (content := self.synced.pop(filename, None)) is not None:
            self.undead[filename] = content
        self.pending.pop(filename, None)
        super().xDelete(filename, False)
        if syncdir:
            self.sync_directory()

    def sync_directory(self, path: Path | None = None) -> None:
        """Make every deletion durable."""
        self.undead.clear()

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise PowerCut

    def after(self, chance: random.Random, directory: Path, target: Path) -> None:
        """The state directory as it is found when the power is back."""
        shutil.copytree(directory, target)
        for path, content in self.synced.items():
            data = bytearray(content)
            for kind, at, written in self.pending[path]:
                if kind == "truncate":
                    if chance.random() < 0.5:
                        del data[at:]
                    continue
                for start in range(0, len(written), SECTOR):
                    if chance.random() < 0.5:
                        piece = written[start : start + SECTOR]
                        data.extend(b"\0" * (at + start + len(piece) - len(data)))
                        data[at + start : at + start + len(piece)] = piece
            (target / Path(path).name).write_bytes(data)
        for path, content in self.undead.items():
            if path not in self.synced and (self.pessimistic or chance.random() < 0.5):
                (target / Path(path).name).write_bytes(content)


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, path: str | None, flags: list[int]) -> None:
        self.disk, self.path = disk, path
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        self.disk.spend()
        if self.path is not None:
            self.disk.pending[self.path].append(("write", offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:
        self.disk.spend()
        if self.path is not None:
            self.disk.pending[self.path].append(("truncate", size, b""))
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:
        self.disk.spend()  # that the real disk should sync too is not needed: the one that counts is kept here
        if self.path is not None:
            self.disk.synced[self.path] = Path(self.path).read_bytes()
            self.disk.pending[self.path] = []
        if not self.disk.pessimistic:
            self.disk.undead.clear()


class Row(tuple[Any, ...]):  # noqa: SLOT001  # a name for each column, set by who makes it
    """A row that can be asked by name too, like `sqlite3.Row`."""

    names: tuple[str, ...]

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(self.names.index(key) if isinstance(key, str) else key)


class Result:
    """What `sqlite3.Cursor` is to the ledger."""

    def __init__(self, db: apsw.Connection, cursor: apsw.Cursor) -> None:
        self.lastrowid = db.last_insert_rowid()
        self.rows: list[Row] = []
        for values in cursor:
            row = Row(values)
            row.names = tuple(name for name, _ in cursor.get_description())
            self.rows.append(row)

    def fetchone(self) -> Row | None:
        return self.rows[0] if self.rows else None

    def fetchall(self) -> list[Row]:
        return self.rows

    def __iter__(self) -> Any:
        return iter(self.rows)


class Database:
    """What `sqlite3.Connection` is to the ledger, on a disk that may lose its power."""

    def __init__(self, path: str, disk: Disk, overrides: dict[str, str]) -> None:
        self.disk, self.overrides = disk, overrides
        self.db = apsw.Connection(path, vfs=disk.name)
        # A VFS without shared memory can keep a WAL only for one connection.
        self.db.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()

    def execute(self, sql: str, values: Any = ()) -> Result:
        setting = sql.removeprefix("PRAGMA ").partition(" = ")[0]
        result = Result(self.db, self.db.execute(self.overrides.get(setting, sql), values))
        if setting == "journal_mode":
            self.db.execute("PRAGMA wal_autocheckpoint = 8").fetchall()
        return result

    def executemany(self, sql: str, rows: Any) -> None:
        self.db.executemany(sql, rows)

    def close(self) -> None:
        self.db.close()
