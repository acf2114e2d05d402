"""JSON Lines: one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, BinaryIO

import polars as pl

from sendoff.plugin import PAGE_ROWS, LazyLines, Page, Source, SourceError, from_mappings, hookimpl
from sendoff_plugins.sources._common.not_packed import not_packed
from sendoff_plugins.sources._common.uniform_lines import UniformLineReader, parsed
from sendoff_plugins.sources._files.files import COMPRESSION, MAX_RECORD, MEMBER, FileSource, chunks


class JsonLines(FileSource):
    """Read files of JSON Lines: one JSON object a line, in UTF-8."""

    name = "jsonl"
    default_for = (".jsonl", ".ndjson")
    options = {**FileSource.options, "compression": COMPRESSION, "member": MEMBER}

    def read(self, cursor: Any) -> Iterator[Page]:
        self.begin(cursor)
        for name, stream in self.streams():
            yield from read_lines(stream, name)


def read_lines(stream: BinaryIO, name: str) -> Iterator[Page]:
    """Pages of a stream of JSON Lines. A line that is not an object is an error of its row only."""
    reader, first = UniformLineReader(), 1
    for chunk, begun in _line_chunks(stream):
        text, skipped = not_packed(chunk)
        try:
            lines = pl.read_lines(text).to_series()[skipped:].str.strip_chars(" \t\r")
        except pl.exceptions.ComputeError:  # not UTF-8, in one line at least
            raw = pl.Series(chunk.split(b"\n"), dtype=pl.Binary)
            lines, blank = raw, pl.Series([not line or line.isspace() for line in raw], dtype=pl.Boolean)
        else:
            blank = lines == ""
        numbers: Sequence[int] | pl.Series = range(first, first + len(lines))
        if blank.any():
            lines, numbers = lines.filter(~blank), (~blank).arg_true().cast(pl.Int64) + first
        first += len(blank)
        some = -(-len(lines) // max(1, -(-len(lines) // PAGE_ROWS)))  # pages of equal size
        for at in range(0, len(lines), some or 1):
            page = _lazy_page(reader, lines[at : at + some])
            yield replace(page, file=name, lines=numbers[at : at + some])
        if begun > MAX_RECORD:
            raise SourceError(f"{name}:{first}: a line of more than {MAX_RECORD >> 20} MiB")


def _lazy_page(reader: UniformLineReader, lines: pl.Series) -> Page:
    """A page of lines that are parsed only when that is needed."""

    def parse(some: pl.Series) -> Page:
        page, faults = (reader.read(some) if some.dtype == pl.String else None) or one_by_one(some.to_list())
        row_errors = {index: f"{sentence}: {_start(some[index])!r}" for index, sentence in sorted(faults.items())}
        return replace(page, row_errors=row_errors)

    if lines.dtype != pl.String:
        return parse(lines)
    try:
        keys = tuple(parsed(lines[0]))
    except ValueError:
        return parse(lines)
    return Page(pl.DataFrame(height=len(lines)), uniform=False, json=lines, lazy=LazyLines(keys, parse))


def _start(line: str | bytes) -> str:
    return (line.encode() if isinstance(line, str) else line)[:80].decode("utf-8", "replace")


def one_by_one(lines: Sequence[str | bytes]) -> tuple[Page, dict[int, str]]:
    """The page of lines, parsed one by one."""
    rows: list[dict[str, Any]] = []
    faults: dict[int, str] = {}
    for index, line in enumerate(lines):
        try:
            rows.append(parsed(line if isinstance(line, str) else line.decode()))
        except ValueError as error:
            faults[index] = f"not UTF-8 at byte {error.start + 1}" if isinstance(error, UnicodeDecodeError) else str(error)
            rows.append({})
    return from_mappings(rows), faults


def _line_chunks(stream: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """The stream in chunks of whole lines, each with the number of bytes read of the line after it."""
    rest = [b""]
    for chunk in chunks(stream):
        end = chunk.rfind(b"\n") + 1
        whole, rest = (b"".join((*rest, chunk[:end])), [chunk[end:]]) if end else (b"", [*rest, chunk])
        yield whole, sum(map(len, rest))
    yield b"".join(rest), 0


@hookimpl
def sendoff_sources() -> list[type[Source]]:
    return [JsonLines]
