"""Read workbooks with openpyxl and xlrd: ``read_workbooks.py OUT FILE…``.

OUT is a pickle: of each file its sheets, each with its name and rows; None for a file that cannot be read. A cell is a Python value,
None, or an error, which is a tuple of its text.
"""

from __future__ import annotations

import pickle
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl  # type: ignore[import-untyped, import-not-found, unused-ignore]  # installed for this program alone
import xlrd  # type: ignore[import-untyped, import-not-found, unused-ignore]  # the same

Rows = list[list[Any]]


def of_xlsx(file: str) -> Iterator[tuple[str, Rows]]:
    for sheet in openpyxl.load_workbook(file, data_only=True).worksheets:
        yield (
            sheet.title,
            [
                [(cell.value,) if cell.data_type == "e" else cell.value for cell in row]
                for row in sheet.iter_rows(min_row=1, min_col=1)
            ],
        )


def of_xls(file: str) -> Iterator[tuple[str, Rows]]:
    book = xlrd.open_workbook(file)

    def value(kind: int, found: Any) -> Any:
        match kind:
            case xlrd.XL_CELL_DATE if found < 1:
                return xlrd.xldate_as_datetime(1 + found, book.datemode).time()
            case xlrd.XL_CELL_DATE:
                return xlrd.xldate_as_datetime(found, book.datemode)
            case xlrd.XL_CELL_BOOLEAN:
                return bool(found)
            case xlrd.XL_CELL_ERROR:
                return (xlrd.error_text_from_code[found],)
            case xlrd.XL_CELL_EMPTY | xlrd.XL_CELL_BLANK:
                return None
        return found

    for sheet in book.sheets():
        yield sheet.name, [[value(cell.ctype, cell.value) for cell in row] for row in sheet.get_rows()]


def main(out: str, *files: str) -> None:
    warnings.simplefilter("ignore")
    found: dict[str, list[tuple[str, Rows]] | None] = {}
    for file in files:
        try:
            found[file] = list((of_xls if file.endswith(".xls") else of_xlsx)(file))
        except Exception:
            found[file] = None
    Path(out).write_bytes(pickle.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
