"""JSON Lines: one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, BinaryIO

import polars as pl

from sendoff import Page, Source, SourceError, hookimpl
from sendoff.records import PAGE_ROWS, from_mappings
from sendoff_plugins.sources.alike import Alike, parsed
from sendoff_plugins.sources.files import MAX_RECORD, FileSource, chunks


class JsonLines(FileSource):
    """Read files of JSON Lines: one JSON object a line, in UTF-8."""

    name = "jsonl"
    options = FileSource.options

    def read(self, cursor: Any) -> Iterator[Page]:
        for file in self.files():
            with file.open("rb") as stream:
                yield from read_lines(stream, self.shown(file))


def read_lines(stream: BinaryIO, name: str) -> Iterator[Page]:
    """Pages of a stream of JSON Lines. A line that is no object becomes a fault, and the rest goes on."""
    alike = Alike()
    for first, chunk in _pieces(stream, name):
        lines = chunk.split(b"\n")
        if not lines[-1]:
            lines.pop()
        for at in range(0, len(lines), PAGE_ROWS):
            page = _page(alike, lines[at : at + PAGE_ROWS], first + at, name)
            if page is not None:
                yield page


def _page(alike: Alike, raw: list[bytes], first: int, name: str) -> Page | None:
    """The page of some lines, the first of which has this number; None if all are blank."""
    numbers: Sequence[int] = range(first, first + len(raw))
    if b"" in raw or any(line.isspace() for line in raw if line[:1] in b" \t\r"):
        kept = [at for at, line in enumerate(raw) if line and not line.isspace()]
        raw, numbers = [raw[at] for at in kept], [first + at for at in kept]
    if not raw:
        return None
    try:
        found = alike.read(pl.Series(b"\n".join(raw).decode().split("\n")))
    except UnicodeDecodeError:
        found = None
    page, faults = found or _one_by_one(raw)
    told = {index: f"{sentence}: {raw[index][:80].decode('utf-8', 'replace')!r}" for index, sentence in sorted(faults.items())}
    return replace(page, file=name, lines=numbers, faults=told)


def _one_by_one(raw: list[bytes]) -> tuple[Page, dict[int, str]]:
    """The page of lines that each look as they like."""
    rows: list[dict[str, Any]] = []
    faults: dict[int, str] = {}
    for index, line in enumerate(raw):
        try:
            rows.append(parsed(line.decode()))
        except ValueError as error:
            faults[index] = f"not UTF-8 at byte {error.start + 1}" if isinstance(error, UnicodeDecodeError) else str(error)
            rows.append({})
    return from_mappings(rows), faults


def _pieces(stream: BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    """The stream in pieces of whole lines, each with the number of its first."""
    rest, number = b"", 1
    for chunk in chunks(stream):
        whole, newline, end = (rest + chunk).rpartition(b"\n")
        if newline:
            yield number, whole + newline
            number += whole.count(b"\n") + 1
        rest = end
        if len(rest) > MAX_RECORD:
            raise SourceError(f"{name}:{number}: a line of more than {MAX_RECORD >> 20} MiB")
    if rest:
        yield number, rest


@hookimpl
def sendoff_sources() -> list[type[Source]]:
    return [JsonLines]
