"""Spreadsheets: Excel (xlsx, xlsm, xls, xlsb) and OpenDocument (ods)."""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError, ParserCreate  # entities are refused before

import polars as pl

from sendoff.plugin import PAGE_ROWS, Page, Source, SourceError, column, format_duration, hookimpl, rows_per_page
from sendoff_plugins.sources._common.header import checked_header
from sendoff_plugins.sources._files.files import FileSource
from sendoff_plugins.sources._files.locations import import_extra
from sendoff_plugins.sources._files.workbook_cells import check_cells
from sendoff_plugins.sources._files.workbook_marks import SheetMarks, find_marks, letters_of, number_of

#: Maximum bytes of a spreadsheet's parts, decompressed, and the maximum ratio to their compressed bytes.
LARGEST = 4 << 30
FREE, RATIO = 100 << 20, 250
PARTS = 10_000

#: A page has at most so many rows where the sheet has much text.
_TEXT_ROWS, _MUCH_TEXT = 500, 32 << 20

#: From here on a spreadsheet's numbers, which are 64-bit floats, no longer hold every integer.
EXACT = 2.0**53
_TOO_LARGE = "has an integer of more digits than a spreadsheet keeps; have it as text there"

_RANGE = r"([A-Z]{1,3})([1-9][0-9]*)?(?::([A-Z]{1,3})([1-9][0-9]*)?)?"


class Excel(FileSource):
    """Read a sheet of Excel or OpenDocument files: the first row names the columns, an empty cell is a null.

    Values are those that were last computed. A whole number is an integer, a date cell a date, one with a time a
    datetime, a duration ISO 8601 text. Empty rows are passed over. Of merged cells the first has the value. A row with an
    error, a formula that was never computed, an integer from 2^53 on, or a cell right of the last name is invalid.
    In xls and xlsb files an error, or a formula without a value, is an empty cell and so a null: the reader gives no more.
    """

    name = "excel"
    default_for = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
    options = {
        **FileSource.options,
        "sheet": {
            "type": ["string", "integer"], "default": 1,
            "meta": {"help": "Which sheet: its name, or its number from 1, hidden ones included."},
        },
        "range": {
            "type": "string", "regex": _RANGE, "required": False,
            "meta": {"help": "Which cells, with the row of names: `A1:F100`, `B3` (from there on), `A:F`."},
        },
    }  # fmt: skip
    sheet: str | int
    range: str | None = None

    def read(self, cursor: Any) -> Iterator[Page]:
        calamine = import_extra("python_calamine", "excel")
        self.begin(cursor)
        for name, path in self.local():
            check_size(path, name)
            text = check_cells(path, name)
            try:
                with _open(calamine, path, name) as book:
                    sheet = self._sheet(book, name)
                    marks = find_marks(path, name, sheet.name)
                    most = _TEXT_ROWS if text > _MUCH_TEXT else PAGE_ROWS
                    yield from self._pages(sheet, f"{name}/{sheet.name}", marks, most)
            except SourceError:
                raise
            except calamine.PasswordError:
                raise SourceError(f"{name}: is encrypted; save it without a password") from None
            except Exception as error:  # the library's errors have no common base class
                raise SourceError(f"{name}: not a spreadsheet that can be read: {error}") from None

    def _sheet(self, book: Any, name: str) -> Any:
        names = book.sheet_names
        if isinstance(self.sheet, str) and self.sheet in names:
            return book.get_sheet_by_name(self.sheet)
        if isinstance(self.sheet, int) and 1 <= self.sheet <= len(names):
            return book.get_sheet_by_index(self.sheet - 1)
        raise SourceError(f"{name}: there is no sheet {self.sheet!r}; there are {', '.join(map(repr, names)) or 'none'}")

    def _pages(self, sheet: Any, name: str, marks: SheetMarks, most: int) -> Iterator[Page]:
        left, rows = _cut(sheet, self.range)
        first = next(rows, None)
        if first is None:
            raise SourceError(f"{name}: is empty; its first row names the columns")
        at, header = first
        width = max((number for number, cell in enumerate(header, 1) if cell != ""), default=0)
        columns = checked_header([_name(cell) for cell in header[:width]], f"{name}:{at}", self.max_columns)
        kept, size = _kept(rows, columns, left, marks), min(most, rows_per_page(columns))
        while some := list(islice(kept, size)):
            errors = {number: problem for number, (_, _, problem) in enumerate(some) if problem}
            series = []
            for at, each in enumerate(columns):
                cells = [row[at] for _, row, _ in some]
                if midnights := marks.midnights.get(left + at + 1):
                    lines = (line for line, _, _ in some)
                    cells = [_moment(cell) if line in midnights else cell for line, cell in zip(lines, cells, strict=True)]
                found = _column(each, cells)
                series.append(found)
                for number in _inexact(found):
                    place = f"{letters_of(left + at + 1)}{some[number][0]}"
                    errors.setdefault(number, f"{each}: {place} {_TOO_LARGE}")
            yield Page(pl.DataFrame(series), name, [line for line, _, _ in some], errors, uniform=self.schema_drift == "fail")


def _open(calamine: Any, path: Path, name: str) -> Any:
    """The workbook, whatever its ending is; what is wrong with one that cannot be read is said by the reader for its ending."""
    try:
        return calamine.load_workbook(str(path))
    except calamine.CalamineError:
        with tempfile.TemporaryDirectory(prefix="sendoff-") as home:
            link = Path(home, f"workbook{Path(name).suffix}")  # an opened file's path may have no ending
            link.symlink_to(path)
            return calamine.load_workbook(str(link))


def check_size(path: Path, name: str) -> None:
    """Raise `SourceError` for an archive that would expand beyond its limits when it is opened (a zip bomb).

    What an archive says of its sizes is not believed: they are found by unpacking it, which costs little beside reading it.
    """
    if not zipfile.is_zipfile(path):
        return  # an xls file is not an archive
    packed = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            if len(parts) > PARTS:
                raise SourceError(f"{name}: has {len(parts):,} parts, more than {PARTS:,}")
            whole = 0
            for part in parts:
                # The reader loops for ever on an OpenDocument text whose tags do not match.
                parser = ParserCreate() if part.filename == "content.xml" else None
                with archive.open(part) as stream:
                    while chunk := stream.read(1 << 20):
                        whole += len(chunk)
                        if whole > LARGEST or (whole > FREE and whole > RATIO * packed):
                            raise SourceError(
                                f"{name}: {packed:,} bytes that unpack to more than {whole:,}; no spreadsheet of records does"
                            )
                        if b"<!DOCTYPE" in chunk or b"<!ENTITY" in chunk:
                            raise SourceError(f"{name}: defines entities of its own, which no spreadsheet needs")
                        if parser:
                            parser.Parse(chunk)
                if parser:
                    parser.Parse(b"", True)
    except ExpatError as error:
        raise SourceError(f"{name}: not a spreadsheet that can be read: content.xml: {error}") from None
    except (  # what zipfile raises for broken, encrypted and unknown members; see `decompress`
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        OSError,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,
    ) as error:
        raise SourceError(f"{name}: not a spreadsheet that can be read: {error}") from None


def _cut(sheet: Any, cells: str | None) -> tuple[int, Iterator[tuple[int, list[Any]]]]:
    """How many columns are left of a range, and its rows, each with its number; all rows without one."""
    match = re.fullmatch(_RANGE, cells or "A")
    assert match is not None
    left, top, right, bottom = match.groups()
    first, last = number_of(left) - 1, number_of(right) if right else None
    if cells and not match[3] and not top:
        last = first + 1
    _, before = sheet.start or (0, 0)  # rows begin with the first column that is in use

    def rows() -> Iterator[tuple[int, list[Any]]]:
        begun = bool(top)
        for number, found in enumerate(sheet.iter_rows(), 1):
            if bottom and number > int(bottom):
                return
            if number < int(top or 1):
                continue
            row = ([""] * before + found if before else found)[first:last]
            begun = begun or any(cell != "" for cell in row)
            if begun:
                yield number, row

    return first, rows()


def _kept(
    rows: Iterator[tuple[int, list[Any]]], columns: list[str], left: int, marks: SheetMarks
) -> Iterator[tuple[int, list[Any], str]]:
    """The rows that are not empty, each with its number, as many cells as there are columns, and what is wrong with it."""
    width = len(columns)
    for line, row in rows:
        cells = row if len(row) == width else [*row[:width], *[""] * (width - len(row))]
        at_fault = {at - left: what for at, what in marks.faults.get(line, {}).items() if left < at <= left + len(row)}
        used = max((at for at in range(width + 1, len(row) + 1) if row[at - 1] != "" or at in at_fault), default=0)
        problem = ""
        if used:
            problem = f"ragged: {used} cells where the header has {width}"
        elif at_fault:
            at, what = next(iter(at_fault.items()))
            problem = f"{columns[at - 1]}: {letters_of(left + at)}{line} {what}"
        if problem or cells.count("") < width:
            yield line, cells, problem


def _name(cell: Any) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _column(name: str, cells: list[Any]) -> pl.Series:
    """A typed column: whole numbers become integers; what a cell is does not depend on the others."""
    values: list[Any] = [None if cell == "" else cell for cell in cells] if "" in cells else cells
    kinds = set(map(type, values)) - {type(None)}
    if kinds == {float} and (numbers := _numbers(name, values)) is not None:
        return numbers
    if float in kinds:
        values = [_whole(value) if type(value) is float else value for value in values]
    if timedelta in kinds:
        values = [format_duration(value) if type(value) is timedelta else value for value in values]
    return column(name, values)


def _moment(cell: Any) -> Any:
    return datetime.combine(cell, time()) if type(cell) is date else cell


def _numbers(name: str, values: list[Any]) -> pl.Series | None:
    """A column of numbers that are all whole, or all not; None for a mixture."""
    numbers = pl.Series(name, values, dtype=pl.Float64)
    whole = (numbers == numbers.floor()) & (numbers.abs() < EXACT)
    if whole.all():
        return numbers.cast(pl.Int64)
    return None if whole.any() else numbers


def _whole(value: float) -> int | float:
    return int(value) if value.is_integer() and abs(value) < EXACT else value


def _inexact(column: pl.Series) -> Iterable[int]:
    """The rows whose number may have been another one: all that large are whole, and their last digits are lost."""
    if column.dtype == pl.Float64:
        return (column.abs() >= EXACT).fill_null(False).arg_true()
    if column.dtype == pl.Object:
        return [at for at, value in enumerate(column.to_list()) if type(value) is float and abs(value) >= EXACT]
    return ()


@hookimpl
def sendoff_sources() -> list[type[Source]]:
    return [Excel]
