"""The digest of files while they are read: what a resumed run knows by that it reads the same again."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

from sendoff.plugin import ReadMark, SourceError
from sendoff_plugins.sources._files.location import File

_BLOCK = 1 << 20


class ReadDigest:
    """SHA-256 of all that was read so far of files that are read one after the other, names included."""

    def __init__(self) -> None:
        self._files = self._bytes = 0
        self._total, self._current = hashlib.sha256(), hashlib.sha256()
        self._name, self._last, self._ended, self._is_text = "", b"", False, False

    def follow(self, stream: BinaryIO, name: str, *, is_text: bool) -> BinaryIO:
        """The stream of the next file, whose bytes count as they are read. A newline ends a line of it only if it `is_text`."""
        self._name, self._bytes, self._current, self._ended = name, 0, hashlib.sha256(), False
        self._is_text = is_text
        return _Followed(stream, self._add)  # type: ignore[return-value]  # a raw stream reads like a binary file

    def finish(self, stream: BinaryIO) -> None:
        """The file is read; what its reader left of it counts too."""
        while not self._ended:
            self._add(stream.read(_BLOCK))
        self._total.update(_entry(self._name, self._current.digest()))
        self._files, self._bytes = self._files + 1, 0

    def mark(self) -> ReadMark:
        total = self._total.copy()
        if self._bytes:
            total.update(_entry(self._name, self._current.digest()))
        # A record that was read up to the end of the file, and not of a line, would be another one in a file that has grown.
        is_cut = self._ended and not (self._is_text and self._last == b"\n")
        return ReadMark([self._files, self._bytes, is_cut and self._bytes > 0], total.digest())

    def _add(self, data: bytes) -> bytes:
        self._current.update(data)
        self._bytes += len(data)
        self._ended, self._last = not data, data[-1:] or self._last
        return data


class _Followed(io.RawIOBase):
    """A stream that shows each of its bytes to somebody as it is read."""

    def __init__(self, stream: BinaryIO, show: Callable[[bytes], bytes]) -> None:
        self._stream, self._show = stream, show

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._show(self._stream.read(size))

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def digest_files(files: Iterable[File], position: Any = None) -> bytes:
    """The digest of files: of all of them, or as far as `position` of a mark says. It differs if there is less to read."""
    total = hashlib.sha256()
    whole, rest, is_cut = (-1, 0, False) if position is None else position
    for at, file in enumerate(files):
        if at == whole and not rest:
            break
        with file.fetched() as path:
            total.update(_entry(file.name, _digest(path, file.name, rest if at == whole and not is_cut else None)))
        if at == whole:
            break
    return total.digest()


def digest_file(path: Path, name: str) -> bytes:
    """SHA-256 of a file's bytes. Raises `SourceError` if it cannot be read."""
    return _digest(path, name, None)


def _digest(path: Path, name: str, size: int | None) -> bytes:
    try:
        with path.open("rb") as stream:
            if size is None:
                return hashlib.file_digest(stream, "sha256").digest()
            found = hashlib.sha256()
            while size > 0 and (data := stream.read(min(size, _BLOCK))):
                found.update(data)
                size -= len(data)
            return found.digest()
    except OSError as error:
        raise SourceError(f"{name}: cannot be read: {error.strerror}", code="file") from None


def _entry(name: str, digest: bytes) -> bytes:
    return name.encode() + b"\0" + digest
