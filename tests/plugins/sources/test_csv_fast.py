"""The fast reader of CSV and the exact one read the same: records, lines, reasons, and errors."""

from __future__ import annotations

import io
from itertools import product
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sendoff import SourceError
from sendoff.schema.columns import empty_to_null
from sendoff_plugins.sources._csv import chunks, table
from sendoff_plugins.sources._csv.dialect import NO_QUOTE, Dialect
from sendoff_plugins.sources._csv.fast import read_cells

#: Texts that polars 2.1 reads otherwise than they are written: it takes quotes out of place, and loses some of them,
#: carriage returns, and U+FEFF at the beginning.
TRAPS = [
    b'a\n""b""\n',
    b'a\n"b"b"b"\n',
    b'a,b\nc"",d\n',
    b'a,b\nc",",""\n',
    b"a,b\nc\r,d\n",
    b"a\nb\r\r\n",
    b"a,b\n\xef\xbb\xbfc,d\n",
]


def outcome(data: bytes, dialect: Dialect, size: int = 4 << 20) -> list[Any]:
    """Each record with its line and its reason, and the error at the end."""

    class Small(io.BytesIO):
        def read(self, _: int | None = -1) -> bytes:
            return super().read(size)

    found: list[Any] = []
    try:
        for page in table.read_table(Small(data), "f", dialect):
            rows = enumerate(empty_to_null(page.frame).rows())
            found += [(int(page.lines[at]), row, page.row_errors.get(at)) for at, row in rows]
    except SourceError as error:
        found.append(str(error))
    return found


def exact(data: bytes, dialect: Dialect, size: int = 4 << 20) -> list[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "read_cells", lambda *_: None)
        return outcome(data, dialect, size)


dialects = st.builds(
    Dialect,
    delimiter=st.sampled_from(",;^- "),
    quote=st.sampled_from([b'"', b"'", NO_QUOTE]),
    skip_rows=st.integers(0, 1),
    skip_footer=st.integers(0, 2),
    comment=st.sampled_from([None, b"#"]),
    trim=st.booleans(),
    null_values=st.sampled_from([[], ["a"]]),
)
signs = st.lists(st.sampled_from([*"ab,;^- \"'\n#\0", "\r\n", "\r", "x^", '""', "é", "\ufeff", b"\xff"]), max_size=30)
heads = st.sampled_from(["a\n", "a,b\n", "a;b;c\r\n", '"a\n",b\n', "a^b^\n"])


@given(heads, signs, dialects, st.integers(1, 40))
@settings(max_examples=1500, deadline=None)
@example("a,b\n", ["1,2\n", '"x\ny",2\n', "3,4"], Dialect(), 9)
def test_both_readers_read_the_same_in_any_dialect(head: str, text: list[Any], dialect: Dialect, size: int) -> None:
    data = head.encode() + b"".join(each if isinstance(each, bytes) else each.encode() for each in text)
    assert outcome(data, dialect, size) == exact(data, dialect, size)


@pytest.mark.parametrize("quote", [b'"', NO_QUOTE])
def test_both_readers_read_every_short_text_the_same(quote: bytes) -> None:
    for size in range(6):
        for signs in product(b'a,"\n\r', repeat=size):
            data, dialect = b"x,y\n" + bytes(signs), Dialect(quote=quote)
            if read_cells(bytes(signs), 2, dialect) is not None:
                assert outcome(data, dialect) == exact(data, dialect), data


@pytest.mark.parametrize("data", TRAPS)
def test_what_polars_would_read_otherwise_is_read_exactly(data: bytes) -> None:
    assert outcome(data, Dialect()) == exact(data, Dialect())


def test_the_fast_reader_reads_whatever_the_delimiter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "read_records", lambda *_: pytest.fail("it was read slowly"))
    monkeypatch.setattr(table, "_split_header", lambda found, *_: (table._Header(["x", "y"], 2, 1), found))
    for delimiter in map(chr, [9, *range(32, 127)]):
        if delimiter != '"':
            data = f'"{delimiter}\n""\U0001f600"{delimiter}\xdf\r\n'.encode()
            assert outcome(data, Dialect(delimiter)) == [(1, (f'{delimiter}\n"\U0001f600', "\xdf"), None)]


def test_a_record_too_large_is_said_to_be_too_large_also_where_it_is_cut_inside_a_character(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (chunks, table):
        monkeypatch.setattr(module, "MAX_RECORD", 10)
    assert outcome(b"a\n" + "é".encode() * 20, Dialect(), 3) == ["f:2: a record of more than 0 MiB"]
    assert outcome(b'a\nb\n"' + "é".encode() * 20, Dialect(), 3)[-1] == "f:3: a quote is opened here and never closed"


def test_a_cell_too_many_at_the_very_end_makes_up_for_none_that_lacks_before() -> None:
    assert read_cells(b",\n\n,,", 2, Dialect()) is None
