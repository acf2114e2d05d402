"""Workbooks that came with other readers: every cell of every sheet is what openpyxl, or xlrd for xls, reads there.

The columns are numbered, so that what stands in for names hides no values. A day and its midnight count as equal, as neither other
reader tells them apart. Workbooks of more than 2 MB are left out, for time.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from sendoff.plugin import SourceError, format_duration
from sendoff_plugins.sources import excel
from sendoff_plugins.sources.excel import Excel

from .servers import readers, suite

SUITES = (
    "agate-excel", "csvkit", "odfpy", "petl", "pyexcel-ods3", "pyexcel-xls", "tablib", "xlsx-parse-stream", "xlsx-populate",
    "xlsx-stream-reader", "xlsx2csv",
)  # fmt: skip
#: Workbooks that sendoff does not read, and what it says.
REFUSED = {
    "odfpy/tests/examples/empty.ods": "Sheet1: is empty",
    "odfpy/tests/examples/pythagoras-kspread.ods": "not a spreadsheet that can be read",  # white space between its cells
    "tablib/tests/files/unknown_value_type.ods": "Feuille1: is empty",  # its only cell is of a type that OpenDocument has not
    "xlsx-populate/examples/encryption/in.xlsx": "is encrypted",
    "xlsx-populate/examples/encryption/out.xlsx": "is encrypted",
    "xlsx-stream-reader/test/nonumfmt.xlsx": "not a spreadsheet that can be read: Unrecognized sheet:state",
}
#: Sheets where sendoff differs, and why.
DIFFERENT = {"tablib/tests/files/errors.xls": "the reader gives an empty cell for an error in xls and xlsb"}


def workbooks(*endings: str) -> dict[str, Path]:
    found = [file for name in SUITES for file in suite(name).rglob("*") if file.suffix in endings]
    root = suite(SUITES[0]).parent
    return {str(file.relative_to(root)): file for file in sorted(found) if file.stat().st_size < 2_000_000}


@pytest.fixture(autouse=True)
def numbered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excel, "checked_header", lambda cells, where, most: [f"c{at}" for at in range(len(cells))])


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Each workbook's sheets, as the other readers have them; None where they cannot read it."""
    files = workbooks(".xlsx", ".xlsm", ".xls")
    out = tmp_path_factory.mktemp("others") / "read"
    command = [sys.executable, str(Path(__file__).parent / "read_workbooks.py"), str(out), *map(str, files.values())]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": str(readers())}, check=True)
    found = pickle.loads(out.read_bytes())
    return {name: found[str(file)] for name, file in files.items()}


def plain(value: Any) -> Any:
    """A value in the one form that two readers can agree on."""
    match value:
        case "":
            return None
        case bool():
            return value
        case timedelta():
            return format_duration(value)
        case datetime():
            return value.isoformat(timespec="milliseconds")
        case date():
            return datetime.combine(value, time()).isoformat(timespec="milliseconds")
        case int() | float():
            return float(value)
    return value


def differences(file: Path, sheet: str, rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    """What is different in a sheet, cell by cell; a row's error must be there, and be the row's."""
    try:
        pages = list(Excel(home=file.parent, path=file.name, sheet=sheet).read(None))
    except SourceError as refused:
        if "is empty" not in str(refused) or any(plain(cell) is not None for row in rows for cell in row):
            yield f"{sheet}: {refused}"
        return
    found = {
        line: (row, page.row_errors.get(at, ""))
        for page in pages
        for at, (line, row) in enumerate(zip(page.lines, page.frame.rows(), strict=True))
    }
    full = [[plain(cell) for cell in row] for row in rows]
    top = next(at for at, row in enumerate(full) if any(cell is not None for cell in row))
    width = max(at for at, cell in enumerate(full[top], 1) if cell is not None)
    for line, row in enumerate(full[top + 1 :], top + 2):
        ours, error = found.pop(line, ((None,) * width, ""))
        expected = [*row[:width], *[None] * (width - len(row))]
        failed = [cell[0] for cell in row if isinstance(cell, tuple)]
        if any(cell is not None for cell in row[width:]):
            if not error.startswith("ragged: "):
                yield f"{sheet}:{line}: cells to the right, and the error {error!r}"
        elif failed:
            if failed[0] not in error:
                yield f"{sheet}:{line}: {failed}, and the error {error!r}"
        elif error or expected != [plain(cell) for cell in ours]:
            yield f"{sheet}:{line}: {expected}, sendoff has {ours} {error}"
    yield from (f"{sheet}:{line}: {row}, which is not there" for line, row in found.items())


def test_every_cell_is_what_another_reader_has(others: dict[str, Any]) -> None:
    different = {}
    cells = 0
    for name, file in workbooks(".xlsx", ".xlsm", ".xls").items():
        for sheet, rows in others[name] or ():
            cells += sum(map(len, rows))
            if problems := list(differences(file, sheet, rows)):
                different[name] = problems
    assert {name: problems for name, problems in different.items() if name not in DIFFERENT} == {}
    assert set(different) == set(DIFFERENT), "a difference that is gone is to be taken out of the list"
    assert cells > 60_000


def test_what_the_others_cannot_read_is_read_or_refused_with_a_reason(others: dict[str, Any]) -> None:
    refused = {}
    unread = [name for name, sheets in others.items() if sheets is None] + list(workbooks(".ods", ".xlsb"))
    for name in unread:
        file = suite(name.partition("/")[0]).parent / name
        try:
            list(Excel(home=file.parent, path=file.name).read(None))
        except SourceError as error:
            refused[name] = str(error)
    assert refused.keys() == REFUSED.keys()
    assert all(REFUSED[name] in sentence for name, sentence in refused.items())
    assert len(unread) > 10
