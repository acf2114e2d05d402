"""JSON Lines: one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, BinaryIO

import polars as pl

from sendoff.plugin import MAX_COLUMNS, PAGE_ROWS, LazyLines, Page, Source, SourceError, hookimpl, pages_of_mappings
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
            yield from read_lines(stream, name, self.max_columns)


def read_lines(stream: BinaryIO, name: str, max_columns: int = MAX_COLUMNS) -> Iterator[Page]:
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
            for page in _lazy_pages(reader, lines[at : at + some], max_columns):
                yield replace(page, file=name, lines=numbers[at : at + page.frame.height])
                at += page.frame.height  # noqa: PLW2901  # several pages where the lines are read already
        if begun > MAX_RECORD:
            raise SourceError(f"{name}:{first}: a line of more than {MAX_RECORD >> 20} MiB")


def _lazy_pages(reader: UniformLineReader, lines: pl.Series, max_columns: int) -> Iterator[Page]:
    """A page of lines that are parsed only when that is needed; or pages of lines of which that is known."""

    def parse(some: pl.Series) -> Iterator[Page]:
        uniform = reader.read(some) if some.dtype == pl.String else None
        if uniform is not None and uniform[0].frame.width <= max_columns:
            page, faults = uniform
            yield replace(page, row_errors=_shown(some, faults))
        else:
            rows, faults = parse_each(some.to_list())
            yield from pages_of_mappings(rows, row_errors=_shown(some, faults), max_columns=max_columns)

    try:
        keys = tuple(parsed(lines[0])) if lines.dtype == pl.String else None
    except ValueError:
        keys = None
    if keys is None or len(keys) > max_columns:
        yield from parse(lines)
    else:
        yield Page(pl.DataFrame(height=len(lines)), uniform=False, json=lines, lazy=LazyLines(keys, parse))


def _shown(lines: pl.Series, faults: Mapping[int, str]) -> dict[int, str]:
    """Why lines are not records, with how they begin."""
    return {index: f"{sentence}: {_start(lines[index])!r}" for index, sentence in sorted(faults.items())}


def _start(line: str | bytes) -> str:
    return (line.encode() if isinstance(line, str) else line)[:80].decode("utf-8", "replace")


def parse_each(lines: Sequence[str | bytes]) -> tuple[list[dict[str, Any]], dict[int, str]]:
    """The records of lines, parsed one by one, and by index why some are none."""
    rows: list[dict[str, Any]] = []
    faults: dict[int, str] = {}
    for index, line in enumerate(lines):
        try:
            rows.append(parsed(line if isinstance(line, str) else line.decode()))
        except ValueError as error:
            faults[index] = f"not UTF-8 at byte {error.start + 1}" if isinstance(error, UnicodeDecodeError) else str(error)
            rows.append({})
    return rows, faults


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
