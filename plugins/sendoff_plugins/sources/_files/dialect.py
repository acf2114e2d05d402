"""How a CSV file is written: the options that say it, and what a file's beginning shows of it."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from sendoff.plugin import Component, ConfigError, Notation, Page, SourceError
from sendoff_plugins.sources._files.text import check_encoding

#: The delimiters that are looked for.
DELIMITERS = (",", ";", "\t", "|")
#: How many records are looked at, and how many bytes of a file at least before its delimiter is judged.
_RECORDS, SAMPLE = 50, 1 << 16
#: The byte that stands for no quote: none that UTF-8 has.
NO_QUOTE = b"\xff"
_SEP = re.compile(rb'"?sep=([ -~\t])"?\r?(\n|\Z)', re.IGNORECASE)
#: What some files are that are named like CSV, by how they begin.
_OTHERS = {
    b"\xd0\xcf\x11\xe0": "an Excel workbook (xls), not CSV; use `use: excel`",
    b"%PDF": "a PDF document, not CSV",
    b"PAR1": "a Parquet file, not CSV; use `use: parquet`",
}
_HTML = re.compile(rb"\s*<(!doctype html|html|head|body)\b", re.IGNORECASE)
_WORDS: dict[str, Any] = {"type": "list", "schema": {"type": "string", "empty": False}, "default": []}

DIALECT: dict[str, Any] = {
    "delimiter": {
        "type": "string", "minlength": 1, "maxlength": 1, "regex": "[ -~\t]", "forbidden": ['"'], "nullable": True,
        "default": None,
        "meta": {"help": "What separates cells. Default: a tab in files that end in `.tsv`, else a comma; or as a first line "
                 "`sep=;` says."},
    },
    "encoding": {
        "type": "string", "default": "utf-8", "check_with": check_encoding,
        "meta": {"help": "How text is written in bytes: utf-8, utf-16, latin-1, cp1252 and so on."},
    },
    "quote": {
        "type": "string", "allowed": ['"', "'", "`", "none"], "default": '"',
        "meta": {"help": "What quotes cells; `none` if every character is part of its cell, as in most TSV."},
    },
    "skip_rows": {
        "type": "integer", "min": 0, "default": 0,
        "meta": {"help": "How many lines stand above the one with the columns' names: a title, a remark."},
    },
    "skip_footer": {
        "type": "integer", "min": 0, "max": 1000, "default": 0,
        "meta": {"help": "How many records at the end are none: a total, a signature."},
    },
    "comment": {
        "type": "string", "empty": False, "regex": r"[^\r\n]+", "nullable": True, "default": None,
        "meta": {"help": "What lines begin with that are skipped, like `#`."},
    },
    "trim": {
        "type": "boolean", "default": False,
        "meta": {"help": "Whether white space around cells is taken away. It is around the columns' names."},
    },
    "null_values": {**_WORDS, "meta": {"help": "Texts that are a null, as an empty cell is: `[NULL, N/A]`."}},
    "decimal": {
        "type": "string", "allowed": [".", ","], "default": ".",
        "meta": {"help": "What stands before the decimals of numbers."},
    },
    "thousands": {
        "type": "string", "allowed": [".", ",", "'", "\u2019", " ", "\u00a0", "\u202f", "_"], "nullable": True, "default": None,
        "meta": {"help": "What may stand between the thousands of numbers. As `decimal`, only in fields of numeric types."},
    },
    "true_values": {**_WORDS, "meta": {"help": "Texts that mean true in boolean fields, beside `true`."}},
    "false_values": {**_WORDS, "meta": {"help": "Texts that mean false in boolean fields, beside `false`."}},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file is written. One that looks written otherwise is refused unless a delimiter `is_declared`."""

    delimiter: str = ","
    is_declared: bool = True
    quote: bytes = b'"'
    skip_rows: int = 0
    skip_footer: int = 0
    comment: bytes | None = None
    trim: bool = False
    null_values: Sequence[str] = ()

    def fitted(self, start: bytes, name: str) -> Dialect:
        """The dialect for a file that begins so; raises `SourceError` for one that looks written otherwise."""
        found = next((other for magic, other in _OTHERS.items() if start.startswith(magic)), None)
        if found is None and _HTML.match(start):
            found = "an HTML page, not CSV"
        if found is not None:
            raise SourceError(f"{name}: is {found}")
        if encoding := _wide(start):
            raise SourceError(f"{name}: the encoding looks like {encoding}: add `encoding: {encoding}`")
        if said := _SEP.match(start):
            delimiter = self.delimiter if self.is_declared else said[1].decode()
            return replace(self, delimiter=delimiter, is_declared=True, skip_rows=max(self.skip_rows, 1))
        if not self.is_declared:
            text = "\n".join(_lines(start.decode(errors="replace"), len(start) < SAMPLE)[self.skip_rows :])
            seems = seemingly(text, self.delimiter, self.quote.decode("latin-1"), self.comment)
            if seems != self.delimiter:
                raise SourceError(
                    f"{name}:{self.skip_rows + 1}: the delimiter looks like {_shown(seems)}: add `delimiter: {_shown(seems)}`; "
                    f"if it is not, add `delimiter: {_shown(self.delimiter)}`"
                )
        return self

    def clean(self, page: Page) -> Page:
        """The page with its cells trimmed and its words for null as nulls."""
        if not (self.trim or self.null_values):
            return page
        cells = pl.col(pl.String).str.strip_chars() if self.trim else pl.col(pl.String)
        if self.null_values:
            cells = cells.replace(dict.fromkeys(self.null_values))
        return replace(page, frame=page.frame.with_columns(cells))


def dialect_of(source: Component, default: str = ",") -> Dialect:
    """The dialect that a source's options declare."""
    given: Any = source
    quote = NO_QUOTE if given.quote == "none" else given.quote.encode()
    return Dialect(
        given.delimiter or default, given.delimiter is not None, quote, given.skip_rows, given.skip_footer,
        None if given.comment is None else given.comment.encode(), given.trim, given.null_values,
    )  # fmt: skip


def notation_of(source: Component) -> Notation | None:
    """The notation of numbers and booleans that a source's options declare, if any."""
    given: Any = source
    if given.decimal == given.thousands:
        raise ConfigError(f"`decimal` and `thousands` are both {given.decimal!r}; they must differ")
    found = Notation(given.decimal, given.thousands or "", tuple(given.true_values), tuple(given.false_values))
    return None if found == Notation() else found


def seemingly(text: str, default: str, quote: str, comment: bytes | None) -> str:
    """The delimiter of a text that begins with its names: the default, unless another one certainly fits better."""
    if comment is not None:
        text = "\n".join(line for line in text.splitlines() if not line.encode().startswith(comment))
    widths = {each: [len(record) for _, record in records(text, each, quote)] for each in {*DELIMITERS, default}}
    if not widths[default]:
        return default
    mine = widths[default]
    for other in DELIMITERS:
        theirs = widths[other]
        if not theirs:  # a cell longer than `csv` takes
            continue
        share = theirs.count(theirs[0]) / len(theirs)
        if other != default and theirs[0] > 1 and share >= 0.9 and (mine[0] == 1 or (share == 1 and len({*mine}) > 1)):
            return other
    return default


def records(text: str, delimiter: str, quote: str = '"') -> Iterator[tuple[int, list[str]]]:
    """The first records of a sample that are not blank, with how many lines are above; leniently, for it may be cut off."""
    is_quoted = quote.isascii()
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote if is_quoted else None,
        quoting=csv.QUOTE_MINIMAL if is_quoted else csv.QUOTE_NONE,
    )  # fmt: skip
    found = 0
    try:
        while found < _RECORDS:
            above = reader.line_num
            record = next(reader)
            if record:
                found += 1
                yield above, record
    except (StopIteration, csv.Error):
        return


def detect(start: bytes, name: str, default: str) -> dict[str, Any]:
    """The options that a file that begins so needs, where they differ from the defaults."""
    found: dict[str, Any] = {}
    if encoding := _encoding(start):
        found["encoding"] = encoding
    text = start.removeprefix(b"\xef\xbb\xbf").decode(encoding or "utf-8", errors="replace")
    if said := _SEP.match(text[:9].encode(errors="replace")):
        lines, delimiter = _lines(text, whole=True)[1:], said[1].decode()
        text = "\n".join(lines)
    else:
        delimiter = _most_consistent(text, default)
        if delimiter != default:
            found = {"delimiter": delimiter, **found}
    quote = _quote(text, delimiter)
    if quote != '"':
        found["quote"] = quote
    read = list(records(text, delimiter, "\xff" if quote == "none" else quote))
    if not said and (above := _above_header(read)):
        found["skip_rows"] = above
    return {**found, **_decimal([cell.strip() for _, record in read for cell in record])}


def encoding_of(data: bytes) -> str:
    """The encoding of bytes that are not UTF-8, as far as they show it."""
    try:
        data.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"


def _encoding(start: bytes) -> str | None:
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    if wide := _wide(start):
        return wide
    try:
        start.decode()
    except UnicodeDecodeError as error:
        return None if error.reason == "unexpected end of data" else encoding_of(start)
    return None


def _wide(start: bytes) -> str | None:
    """UTF-16 without its mark: every other byte of what is mostly ASCII is NUL."""
    for name, odd in (("utf-16-le", start[1::2]), ("utf-16-be", start[0::2])):
        if len(start) > 3 and odd.count(0) > 0.7 * len(odd):
            return name
    return None


def _lines(text: str, whole: bool) -> list[str]:
    lines = re.split(r"\r\n|\n|\r", text)
    return lines if whole or len(lines) < 3 else lines[:-1]


def _most_consistent(text: str, default: str) -> str:
    """The delimiter by which most records have the same number of cells, of those the one with the most cells."""

    def rank(delimiter: str) -> tuple[float, int, bool]:
        widths = Counter(len(record) for _, record in records(text, delimiter))
        width, count = widths.most_common(1)[0] if widths else (1, 0)
        return (count / widths.total() if width > 1 else 0.0, width, delimiter == default)

    best = max(DELIMITERS, key=rank)
    return best if rank(best)[0] else default


def _quote(text: str, delimiter: str) -> str:
    edge = re.escape(delimiter)
    if re.search(rf"(^|{edge})'[^'\n]*({edge}|')", text) and re.search(rf"'{edge}'", text) and '"' not in text:
        return "'"
    return "none" if '"' in text and not re.search(rf'(^|{edge})"', text, re.MULTILINE) else '"'


def _above_header(read: Sequence[tuple[int, list[str]]]) -> int:
    """How many lines stand above the names: those before the first record that is as wide as most, and has no gap."""
    used = [max((at for at, cell in enumerate(record, 1) if cell.strip()), default=0) for _, record in read]
    usual = Counter(used).most_common(1)[0][0] if used else 0
    for width, (above, record) in zip(used, read, strict=True):
        if width > 1 and width >= usual and all(cell.strip() for cell in record[:width]):
            return above
    return 0


def _decimal(cells: list[str]) -> dict[str, Any]:
    """A decimal comma, where numbers have one that cannot be of thousands, and none has a decimal point."""
    comma = [cell for cell in cells if re.fullmatch(r"-?[0-9]{1,3}((\.[0-9]{3})+|[0-9]*),([0-9]{1,2}|[0-9]{4,})", cell)]
    point = any(re.fullmatch(r"-?[0-9]+\.([0-9]{1,2}|[0-9]{4,})", cell) for cell in cells)
    if not comma or point:
        return {}
    return {"decimal": ","} | ({"thousands": "."} if any("." in cell for cell in comma) else {})


def _shown(delimiter: str) -> str:
    return {"\t": '"\\t"'}.get(delimiter, f"'{delimiter}'")
