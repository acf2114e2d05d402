"""What a file's beginning shows of how it is written."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from sendoff.plugin import CsvDialect

#: The delimiters that are looked for.
DELIMITERS = (",", ";", "\t", "|")
#: How many records are looked at, and how many bytes of a file at least before its delimiter is judged.
_RECORDS, SAMPLE = 50, 1 << 16
#: The first line of some files, which says their delimiter.
SEP = re.compile(rb'"?sep=([ -~\t])"?\r?(\n|\Z)', re.IGNORECASE)

#: What some files are that are named like CSV, by how they begin.
_OTHERS = {
    b"\xd0\xcf\x11\xe0": "an Excel workbook (xls), not CSV; use `use: excel`",
    b"%PDF": "a PDF document, not CSV",
    b"PAR1": "a Parquet file, not CSV; use `use: parquet`",
}
_HTML = re.compile(rb"\s*<(!doctype html|html|head|body)\b", re.IGNORECASE)


def no_csv(start: bytes) -> str | None:
    """What a file is that begins so, and what to use for it; None if it may be CSV."""
    if _HTML.match(start):
        return "an HTML page, not CSV"
    return next((other for magic, other in _OTHERS.items() if start.startswith(magic)), None)


def seemingly(text: str, default: str, quote: str | None, comment: bytes | None) -> str:
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


def records(text: str, delimiter: str, quote: str | None = '"') -> Iterator[tuple[int, list[str]]]:
    """The first records of a sample that are not blank, with how many lines are above; leniently, for it may be cut off."""
    quoting: Any = csv.QUOTE_NONE if quote is None else csv.QUOTE_MINIMAL
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote, quoting=quoting)
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


def detect(start: bytes, name: str, default: str, likely: CsvDialect | None = None) -> dict[str, Any]:
    """The options that a file that begins so needs, where they differ from the defaults.

    `likely` is known for what a spreadsheet program saved: that writes nothing above the names, and no quotes of its own.
    """
    found: dict[str, Any] = {}
    if encoding := _encoding(start, likely):
        found["encoding"] = encoding
    text = start.removeprefix(b"\xef\xbb\xbf").decode(encoding or "utf-8", errors="replace")
    if said := SEP.match(text[:9].encode(errors="replace")):
        lines, delimiter = split_lines(text, whole=True)[1:], said[1].decode()
        text = "\n".join(lines)
    else:
        delimiter = _most_consistent(text, default, likely)
        if delimiter != default:
            found = {"delimiter": delimiter, **found}
    if likely:
        return found
    quote = _quote(text, delimiter)
    if quote != '"':
        found["quote"] = quote
    read = list(records(text, delimiter, None if quote == "none" else quote))
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


def _encoding(start: bytes, likely: CsvDialect | None) -> str | None:
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    if wide := wide_encoding(start):
        return wide
    try:
        start.decode()
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and len(start) >= SAMPLE:  # where the sample was cut off
            return None
        if likely is not None:
            with suppress(UnicodeDecodeError):
                codecs.getincrementaldecoder(likely.encoding)().decode(start)
                return likely.encoding
        return encoding_of(start)
    return None


def wide_encoding(start: bytes) -> str | None:
    """UTF-16 without its mark: every other byte of what is mostly ASCII is NUL."""
    for name, odd in (("utf-16-le", start[1::2]), ("utf-16-be", start[0::2])):
        if len(start) > 3 and odd.count(0) > 0.7 * len(odd):
            return name
    return None


def split_lines(text: str, whole: bool) -> list[str]:
    lines = re.split(r"\r\n|\n|\r", text)
    return lines if whole or len(lines) < 3 else lines[:-1]


def _most_consistent(text: str, default: str, likely: CsvDialect | None) -> str:
    """The delimiter by which most records have the same number of cells, of those the one with the most cells."""

    def rank(delimiter: str) -> tuple[float, int, bool]:
        widths = Counter(len(record) for _, record in records(text, delimiter))
        width, count = widths.most_common(1)[0] if widths else (1, 0)
        return (count / widths.total() if width > 1 else 0.0, width, delimiter == default)

    best = max((*DELIMITERS, *([likely.delimiter] if likely else ())), key=rank)
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
