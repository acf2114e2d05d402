"""CSV as spreadsheets and other programs write it: read as its connector says, and refused with what to say where it does not.

Kind: a file that is written otherwise than it is read. Brothers: delimiter, encoding, quotes, line ends, lines that are no
records, words for null, true and false, numbers.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from sendoff import ConfigError, Page, SourceError
from sendoff.testing import Project, Receiver
from sendoff_plugins.sources.csv import Csv


def read(tmp_path: Path, content: str | bytes, name: str = "in.csv", **options: Any) -> list[Page]:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(Csv(home=tmp_path, path=name, **options).read(None))


def rows(*given: Any, **options: Any) -> list[tuple[Any, ...]]:
    return [row for page in read(*given, **options) for row in page.frame.rows()]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("id;name\n1;Ann\n", "in.csv:1: the delimiter looks like ';': add `delimiter: ';'`"),
        ("id\tname\n", 'in.csv:1: the delimiter looks like "\\t": add `delimiter: "\\t"`'),
        ("id|name\n1|Ann\n", "in.csv:1: the delimiter looks like '|': add"),
        ('id;note;of\n1;"He said; ""no""";x\n', "in.csv:1: the delimiter looks like ';'"),
        ("id;price,net;of\n1;8.101,11;x\n2;9,2,1;y\n", "in.csv:1: the delimiter looks like ';'"),
        ("id,name\n1,M\u00fcller\n".encode("cp1252"), "not UTF-8 at byte 4 of the line; the encoding looks like cp1252: add"),
        (b"id,name\n1,\x81\xfc\n", "the encoding looks like latin-1: add `encoding: latin-1`"),
        ("id,name\n1,Ann\n".encode("utf-16-le"), "in.csv: the encoding looks like utf-16-le: add `encoding: utf-16-le`"),
        ("id,name\n1,Ann\n".encode("utf-16"), "in.csv: begins like utf-16; use `encoding: utf-16`"),
        ("\n<!DOCTYPE html><html><body>Sign in</body></html>", "in.csv: is an HTML page, not CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "in.csv: is an Excel workbook (xls), not CSV; use `use: excel`"),
    ],
)
def test_a_file_that_looks_written_otherwise_is_refused_with_the_line_to_add(
    tmp_path: Path, content: str | bytes, sentence: str
) -> None:
    with pytest.raises(SourceError) as raised:
        read(tmp_path, content)
    assert sentence in str(raised.value)
    found = Csv(home=tmp_path, path="in.csv")
    if "not UTF-8" not in sentence and "latin-1" not in sentence:
        with pytest.raises(SourceError):
            list(found.columns())


def test_a_workbook_named_csv_is_said_to_be_one(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
    with pytest.raises(SourceError, match=r"in\.csv: is an Excel workbook \(xlsx\); use `use: excel`"):
        read(tmp_path, out.getvalue())


def test_an_archive_is_unpacked_only_if_its_name_or_its_connector_says_that_it_is_one(tmp_path: Path) -> None:
    """Kind: a file that is not what its name says. Brothers: workbooks, HTML pages, the other sources of text."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.csv", "id\n1\n")
    for name in ("in.csv", "export"):
        with pytest.raises(
            SourceError, match=rf"^{name}: is a zip archive; unpack it, or name it \.zip, or use `compression: zip`"
        ):
            read(tmp_path, out.getvalue(), name)
        assert rows(tmp_path, out.getvalue(), name, compression="zip") == [("1",)]
    assert rows(tmp_path, out.getvalue(), "IN.CSV.ZIP") == [("1",)]
    with pytest.raises(SourceError, match="in.csv: is a zip archive"):
        Csv.detect(tmp_path / "in.csv")


@pytest.mark.parametrize("content", ["text\nhello; world\nbye; world\n", "a,b\n1;2,3\n", "a;b,c\n1,2\n3,4\n", "a\n1\n"])
def test_a_file_that_is_read_well_with_its_delimiter_is_not_suspected(tmp_path: Path, content: str) -> None:
    assert read(tmp_path, content)


def test_a_delimiter_that_is_declared_is_not_questioned(tmp_path: Path) -> None:
    assert rows(tmp_path, "id;name\n1;Ann\n", delimiter=",") == [("1;Ann",)]


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;"])
def test_a_first_line_that_says_the_delimiter_is_obeyed(tmp_path: Path, first: str) -> None:
    (page,) = read(tmp_path, f"\ufeff{first}\r\nid;name\r\n1;Ann\r\n")
    assert (page.frame.to_dicts(), list(page.lines)) == ([{"id": "1", "name": "Ann"}], [3])


def test_lines_may_end_in_carriage_returns(tmp_path: Path) -> None:
    (page,) = read(tmp_path, "id,name\r1,Ann\r2,Bob\r")
    assert (page.frame.rows(), list(page.lines)) == ([("1", "Ann"), ("2", "Bob")], [2, 3])


def test_columns_without_a_name_at_the_end_are_left_out_where_they_are_empty(tmp_path: Path) -> None:
    (page,) = read(tmp_path, "id; name;;\n1;Ann;;\n2;Bob;;\n", delimiter=";")
    assert page.frame.to_dicts() == [{"id": "1", "name": "Ann"}, {"id": "2", "name": "Bob"}]
    (page,) = read(tmp_path, "id;name;\n1;Ann;\n2;Bob;x\n3;Eve\n4\n", delimiter=";")
    assert page.frame.columns == ["id", "name"]
    assert page.row_errors == {
        1: "ragged: 3 cells where the header has 2", 3: "ragged: 1 cells where the header has 2"
    }  # fmt: skip
    assert rows(tmp_path, "id;name\n1;Ann;\n", delimiter=";") == [("1", "Ann")]


def test_white_space_is_trimmed_where_that_is_asked_for_and_around_names_always(tmp_path: Path) -> None:
    (page,) = read(tmp_path, "id , name\n1, Ann \n")
    assert page.frame.to_dicts() == [{"id": "1", "name": " Ann "}]
    (page,) = read(tmp_path, 'id , name\n1,\u00a0Ann \n2," - "\n', trim=True, null_values=["-"])
    assert page.frame.rows() == [("1", "Ann"), ("2", None)]


def test_words_for_null_are_nulls_and_parts_of_text_are_not(tmp_path: Path) -> None:
    content = 'id,name\n1,\\N\n2,NULL\n3,N/A\n4,""\n5,\n6,NULLS\n'
    found = rows(tmp_path, content, null_values=["\\N", "NULL", "N/A"])
    assert [name or None for _, name in found] == [None] * 5 + ["NULLS"]


def test_comments_are_skipped_and_lines_keep_their_numbers(tmp_path: Path) -> None:
    content = '# it\'s 5" wide\n#\nid,name\n1,Ann\n# "\n2,"a\n# no comment"\n#3,Eve'
    (page,) = read(tmp_path, content, comment="#")
    assert (page.frame.rows(), list(page.lines)) == ([("1", "Ann"), ("2", "a\n# no comment")], [4, 6])


@pytest.mark.parametrize("footer", ["TOTAL;2\n", '"TO\nTAL"\n\n', "TOTAL", "\n\n;;;TOTAL\n \n"])
def test_records_at_the_end_can_be_passed_over(tmp_path: Path, footer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for size in (4 << 20, 1 << 16):
        monkeypatch.setattr("sendoff_plugins.sources._files.files.CHUNK", size)
        body = "".join(f'{n};"x\ny"\n' for n in range(9000))
        found = [
            row
            for page in read(tmp_path, f"id;name\n{body}{footer}", delimiter=";", skip_footer=1)
            for row in page.frame.rows()
        ]
        assert (len(found), found[-1]) == (9000, ("8999", "x\ny"))


def test_quotes_may_be_other_characters_or_none(tmp_path: Path) -> None:
    assert rows(tmp_path, 'id\tsize\n1\t3" pipe\n2\t"5\n', "in.tsv", quote="none") == [("1", '3" pipe'), ("2", '"5')]
    assert rows(tmp_path, "id,name\n1,'a,b'\n2,'it''s\n\"'\n3,x\n", quote="'") == [("1", "a,b"), ("2", "it's\n\""), ("3", "x")]
    with pytest.raises(SourceError, match="use `quote: none` if quotes are part of cells"):
        read(tmp_path, 'id\tsize\n1\t3" pipe\n2\t5" pipe\n', "in.tsv")


CONNECTOR = """
source: {use: csv, path: in.csv, delimiter: ";", decimal: ",", thousands: ".", true_values: [ja, x], false_values: [nein, "-"]}
schema:
  id: integer
  price: decimal
  rate: {type: [float, string]}
  phone: string
  ok: boolean
  day: {type: date, format: ["%d.%m.%Y", "%Y-%m-%d"]}
destination: {url: URL/p}
"""
GOOD = "1.234;-1.234,50;0,5;1.234;ja;01.05.2026\n12;8,10;1.234,50 EUR;0,5;nein;2026-05-01\n7;1234,5;1e3;+49;true;1.5.2026\n"


def test_numbers_and_booleans_are_read_as_the_source_writes_them_and_text_stays_exact(
    project: Project, receiver: Receiver
) -> None:
    project(
        {
            "connectors.d/p.yaml": CONNECTOR.replace("URL", receiver.url),
            "in.csv": "id;price;rate;phone;ok;day\n" + GOOD + "1,234;1;1;1;ja;01.05.2026\n1;1.23;1;1;JA;1/5/26\n",
        }
    )
    report = project.run("p")
    assert receiver.bodies[0] == [
        {"id": 1234, "price": -1234.50, "rate": 0.5, "phone": "1.234", "ok": True, "day": "2026-05-01"},
        {"id": 12, "price": 8.10, "rate": "1.234,50 EUR", "phone": "0,5", "ok": False, "day": "2026-05-01"},
        {"id": 7, "price": 1234.5, "rate": 1000.0, "phone": "+49", "ok": True, "day": "2026-05-01"},
    ]
    runner = project.runner()
    first, second = runner.history.failures(report.run)
    assert (first["line"], second["line"]) == (5, 6)
    assert first["reason"] == "id: must be of integer type (got '1,234')"
    assert second["reason"].startswith("price: must be a number like 1.234,5 (got '1.23'); ok: must be of boolean type")
    corrections = [
        {"_record": "1-invalid-3", "id": 5, "price": 1.234},
        {"_record": "1-invalid-4", "price": "1,23", "ok": True, "day": "1.5.2026"},
    ]
    assert runner.retry(report.run, corrections).delivered == 2
    assert [(each["id"], each["price"]) for each in receiver.bodies[1]] == [(5, 1.234), (1, 1.23)]


def test_decimal_and_thousands_must_differ(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`decimal` and `thousands` are both"):
        Csv(home=tmp_path, path="in.csv", thousands=".")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("a,b\n1,2\n", {}),
        ("a;b\n1;2\n", {"delimiter": ";"}),
        ("sep=;\na;b\n1;2\n", {}),
        ("a\n1\n", {}),
        ("", {}),
        ("text\nhello; world\nbye\n", {}),
        ("a|b\n1|2\n", {"delimiter": "|"}),
        ("Title\n\na;b;\n1;8,10;\n2;9,20;\nTOTAL;17,30;\n", {"delimiter": ";", "skip_rows": 2, "decimal": ","}),
        ("Title;;\na;b;c\n1;1.234,5;x\n2;;\n", {"delimiter": ";", "skip_rows": 1, "decimal": ",", "thousands": "."}),
        ('a,b\n1,"1,234"\n', {}),
        ('a\tb\n1\t3" pipe\n', {"delimiter": "\t", "quote": "none"}),
        ("'a';'b'\n'1';'x;y'\n", {"delimiter": ";", "quote": "'"}),
        ("a;b\n1;é\n".encode("cp1252"), {"delimiter": ";", "encoding": "cp1252"}),
        ("a;b\n1;é\n".encode("utf-16"), {"delimiter": ";", "encoding": "utf-16"}),
    ],
)  # fmt: skip
def test_what_a_file_needs_to_be_read_is_detected_and_reads_it(
    tmp_path: Path, content: str | bytes, found: dict[str, Any]
) -> None:
    file = tmp_path / "in.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert Csv.detect(file) == found
    if content:
        assert list(Csv(home=tmp_path, path="in.csv", **found).read(None))
