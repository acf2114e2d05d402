"""JSON Lines: one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from sendoff.plugin import MAX_COLUMNS, PAGE_ROWS, Lines, Source, SourceError, hookimpl
from sendoff_plugins.sources._files.files import COMPRESSION, MAX_RECORD, MEMBER, FileSource, chunks


class JsonLines(FileSource):
    """Read files of JSON Lines: one JSON object a line, in UTF-8."""

    name = "jsonl"
    default_for = (".jsonl", ".ndjson")
    reads_in_order = True
    options = {**FileSource.options, "compression": COMPRESSION, "member": MEMBER}

    def read(self, cursor: Any) -> Iterator[Lines]:
        self.begin(cursor)
        for name, stream in self.streams():
            yield from read_lines(stream, name, self.max_columns)


def read_lines(stream: BinaryIO, name: str, max_columns: int = MAX_COLUMNS) -> Iterator[Lines]:
    """The lines of a stream of JSON Lines, but blank ones."""
    first = 1
    for chunk, begun in _line_chunks(stream):
        lines = [line.strip(b" \t\r") for line in chunk.split(b"\n")]
        if not lines[-1]:
            lines.pop()
        numbers: Sequence[int] = range(first, first + len(lines))
        first += len(lines)
        if not all(lines):
            numbers = [number for number, line in zip(numbers, lines, strict=True) if line]
            lines = [line for line in lines if line]
        some = -(-len(lines) // max(1, -(-len(lines) // PAGE_ROWS)))  # parts of equal size
        for at in range(0, len(lines), some or 1):
            yield Lines(lines[at : at + some], name, numbers[at : at + some], max_columns)
        if begun > MAX_RECORD:
            raise SourceError(f"{name}:{first}: a line of more than {MAX_RECORD >> 20} MiB")


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
