"""Look up in a workbook what its reader does not tell: cells without a value to read, and times at midnight.

The reader gives an empty cell for a formula that failed or that no program has computed, and a date for a time at midnight.
xls and xlsb files are not looked at.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from html import unescape
from itertools import chain, islice, product
from pathlib import Path
from typing import IO, NamedTuple

from sendoff.plugin import SourceError


class SheetMarks(NamedTuple):
    """What is known of single cells. Rows and columns are counted from 1."""

    #: What is wrong with a cell, to be put behind its name, by row and column.
    faults: dict[int, dict[int, str]]
    #: Cells whose number format has a date and a time, and whose value is a whole day: rows by column.
    #: OpenDocument needs none.
    midnights: dict[int, set[int]]


#: Maximum bytes of one cell's XML. Excel's own limit is 32,767 characters.
MAX_CELL = 16 << 20
#: Maximum cells of a sheet that have no value to read.
MAX_FAULTS = 1_000_000

_CHUNK = 1 << 20
_NOT_COMPUTED = "has a formula that was never computed; open the file in a spreadsheet program and save it"
_TAG = r"<(?:\w+:)?%s(?=[\s/>])([^<>]*)>"
_SHEET = re.compile(_TAG % "sheet")
_RELATION = re.compile(_TAG % "Relationship")
_CELL = re.compile((_TAG % "c").encode())
_END_OF_CELL = re.compile(rb"</(?:\w+:)?c\s*>")
_FORMULA = re.compile((_TAG % "f").encode())
_VALUE = re.compile(rb"<(?:\w+:)?v(?:\s[^<>]*)?>([^<]+)")
#: What a chunk with a fault has one of.
_OF_FAULTS = (b"<f", b":f", b'"e"', b"'e'")
_OF_ERROR = re.compile(rb"""\st\s*=\s*["']e["']""")
_OF_TEXT = re.compile(rb"""\st\s*=\s*["'](?:str|inlineStr|s)["']""")
_PLACE = re.compile(rb"""\sr\s*=\s*["']([A-Za-z]{1,3})([0-9]{1,7})["']""")
#: The rest of a cell of these styles with a whole number. It begins with a literal, which `re` looks for quickly.
_MIDNIGHT = (
    r"""s=QUOTE(?<=\ss=QUOTE)(?:STYLES)QUOTE[^<>]*>(?:<(?:\w+:)?f(?:\s[^<>]*)?(?:/>|>[^<>]*</(?:\w+:)?f>))?"""
    r"""<(?:\w+:)?v>\s*[0-9]+(?:\.0*)?\s*<"""
)
_FORMAT = re.compile(_TAG % "numFmt")
_STYLE = re.compile(_TAG % "xf")
_BUILT_IN_MOMENT = "22"
_LITERAL = re.compile(r"""\"[^"]*"|\\.|_.|\[[^\]]*\]""")
_ODS = re.compile(rb"<table:(table-row|table-cell|covered-table-cell|table)(?=[\s/>])((?:\"[^\"<]*\"|'[^'<]*'|[^<>\"'])*)>")
_REPEATED = re.compile(rb"""number-(?:rows|columns)-repeated\s*=\s*["']\s*(\d{1,7})""")
_ODS_NAME = re.compile(rb"""\stable:name\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_ODS_ERROR = re.compile(rb"""calcext:value-type\s*=\s*["']error["']""")
_ODS_TYPE = re.compile(rb"""office:value-type\s*=\s*["']([^"'<]*)["']""")
_ODS_TYPES = {b"boolean", b"currency", b"date", b"float", b"percentage", b"string", b"time", b"void"}
_ODS_TEXT = re.compile(rb"<text:p[^<>]*>([^<]*)")


def find_marks(path: Path, name: str, sheet: str) -> SheetMarks:
    """Look up the cells of a sheet. Raises `SourceError` where that cannot be done, and for too many without a value."""
    marks = SheetMarks({}, {})
    if not zipfile.is_zipfile(path):
        return marks
    with zipfile.ZipFile(path) as archive:
        parts = {part.lower().replace("\\", "/"): part for part in archive.namelist()}
        if "content.xml" in parts:
            with archive.open(parts["content.xml"]) as stream:
                found = [*islice(_of_ods(stream, sheet, name), MAX_FAULTS + 1)]
        elif "xl/workbook.xml" in parts:
            moments = _moment_styles(archive, parts)
            with archive.open(_part_of(archive, parts, sheet, name)) as stream:
                found = [*islice(_of_xlsx(stream, name, moments, marks.midnights), MAX_FAULTS + 1)]
        else:
            return marks
    if len(found) > MAX_FAULTS:
        raise SourceError(f"{name}: more than {MAX_FAULTS:,} cells have no value; one of them {found[-1][2]}")
    for row, column, what in found:
        marks.faults.setdefault(row, {})[column] = what
    return marks


def number_of(letters: str) -> int:
    """A column's number, from 1."""
    found = 0
    for letter in letters.upper():
        found = found * 26 + ord(letter) - 64
    return found


def letters_of(number: int) -> str:
    """A column's letters."""
    found = ""
    while number:
        number, rest = divmod(number - 1, 26)
        found = chr(65 + rest) + found
    return found


def _part_of(archive: zipfile.ZipFile, parts: dict[str, str], sheet: str, name: str) -> str:
    """The part of an xlsx file that has this sheet."""
    book = archive.read(parts["xl/workbook.xml"]).decode("utf-8", "replace")
    relations = parts.get("xl/_rels/workbook.xml.rels")
    links = archive.read(relations).decode("utf-8", "replace") if relations else ""
    targets = {_attribute(each, "Id"): _attribute(each, "Target") for each in _RELATION.findall(links)}
    for found in _SHEET.findall(book):
        if _attribute(found, "name") == sheet:
            target = targets.get(_attribute(found, r"(?:\w+:)?id"), "").replace("\\", "/").lower()
            part = parts.get(target.removeprefix("/") if target.startswith("/") else f"xl/{target}")
            if part is not None:
                return part
    raise SourceError(f"{name}: the sheet {sheet!r} is not where the workbook says; save it anew in a spreadsheet program")


def _attribute(attributes: str, name: str) -> str:
    found = re.search(rf"""\s{name}\s*=\s*(?:"([^"]*)"|'([^']*)')""", attributes)
    return unescape(found[1] or found[2] or "") if found else ""


def _moment_styles(archive: zipfile.ZipFile, parts: dict[str, str]) -> list[str]:
    """The styles of cells whose number format has a date and a time."""
    if "xl/styles.xml" not in parts:
        return []
    text = archive.read(parts["xl/styles.xml"]).decode("utf-8", "replace")
    formats = {_attribute(each, "numFmtId"): _attribute(each, "formatCode") for each in _FORMAT.findall(text)}
    moments = {_BUILT_IN_MOMENT, *(key for key, code in formats.items() if _is_moment(code))}
    _, _, cells = text.partition("cellXfs")
    styles = _STYLE.findall(cells.partition("cellXfs")[0])
    return [str(at) for at, each in enumerate(styles) if _attribute(each, "numFmtId") in moments]


def _is_moment(code: str) -> bool:
    letters = set(_LITERAL.sub("", code.partition(";")[0]).lower())
    return bool(letters & set("yd")) and bool(letters & set("hs"))


def _of_xlsx(
    stream: IO[bytes], name: str, moments: list[str], midnights: dict[int, set[int]]
) -> Iterator[tuple[int, int, str]]:
    """The faults; cells at midnight are added to `midnights`."""
    of_styles = _MIDNIGHT.replace("STYLES", "|".join(moments))
    patterns = [re.compile(of_styles.replace("QUOTE", quote).encode()) for quote in ('"', "'")] if moments else []
    for chunk in _chunks(stream, name, _end_of_cells):
        for found in chain.from_iterable(pattern.finditer(chunk) for pattern in patterns):
            cell = _CELL.match(chunk, chunk.rfind(b"<", 0, found.start()))
            if cell and (place := _PLACE.search(cell[1])):
                midnights.setdefault(number_of(place[1].decode()), set()).add(int(place[2]))
        if not any(sign in chunk for sign in _OF_FAULTS):
            continue
        cells = [*_CELL.finditer(chunk)]
        ends = [*(found.start() for found in cells[1:]), len(chunk)]
        for cell, end in zip(cells, ends, strict=False):
            if cell[1].endswith(b"/"):
                continue
            close = _END_OF_CELL.search(chunk, cell.end(), end)
            inside = chunk[cell.end() : close.start() if close else end]
            what = _fault(cell[1], inside)
            if what:
                place = _PLACE.search(cell[1])
                if place is None:
                    raise SourceError(f"{name}: a cell whose place is not written {what}")
                yield int(place[2]), number_of(place[1].decode()), what


def _fault(attributes: bytes, inside: bytes) -> str:
    value = _VALUE.search(inside)
    if _OF_ERROR.search(attributes):
        return f"has the error {_shown(value[1])}" if value else "has an error"
    if value is None and _FORMULA.search(inside) and not _OF_TEXT.search(attributes):
        return _NOT_COMPUTED
    return ""


def _shown(text: bytes) -> str:
    return unescape(text.decode("utf-8", "replace")).strip()[:20]


def _end_of_cells(text: bytes) -> int:
    """Where a text may be cut without cutting a cell of xlsx; -1 if it has none."""
    rows = text.rfind(b"</row>") + 6
    return rows if rows >= 6 else max((cell.start() for cell in _CELL.finditer(text)), default=-1)


def _end_of_ods_cells(text: bytes) -> int:
    return max(text.rfind(b"<table:table-row"), 0) or text.rfind(b"<table:table-cell")


def _chunks(stream: IO[bytes], name: str, end_of_cells: Callable[[bytes], int]) -> Iterator[bytes]:
    """The stream in chunks, none of which ends within a cell."""
    rest = b""
    while data := stream.read(_CHUNK):
        rest += data
        end = end_of_cells(rest)
        if end < 0:
            end = max(rest.rfind(b"<"), 0)
        yield rest[:end]
        rest = rest[end:]
        if len(rest) > MAX_CELL:
            raise SourceError(f"{name}: has a cell of more than {MAX_CELL:,} bytes; no spreadsheet of records does")
    yield rest


def _of_ods(stream: IO[bytes], sheet: str, name: str) -> Iterator[tuple[int, int, str]]:
    row = column = repeated = 0
    here = False
    for chunk in _chunks(stream, name, _end_of_ods_cells):
        tags = [*_ODS.finditer(chunk)]
        ends = [*(found.start() for found in tags[1:]), len(chunk)]
        for found, end in zip(tags, ends, strict=False):
            kind, attributes = found[1], found[2]
            times = int(count[1]) if (count := _REPEATED.search(attributes)) else 1
            if kind == b"table":
                named = _ODS_NAME.search(attributes)
                here, row, column, repeated = bool(named) and _shown_name(named) == sheet, 0, 0, 0
            elif kind == b"table-row":
                row, column, repeated = row + repeated, 0, times
            elif here:
                if what := _ods_fault(attributes, chunk[found.end() : end]):
                    places = product(range(row + 1, row + repeated + 1), range(column + 1, column + times + 1))
                    yield from ((*place, what) for place in places)
                column += times


def _shown_name(found: re.Match[bytes] | None) -> str:
    return unescape((found[1] or found[2] or b"").decode("utf-8", "replace")) if found else ""


def _ods_fault(attributes: bytes, inside: bytes) -> str:
    if _ODS_ERROR.search(attributes):
        text = _ODS_TEXT.search(inside)
        return f"has the error {_shown(text[1])}" if text and text[1].strip() else "has an error"
    found = _ODS_TYPE.search(attributes)
    if found and found[1] not in _ODS_TYPES:
        return f"has a value of the type {_shown(found[1])!r}, which is none of OpenDocument"
    if b"table:formula" in attributes and not found:
        return _NOT_COMPUTED
    return ""
