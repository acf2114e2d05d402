"""Read records one by one, by Python's `csv`, and say of a text that is not CSV where and why."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import islice
from threading import Lock

from sendoff.plugin import SourceError
from sendoff_plugins.sources._csv.detection import encoding_of
from sendoff_plugins.sources._csv.dialect import Dialect
from sendoff_plugins.sources._files.files import MAX_RECORD

#: How many records are read at a time.
_RECORDS = 100_000
_ONLY_ONE = Lock()


def read_records(data: bytes, place: tuple[str, int], dialect: Dialect) -> Iterator[list[tuple[int, list[str]]]]:
    """The records that are not blank, each with the number of its first line; some of them at a time.

    `place` is the file and the line that the text begins in. Raises `SourceError` for a text that is not CSV in UTF-8.
    """
    if (fault := find_fault(data, place, dialect)) is not None:
        raise SourceError(fault)
    records = _unquoted(data, place[1], dialect) if dialect.quote_char is None else _quoted(data, place[1], dialect)
    while True:
        with _large_cells():
            some = list(islice(records, _RECORDS))
        if not some:
            return
        yield some


def find_fault(data: bytes, place: tuple[str, int], dialect: Dialect) -> str | None:
    """Where and why a text is not CSV in UTF-8; None if it is."""
    name, line = place
    try:
        data.decode()
    except UnicodeDecodeError as error:
        at = line + data.count(b"\n", 0, error.start)
        column = error.start - data.rfind(b"\n", 0, error.start)
        seems = encoding_of(data)
        return f"{name}:{at}: not UTF-8 at byte {column} of the line; the encoding looks like {seems}: add `encoding: {seems}`"
    if dialect.quote_char is None or (dialect.quote not in data and b"\r" not in data):
        return None
    cells, quoted, bare = _grammar(dialect.delimiter.encode(), dialect.quote)
    match = cells.match(data)
    assert match is not None  # it matches nothing, at least
    start = match.end()
    if start == len(data):
        return None
    line += data.count(b"\n", 0, start)
    where = f"{name}:{line}"
    if data.startswith(dialect.quote, start):
        if quoted.match(data, start) is None:
            return f"{where}: a quote is opened here and never closed"
        return (
            f"{where}: a quoted cell begins here, and goes on after the quote that closes it; double the quotes that are part "
            "of cells, or use `quote: none` if all are"
        )
    end = bare.match(data, start)
    assert end is not None
    if data.startswith(dialect.quote, end.end()):
        return (
            f"{where}: a quote inside a cell that is not quoted; quote the cell and double the quote, or use `quote: none` if "
            "quotes are part of cells"
        )
    return f"{where}: a carriage return that no line feed follows; end lines with LF or CR LF, or quote the cell"


@cache
def _grammar(delimiter: bytes, quote: bytes) -> tuple[re.Pattern[bytes], re.Pattern[bytes], re.Pattern[bytes]]:
    """What cells to the end of a text match (RFC 4180, with LF as an end of lines too), a quoted cell, and one that is not."""
    d, q = re.escape(delimiter), re.escape(quote)
    quoted = rb"%b[^%b]*+(?:%b%b[^%b]*+)*+%b" % (q, q, q, q, q, q)
    bare = rb"[^%b%b\r\n]*+" % (q, d)
    cells = rb"(?:(?:%b|%b)(?:%b|\r?(?:\n|\Z)))*+" % (quoted, bare, d)
    return re.compile(cells), re.compile(quoted), re.compile(bare)


def _quoted(data: bytes, line: int, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    text = io.StringIO(data.decode(), newline="\n")
    reader = csv.reader(text, delimiter=dialect.delimiter, quotechar=dialect.quote_char)
    start = line
    for record in reader:
        if record:
            yield start, record
        start = line + reader.line_num


def _unquoted(data: bytes, line: int, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    for at, text in enumerate(data.decode().split("\n"), line):
        if record := text.removesuffix("\r"):
            yield at, record.split(dialect.delimiter)


@contextmanager
def _large_cells() -> Iterator[None]:
    """Let `csv`, whose limit is the whole process's, read cells as large as records may be."""
    with _ONLY_ONE:
        before = csv.field_size_limit(2 * MAX_RECORD)
        try:
            yield
        finally:
            csv.field_size_limit(before)
