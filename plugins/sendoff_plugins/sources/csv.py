"""CSV, strictly per RFC 4180.

A chunk of whole records is read by polars in one go if every record has as many cells as the
header. To find out, the quoted parts are cut out of a copy of the chunk: what is left has one line a record, and no
delimiter that is part of a cell. A chunk with ragged records goes through Python's `csv`, which is slower and knows which.

The file is long because cutting a text into records, and reading what is cut, need the same rules of quotes.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from sendoff.plugin import MAX_COLUMNS, PAGE_CELLS, Page, Source, SourceError, hookimpl, pages_of_mappings
from sendoff_plugins.sources._common.header import checked_header
from sendoff_plugins.sources._common.not_packed import not_packed
from sendoff_plugins.sources._files.decompress import decompress
from sendoff_plugins.sources._files.dialect import (
    DIALECT,
    NO_QUOTE,
    SAMPLE,
    Dialect,
    detect,
    dialect_of,
    encoding_of,
    notation_of,
)  # fmt: skip
from sendoff_plugins.sources._files.files import CHUNK, COMPRESSION, MAX_RECORD, MEMBER, FileSource, chunks
from sendoff_plugins.sources._files.text import utf8 as _utf8

_TSV = re.compile(r"\.tsv(\.(gz|zst))?$", re.IGNORECASE)
#: Ragged records are filled up with at most so many cells for each that is there.
_MAX_PADDING = 8
#: How many records are looked at together where they are ragged.
_SLOW_ROWS = 100_000
#: What is wrong, by a part of the error message of Python's `csv`.
_SENTENCES = {
    "new-line character": "a carriage return that no line feed follows; end lines with LF or CR LF, or quote the cell",
    "expected after": "a quote inside a quoted cell is not doubled",
    "field larger": f"a cell of more than {MAX_RECORD >> 20} MiB",
    "NUL": "a NUL byte, which text has none of; is `encoding` right?",
    "unexpected end": "a quote is opened and never closed",
}

COLUMNS_OPTION = {
    "type": "list", "schema": {"type": "string", "empty": False}, "minlength": 1, "required": False,
    "meta": {"help": "The columns' names, where the first line is a record already."},
}  # fmt: skip


class Csv(FileSource):
    """Read CSV files. An empty cell is a null."""

    name = "csv"
    default_for = (".csv", ".tsv")
    options = {
        **FileSource.options,
        **DIALECT, "columns": COLUMNS_OPTION, "compression": COMPRESSION, "member": MEMBER,
    }  # fmt: skip
    encoding: str

    def __init__(self, **options: Any) -> None:
        self._header: list[str] | None = options.pop("columns", None)
        super().__init__(**options)
        self.notation = notation_of(self)

    def columns(self) -> Iterator[tuple[str, list[str]]]:
        if not self._local or self.once or self.schema_drift == "allow" or self._header:
            return
        for name, stream in self.streams():
            text = _utf8(stream, name, self.encoding)
            yield name, read_header(text, name, self._dialect(name), self.max_columns)

    def read(self, cursor: Any) -> Iterator[Page]:
        self.begin(cursor)
        for name, stream in self.streams():
            text = _utf8(stream, name, self.encoding)
            for page in read_table(text, name, self._dialect(name), self._header, self.max_columns):
                yield page if self.schema_drift == "fail" else replace(page, uniform=False)

    def _dialect(self, name: str) -> Dialect:
        return dialect_of(self, _default_delimiter(name))

    @classmethod
    def detect(cls, file: Path) -> dict[str, object]:
        for name, stream in decompress(file, file.name, "auto", "*"):
            start = stream.read(CHUNK)
            return detect(start, name, _default_delimiter(name))
        return {}


def _default_delimiter(name: str) -> str:
    return "\t" if _TSV.search(name) else ","


class _Header(NamedTuple):
    """The names, and how many cells their line has: more, where columns at its end have no name."""

    names: list[str]
    width: int


def read_header(stream: Any, name: str, dialect: Dialect, max_columns: int = MAX_COLUMNS) -> list[str]:
    """The names of the columns."""
    data, dialect = _begin(stream, name, dialect)
    header: _Header = next(_records(data, name, dialect, max_columns))
    return header.names


def read_table(
    stream: Any, name: str, dialect: Dialect, columns: list[str] | None = None, max_columns: int = MAX_COLUMNS
) -> Iterator[Page]:
    """Pages of a stream of CSV; raises `SourceError`, with the line, where it is not valid CSV."""
    data, dialect = _begin(stream, name, dialect)
    if columns is not None:
        header, records = _Header(columns, len(columns)), _without_footer(_whole(data, name, dialect), dialect)
    else:
        records = _without_footer(_records(data, name, dialect, max_columns), dialect)
        header = next(records)
    for chunk, line, newlines in records:
        for page in _Chunk(chunk, line, newlines, name, dialect).pages(header):
            yield dialect.clean(page)


def _begin(stream: Any, name: str, dialect: Dialect) -> tuple[Iterator[bytes], Dialect]:
    """The stream's text without the lines that are none of the table's, and its dialect as far as its beginning says it."""
    data = chunks(stream)
    start = b""
    while len(start) < SAMPLE and (more := next(data, b"")):
        start += more
    dialect = dialect.fitted(start, name)
    text: Iterator[bytes] = chain([start], data)
    if b"\r" in start and b"\n" not in start:
        text = (each.replace(b"\r", b"\n") for each in text)
    text = _without_rows_above(text, dialect.skip_rows)
    return (text if dialect.comment is None else _blank_comments(text, name, dialect)), dialect


def _without_rows_above(text: Iterator[bytes], skip: int) -> Iterator[bytes]:
    for data in text:
        start = 0
        while skip and (newline := data.find(b"\n", start)) >= 0:
            start, skip = newline + 1, skip - 1
        if not skip and data[start:]:
            yield data[start:]


def _blank_comments(text: Iterator[bytes], name: str, dialect: Dialect) -> Iterator[bytes]:
    """The text with nothing in lines of comment, so that the lines after them keep their numbers."""
    assert dialect.comment is not None
    rest, is_inside = b"", False
    for data in text:
        *lines, rest = (rest + data).split(b"\n")
        for at, line in enumerate(lines):
            if not is_inside and line.startswith(dialect.comment):
                lines[at] = b""
            else:
                is_inside ^= line.count(dialect.quote) % 2 == 1
        if len(rest) > MAX_RECORD:
            raise SourceError(f"{name}: a line of more than {MAX_RECORD >> 20} MiB")
        if lines:
            yield b"\n".join(lines) + b"\n"
    if rest and (is_inside or not rest.startswith(dialect.comment)):
        yield rest


def _without_footer(records: Iterator[Any], dialect: Dialect) -> Iterator[Any]:
    """The chunks without the last records; a header goes through."""
    held, line = b"", 0
    for item in records:
        if isinstance(item, _Header) or not dialect.skip_footer:
            yield item
            continue
        chunk, start, _ = item
        if not held:
            line = start
        held += chunk
        end = _footer_start(held, dialect)
        if end:
            size = held.count(b"\n", 0, end)
            yield held[:end], line, size
            held, line = held[end:], line + size


def _footer_start(data: bytes, dialect: Dialect) -> int:
    """Where the last records of some whole ones begin. A record begins where the quotes after it are even in number."""
    at, quotes, left = len(data), 0, dialect.skip_footer
    while at and left:
        start = data.rfind(b"\n", 0, at - 1) + 1
        quotes += data.count(dialect.quote, start, at)
        left -= quotes % 2 == 0 and bool(data[start:at].strip())
        at = start
    return at


def _records(data: Iterator[bytes], name: str, dialect: Dialect, max_columns: int) -> Iterator[Any]:
    """The header, then chunks of whole records, each with the number of its first line and how many lines it ends."""
    header: _Header | None = None
    for chunk, line, newlines in _whole(data, name, dialect):
        if header is None:
            blank = len(chunk) - len(chunk.lstrip(b"\r\n"))
            if blank == len(chunk):
                continue
            head, top = _header_end(chunk, blank, dialect.quote), line + chunk.count(b"\n", 0, blank)
            header = _header(chunk[blank:head], top, name, dialect, max_columns)
            yield header
            if chunk[head:]:
                above = chunk.count(b"\n", 0, head)
                yield chunk[head:], line + above, newlines - above
        else:
            yield chunk, line, newlines
    if header is None:
        raise SourceError(f"{name}: is empty; a CSV file has a header line")


def _whole(text: Iterator[bytes], name: str, dialect: Dialect) -> Iterator[tuple[bytes, int, int]]:
    """Chunks that end where a record ends, at a newline with an even number of quotes before it.

    Each with its first line's number, and how many lines it ends.
    """
    rest, line, quote = b"", 1 + dialect.skip_rows, dialect.quote
    for data in text:
        rest += data
        end, quotes = len(rest), rest.count(quote)
        while True:
            newline = rest.rfind(b"\n", 0, end)
            quotes -= rest.count(quote, newline + 1, end)
            end = newline
            if newline < 0 or quotes % 2 == 0:
                break
        if end >= 0:
            chunk, rest = rest[: end + 1], rest[end + 1 :]
            newlines = chunk.count(b"\n")
            yield chunk, line, newlines
            line += newlines
        if len(rest) > MAX_RECORD:
            raise SourceError(
                _never_closed(rest, line, name, quote) or f"{name}:{line}: a record of more than {MAX_RECORD >> 20} MiB"
            )
    if rest:
        problem = _never_closed(rest, line, name, quote)
        if problem:
            raise SourceError(problem)
        yield rest, line, rest.count(b"\n")


def _never_closed(rest: bytes, line: int, name: str, quote: bytes) -> str | None:
    if quote == NO_QUOTE:
        return None
    quoted = quote + b"[^" + quote + b"]*" + quote
    blanked = re.sub(quoted, lambda match: re.sub(rb"[^\n]", b".", match[0]), rest)
    at = blanked.find(quote)
    if at < 0:
        return None
    line += rest.count(b"\n", 0, at)
    return f"{name}:{line}: a quote is opened here and never closed"


def _header_end(chunk: bytes, start: int, quote: bytes) -> int:
    end, quotes = start - 1, 0
    while True:
        start = end + 1
        end = chunk.find(b"\n", start)
        if end < 0:
            return len(chunk)
        quotes += chunk.count(quote, start, end)
        if quotes % 2 == 0:
            return end + 1


def _header(raw: bytes, line: int, name: str, dialect: Dialect, max_columns: int) -> _Header:
    cells = next(iter(_parsed(_decoded(raw, line, name), line, name, dialect)), (line, []))[1]
    names = [cell.strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    return _Header(checked_header(names, f"{name}:{line}", max_columns), len(cells))


class _Chunk:
    """Whole records, and the number of the line they start in."""

    def __init__(self, data: bytes, line: int, newlines: int, name: str, dialect: Dialect) -> None:
        self.data, self.line, self.newlines, self.name, self.dialect = data, line, newlines, name, dialect
        self.quote = None if dialect.quote == NO_QUOTE else dialect.quote.decode()

    def pages(self, header: _Header) -> Iterator[Page]:
        """The records as a page; as several where records are so ragged that filling them up would take too much."""
        bare = self._bare()
        records = bare.count(b"\n") + (not bare.endswith(b"\n"))
        # polars fills up what is missing of a record, which may be nearly all of it.
        whole = bare.count(self.dialect.delimiter.encode()) == records * (header.width - 1)
        frame = self._fast(header) if whole else None
        if frame is None or not self._regular(records, frame) or not _is_blank(frame, header):
            yield from self._slow(_decoded(self.data, self.line, self.name), header.names)
        else:
            yield Page(frame.select(frame.columns[: len(header.names)]), self.name, self._lines(frame.height), all_text=True)

    def _bare(self) -> bytes:
        """The chunk with its quoted parts cut out; raises `SourceError` for a quote that is out of place."""
        if self.quote is None or self.dialect.quote not in self.data:
            return self.data
        q = self.quote
        try:
            whole = pl.Series([self.data], dtype=pl.Binary).cast(pl.String)
        except pl.exceptions.PolarsError:
            _decoded(self.data, self.line, self.name)  # raises with the place that is not UTF-8
            raise
        bare = whole.str.replace_all(f"{q}[^{q}]*{q}", q)
        delimiter = self.dialect.delimiter
        between = f"\\{delimiter}" if delimiter in r"\]^-[&~" else delimiter
        pattern = rf"[^{between}\n{q}]{q}|{q}[^{between}\r\n{q}]|{q}\r[^\n]"
        text: bytes = bare.item().encode()
        if bare.str.contains(pattern).item():
            at = text.count(b"\n", 0, len(text) - len(bare.str.extract(rf"(?s)(?:{pattern})(.*)\z", 1).item().encode()) - 1)
            line = self.line + int(self._starts()[at])
            raise SourceError(
                f"{self.name}:{line}: a quote inside a cell that is not quoted; quote the cell and double the quote, "
                "or use `quote: none` if quotes are part of cells"
            )
        return text

    def _regular(self, records: int, frame: pl.DataFrame) -> bool:
        """Whether every record has as many cells as the header, where there are as many delimiters as there should be.

        polars refuses a record with more cells. Then none has fewer.
        """
        blank = frame.width == 1 and bool((frame.to_series().str.len_bytes() == 0).fill_null(True).any())
        return records == frame.height and not blank

    def _fast(self, header: _Header) -> pl.DataFrame | None:
        data, skipped = not_packed(self.data)
        unnamed = (f"\0{at}" for at in range(len(header.names), header.width))
        try:
            return pl.read_csv(
                data, skip_lines=skipped, has_header=False, new_columns=[*header.names, *map(str, unnamed)],
                separator=self.dialect.delimiter, quote_char=self.quote, infer_schema=False, truncate_ragged_lines=False,
            )  # fmt: skip
        except pl.exceptions.PolarsError:
            return None

    def _slow(self, text: str, header: list[str]) -> Iterator[Page]:
        records = _parsed(text, self.line, self.name, self.dialect)
        while some := list(islice(records, _SLOW_ROWS)):
            lines, rows = [line for line, _ in some], [row for _, row in some]
            faults = {
                at: f"ragged: {len(row)} cells where the header has {len(header)}"
                for at, row in enumerate(rows)
                if len(row) < len(header) or any(row[len(header) :])
            }
            if len(rows) * len(header) <= max(PAGE_CELLS, _MAX_PADDING * sum(map(len, rows))):
                yield self._pad(rows, lines, faults, header)
                continue
            whole = [at for at in range(len(rows)) if at not in faults]
            if whole:
                yield self._pad([rows[at] for at in whole], [lines[at] for at in whole], {}, header)
            ragged = [dict(zip(header, rows[at], strict=False)) for at in faults]
            places, errors = [lines[at] for at in faults], dict(enumerate(faults.values()))
            for page in pages_of_mappings(ragged, file=self.name, lines=places, row_errors=errors, max_columns=len(header)):
                yield replace(page, all_text=True)

    def _pad(self, rows: list[list[str]], lines: list[int], faults: dict[int, str], header: list[str]) -> Page:
        """A page of rows, those that are too short filled up with nulls."""
        width = len(header)
        padded = (row if len(row) == width else [*row[:width], *[None] * (width - len(row))] for row in rows)
        columns = zip(*padded, strict=True) if rows else ([] for _ in header)
        frame = pl.DataFrame(
            [pl.Series(name, list(cells), dtype=pl.String) for name, cells in zip(header, columns, strict=True)]
        )
        return Page(frame, self.name, lines, faults, all_text=True)

    def _lines(self, records: int) -> Sequence[int] | pl.Series:
        if self.newlines <= records:
            return range(self.line, self.line + records)
        return self._starts() + self.line

    def _starts(self) -> pl.Series:
        """How many lines come before each record, where quoted cells have line breaks.

        A record begins where the quotes before it are even in number.
        """
        data, skipped = not_packed(self.data)
        quotes = pl.read_lines(data).to_series()[skipped:].str.count_matches(self.quote or "\0", literal=True).cast(pl.Int64)
        return ((quotes.cum_sum() - quotes) % 2 == 0).arg_true().cast(pl.Int64)


def _is_blank(frame: pl.DataFrame, header: _Header) -> bool:
    """Whether there is nothing in the columns without a name."""
    return all((cells.is_null() | (cells == "")).all() for cells in frame.get_columns()[len(header.names) :])


def _decoded(data: bytes, line: int, name: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        at = line + data.count(b"\n", 0, error.start)
        column = error.start - data.rfind(b"\n", 0, error.start)
        seems = encoding_of(data)
        raise SourceError(
            f"{name}:{at}: not UTF-8 at byte {column} of the line; the encoding looks like {seems}: add `encoding: {seems}`"
        ) from None


def _parsed(text: str, line: int, name: str, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """Each record and its first line, by Python's `csv`; blank lines are not records."""
    quote = None if dialect.quote == NO_QUOTE else dialect.quote.decode()
    reader = csv.reader(
        io.StringIO(text, newline="\n"), delimiter=dialect.delimiter, quotechar=quote, strict=True,
        quoting=csv.QUOTE_NONE if quote is None else csv.QUOTE_MINIMAL,
    )  # fmt: skip
    before = csv.field_size_limit(MAX_RECORD)
    try:
        while True:
            start = line + reader.line_num
            row = next(reader, None)
            if row is None:
                return
            if row:
                yield start, row
    except csv.Error as error:
        sentence = next((ours for theirs, ours in _SENTENCES.items() if theirs in str(error)), str(error))
        raise SourceError(f"{name}:{max(line, line + reader.line_num - 1)}: {sentence}") from None
    finally:
        csv.field_size_limit(before)


@hookimpl
def sendoff_sources() -> list[type[Source]]:
    return [Csv]
