"""Cut a text into chunks of whole records, without the lines and records that are none of the table."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any, NamedTuple

from sendoff.plugin import SourceError
from sendoff_plugins.sources._csv.detection import SAMPLE
from sendoff_plugins.sources._csv.dialect import Dialect
from sendoff_plugins.sources._files.files import MAX_RECORD, chunks


class Chunk(NamedTuple):
    """Some records. The last one of a chunk that is not whole has no end within `MAX_RECORD`, or in the file."""

    data: bytes
    is_whole: bool = True


def read_chunks(stream: Any, name: str, dialect: Dialect) -> tuple[Iterator[Chunk], Dialect]:
    """A table's text in chunks of whole records, and its dialect as far as its beginning says it."""
    data = chunks(stream)
    start = b""
    while len(start) < SAMPLE and (more := next(data, b"")):
        start += more
    dialect = dialect.fitted(start, name)
    text: Iterator[bytes] = chain([start], data)
    if b"\r" in start and b"\n" not in start:
        text = (each.replace(b"\r", b"\n") for each in text)
    text = _without_lines_above(text, dialect.skip_rows)
    if dialect.comment is not None:
        text = _blank_comments(text, name, dialect.comment, dialect.quote)
    return _whole_records(text, dialect.quote), dialect


def without_footer(found: Iterator[Chunk], dialect: Dialect) -> Iterator[Chunk]:
    """The chunks without the last records, as many as the dialect skips."""
    held = b""
    for data, is_whole in found:
        held += data
        end = _footer_start(held, dialect) if is_whole else len(held)
        if end:
            yield Chunk(held[:end], is_whole)
            held = held[end:]


def end_of_record(data: bytes, start: int, quote: bytes) -> int:
    """Where the record ends that begins at `start`: after a newline with an even number of quotes before it."""
    end, quotes = start - 1, 0
    while True:
        start = end + 1
        end = data.find(b"\n", start)
        if end < 0:
            return len(data)
        quotes += data.count(quote, start, end)
        if quotes % 2 == 0:
            return end + 1


def _without_lines_above(text: Iterator[bytes], skip: int) -> Iterator[bytes]:
    for data in text:
        start = 0
        while skip and (newline := data.find(b"\n", start)) >= 0:
            start, skip = newline + 1, skip - 1
        if not skip and data[start:]:
            yield data[start:]


def _blank_comments(text: Iterator[bytes], name: str, comment: bytes, quote: bytes) -> Iterator[bytes]:
    """The text with nothing in lines of comment, so that the lines after them keep their numbers."""
    rest, is_inside = b"", False
    for data in text:
        *lines, rest = (rest + data).split(b"\n")
        for at, line in enumerate(lines):
            if not is_inside and line.startswith(comment):
                lines[at] = b""
            else:
                is_inside ^= line.count(quote) % 2 == 1
        if len(rest) > MAX_RECORD:
            raise SourceError(f"{name}: a line of more than {MAX_RECORD >> 20} MiB")
        if lines:
            yield b"\n".join(lines) + b"\n"
    if rest and (is_inside or not rest.startswith(comment)):
        yield rest


def _whole_records(text: Iterator[bytes], quote: bytes) -> Iterator[Chunk]:
    """Chunks that end where a record ends; the last one may be not whole."""
    rest: list[bytes] = []
    is_inside = False  # of a quoted cell, at the end of the rest
    for data in text:
        is_inside ^= quote in data and data.count(quote) % 2 == 1
        newline, is_open = len(data), is_inside
        while newline >= 0:
            end, newline = newline, data.rfind(b"\n", 0, newline)
            is_open ^= data.count(quote, newline + 1, end) % 2 == 1
            if not is_open:
                break
        if newline >= 0:
            yield Chunk(b"".join([*rest, memoryview(data)[: newline + 1]]))
            rest = []
        rest.append(data[newline + 1 :])
        if sum(map(len, rest)) > MAX_RECORD:
            yield Chunk(b"".join(rest), is_whole=False)
            return
    if last := b"".join(rest):
        yield Chunk(last, is_whole=not is_inside)


def _footer_start(data: bytes, dialect: Dialect) -> int:
    """Where the last records of some whole ones begin. A record begins where the quotes after it are even in number."""
    at, quotes, left = len(data), 0, dialect.skip_footer
    while at and left:
        start = data.rfind(b"\n", 0, at - 1) + 1
        quotes += data.count(dialect.quote, start, at)
        left -= quotes % 2 == 0 and bool(data[start:at].strip())
        at = start
    return at
