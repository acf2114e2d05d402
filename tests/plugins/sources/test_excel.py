"""What a workbook's cells become: exactly what they mean, whatever is beside them, or a reason for their row."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from sendoff.plugin import Page, SourceError
from sendoff_plugins.sources._files import workbook_marks
from sendoff_plugins.sources.excel import Excel
from tests.oversized import workbook

_NOT_COMPUTED = "has a formula that was never computed; open the file in a spreadsheet program and save it"
_TOO_LARGE = "has an integer of more digits than a spreadsheet keeps; have it as text there"
_MIDNIGHT = datetime(2026, 1, 31)  # noqa: DTZ001  # a workbook knows no time zones
_FORMATS = {date: "dd.mm.yyyy", datetime: '"at" yyyy-mm-dd\\ hh:mm', time: "hh:mm", timedelta: "[h]:mm"}


def sheet(home: Path, rows: list[list[Any]]) -> None:
    with xlsxwriter.Workbook(str(home / "in.xlsx")) as book:
        formats = {kind: book.add_format({"num_format": text}) for kind, text in _FORMATS.items()}
        page = book.add_worksheet("One")
        for at, row in enumerate(rows):
            for column, value in enumerate(row):
                page.write(at, column, value, *([formats[type(value)]] if type(value) in formats else []))


def read(home: Path, file: str = "in.xlsx", **options: Any) -> Page:
    (page,) = Excel(home=home, path=file, **options).read(None)
    return page


def values(page: Page, name: str) -> list[Any]:
    return page.frame[name].to_list()


def xml(home: Path, cells: str) -> None:
    """A sheet whose second row is this XML; its columns are named a, b and c."""
    head = '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="C1" t="s"><v>2</v></c></row>'
    texts = b"<si><t>a</t></si><si><t>b</t></si><si><t>c</t></si>"
    (home / "in.xlsx").write_bytes(workbook(f"{head}{cells}".encode(), texts))


def test_a_duration_is_iso_8601(tmp_path: Path) -> None:
    lengths = [timedelta(hours=26, minutes=5), timedelta(minutes=90), timedelta(hours=-3), timedelta(seconds=0.5)]
    sheet(tmp_path, [["id", "length"], *([at, each] for at, each in enumerate(lengths))])
    assert values(read(tmp_path), "length") == ["P1DT2H5M", "PT1H30M", "-PT3H", "PT0.5S"]


@pytest.mark.parametrize("beside", [[], [_MIDNIGHT.replace(hour=12)], ["soon"], [5], [time(7, 5)]])
def test_a_day_is_a_date_and_midnight_a_datetime_whatever_is_beside_them(tmp_path: Path, beside: list[Any]) -> None:
    cells = [date(2026, 1, 31), _MIDNIGHT, *beside]
    sheet(tmp_path, [["when"], *([cell] for cell in cells)])
    found = values(read(tmp_path), "when")
    assert (found, [type(each) for each in found]) == (cells, [type(each) for each in cells])


def test_midnight_alone_is_a_datetime(tmp_path: Path) -> None:
    sheet(tmp_path, [["when"], [_MIDNIGHT]])
    assert str(read(tmp_path).frame["when"].dtype).startswith("Datetime")


@pytest.mark.parametrize(
    ("number", "exact"), [(2**53 - 1, True), (-(2**53) + 1, True), (2**53, False), (12345678901234567890, False)]
)
@pytest.mark.parametrize("beside", [1, 1.5, "x"])
def test_an_integer_that_may_have_been_another_is_invalid(tmp_path: Path, number: int, exact: bool, beside: Any) -> None:
    sheet(tmp_path, [["id", "big"], [1, number], [2, beside]])
    page = read(tmp_path)
    assert page.row_errors == ({} if exact else {0: f"big: B2 {_TOO_LARGE}"})
    assert not exact or values(page, "big") == [number, beside]


def test_a_formula_in_error_makes_its_row_invalid(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(str(tmp_path / "in.xlsx")) as book:
        page = book.add_worksheet("One")
        for at, row in enumerate((["id", "owner"], [1, "Ann"], [2, None])):
            page.write_row(at, 0, row)
        page.write_formula(2, 1, '=VLOOKUP("x",D1:E2,2,0)', None, "#N/A")
    page = read(tmp_path)
    assert (page.row_errors, values(page, "owner")) == ({1: "owner: B3 has the error #N/A"}, ["Ann", None])


@pytest.mark.parametrize(
    ("cell", "what"),
    [
        ('<c r="B2"><f>1+1</f><v/></c>', _NOT_COMPUTED),
        ('<c r="B2"><f>1+1</f><v></v></c>', _NOT_COMPUTED),
        ('<c s="0" r="B2"><f t="shared" si="0"/></c>', _NOT_COMPUTED),
        ('<x:c xmlns:x="NS" r="B2"><x:f>1+1</x:f></x:c>', _NOT_COMPUTED),
        ("<c t='e' r='B2'><v>#REF!</v></c>", "has the error #REF!"),
        ('<c r="B2" t="e"/>', ""),
        ('<c r="B2"><f>1+1</f><v>2</v></c>', ""),
        ('<c r="B2" t="str"><f>""</f><v></v></c>', ""),
        ('<c r="B2"/>', ""),
    ],
)
def test_a_formula_without_a_value_makes_its_row_invalid(tmp_path: Path, cell: str, what: str) -> None:
    cell = cell.replace("NS", "http://schemas.openxmlformats.org/spreadsheetml/2006/main")
    xml(tmp_path, f'<row r="2"><c r="A2"><v>1</v></c>{cell}<c r="C2"><v>3</v></c></row>')
    assert read(tmp_path).row_errors == ({0: f"b: B2 {what}"} if what else {})


def test_faults_are_found_wherever_the_file_is_cut_into_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    xml(tmp_path, '<row r="2"><c r="A2"><v>1</v></c><c r="B2"><f>row&gt;1</f></c><c r="C2"><f>A2</f><v>1</v></c></row>')
    for size in range(1, 60):
        monkeypatch.setattr(workbook_marks, "_CHUNK", size)
        assert workbook_marks.find_marks(tmp_path / "in.xlsx", "in.xlsx", "Sheet1").faults == {2: {2: _NOT_COMPUTED}}


def test_a_cell_at_fault_without_a_place_is_told(tmp_path: Path) -> None:
    xml(tmp_path, '<row r="2"><c><v>1</v></c><c t="e"><v>#N/A</v></c></row>')
    with pytest.raises(SourceError, match=r"in.xlsx: a cell whose place is not written has the error #N/A"):
        read(tmp_path)


def test_more_cells_without_a_value_than_are_kept_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook_marks, "MAX_FAULTS", 1)
    xml(tmp_path, '<row r="2"><c r="A2" t="e"><v>#N/A</v></c><c r="B2" t="e"><v>#N/A</v></c></row>')
    with pytest.raises(SourceError, match="in.xlsx: more than 1 cells have no value; one of them has the error #N/A"):
        read(tmp_path)


ODS = """<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0">
<office:body><office:spreadsheet><table:table table:name="A &amp; B">{rows}</table:table></office:spreadsheet></office:body>
</office:document-content>"""


def ods(home: Path, *rows: list[str]) -> None:
    text = "".join(
        f"<table:table-row>{''.join(f'<table:table-cell {cell}</table:table-cell>' for cell in row)}</table:table-row>"
        for row in rows
    )
    with zipfile.ZipFile(home / "in.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<m:manifest xmlns:m='urn:oasis:names:tc:opendocument:xmlns:manifest:1.0'/>")
        archive.writestr("content.xml", ODS.replace("\n", "").replace("{rows}", text))


def _text(value: str) -> str:
    return f'office:value-type="string"><text:p>{value}</text:p>'


def test_the_same_holds_for_an_open_document(tmp_path: Path) -> None:
    error = 'table:formula="of:=1/0" office:value-type="string" calcext:value-type="error"><text:p>#DIV/0!</text:p>'
    ods(
        tmp_path,
        [_text("id"), _text("x"), _text("y")],
        ['office:value-type="float" office:value="1">', error, _text("a")],
        ['office:value-type="float" office:value="2">', 'table:formula="of:=1&gt;2">', _text("b")],
        ['office:value-type="float" office:value="9007199254740993">', _text("c"), _text("c")],
        ['office:value-type="time" office:time-value="PT26H05M00S">', _text("d"), _text("d"), _text("e")],
        [_text("5"), 'office:value-type="unknown"><text:p>abc</text:p>', _text("c")],
    )
    page = read(tmp_path, "in.ods")
    assert page.row_errors == {
        0: "x: B2 has the error #DIV/0!", 1: f"x: B3 {_NOT_COMPUTED}", 2: f"id: A4 {_TOO_LARGE}",
        3: "ragged: 4 cells where the header has 3", 4: "x: B6 has a value of the type 'unknown', which is none of OpenDocument",
    }  # fmt: skip
    assert values(page, "id")[3] == "PT26H05M00S"


def test_cells_right_of_the_last_name_make_their_row_invalid(tmp_path: Path) -> None:
    sheet(tmp_path, [["id", "name"], [1, "Ann", "ann@example.com"], [2, "Bob"], [None, None, None, "a note"]])
    page = read(tmp_path)
    assert page.row_errors == {0: "ragged: 3 cells where the header has 2", 2: "ragged: 4 cells where the header has 2"}
    assert read(tmp_path, range="A:B").row_errors == {}


@pytest.mark.parametrize("blank", [0, 1, 2, 7])
def test_any_number_of_blank_rows_stands_above_the_names(tmp_path: Path, blank: int) -> None:
    sheet(tmp_path, [*([[]] * blank), ["id", "name"], [1, "Ann"]])
    page = read(tmp_path)
    assert (page.frame.rows(), list(page.lines)) == ([(1, "Ann")], [blank + 2])


def test_a_range_that_says_its_first_row_has_the_names_there(tmp_path: Path) -> None:
    sheet(tmp_path, [[], ["id"], [1]])
    with pytest.raises(SourceError, match="in.xlsx/One:1: the row of names is empty"):
        read(tmp_path, range="A1")


def rewrite(file: Path, change: Callable[[str, bytes], bytes | None]) -> None:
    """Change the parts of a workbook; None takes one away."""
    kept = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(kept, "w") as new:
        for name in old.namelist():
            if (part := change(name, old.read(name))) is not None:
                new.writestr(name, part)
    file.write_bytes(kept.getvalue())


def test_a_workbook_that_has_no_styles_is_read(tmp_path: Path) -> None:
    sheet(tmp_path, [["id"], [1]])
    rewrite(tmp_path / "in.xlsx", lambda name, part: None if name.endswith("styles.xml") else part)
    assert read(tmp_path).frame.rows() == [(1,)]


def test_what_is_wrong_with_a_workbook_is_said_and_not_that_it_is_none(tmp_path: Path) -> None:
    """Kind: a file is opened by a path without its ending, and the reader, which goes by that, has no better reason."""
    sheet(tmp_path, [["id"], [1]])
    rewrite(tmp_path / "in.xlsx", lambda name, part: part.replace(b"<sheet name=", b'<sheet state="show" name='))
    with pytest.raises(SourceError, match="in.xlsx: not a spreadsheet that can be read: Unrecognized sheet:state: show"):
        read(tmp_path)


def test_a_workbook_is_read_whatever_its_ending_says(tmp_path: Path) -> None:
    sheet(tmp_path, [["id"], [1]])
    (tmp_path / "in.xlsx").rename(tmp_path / "in.xls")
    assert read(tmp_path, "in.xls").frame.rows() == [(1,)]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("broken", ["<text:p>x</text:q>", "<text:p>x"])
def test_an_open_document_whose_tags_do_not_match_is_told_and_hangs_nothing(tmp_path: Path, broken: str) -> None:
    ods(tmp_path, [f'office:value-type="string">{broken}'])
    with pytest.raises(SourceError, match="in.ods: not a spreadsheet that can be read: content.xml: mismatched tag"):
        read(tmp_path, "in.ods")
