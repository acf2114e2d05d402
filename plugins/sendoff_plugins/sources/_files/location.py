"""What every location of files offers, and a file in it."""

from __future__ import annotations

import glob
import os
import stat
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sendoff.plugin import SourceError, SourceUnavailable

#: Where Linux has a link for each open file, to where that is by now.
_OPEN_FILES = Path("/proc/self/fd")


@dataclass(frozen=True, slots=True)
class File:
    """One file: its name as a person would write it, and how it is downloaded if it is remote."""

    name: str
    size: int
    #: When it was last written, in nanoseconds since 1970.
    written: int
    path: Path | None = None
    #: Why a path on this machine is not read; "" if it is.
    problem: Callable[[Path], str] | None = None
    fetch: Callable[[BinaryIO], None] | None = None

    @contextmanager
    def fetched(self) -> Iterator[Path]:
        """The path of the file on this machine; a downloaded copy is deleted afterwards."""
        if self.path is not None:
            with self._opened(self.path) as path:
                yield path
            return
        assert self.fetch is not None
        with tempfile.NamedTemporaryFile(prefix="sendoff-") as copy:
            self.fetch(copy)  # type: ignore[arg-type]  # a temporary file is a binary file
            copy.flush()
            if (come := copy.tell()) < self.size:
                raise SourceUnavailable(f"{self.name}: only {come:,} of its {self.size:,} bytes came")
            yield Path(copy.name)

    @contextmanager
    def _opened(self, path: Path) -> Iterator[Path]:
        """A path that leads to this very file, and to no link that was put in its place after it was found."""
        if self.problem is None or not _OPEN_FILES.is_dir():
            yield path
            return
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe in its place is not waited for
        except OSError as error:
            raise SourceError(f"{self.name}: cannot be read: {error.strerror}", code="file") from None
        try:
            opened = _OPEN_FILES / str(fd)
            if problem := self.problem(opened):
                raise SourceError(f"{self.name}: {problem}")
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise SourceError(f"{self.name}: not a regular file", code="file")
            yield opened
        finally:
            os.close(fd)


class Location(ABC):
    """The location that one `path` names."""

    local = False
    #: A directory may have nothing in it, and a pattern find nothing, where files are still to come.
    may_be_empty = False

    def __init__(self, path: str) -> None:
        #: The files that were not taken when `files` looked last, each with the reason.
        self.left_out: list[str] = []
        self.shown = path.partition("?")[0]
        self.many = glob.has_magic(path) or path.endswith("/")

    def hint(self) -> str:
        """Where there is no such file: what may be meant, as the end of a sentence."""
        return ""

    @abstractmethod
    def files(self) -> list[File]:
        """The files there are, by name in byte order."""
