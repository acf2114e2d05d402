"""JSON Lines: one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from sendoff import Page, Source, SourceError, hookimpl, jsontext
from sendoff.records import PAGE_ROWS, from_mappings
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
    rows: list[dict[str, Any]] = []
    lines: list[int] = []
    faults: dict[int, str] = {}
    for number, raw in _lines(stream, name):
        if not raw or raw.isspace():
            continue
        try:
            row = jsontext.loads(raw.decode())
            if not isinstance(row, dict):
                raise ValueError("not a JSON object")
        except ValueError as error:
            sentence = f"not UTF-8 at byte {error.start + 1}" if isinstance(error, UnicodeDecodeError) else str(error)
            faults[len(rows)] = f"{sentence}: {raw[:80].decode('utf-8', 'replace')!r}"
            row = {}
        rows.append(row)
        lines.append(number)
        if len(rows) == PAGE_ROWS:
            yield _page(rows, lines, faults, name)
            rows, lines, faults = [], [], {}
    if rows:
        yield _page(rows, lines, faults, name)


def _page(rows: list[dict[str, Any]], lines: list[int], faults: dict[int, str], name: str) -> Page:
    page = from_mappings(rows)
    return Page(page.frame, name, lines, faults, fixed=False, absent=page.absent)


def _lines(stream: BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    rest, number = b"", 0
    for chunk in chunks(stream):
        *whole, rest = (rest + chunk).split(b"\n")
        for raw in whole:
            number += 1
            yield number, raw
        if len(rest) > MAX_RECORD:
            raise SourceError(f"{name}:{number + 1}: a line of more than {MAX_RECORD >> 20} MiB")
    if rest:
        yield number + 1, rest


@hookimpl
def sendoff_sources() -> list[type[Source]]:
    return [JsonLines]
