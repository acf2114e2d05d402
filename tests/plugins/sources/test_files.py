"""Which files are read, in which order, how they are opened, and what is wrong with them: R6, R17 to R20, R23."""

from __future__ import annotations

import gzip
import json
import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import xlsxwriter
from backports import zstd

from sendoff import Source, SourceChanged, SourceError, bounds
from sendoff.intake.reading import read_source
from sendoff.records import pages
from sendoff.testing import Project, Receiver, Reply
from sendoff_plugins.sources import excel
from sendoff_plugins.sources._files import decompress, files
from sendoff_plugins.sources._files.workbook_cells import check_cells
from sendoff_plugins.sources.arrow import Arrow
from sendoff_plugins.sources.csv import Csv
from sendoff_plugins.sources.excel import Excel
from sendoff_plugins.sources.json import Json
from sendoff_plugins.sources.jsonl import JsonLines
from sendoff_plugins.sources.parquet import Parquet
from tests import oversized


def rows(source: Source, cursor: Any = None) -> list[tuple[Any, ...]]:
    return [row for page in pages(source.read(cursor)) for row in page.frame.rows()]


def csvs(home: Path, **named: str) -> None:
    for name, cell in named.items():
        file = home / f"{name.replace('__', '/')}.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"a\n{cell}\n")


def read(home: Path, **options: Any) -> list[str]:
    return [row[0] for row in rows(Csv(home=home, **options))]


def test_a_directory_is_all_the_files_in_it_by_name_in_byte_order(tmp_path: Path) -> None:
    csvs(tmp_path, b="2", a="1", B="0", sub__c="3")
    assert read(tmp_path, path=".") == ["0", "1", "2"]
    assert read(tmp_path, path="**/*.csv") == ["0", "1", "2", "3"]
    assert read(tmp_path, path=["b.csv", "a.csv"]) == ["2", "1"]


def test_names_choose_among_files(tmp_path: Path) -> None:
    csvs(tmp_path, **{"in-2026-a": "1", "in-2025-a": "2", "out-2026-a": "3", "in-2026-b": "4"})
    assert read(tmp_path, path=".", name={"starts_with": "in-", "contains": "2026", "ends_with": "a.csv"}) == ["1"]
    with pytest.raises(SourceError, match="no such files"):
        read(tmp_path, path="*.csv", name={"contains": "2027"})


def test_files_may_come_by_when_they_were_written(tmp_path: Path) -> None:
    csvs(tmp_path, a="1", b="2", c="3")
    for name, at in (("a", 300), ("b", 100), ("c", 200)):
        os.utime(tmp_path / f"{name}.csv", (at, at))
    assert read(tmp_path, path="*.csv", order="time") == ["2", "3", "1"]


def test_a_file_is_delivered_once_by_what_is_in_it(tmp_path: Path) -> None:
    csvs(tmp_path, a="1", b="2")
    source = Csv(home=tmp_path, path=".", once=True)
    assert rows(source) == [("1",), ("2",)]
    kept = source.next_cursor
    csvs(tmp_path, c="3", d="1")
    (tmp_path / "a.csv").rename(tmp_path / "z.csv")
    again = Csv(home=tmp_path, path=".", once=True)
    assert rows(again, kept) == [("3",)], "renamed, and copied, are the same file"
    (tmp_path / "b.csv").write_text("a\nnew\n")
    assert rows(Csv(home=tmp_path, path=".", once=True), again.next_cursor) == [("new",)]


def test_a_file_delivered_once_counts_when_its_run_counts(project: Project, receiver: Receiver) -> None:
    text = f"source: {{use: csv, path: ., name: {{ends_with: .csv}}, once: true}}\ndestination: {{url: '{receiver.url}'}}\n"
    project({"connectors.d/c.yaml": text, "a.csv": "id\n1\n"})
    receiver.script = [Reply(401)]
    assert project.run("c").state == "stopped"
    project({"b.csv": "id\n2\n"})
    assert project.run("c").delivered == 1, "what was begun is ended first"
    assert project.run("c").delivered == 1
    assert project.run("c").read == 0
    assert [body[0]["id"] for body in receiver.bodies] == ["1", "1", "2"]


def test_a_run_given_up_gives_its_files_back(project: Project, receiver: Receiver) -> None:
    text = f"source: {{use: csv, path: a.csv, once: true}}\ndestination: {{url: '{receiver.url}'}}\n"
    project({"connectors.d/c.yaml": text, "a.csv": "id\n1\n"})
    receiver.script = [Reply(401)]
    project.run("c")
    assert project.run("c", restart=True).delivered == 1


def test_columns_that_are_missing_are_refused_or_null(project: Project, receiver: Receiver) -> None:
    text = (
        "source: {{use: csv, path: '*.csv', schema_drift: {drift}}}\nschema: {{id: integer, note: {{type: string, nullable: true}}}}\n"
        f"destination: {{{{url: '{receiver.url}'}}}}\n"
    )
    project(
        {
            "connectors.d/c.yaml": text.format(drift="fail"),
            "a.csv": "id,note\n1,x\n",
            "b.csv": "id\n2\n",
            "c.csv": "note\ny\n",
        }
    )
    with pytest.raises(SourceError, match="b.csv: no column 'note'"):
        project.run("c")
    project({"connectors.d/c.yaml": text.format(drift="allow")})
    report = project.run("c")
    assert (report.delivered, report.invalid) == (2, 1)
    assert [row for body in receiver.bodies for row in body] == [{"id": 1, "note": "x"}, {"id": 2, "note": None}]


def test_a_file_without_names_gets_them(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("1,x\n2,y\n")
    (page,) = Csv(home=tmp_path, path="in.csv", columns=["id", "name"]).read(None)
    assert page.frame.to_dicts() == [{"id": "1", "name": "x"}, {"id": "2", "name": "y"}]
    assert list(page.lines) == [1, 2]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1", "cp1252", "shift_jis"])
def test_r6_text_is_read_in_its_encoding(tmp_path: Path, encoding: str) -> None:
    cell = "カタカナ" if encoding == "shift_jis" else "naïve"
    (tmp_path / "in.csv").write_bytes(f"a,b\n{cell},2\n".encode(encoding))
    assert rows(Csv(home=tmp_path, path="in.csv", encoding=encoding)) == [(cell, "2")]


def test_r6_bytes_that_are_not_of_the_encoding_are_told_with_their_place(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(b"a\nok\n\x81\n")
    with pytest.raises(SourceError, match="in.csv: not cp1252 at byte 6"):
        rows(Csv(home=tmp_path, path="in.csv", encoding="cp1252"))
    (tmp_path / "in.csv").write_text("a\nx\n", encoding="utf-16")
    with pytest.raises(SourceError, match="begins like utf-16; use `encoding: utf-16`"):
        rows(Csv(home=tmp_path, path="in.csv"))


WHOLE = ("a\n" + "".join(f"{at}\n" for at in range(200_000))).encode()


@pytest.mark.parametrize(
    ("kind", "packed"), [("gzip", gzip.compress(WHOLE, mtime=0)), ("zstd", zstd.compress(WHOLE))], ids=["gzip", "zstd"]
)
def test_r23_a_truncated_file_is_an_error_and_nothing_of_it_is_sent(
    project: Project, receiver: Receiver, kind: str, packed: bytes
) -> None:
    text = f"source: {{use: csv, path: in.csv.x}}\ndestination: {{url: '{receiver.url}'}}\n"
    project({"connectors.d/c.yaml": text, "in.csv.x": packed[: len(packed) // 2]})
    report_or_error = ""
    try:
        report = project.run("c")
        report_or_error = report.stopped_because or ""
        assert report.state == "stopped"
    except SourceError as error:
        report_or_error = str(error)
    assert f"in.csv.x: broken {kind} after" in report_or_error


@pytest.mark.parametrize(
    ("tail", "sentence"),
    [
        (b"junk", "broken gzip after"),
        (gzip.compress(b"3\n", mtime=0)[:-6], "broken gzip after"),
        (gzip.compress(b"3\n", mtime=0), ""),
        (bytes(512), ""),
    ],
    ids=["junk", "cut-off-member", "another-member", "padding"],
)
def test_r23_members_follow_each_other_and_junk_does_not(tmp_path: Path, tail: bytes, sentence: str) -> None:
    (tmp_path / "in.csv.gz").write_bytes(gzip.compress(b"a\n1\n2\n") + tail)
    source = Csv(home=tmp_path, path="in.csv.gz")
    if sentence:
        with pytest.raises(SourceError, match=sentence):
            rows(source)
    else:
        assert rows(source) == [("1",), ("2",), *([("3",)] if tail[0] else [])]


def test_r23_a_damaged_checksum_is_noticed(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(b"a\n1\n"))
    packed[-6] ^= 1
    (tmp_path / "in.csv.gz").write_bytes(packed)
    with pytest.raises(SourceError, match="broken gzip"):
        rows(Csv(home=tmp_path, path="in.csv.gz"))


def zipped(file: Path, **members: bytes) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)


def test_members_of_an_archive_are_read_in_order_and_named(tmp_path: Path) -> None:
    zipped(tmp_path / "in.zip", b__csv=b"a\n2\n", a__csv=b"a\n1\n", c__txt=b"no")
    pages = list(Csv(home=tmp_path, path="in.zip", member="*.csv").read(None))
    assert [(page.file, page.frame.rows()) for page in pages] == [("in.zip/a.csv", [("1",)]), ("in.zip/b.csv", [("2",)])]
    with pytest.raises(SourceError, match=r"in.zip: no file in it is named \*.tsv"):
        rows(Csv(home=tmp_path, path="in.zip", member="*.tsv"))


def test_r17_x8_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "DECOMPRESSED_UNCHECKED", 1 << 20)
    lines = b"a\n" + b"0\n" * 4_000_000
    zipped(tmp_path / "in.zip", a__csv=lines)
    (tmp_path / "in.gz").write_bytes(gzip.compress(lines))
    (tmp_path / "in.zst").write_bytes(zstd.compress(lines))
    for name in ("in.zip", "in.gz", "in.zst"):
        with pytest.raises(SourceError, match="nothing of records is so repetitive"):
            rows(Csv(home=tmp_path, path=name))


def test_r17_an_archive_of_too_many_files_or_a_broken_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decompress, "MEMBERS", 2)
    zipped(tmp_path / "in.zip", a=b"a\n", b=b"a\n", c=b"a\n")
    with pytest.raises(SourceError, match="holds 3 files, more than 2"):
        rows(Csv(home=tmp_path, path="in.zip"))
    data = bytearray((tmp_path / "in.zip").read_bytes())
    (tmp_path / "half.zip").write_bytes(data[:60])
    with pytest.raises(SourceError, match="half.zip: not a zip archive that can be read"):
        rows(Csv(home=tmp_path, path="half.zip"))
    data[35] ^= 255
    (tmp_path / "flipped.zip").write_bytes(data)
    with pytest.raises(SourceError, match=r"flipped.zip"):
        rows(Csv(home=tmp_path, path="flipped.zip"))


def sheet(file: Path, cells: list[list[Any]], **more: Any) -> None:
    with xlsxwriter.Workbook(str(file)) as book:
        moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        page = book.add_worksheet("One")
        for at, row in enumerate(cells):
            for column, value in enumerate(row):
                page.write(at, column, value, *([moment] if hasattr(value, "year") else []))
        book.add_worksheet("Hidden").hide()


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ('{"a": 1, "a": 2}', "the key 'a' is duplicated"),
        ('{"a": {"b": [1], "b": "]"}, "c": "}"}', "the key 'b' is duplicated"),
        ('{"a": NaN}', "NaN is not a number JSON can hold"),
        ('{"a": 1e9999999999999999999}', "a number whose exponent is out of range"),
    ],
)
def test_a_record_of_json_that_cannot_be_kept_is_its_own_fault_as_in_json_lines(tmp_path: Path, bad: str, reason: str) -> None:
    for name, text, source in (
        ("in.json", f'[{{"a": 1}},\n{bad},\n{{"a": 3}}]', Json),
        ("in.jsonl", f'{{"a": 1}}\n{bad}\n{{"a": 3}}\n', JsonLines),
    ):
        (tmp_path / name).write_text(text)
        pages = [*read_source(source(home=tmp_path, path=name))]
        (found,) = [each for page in pages for each in page.row_errors.values()]
        assert found.startswith(reason)
        assert sum(page.frame.height for page in pages) == 3


def test_a_sheet_is_read_as_it_means_it(tmp_path: Path) -> None:
    sheet(tmp_path / "in.xlsx", [["id", "name", "price", 2026], [1, "a", 1.5, "x"], [], [2, "", 2, True]])
    (page,) = Excel(home=tmp_path, path="in.xlsx").read(None)
    assert page.frame.to_dicts() == [
        {"id": 1, "name": "a", "price": 1.5, "2026": "x"}, {"id": 2, "name": None, "price": 2, "2026": True},
    ]  # fmt: skip
    assert (list(page.lines), page.file) == ([2, 4], "in.xlsx/One")


ODS = """<?xml version="1.0" encoding="UTF-8"?>
<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0">
<office:body><office:spreadsheet><table:table table:name="One">
<table:table-row><table:table-cell office:value-type="string"><text:p>id</text:p></table:table-cell>
<table:table-cell office:value-type="string"><text:p>born</text:p></table:table-cell></table:table-row>
<table:table-row><table:table-cell office:value-type="float" office:value="7"><text:p>7</text:p></table:table-cell>
<table:table-cell office:value-type="date" office:date-value="2026-01-31"><text:p>31.01.26</text:p></table:table-cell></table:table-row>
</table:table></office:spreadsheet></office:body></office:document-content>"""


def test_an_open_document_is_read_as_well(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "in.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        manifest = '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
        archive.writestr("META-INF/manifest.xml", manifest)
        archive.writestr("content.xml", ODS.replace("\n<", "<"))
    (page,) = Excel(home=tmp_path, path="in.ods").read(None)
    assert [(row["id"], str(row["born"])) for row in page.frame.to_dicts()] == [(7, "2026-01-31")]


@pytest.mark.parametrize(
    ("cells", "want"),
    [
        ("B2:C3", [("x", 1)]),
        ("B2", [("x", 1), ("y", 2)]),
        ("A:B", [("t", None), (None, "n"), (None, "x"), (None, "y")]),
        ("C2:C3", [(1,)]),
    ],
)
def test_a_range_is_a_part_of_the_sheet(tmp_path: Path, cells: str, want: list[Any]) -> None:
    first = ["title", "more"] if cells == "A:B" else [None, None]
    sheet(
        tmp_path / "in.xlsx",
        [
            first,
            ["t"] if cells == "A:B" else [None, "n", "v"],
            [None, "n", "v"] if cells == "A:B" else [None, "x", 1],
            [None, "x", 1] if cells == "A:B" else [None, "y", 2],
            [None, "y", 2] if cells == "A:B" else [],
        ],
    )
    assert rows(Excel(home=tmp_path, path="in.xlsx", range=cells)) == want


def test_r17_what_is_no_sheet_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sheet(tmp_path / "in.xlsx", [["id"], [1]])
    with pytest.raises(SourceError, match="there is no sheet 'Two'; there are 'One', 'Hidden'"):
        rows(Excel(home=tmp_path, path="in.xlsx", sheet="Two"))
    with pytest.raises(SourceError, match="in.xlsx/Hidden: is empty"):
        rows(Excel(home=tmp_path, path="in.xlsx", sheet=2))
    (tmp_path / "half.xlsx").write_bytes((tmp_path / "in.xlsx").read_bytes()[:2000])
    (tmp_path / "text.xlsx").write_text("id\n1\n")
    for name in ("half.xlsx", "text.xlsx"):
        with pytest.raises(SourceError, match=f"{name}: not a spreadsheet that can be read"):
            rows(Excel(home=tmp_path, path=name))
    sheet(tmp_path / "twice.xlsx", [["id", "id"], [1, 2]])
    with pytest.raises(SourceError, match="twice.xlsx/One:1: two columns are named 'id'"):
        rows(Excel(home=tmp_path, path="twice.xlsx"))


def test_r17_a_bomb_that_lies_about_its_size_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excel, "FREE", 1 << 20)
    sheet(tmp_path / "in.xlsx", [["id"], [1]])
    with zipfile.ZipFile(tmp_path / "in.xlsx", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/more.xml", b" " * (20 << 20))
    with pytest.raises(SourceError, match="no spreadsheet of records does"):
        rows(Excel(home=tmp_path, path="in.xlsx"))
    data = (tmp_path / "in.xlsx").read_bytes()
    (tmp_path / "lies.xlsx").write_bytes(data.replace(struct.pack("<I", 20 << 20), struct.pack("<I", 100)))
    with pytest.raises(SourceError, match="lies.xlsx: not a spreadsheet that can be read"):
        rows(Excel(home=tmp_path, path="lies.xlsx"))


def test_r17_x8_entities_are_not_expanded(tmp_path: Path) -> None:
    sheet(tmp_path / "in.xlsx", [["id"], ["x"]])
    laughs = b'<?xml version="1.0"?><!DOCTYPE s [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><sst>&b;</sst>'
    with zipfile.ZipFile(tmp_path / "in.xlsx") as before, zipfile.ZipFile(tmp_path / "laughs.xlsx", "w") as after:
        for name in before.namelist():
            after.writestr(name, laughs if name.endswith("sharedStrings.xml") else before.read(name))
    with pytest.raises(SourceError, match="laughs.xlsx: defines entities of its own"):
        rows(Excel(home=tmp_path, path="laughs.xlsx"))


def test_r18_broken_parquet_and_arrow_are_refused_before_anything_is_sent(project: Project, receiver: Receiver) -> None:
    frame = pl.DataFrame({"id": range(50_000), "name": ["n"] * 50_000})
    frame.write_parquet(project.home / "whole.parquet")
    frame.write_ipc(project.home / "whole.arrow")
    for kind, source in (("parquet", Parquet), ("arrow", Arrow)):
        whole = (project.home / f"whole.{kind}").read_bytes()
        for at, data in enumerate(
            (whole[: len(whole) // 2], whole[:-4], b"", b"PAR1PAR1", whole[:100] + whole[200:], b"ARROW1\0\0" + b"x" * 50)
        ):
            (project.home / f"bad{at}.{kind}").write_bytes(data)
            with pytest.raises(SourceError, match=rf"bad{at}.{kind}: (not an? |cannot be read|is damaged)"):
                rows(source(home=project.home, path=f"bad{at}.{kind}"))


def test_r19_a_file_that_is_written_to_while_it_is_read_stops_the_run(project: Project, receiver: Receiver) -> None:
    text = f"source: {{use: jsonl, path: in.jsonl}}\ndestination: {{url: '{receiver.url}', concurrency: 1}}\nsend: {{use: batch, max_records: 1000}}\n"
    line = '{"id": 1, "pad": "' + "x" * 100 + '"}\n'
    project({"connectors.d/c.yaml": text, "in.jsonl": line * 400_000})

    def grow(request: Any) -> Reply:
        with (project.home / "in.jsonl").open("a") as file:
            file.write(line)
        return Reply()

    receiver.script = grow
    report = project.run("c")
    assert report.state == "stopped"
    assert "in.jsonl: was changed while it was read" in (report.stopped_because or "")
    assert report.read == report.delivered + report.pending
    receiver.script = []
    resumed = project.run("c")
    grown = (project.home / "in.jsonl").read_text().count("\n")
    assert (resumed.state, resumed.delivered) == ("complete", grown), "what was added came behind what was read"


@pytest.mark.parametrize("change", ["shrunk", "replaced", "gone", "edited"])
def test_r19_a_file_is_held_to_what_it_was_when_it_was_opened(tmp_path: Path, change: str) -> None:
    file = tmp_path / "in.csv"
    file.write_text("a\n" + "1\n" * 5_000_000)
    reading = Csv(home=tmp_path, path="in.csv").read(None)
    next(iter(reading))
    match change:
        case "shrunk":
            os.truncate(file, 1_000)
        case "replaced":
            (tmp_path / "new").write_text("a\n2\n")
            (tmp_path / "new").replace(file)
        case "gone":
            file.unlink()
        case "edited":
            with file.open("r+") as stream:
                stream.seek(10)
                stream.write("7")
    with pytest.raises(SourceChanged, match="was changed while it was read"):
        list(reading)


def test_r20_a_link_that_leads_nowhere_and_a_device_are_told(tmp_path: Path) -> None:
    (tmp_path / "in.csv").symlink_to("nothing")
    with pytest.raises(SourceError, match="in.csv: cannot be read"):
        read(tmp_path, path="in.csv")
    with pytest.raises(SourceError, match="not a regular file"):
        read(tmp_path, path="/dev/null")


JSON: list[tuple[str, str, list[Any] | str]] = [
    ("$", "[]", []),
    ("$", ' [ {"a":1} , {"a":2}\n] \n', [(1,), (2,)]),
    ("$.x.y", '{"w": [1, {"y": 2}], "x": {"z": "}", "y": [{"a": 1}]}, "more": 3}', [(1,)]),
    ("$", '[{"a": 12345678901234567890123}]', [(12345678901234567890123,)]),
    ("$", "", "in.json:1: the file ends before its JSON does"),
    ("$", '[{"a": 1}', "in.json:1: the file ends before its JSON does"),
    ("$", '[{"a": 1},\n{"a": 2} {"a": 3}]', "in.json:2: a comma or ] is missing here"),
    ("$", '[{"a": 1}\n] x', "in.json:2: something follows the array"),
    ("$", '[{"a": 1},\n{"a": }]', "in.json:2: Expecting value"),
    ("$", "[NaN]", "in.json:1: NaN is not a number JSON can hold"),
    ("$", '{"a": 1}', "in.json:1: $ is not an array"),
    ("$.x", '{"y": []}', "in.json:1: there is no $.x"),
    ("$.x", '{"x": 5}', "in.json:1: $.x is not an array"),
    ("$.x", "[]", "in.json:1: there is no $.x"),
    ("$", "[" + "[" * 100_000 + "]", "in.json:1: nested deeper than 100 levels"),
    ("$", '["' + "x" * 70_000, "in.json:1: "),
]


@pytest.mark.parametrize(("at", "text", "want"), JSON, ids=range(len(JSON)))
def test_an_array_is_found_and_read_however_it_is_cut_into_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str, text: str, want: Any
) -> None:
    (tmp_path / "in.json").write_text(text)
    from sendoff_plugins.sources import json as module

    for chunk in (1, 3, 7, 4096) if len(text) < 1000 else (4096,):
        monkeypatch.setattr(module, "CHUNK", chunk * 16)
        source = Json(home=tmp_path, path="in.json", at=at)
        if isinstance(want, str):
            with pytest.raises(SourceError) as caught:
                rows(source)
            assert str(caught.value).startswith(want)
        else:
            assert rows(source) == want


def test_what_is_no_object_in_an_array_is_set_aside_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text('[{"a": 1},\n5,\n{"a": 2}]')
    (page,) = Json(home=tmp_path, path="in.json").read(None)
    assert (dict(page.row_errors), list(page.lines)) == ({1: "not an object: 5"}, [1, 2, 3])


def test_a_library_that_is_missing_is_named_with_what_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    sheet(tmp_path / "in.xlsx", [["id"], [1]])
    for module, source, library in (
        ("python_calamine", Excel(home=tmp_path, path="in.xlsx"), "python-calamine"),
        ("obstore", JsonLines(home=tmp_path, path="s3://bucket/x"), "obstore"),
        ("paramiko", JsonLines(home=tmp_path, path="sftp://host/x"), "paramiko"),
    ):
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(SourceError, match=rf"pip install '{library}>=[\d.]+'"):
            rows(source)


def test_addresses_nobody_knows_how_to_read_are_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="ftp:// is not supported"):
        read(tmp_path, path="ftp://host/in.csv")


def test_where_only_the_open_internet_is_reached_files_from_elsewhere_are_not(tmp_path: Path) -> None:
    with Receiver() as site:
        for path, sentence in (
            (f"{site.url}/in.csv", "not on the public internet"),
            ("s3://bucket/in.csv", "not read where egress is `public`"),
        ):
            source = Csv(home=tmp_path, path=path)
            source.egress = "public"
            with pytest.raises(SourceError, match=sentence):
                rows(source)
        assert site.requests == []


def test_the_limits_are_what_they_are_said_to_be() -> None:
    assert (files.MAX_RECORD, bounds.DECOMPRESSED_RATIO, bounds.DECOMPRESSED_UNCHECKED) == (8 << 20, 400, 256 << 20)


@pytest.mark.parametrize("path", ["uploads/", "uploads", "uploads/*.jsonl", "up*/*.jsonl", "**/b.jsonl"])
def test_a_link_that_leads_out_of_a_folder_of_uploads_is_passed_over(
    project: Project, receiver: Receiver, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    """The kind: a link followed for somebody else. Brothers: a link to a folder, a link inside the folder, one that is named."""
    outside = project.home.parent / f"{project.home.name}-payroll"
    outside.mkdir()
    (outside / "b.jsonl").write_text('{"salary": 1}\n')
    (outside / "a.jsonl").write_text('{"salary": 2}\n')
    text = "source: {{use: jsonl, path: '{path}'}}\ndestination: {{url: {url}}}\n"
    project({"uploads/a.jsonl": '{"a": 1}\n', "connectors.d/c.yaml": text.format(path=path, url=receiver.url)})
    (project.home / "uploads/b.jsonl").symlink_to(outside / "b.jsonl")
    if path.endswith("b.jsonl"):
        with pytest.raises(SourceError, match="no such files"):
            project.run("c")
    else:
        assert project.run("c").delivered == 1
        assert [json.loads(request.body) for request in receiver.requests] == [[{"a": 1}]]
    assert "c: skipped: uploads/b.jsonl: leads out of the folder and the project" in caplog.text
    assert "name it in `path` to read it" in caplog.text
    project({"connectors.d/c.yaml": text.format(path="uploads/b.jsonl", url=receiver.url)})
    assert project.run("c").delivered == 1
    (project.home / "uploads/b.jsonl").unlink()
    (project.home / "uploads/b.jsonl").symlink_to("a.jsonl")
    project({"connectors.d/c.yaml": text.format(path=path, url=receiver.url)})
    assert project.run("c").state == "complete"


@pytest.mark.parametrize("path", ["data/*/a.jsonl", "data/v1/*.jsonl", "data/current/"])
def test_a_link_into_the_project_is_read(tmp_path: Path, path: str) -> None:
    for folder in ("store/v1", "data/v1"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "store/v1/a.jsonl").write_text('{"a": 1}\n')
    (tmp_path / "data/current").symlink_to("../store/v1")
    (tmp_path / "data/v1/a.jsonl").symlink_to("../../store/v1/a.jsonl")
    assert set(rows(JsonLines(home=tmp_path, path=path))) == {(1,)}


def test_a_project_in_a_folder_with_signs_of_a_pattern_finds_its_files(tmp_path: Path, receiver: Receiver) -> None:
    made = Project(tmp_path / "year [2026]*")
    made(
        {
            "in [1]/a.jsonl": '{"a": 1}\n',
            "connectors.d/c.yaml": f"source: {{use: jsonl, path: 'in [1]'}}\ndestination: {{url: {receiver.url}}}\n",
        }
    )
    assert made.run("c").delivered == 1


REPEATED_ODS = (
    '<office:document-content xmlns:office="o" xmlns:table="t" xmlns:text="x"><office:body><office:spreadsheet><table:table>'
    '<table:table-row><table:table-cell office:value-type="string"><text:p>h</text:p></table:table-cell></table:table-row>'
    '<table:table-row table:number-rows-repeated="{rows}"><table:table-cell table:number-columns-repeated="{columns}" '
    'office:value-type="string"><text:p>hello</text:p></table:table-cell></table:table-row>'
    '<table:table-row table:number-rows-repeated="1048000"><table:table-cell table:number-columns-repeated="16384"/>'
    "</table:table-row></table:table></office:spreadsheet></office:body></office:document-content>"
)


@pytest.mark.parametrize(
    ("rows", "columns", "sentence"), [(10**6, 16_000, "are spread over"), (10**6, 5, "bytes of text"), (5, 9, "")]
)
def test_cells_that_are_repeated_beyond_what_a_spreadsheet_holds_are_not_read(
    tmp_path: Path, rows: int, columns: int, sentence: str
) -> None:
    zipped(tmp_path / "in.ods", content__xml=REPEATED_ODS.format(rows=rows, columns=columns).encode())
    if sentence:
        with pytest.raises(SourceError, match=sentence):
            check_cells(tmp_path / "in.ods", "in.ods")
    else:
        check_cells(tmp_path / "in.ods", "in.ods")


@pytest.mark.parametrize(("made", "sentence"), [
    (oversized.one_text_in_many_cells, "bytes of text, in a file of"), (oversized.cells_far_apart, "2 cells are spread over")
])  # fmt: skip
def test_a_workbook_whose_cells_unfold_to_too_much_is_not_opened(tmp_path: Path, made: Any, sentence: str) -> None:
    (tmp_path / "in.xlsx").write_bytes(made(100_000))
    with pytest.raises(SourceError, match=sentence):
        rows(Excel(home=tmp_path, path="in.xlsx"))


def test_texts_that_cells_share_are_read_where_they_are_many(tmp_path: Path) -> None:
    (tmp_path / "in.xlsx").write_bytes(oversized.one_text_in_many_cells(5_100))
    assert len(rows(Excel(home=tmp_path, path="in.xlsx"))) == 1_018


#: What lies in the last row of a sheet of a few records, at the other end of it, and how many rows a reader then gets.
FAR_AWAY = {
    "a blank cell": (b'<c r="XFD1048576" s="1"/>', 1),
    "a blank cell with an end": (b'<c r="XFD1048576" s="1"></c>', 1),
    "a value": (b'<c r="XFD1048576"><v>1</v></c>', None),
    "a text": (b'<c r="XFD1048576" t="inlineStr"><is><t>a</t></is></c>', None),
    "a formula": (b'<c r="XFD1048576"><f>A1</f></c>', None),
    "a value after a slash": (b'<c r="XFD1048576">/><v>1</v></c>', None),
    "a value after an end of something else": (b'<c r="XFD1048576"></x><v>1</v></c>', None),
    "cells that do not say where they are": (b"<c><v>1</v></c>" * 9, None),
    "blank cells that do not say where they are": (b"<c/>" * 9, 1),
}


@pytest.mark.parametrize(("cells", "count"), FAR_AWAY.values(), ids=FAR_AWAY)
def test_a_cell_far_away_counts_if_it_has_a_content(tmp_path: Path, cells: bytes, count: int | None) -> None:
    sheet = b'<row r="1"><c r="A1" t="s"><v>0</v></c></row><row r="2"><c r="A2"><v>1</v></c></row>'
    (tmp_path / "in.xlsx").write_bytes(oversized.workbook(sheet + b'<row r="1048576">%s</row>' % cells, b"<si><t>h</t></si>"))
    if count is None:
        with pytest.raises(SourceError, match="cells are spread over"):
            rows(Excel(home=tmp_path, path="in.xlsx"))
    else:
        assert len(rows(Excel(home=tmp_path, path="in.xlsx"))) == count


def test_a_table_with_a_format_in_the_last_row_of_its_sheet_is_read(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(str(tmp_path / "in.xlsx")) as book:
        sheet = book.add_worksheet()
        for row in range(101):
            sheet.write_row(row, 0, [f"c{at}" for at in range(10)] if row == 0 else range(10))
        sheet.write_blank(1_048_575, 9, None, book.add_format({"bold": True}))
    assert len(rows(Excel(home=tmp_path, path="in.xlsx"))) == 100
