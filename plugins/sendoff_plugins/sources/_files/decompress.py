"""Decompress files: recognised by their first bytes, with their checksums verified, and within bounds."""

from __future__ import annotations

import fnmatch
import importlib
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from isal import igzip
from isal.igzip_lib import IsalError

from sendoff.plugin import SourceError, install_command, is_bomb
from sendoff_plugins.sources._files.read_digest import ReadDigest

MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"PK\x03\x04": "zip", b"PK\x05\x06": "zip"}

#: Maximum members of an archive.
MEMBERS = 10_000

#: What zlib, isal and zipfile raise for broken files: besides their own errors, `NotImplementedError` for a method that
#: zipfile does not know, `RuntimeError` for a member that is encrypted, `ValueError` for sizes and dates that cannot be.
_BROKEN: tuple[type[Exception], ...] = (
    EOFError, OSError, zlib.error, IsalError, zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError,
)  # type: ignore[assignment]  # fmt: skip  # isal's error has a hint that says instance


class BoundedStream(io.RawIOBase):
    """A decompressed stream; an error in it raises a `SourceError` that says how far it was read."""

    def __init__(self, stream: Any, name: str, packed: int, kind: str) -> None:
        self._stream, self.name, self._packed, self._kind = stream, name, packed, kind
        self._out = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def read(self, size: int = -1) -> bytes:
        try:
            data: bytes = self._stream.read(size)
        except _BROKEN as error:
            raise SourceError(f"{self.name}: broken {self._kind} after {self._out:,} bytes of content: {error}") from None
        self._out += len(data)
        if is_bomb(self._packed, self._out):
            raise SourceError(
                f"{self.name}: {self._packed:,} bytes of {self._kind} hold more than {self._out:,}; "
                "nothing of records is so repetitive, and no more of it is read"
            )
        return data


def decompress(
    path: Path,
    name: str,
    compression: str,
    member: str,
    opened: Callable[[BinaryIO], None] = lambda _: None,
    digest: ReadDigest | None = None,
    *,
    is_text: bool = False,
) -> Iterator[tuple[str, BinaryIO]]:
    """The streams of a file, each with its name: the file itself, or an archive's members.

    `opened` is given the file as it is on disk: where it is shows how much was read. `digest` follows what is read of it,
    unless it is an archive, which is read in no order; `is_text` says that it has lines, each ended by a byte of its own.
    """
    try:
        with path.open("rb") as raw:
            opened(raw)
            kind = compression if compression != "auto" else detect_compression(raw)
            if kind == "zip":
                yield from _members(raw, name, member, is_declared=compression == "zip" or name.lower().endswith(".zip"))
                return
            stream = raw if digest is None else digest.follow(raw, name, is_text=is_text and kind == "none")
            yield name, stream if kind == "none" else _stream(kind, stream, name, path.stat().st_size)
            if digest is not None:
                digest.finish(raw)
    except OSError as error:
        raise SourceError(f"{name}: cannot be read: {error.strerror or error}", code="file") from None


def detect_compression(raw: BinaryIO) -> str:
    """What a file is compressed with, by its first bytes."""
    head = raw.read(4)
    raw.seek(0)
    return next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), "none")


def _stream(kind: str, raw: BinaryIO, name: str, size: int) -> Any:
    if kind == "gzip":
        return BoundedStream(igzip.IGzipFile(fileobj=raw), name, size, kind)  # type: ignore[no-untyped-call]  # isal has no hints for it
    for home in ("compression.zstd", "backports.zstd"):  # the standard library has it from 3.14 on; before, an extra
        with suppress(ImportError):
            return BoundedStream(importlib.import_module(home).ZstdFile(raw), name, size, kind)
    raise SourceError(f"{name}: is compressed with zstd, and this needs the zstd extra: {install_command('zstd')}")


def _members(raw: BinaryIO, name: str, pattern: str, *, is_declared: bool) -> Iterator[tuple[str, BinaryIO]]:
    try:
        archive = zipfile.ZipFile(raw)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise SourceError(f"{name}: not a zip archive that can be read: {error}") from None
    inside = [info for info in archive.infolist() if not info.is_dir() and fnmatch.fnmatch(info.filename, pattern)]
    if len(archive.infolist()) > MEMBERS:
        raise SourceError(f"{name}: holds {len(archive.infolist()):,} files, more than {MEMBERS:,}")
    if pattern == "*" and "[Content_Types].xml" in archive.NameToInfo:
        raise SourceError(f"{name}: is an Excel workbook (xlsx); use `use: excel`")
    if not is_declared:
        raise SourceError(f"{name}: is a zip archive; unpack it, or name it .zip, or use `compression: zip`")
    if not inside:
        raise SourceError(f"{name}: no file in it is named {pattern}")
    for info in sorted(inside, key=lambda info: info.filename.encode()):
        shown = f"{name}/{info.filename}"
        try:
            stream: Any = archive.open(info)
        except _BROKEN as error:
            raise SourceError(f"{shown}: cannot be read: {error}") from None
        yield shown, BoundedStream(stream, shown, info.compress_size, "zip")  # type: ignore[misc]  # a raw stream reads like a binary file
