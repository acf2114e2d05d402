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
from itertools import islice
from typing import Any

import polars as pl

from sendoff.plugin import MAX_COLUMNS, PAGE_CELLS, Page, Source, SourceError, hookimpl, pages_of_mappings
from sendoff_plugins.sources._common.header import checked_header
from sendoff_plugins.sources._common.not_packed import not_packed
from sendoff_plugins.sources._files.files import COMPRESSION, MAX_RECORD, MEMBER, FileSource, chunks
from sendoff_plugins.sources._files.text import check_encoding
from sendoff_plugins.sources._files.text import utf8 as _utf8

_TSV = re.compile(r"\.tsv(\.(gz|zst))?$", re.IGNORECASE)
#: Ragged records are filled up with at most so many cells for each that is there.
_MAX_PADDING = 8
#: How many records are looked at together where they are ragged.
_SLOW_ROWS = 100_000
_QUOTED = re.compile(rb'"[^"]*"')
#: What is wrong, by a part of the error message of Python's `csv`.
_SENTENCES = {
    "new-line character": "a carriage return that no line feed follows; end lines with LF or CR LF, or quote the cell",
    "expected after": "a quote inside a quoted cell is not doubled",
    "field larger": f"a cell of more than {MAX_RECORD >> 20} MiB",
    "NUL": "a NUL byte, which text has none of; is `encoding` right?",
    "unexpected end": "a quote is opened and never closed",
}

DELIMITER_OPTION = {
    "type": "string", "minlength": 1, "maxlength": 1, "regex": "[ -~\t]", "forbidden": ['"'], "default": ",",
    "meta": {"help": "What separates cells."},
}  # fmt: skip


ENCODING_OPTION = {
    "type": "string", "default": "utf-8", "check_with": check_encoding,
    "meta": {"help": "How text is written in bytes: utf-8, utf-16, latin-1, cp1252 and so on."},
}  # fmt: skip
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
        "delimiter": {
            **DELIMITER_OPTION, "nullable": True, "default": None,
            "meta": {"help": "What separates cells. Default: a tab in files that end in `.tsv`, else a comma."},
        },
        "encoding": ENCODING_OPTION, "columns": COLUMNS_OPTION, "compression": COMPRESSION, "member": MEMBER,
        "skip_lines": {
            "type": "integer", "min": 0, "default": 0,
            "meta": {"help": "How many lines stand above the one with the columns' names: a title, a remark."},
        },
    }  # fmt: skip
    delimiter: str | None
    encoding: str
    skip_lines: int = 0

    def __init__(self, **options: Any) -> None:
        self._header: list[str] | None = options.pop("columns", None)
        super().__init__(**options)

    def columns(self) -> Iterator[tuple[str, list[str]]]:
        if not self._local or self.once or self.schema_drift == "allow" or self._header:
            return
        for name, stream in self.streams():
            text = _utf8(stream, name, self.encoding)
            yield name, next(_records(text, name, self._delimiter(name), self.skip_lines, self.max_columns))

    def read(self, cursor: Any) -> Iterator[Page]:
        self.begin(cursor)
        for name, stream in self.streams():
            text = _utf8(stream, name, self.encoding)
            for page in read_table(text, name, self._delimiter(name), self._header, self.skip_lines, self.max_columns):
                yield page if self.schema_drift == "fail" else replace(page, uniform=False)

    def _delimiter(self, name: str) -> str:
        return self.delimiter or ("\t" if _TSV.search(name) else ",")


def read_table(
    stream: Any, name: str, delimiter: str, header: list[str] | None = None, skip: int = 0, max_columns: int = MAX_COLUMNS
) -> Iterator[Page]:
    """Pages of a stream of CSV; raises `SourceError`, with the line, where it is not valid CSV."""
    if header is not None:
        for chunk, line, newlines in _whole(stream, name, skip):
            yield from _Chunk(chunk, line, newlines, name, delimiter).pages(header)
        return
    records = _records(stream, name, delimiter, skip, max_columns)
    header = next(records)
    for chunk, line, newlines in records:
        yield from _Chunk(chunk, line, newlines, name, delimiter).pages(header)


def _records(stream: Any, name: str, delimiter: str, skip: int, max_columns: int) -> Iterator[Any]:
    """The header, then chunks of whole records, each with the number of its first line and how many lines it ends."""
    header: list[str] | None = None
    for chunk, line, newlines in _whole(stream, name, skip):
        if header is None:
            head = _header_end(chunk)
            header = _header(chunk[:head], line, name, delimiter, max_columns)
            yield header
            if chunk[head:]:
                above = chunk.count(b"\n", 0, head)
                yield chunk[head:], line + above, newlines - above
        else:
            yield chunk, line, newlines
    if header is None:
        raise SourceError(f"{name}: is empty; a CSV file has a header line")


def _whole(stream: Any, name: str, skip: int = 0) -> Iterator[tuple[bytes, int, int]]:
    """Chunks that end where a record ends, at a newline with an even number of quotes before it.

    Each with its first line's number, and how many lines it ends.
    """
    rest, line = b"", 1
    for data in chunks(stream):
        rest += data
        while line <= skip and (newline := rest.find(b"\n")) >= 0:
            rest, line = rest[newline + 1 :], line + 1
        if line <= skip:
            rest = b""
            continue
        end, quotes = len(rest), rest.count(b'"')
        while True:
            newline = rest.rfind(b"\n", 0, end)
            quotes -= rest.count(b'"', newline + 1, end)
            end = newline
            if newline < 0 or quotes % 2 == 0:
                break
        if end >= 0:
            chunk, rest = rest[: end + 1], rest[end + 1 :]
            newlines = chunk.count(b"\n")
            yield chunk, line, newlines
            line += newlines
        if len(rest) > MAX_RECORD:
            raise SourceError(_never_closed(rest, line, name) or f"{name}:{line}: a record of more than {MAX_RECORD >> 20} MiB")
    if rest:
        problem = _never_closed(rest, line, name)
        if problem:
            raise SourceError(problem)
        yield rest, line, rest.count(b"\n")


def _never_closed(rest: bytes, line: int, name: str) -> str | None:
    blanked = _QUOTED.sub(lambda match: b"\n" * match[0].count(b"\n") + b"." * (len(match[0]) - match[0].count(b"\n")), rest)
    at = blanked.find(b'"')
    if at < 0:
        return None
    line += rest.count(b"\n", 0, at)
    return f"{name}:{line}: a quote is opened here and never closed"


def _header_end(chunk: bytes) -> int:
    end, quotes = -1, 0
    while True:
        start = end + 1
        end = chunk.find(b"\n", start)
        if end < 0:
            return len(chunk)
        quotes += chunk.count(b'"', start, end)
        if quotes % 2 == 0:
            return end + 1


def _header(raw: bytes, line: int, name: str, delimiter: str, max_columns: int) -> list[str]:
    cells = next(iter(_parsed(_decoded(raw, line, name), line, name, delimiter)), (line, []))[1]
    return checked_header(cells, f"{name}:{line}", max_columns)


class _Chunk:
    """Whole records, and the number of the line they start in."""

    def __init__(self, data: bytes, line: int, newlines: int, name: str, delimiter: str) -> None:
        self.data, self.line, self.newlines, self.name, self.delimiter = data, line, newlines, name, delimiter

    def pages(self, header: list[str]) -> Iterator[Page]:
        """The records as a page; as several where records are so ragged that filling them up would take too much."""
        bare = self._bare()
        records = bare.count(b"\n") + (not bare.endswith(b"\n"))
        # polars fills up what is missing of a record, which may be nearly all of it.
        whole = bare.count(self.delimiter.encode()) == records * (len(header) - 1)
        frame = self._fast(header) if whole else None
        if frame is None or not self._regular(records, frame):
            yield from self._slow(_decoded(self.data, self.line, self.name), header)
        else:
            yield Page(frame, self.name, self._lines(frame.height), all_text=True)

    def _bare(self) -> bytes:
        """The chunk with its quoted parts cut out; raises `SourceError` for a quote that is out of place."""
        if b'"' not in self.data:
            return self.data
        try:
            whole = pl.Series([self.data], dtype=pl.Binary).cast(pl.String)
        except pl.exceptions.PolarsError:
            _decoded(self.data, self.line, self.name)  # raises with the place that is not UTF-8
            raise
        bare = whole.str.replace_all('"[^"]*"', '"')
        between = f"\\{self.delimiter}" if self.delimiter in r"\]^-[&~" else self.delimiter
        pattern = rf'[^{between}\n"]"|"[^{between}\r\n"]|"\r[^\n]'
        text: bytes = bare.item().encode()
        if bare.str.contains(pattern).item():
            at = text.count(b"\n", 0, len(text) - len(bare.str.extract(rf"(?s)(?:{pattern})(.*)\z", 1).item().encode()) - 1)
            line = self.line + int(self._starts()[at])
            raise SourceError(
                f"{self.name}:{line}: a quote inside a cell that is not quoted; quote the cell and double the quote"
            )
        return text

    def _regular(self, records: int, frame: pl.DataFrame) -> bool:
        """Whether every record has as many cells as the header, where there are as many delimiters as there should be.

        polars refuses a record with more cells. Then none has fewer.
        """
        blank = frame.width == 1 and bool((frame.to_series().str.len_bytes() == 0).fill_null(True).any())
        return records == frame.height and not blank

    def _fast(self, header: list[str]) -> pl.DataFrame | None:
        data, skipped = not_packed(self.data)
        try:
            return pl.read_csv(
                data, skip_lines=skipped, has_header=False, new_columns=header, separator=self.delimiter, infer_schema=False,
                truncate_ragged_lines=False,
            )  # fmt: skip
        except pl.exceptions.PolarsError:
            return None

    def _slow(self, text: str, header: list[str]) -> Iterator[Page]:
        records = _parsed(text, self.line, self.name, self.delimiter)
        while some := list(islice(records, _SLOW_ROWS)):
            lines, rows = [line for line, _ in some], [row for _, row in some]
            faults = {
                at: f"ragged: {len(row)} cells where the header has {len(header)}"
                for at, row in enumerate(rows)
                if len(row) != len(header)
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
        quotes = pl.read_lines(data).to_series()[skipped:].str.count_matches('"', literal=True).cast(pl.Int64)
        return ((quotes.cum_sum() - quotes) % 2 == 0).arg_true().cast(pl.Int64)


def _decoded(data: bytes, line: int, name: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        at = line + data.count(b"\n", 0, error.start)
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise SourceError(f"{name}:{at}: not UTF-8 at byte {column} of the line") from None


def _parsed(text: str, line: int, name: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Each record and its first line, by Python's `csv`; blank lines are not records."""
    reader = csv.reader(io.StringIO(text, newline="\n"), delimiter=delimiter, strict=True)
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
