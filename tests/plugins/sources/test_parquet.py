"""Parquet and Arrow: a file is read to the last row that it says it has, or its source is at fault."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from sendoff import SourceError
from sendoff.intake.reading import read_source
from sendoff.testing import Project, Receiver
from sendoff_plugins.sources._common.frames import MAX_PAGE_TEXT
from sendoff_plugins.sources._files.parquet_footer import _Thrift, checked_rows
from sendoff_plugins.sources.arrow import Arrow
from sendoff_plugins.sources.parquet import Parquet

ROWS, GROUP = 60_000, 10_000

#: Two sound files of five rows with a decimal of 256 bits, which polars does not read: as a file, and as a stream.
WIDE_FILE = (
    "c-qZVyAA<C6g{(MACW1x5K$-<3JsN#FOX;`G!l&h4gcX2e1>vMrO)seoVk0&W`k8a$;_SmI&<$l#?$F!)(7rH1|Wq;9S#vfBwP{3"
    "QU|q!v(*_0IOe*}n9so2=XccR5pgUxyTf*$^QMyTgm<7EFn-?#?Ga+xDb+em;AOkO=i}Ea2uH%`BsZIp`h6c~%7*F=P3^=9Ginws"
    "iVL2oQ+HC8uW6xY5aI=k&*+w9*?ub6f)X#@=%x@W<(6s)@f%hZ{!4|wXTJN775=-thx{xZZzGZ$Nb@^jH$y!mt36*eFZ)p6zrVd3"
    "$5{T-17b@p7y"
)
WIDE_STREAM = (
    "c-oCpF%H5o47`-Ijj9YCD#XCZz`(={cm@LtQWpkbfq(D>p266$zX})Eh^hk0Nr~gLeYsW%A%q4%iHHIo8B#c&2xFOpnd5GC2NJHW"
    "o*T}yF^}^L<sve!{qcM~T{_)T=Dp~yRRbp8TanL@%T1;FFiDK_o?h%f)DR8FZr9OfqjlN{55`J!kEwo%7iCN=W(+M}D42V36+P|r"
    "AEbE0;yaduIOOj=E*a?JLvDJ#Vt3#n#eb+r>g`B<Wq#LhBlRHf0eAvh!yGs"
)

UNREADABLE = "it is damaged, or has columns of a type that is not supported"


def unpacked(text: str) -> bytes:
    return zlib.decompress(base64.b85decode(text))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("parquet") / "whole.parquet"
    frame = pl.DataFrame(
        {"id": range(ROWS), "half": [None if at % 2 else at for at in range(ROWS)], "tag": ["a", "b"] * (ROWS // 2)}
    )
    frame.write_parquet(file, row_group_size=GROUP, data_page_size=8192, compression="uncompressed")
    return file.read_bytes()


def first_page(data: bytes, *, dictionary: bool) -> int:
    """Where the first page of the second column of the fourth row group is."""
    length = int.from_bytes(data[-8:-4], "little")
    footer = _Thrift(data, len(data) - 8 - length).struct()  # type: ignore[arg-type]  # bytes read like a mapped file
    return int(footer[4][3][1][1][3][11 if dictionary else 9])


def miscounted(data: bytes, by: Callable[[int], int], *, dictionary: bool = False) -> bytes:
    """The file with another number of values in the header of a page, as after a bad copy."""
    found = bytearray(data)
    start = first_page(data, dictionary=dictionary)
    header = _Thrift(data, start)  # type: ignore[arg-type]  # as above
    (page,) = (value for number, value in header.struct().items() if number in (5, 7, 8))
    count = page[1]
    text = _varint(2 * count)
    at = data.index(text, start, header.at)
    changed = _varint((by(count) << 1) ^ (by(count) >> 63))
    assert len(changed) == len(text)
    found[at : at + len(text)] = changed
    return bytes(found)


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    return bytes([*made, value])


@pytest.mark.parametrize(
    "by", [lambda count: count + 3, lambda count: count - 3, lambda count: -count], ids=["more", "fewer", "negative"]
)
def test_a_page_that_miscounts_its_values_is_noticed_before_anything_is_sent(
    project: Project, receiver: Receiver, whole: bytes, by: Callable[[int], int]
) -> None:
    """Kind: the end of a stream that is believed without a count.

    polars took the file for ended after two of six row groups; a negative number ended the process.
    Brothers looked at: Arrow files and streams, types that polars does not know, files that are cut, HTTP, CSV, JSON, databases.
    """
    text = f"source: {{use: parquet, path: in.parquet}}\ndestination: {{url: '{receiver.url}'}}\n"
    report = project({"in.parquet": miscounted(whole, by), "connectors.d/a.yaml": text}).run("a")
    assert (report.state, report.read, report.exit_code) == ("stopped", 0, 2)
    assert report.stopped_because is not None
    assert report.stopped_because.startswith("in.parquet: is damaged: row group 4, column half: ")
    assert not receiver.requests


def test_a_dictionary_that_miscounts_its_values_is_no_end_of_the_file(whole: bytes, tmp_path: Path) -> None:
    (tmp_path / "in.parquet").write_bytes(miscounted(whole, lambda count: -count, dictionary=True))
    with pytest.raises(SourceError, match="is damaged: row group 4, column half"):
        list(Parquet(path=str(tmp_path / "in.parquet")).read(None))


def test_a_sound_file_has_the_rows_that_its_footer_says(whole: bytes, tmp_path: Path) -> None:
    (tmp_path / "in.parquet").write_bytes(whole)
    assert checked_rows(tmp_path / "in.parquet", "in.parquet") == ROWS
    assert sum(page.frame.height for page in Parquet(path=str(tmp_path / "in.parquet")).read(None)) == ROWS


@pytest.mark.parametrize(
    "options", [{"compression": "zstd"}, {"compression": "snappy", "data_page_size": 1024}, {"use_pyarrow": False}]
)
def test_every_way_to_write_a_file_is_walked_to_its_end(tmp_path: Path, options: dict[str, object]) -> None:
    nested = pl.DataFrame(
        {"a": [[1, 2], [], None], "b": [{"c": [None]}, {"c": []}, None], "d": [None] * 3, "e": [b"x", b"", None]}
    )
    for frame in (nested, nested.head(0), pl.concat([nested] * 5_000)):
        frame.write_parquet(tmp_path / "in.parquet", **options)  # type: ignore[arg-type]  # the options of one function
        assert checked_rows(tmp_path / "in.parquet", "in.parquet") == frame.height


def test_no_cut_and_no_wrong_footer_is_anything_but_an_error_of_the_source(whole: bytes, tmp_path: Path) -> None:
    file, length = tmp_path / "in.parquet", int.from_bytes(whole[-8:-4], "little")
    start = len(whole) - 8 - length
    broken = [whole[:cut] for cut in range(0, len(whole), len(whole) // 50)]
    broken += [whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :] for at in range(start, start + length, 29)]
    for data in broken:
        file.write_bytes(data)
        try:
            checked_rows(file, "in.parquet")
        except SourceError as error:
            assert str(error).startswith("in.parquet: ")  # noqa: PT017  # that there is none is right too: not every byte counts


@pytest.mark.parametrize(("text", "sentence"), [
    (WIDE_FILE, f"in.arrow: has 5 rows, and 0 of them could be read; {UNREADABLE} (it cannot read the column 'amount')"),
    (WIDE_STREAM, "arrow: in.arrow: a library failed on what it read; the data is damaged, or of a kind that it cannot read"),
], ids=["file", "stream"])  # fmt: skip
def test_a_type_that_polars_does_not_know_is_no_end_of_the_file(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "in.arrow").write_bytes(unpacked(text))
    source = Arrow(path="in.arrow")
    source.home = tmp_path
    with pytest.raises(SourceError) as raised:
        list(read_source(source))
    assert str(raised.value) == sentence


@pytest.mark.parametrize("nested", [False, True])
def test_a_decimal_of_more_digits_than_are_read_is_told_with_its_column(tmp_path: Path, nested: bool) -> None:
    values = pl.Series("x", ["1.5"]).cast(pl.Decimal(38, 2))
    frame = pl.DataFrame({"id": [1], "in": [0]}).with_columns((pl.struct(values) if nested else values).alias("x"))
    frame.write_parquet(tmp_path / "in.parquet")
    data = (tmp_path / "in.parquet").read_bytes()
    assert b"\x15\x4c" in data  # a precision of 38, and no other number
    (tmp_path / "in.parquet").write_bytes(data.replace(b"\x15\x4c", b"\x15\x78"))
    source = Parquet(home=tmp_path, path="in.parquet")
    sentence = (
        f"in.parquet: column {'x.x' if nested else 'x'}: decimals of 60 digits, and at most 38 can be read; write it as text"
    )
    for ask in (lambda: list(source.columns()), lambda: list(source.read(None))):
        with pytest.raises(SourceError, match=sentence):
            ask()


def test_bytes_are_text_where_the_connector_says_so(project: Project, receiver: Receiver) -> None:
    frame = pl.DataFrame({"id": [1, 2, 3], "name": [b"Ann", b"\xff", None]})
    frame.write_parquet(project.home / "in.parquet")
    text = f"source: {{use: parquet, path: in.parquet, binary_as_text: true}}\nsend: batch\ndestination: {{url: '{receiver.url}'}}\n"
    report = project({"connectors.d/a.yaml": text}).run("a")
    assert (report.state, report.stopped_because) == ("incomplete", None)
    assert receiver.bodies == [[{"id": 1, "name": "Ann"}, {"id": 3, "name": None}]]
    assert (report.delivered, report.invalid) == (2, 1)


def test_a_text_that_is_stored_once_for_many_rows_makes_pages_of_bounded_size(tmp_path: Path) -> None:
    file = tmp_path / "in.parquet"
    pl.DataFrame({"a": ["S" * 30_000] * 3_000}).write_parquet(file)
    assert file.stat().st_size < 5_000
    pages = list(Parquet(home=tmp_path, path="in.parquet").read(None))
    assert all(page.frame["a"].str.len_bytes().sum() <= MAX_PAGE_TEXT for page in pages)
    assert [int(line) for page in pages for line in page.lines] == list(range(1, 3_001))


def test_a_footer_that_says_no_rows_is_not_believed_where_its_row_groups_have_some(tmp_path: Path) -> None:
    """Kind: the end of a stream believed for one number alone, where the file has another."""
    pl.DataFrame({"id": [1, 2, 3]}).write_parquet(tmp_path / "in.parquet")
    whole = (tmp_path / "in.parquet").read_bytes()
    assert whole.count(b"\x16\x06\x19") == 1  # the number of rows in the footer, before its row groups
    (tmp_path / "in.parquet").write_bytes(whole.replace(b"\x16\x06\x19", b"\x16\x00\x19"))
    with pytest.raises(SourceError, match="in.parquet: has 3 rows, and 0 of them could be read"):
        list(Parquet(home=tmp_path, path="in.parquet").read(None))
