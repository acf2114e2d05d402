"""CSV, strictly: rows R6 to R12 of the fault catalogue, each caused."""

from __future__ import annotations

import csv
import gzip
import io
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendoff import Page, SourceError
from sendoff.schema.columns import empty_to_null
from sendoff_plugins.sources import csv as source
from sendoff_plugins.sources._csv import chunks, table
from sendoff_plugins.sources._csv.dialect import Dialect
from sendoff_plugins.sources._files import files


def pages(data: bytes | str, delimiter: str = ",") -> list[Page]:
    return list(table.read_table(io.BytesIO(data if isinstance(data, bytes) else data.encode()), "in.csv", Dialect(delimiter)))


def rows(data: bytes | str) -> list[tuple[Any, ...]]:
    return [row for page in pages(data) for row in empty_to_null(page.frame).rows()]


def lines(data: str) -> list[int]:
    return [int(line) for page in pages(data) for line in page.lines]


def test_an_empty_cell_is_null_quoted_or_not() -> None:
    assert rows('a,b\n1,\n"",x\n') == [("1", None), (None, "x")]


def test_r6_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    assert pages(b"\xef\xbb\xbfa,b\n1,2\n")[0].frame.columns == ["a", "b"]


def test_r6_bytes_that_are_no_utf8_are_told_with_their_place() -> None:
    with pytest.raises(SourceError, match=r"in\.csv:3: not UTF-8 at byte 3 of the line"):
        pages(b"a,b\n1,2\n3,\xff\n")


def test_r7_both_kinds_of_newline_and_newlines_in_quotes() -> None:
    assert rows('a,b\r\n1,"x\r\ny"\r\n2,z\n') == [("1", "x\r\ny"), ("2", "z")]


def test_r7_lines_are_counted_through_quoted_newlines() -> None:
    assert lines('a,b\n1,"x\n\ny"\n2,z\n"3","\n"\n4,5\n') == [2, 5, 6, 8]


def test_r8_a_quote_never_closed_is_told_with_the_line_it_opens_in() -> None:
    with pytest.raises(SourceError, match=r"in\.csv:4: a quote is opened here and never closed"):
        pages('a,b\n1,2\n"x",3\n4,"oops\n5,6\n7,8\n')


def test_r8_a_quote_inside_a_bare_cell_is_told_with_its_line() -> None:
    with pytest.raises(SourceError, match=r"in\.csv:3: a quote inside a cell that is not quoted"):
        pages('a,b\n1,2\n3,5" pipe 6" long\n')


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("a,a", "two columns are named 'a'"),
        ("a,,b", "column 2 has no name"),
        ("a, a", "two columns are named 'a'"),
        (" ,,", "the row of names is empty"),
    ],
)
def test_r9_headers_are_plain_and_unique(header: str, told: str) -> None:
    with pytest.raises(SourceError, match=told):
        pages(f"{header}\n1,2\n")


def test_r10_ragged_rows_are_set_aside_and_the_rest_goes_on() -> None:
    (page,) = pages('a,b\n1,2\n3\n4,5,6\n"7","8"\n')
    assert page.row_errors == {1: "ragged: 1 cells where the header has 2", 2: "ragged: 3 cells where the header has 2"}
    assert page.frame.rows()[0] == ("1", "2")
    assert page.frame.rows()[3] == ("7", "8")
    assert list(page.lines) == [2, 3, 4, 5]


def test_r10_a_row_that_is_only_too_short_is_no_row_of_nulls() -> None:
    (page,) = pages("a,b\n1,2\n3\n")
    assert page.row_errors == {1: "ragged: 1 cells where the header has 2"}


def test_r11_a_record_without_end_is_refused_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (chunks, table):
        monkeypatch.setattr(module, "MAX_RECORD", 1 << 16)
    with pytest.raises(SourceError, match=r"in\.csv:2: a record of more than 0 MiB"):
        list(table.read_table(_Endless(), "in.csv", Dialect()))


class _Endless:
    """A file that never ends its second line."""

    first = True

    def read(self, size: int) -> bytes:
        first, self.first = self.first, False
        return b"a,b\n" if first else b"x" * size


def test_r12_a_cell_larger_than_pythons_csv_takes_is_read() -> None:
    big = "x" * 200_000
    assert rows(f'a,b\n"{big}",1\n3\n')[0] == (big, "1")
    assert csv.field_size_limit() == 131_072


def test_r15_an_empty_file_is_an_error_and_a_header_alone_is_not() -> None:
    with pytest.raises(SourceError, match=r"in\.csv: is empty"):
        pages("")
    assert rows("a,b\n") == []


@pytest.mark.parametrize("magic", ["x^", "x\x01", "x\u0680", '"x^', "(\u00b5"])
def test_a_text_that_begins_like_a_compressed_file_is_read_as_text(magic: str) -> None:
    close = '"' if magic.startswith('"') else ""
    assert rows(f"a,b\n{magic}y{close},1\nz,2\n") == [(f"{magic}y".lstrip('"'), "1"), ("z", "2")]
    assert lines(f'a,b\n{magic}y{close},"1\n2"\nz,2\n') == [2, 4]


def test_bytes_that_begin_like_a_compressed_file_are_not_utf8() -> None:
    with pytest.raises(SourceError, match=r"in\.csv:2: not UTF-8 at byte 3"):
        pages(b"a\nx\x01\xf5\n")


def test_blank_lines_are_no_records() -> None:
    assert rows("a,b\n\n1,2\n\n") == [("1", "2")]
    assert lines("a\n\n1\n\n2\n") == [3, 5]


cells = st.text(st.sampled_from('ab ,";\n\r1é\x00'), max_size=6)


@given(st.lists(st.tuples(cells, cells, cells), max_size=30), st.sampled_from(["\n", "\r\n"]), st.integers(1, 40))
@settings(max_examples=400)
def test_what_pythons_csv_writes_is_read_back_whatever_the_chunks(
    written: list[tuple[Any, ...]], newline: str, chunk: int
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator=newline, quoting=csv.QUOTE_ALL)
    writer.writerow(["x", "y", "z"])
    writer.writerows(written)

    class Small(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(chunk)

    got = [row for page in table.read_table(Small(out.getvalue().encode()), "f", Dialect()) for row in page.frame.rows()]
    assert [tuple(cell or "" for cell in row) for row in got] == written


def test_files_are_read_in_byte_order_and_known_by_their_contents(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv"):
        (tmp_path / name).write_text(f"x\n{name}\n")
    found = source.Csv(home=tmp_path, path="*.csv", delimiter=",")
    assert [page.frame["x"][0] for page in found.read(None)] == ["a.csv", "b.csv"]
    before = found.fingerprint()
    (tmp_path / "a.csv").touch()
    assert found.fingerprint() == before
    (tmp_path / "a.csv").write_text("x\nchanged\n")
    assert found.fingerprint() != before


def test_r20_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "d.csv")
    with pytest.raises(SourceError, match="not a regular file"):
        list(source.Csv(home=tmp_path, path="d.csv", delimiter=",").read(None))
    with pytest.raises(SourceError, match="no such file"):
        list(source.Csv(home=tmp_path, path="*.nothing", delimiter=",").read(None))
    assert files.MAX_RECORD == 8 << 20


@pytest.mark.parametrize("name", ["d.tsv", "d.TSV", "d.tsv.gz", "d.zip"])
def test_a_file_that_ends_in_tsv_has_tabs_between_its_cells(tmp_path: Path, name: str) -> None:
    """Whatever reads it: a run as much as `sendoff schema infer`; another delimiter holds where it is given."""
    text = b"a\tb\n1,5\tx\n"
    if name.endswith(".zip"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("d.tsv", text)
    else:
        (tmp_path / name).write_bytes(gzip.compress(text, mtime=0) if name.endswith(".gz") else text)
    (page,) = source.Csv(home=tmp_path, path=name).read(None)
    assert page.frame.rows() == [("1,5", "x")]
    (page,) = source.Csv(home=tmp_path, path=name, delimiter=";").read(None)
    assert page.frame.rows() == [("1,5\tx",)]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"id,name\r1,Ann\n2,Bob\n", "in.csv:1: a carriage return that no line feed follows"),
        (b'id,name\n1,"A"nn"\n', "in.csv:2: a quoted cell begins here, and goes on after the quote that closes it"),
    ],
)
def test_pythons_own_sentences_about_csv_are_shown_to_nobody(tmp_path: Path, content: bytes, sentence: str) -> None:
    """Kind: a library's exception shown as it is. Brothers: every sentence of Python's `csv`; a panic's (see intake)."""
    (tmp_path / "in.csv").write_bytes(content)
    with pytest.raises(SourceError) as raised:
        list(source.Csv(home=tmp_path, path="in.csv").read(None))
    assert str(raised.value).startswith(sentence)


def test_lines_above_the_names_can_be_passed_over(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(b'Signups of "May\n\nid,name\n1,Ann\n2\n')
    found = source.Csv(home=tmp_path, path="in.csv", skip_rows=2)
    (page,) = found.read(None)
    assert page.frame.to_dicts() == [{"id": "1", "name": "Ann"}, {"id": "2", "name": None}]
    assert ([page.line(0), page.line(1)], list(page.row_errors)) == ([4, 5], [1])
    assert list(found.columns()) == [("in.csv", ["id", "name"])]
    for lines, sentence in ((3, "in.csv:4"), (9, "in.csv: is empty")):
        (tmp_path / "in.csv").write_bytes(b"a\n\nid,name\nid,id\n")
        with pytest.raises(SourceError, match=sentence):
            list(source.Csv(home=tmp_path, path="in.csv", skip_rows=lines).read(None))
