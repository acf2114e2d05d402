"""The spool: records that can be read only once, written to disk before any of them is sent.

A spool file holds pages, each with its length and CRC-32. It is complete, synced, and its digest is in the
ledger, before a run reads from it.
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import polars as pl

from sendoff import jsonlib
from sendoff.components import Source
from sendoff.errors import LedgerError, SourceError
from sendoff.ledger.state_dir import sync_directory
from sendoff.records import Page

_FRAME = struct.Struct("<QI")


class Spool(Source):
    """Pages from a spool file."""

    name = "spool"

    def __init__(
        self, file: Path, *, digest: bytes | None = None, columns: Iterable[tuple[str, list[str]]] | None = None
    ) -> None:
        super().__init__(max_columns=sys.maxsize)
        self.file = file
        #: What is known from writing it.
        self._digest, self._columns = digest, columns
        self._share: float | None = None

    def fingerprint(self) -> bytes:
        """The digest of the file's contents."""
        if self._digest is not None:
            return self._digest
        with self.file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").digest()

    def columns(self) -> Iterable[tuple[str, list[str]]]:
        """The columns of each page whose rows all have the same."""
        if self._columns is not None:
            return self._columns
        return ((page.file, page.frame.columns) for page in self.read(None) if page.uniform)

    def read(self, cursor: object) -> Iterator[Page]:
        """The pages in the file. Raises `LedgerError` if it is damaged."""
        size = self.file.stat().st_size
        with self.file.open("rb") as stream:
            while head := stream.read(_FRAME.size):
                length, checksum = _FRAME.unpack(head)
                raw = stream.read(length)
                if zlib.crc32(raw) != checksum:
                    raise LedgerError(f"{self.file} is damaged; its records that were not sent yet are lost")
                self._share = stream.tell() / size
                yield _unpacked(raw)

    def share_read(self) -> float | None:
        return self._share


def write(file: Path, pages: Iterable[Page]) -> Spool:
    """Write pages to a spool file, durably and atomically. Raises `LedgerError`."""
    draft = file.with_suffix(f".{os.getpid()}.draft")
    digest, columns = hashlib.sha256(), dict[tuple[str, ...], tuple[str, list[str]]]()
    try:
        draft.unlink(missing_ok=True)  # of a process that was killed
        fd = os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(fd, "wb") as stream:
            for page in pages:
                raw = _packed(page)
                framed = _FRAME.pack(len(raw), zlib.crc32(raw)) + raw
                stream.write(framed)
                digest.update(framed)
                if page.uniform:
                    columns.setdefault((page.file, *page.frame.columns), (page.file, page.frame.columns))
            stream.flush()
            os.fsync(fd)
        draft.replace(file)
        sync_directory(file.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise LedgerError(f"the spool {file} cannot be written: {error.strerror}; nothing was sent") from error
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return Spool(file, digest=digest.digest(), columns=list(columns.values()))


def _packed(page: Page) -> bytes:
    objects = [name for name, dtype in page.frame.schema.items() if dtype == pl.Object]
    frame = page.frame.with_columns(
        pl.Series(
            name,
            [
                None if value is None else jsonlib.dumps(_tagged(value, name), jsonlib.WRAPPED_DEPTH)
                for value in page.frame[name].to_list()
            ],
            dtype=pl.String,
        )
        for name in objects
    )
    head = {
        "file": page.file,
        "lines": [int(line) for line in page.lines],
        "faults": [[index, reason] for index, reason in page.row_errors.items()],
        "text": page.all_text,
        "fixed": page.uniform,
        "change": page.change,
        "numbers": sorted(page.numbers),
        "objects": objects,
        "absent": {name: mask.to_list() for name, mask in page.missing_keys.items()},
        "height": frame.height,
    }
    encoded_head = jsonlib.dumps(head).encode()
    body = io.BytesIO()
    frame.write_ipc(body)
    return struct.pack("<I", len(encoded_head)) + encoded_head + body.getvalue()


def _unpacked(raw: bytes) -> Page:
    (length,) = struct.unpack_from("<I", raw)
    head = jsonlib.loads(raw[4 : 4 + length].decode(), depth=jsonlib.WRAPPED_DEPTH)
    frame = pl.read_ipc(io.BytesIO(raw[4 + length :]))
    if not frame.width:
        frame = pl.DataFrame(height=head["height"])
    frame = frame.with_columns(
        pl.Series(
            name,
            [
                None if cell is None else _untagged(jsonlib.loads(cell, depth=jsonlib.WRAPPED_DEPTH))
                for cell in frame[name].to_list()
            ],
            dtype=pl.Object,
        )
        for name in head["objects"]
    )
    return Page(
        frame,
        head["file"],
        head["lines"],
        {int(index): reason for index, reason in head["faults"]},
        all_text=head["text"],
        uniform=head["fixed"],
        change=head.get("change", ""),
        numbers=frozenset(head.get("numbers", ())),
        missing_keys={name: pl.Series(mask) for name, mask in head["absent"].items()},
    )


_TAGS: dict[type, tuple[str, Any]] = {
    Decimal: ("decimal", Decimal),
    datetime: ("datetime", datetime.fromisoformat),
    date: ("date", date.fromisoformat),
    time: ("time", time.fromisoformat),
    UUID: ("uuid", UUID),
    float: ("float", float),
}
_MICROSECOND = timedelta(microseconds=1)
_PARSERS = {**dict(_TAGS.values()), "duration": lambda count: count * _MICROSECOND}


def _tagged(value: object, field: str) -> object:
    """The value as JSON that `_untagged` turns back into a value of the same type."""
    tag = _TAGS.get(type(value))
    if tag is not None:
        return {
            tag[0]: value.isoformat() if hasattr(value, "isoformat") else repr(value) if type(value) is float else str(value)
        }
    if isinstance(value, timedelta):
        return {"duration": value // _MICROSECOND}
    if isinstance(value, str):
        return {"str": value.encode("utf-8", "surrogatepass").hex()} if not _encodable(value) else value
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Mapping):
        return {"dict": [[str(key), _tagged(item, field)] for key, item in value.items()]}
    if isinstance(value, list | tuple | set | frozenset):
        return [_tagged(item, field) for item in value]
    raise SourceError(f"{field}: a {type(value).__name__} cannot be spooled; use text, numbers, dates, lists or mappings")


def _untagged(value: object) -> object:
    if isinstance(value, list):
        return [_untagged(item) for item in value]
    if isinstance(value, dict):
        ((tag, content),) = value.items()
        if tag == "dict":
            return {key: _untagged(item) for key, item in content}
        return bytes.fromhex(content).decode("utf-8", "surrogatepass") if tag == "str" else _PARSERS[tag](content)
    return value


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
