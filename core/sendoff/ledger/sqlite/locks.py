"""File locks (`flock`), which the kernel releases however a process ends."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from sendoff.errors import LedgerError, Locked

#: How often a lock that is held is asked for, and the seconds between: a tenth of a second in all.
TRIES, PAUSE = 21, 0.005


class RunLock:
    """Lets one process at a time run a connector. Entering it raises `Locked` if another one does."""

    def __init__(self, directory: Path, connector: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._sleep = sleep
        self._path = directory / f"{connector}.lock"
        self._connector = connector
        self._fd = -1

    def __enter__(self) -> Self:
        while True:
            self._fd = _open(self._path)
            if not self._taken():
                holder = self._holder()
                os.close(self._fd)
                raise Locked(f"{self._connector} is running already{holder}; try again when it is done")
            if _same_file(self._fd, self._path):
                break
            os.close(self._fd)  # the file was deleted between opening and locking it
        note = {"pid": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        with suppress(OSError):  # on a full disk the lock still holds; only its holder is not shown
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, json.dumps(note).encode(), 0)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._fd)

    def _taken(self) -> bool:
        """Whether the lock could be had: who only looks whether a run is under way holds it for a moment too."""
        for tries_left in reversed(range(TRIES)):
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if tries_left:
                    self._sleep(PAUSE)
            else:
                return True
        return False

    def _holder(self) -> str:
        try:
            note = json.loads(os.pread(self._fd, 1000, 0))
            return f" in process {note['pid']}, since {note['since']}"
        except (ValueError, KeyError, TypeError, OSError):
            return ""


def is_locked(directory: Path, connector: str) -> bool:
    """Whether a process is running the connector now."""
    try:
        fd = os.open(directory / f"{connector}.lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


@contextmanager
def writing(fd: int) -> Iterator[None]:
    """One writer at a time on the ledger file.

    SQLite before 3.51.3 can corrupt a WAL that two connections write or checkpoint at once
    (https://sqlite.org/wal.html#walresetbug), and many systems still ship such a version.
    """
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(fd, fcntl.LOCK_UN)


def open_write_lock(directory: Path) -> int:
    return _open(directory / "ledger.lock")


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise LedgerError(f"{path} cannot be opened: {error.strerror}") from None


def _same_file(fd: int, path: Path) -> bool:
    try:
        on_disk = path.stat()
    except FileNotFoundError:
        return False
    return os.fstat(fd).st_ino == on_disk.st_ino
