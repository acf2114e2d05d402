"""What is spooled comes back as it was, or not at all."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sendoff import LedgerError, SourceError
from sendoff.ledger import spool
from sendoff.records import Page, from_mappings, pages

values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False), st.decimals(allow_nan=False),
        st.dates(), st.datetimes(), st.times(), st.timedeltas(), st.uuids(), st.text(), st.just("\ud800"),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=5,
)  # fmt: skip


@given(
    st.lists(
        st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=3), values, max_size=4),
        max_size=8,
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_mappings_come_back_as_they_were(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    kept = spool.write(tmp_path / "x.pages", pages(rows))
    found = [row for page in kept.read(None) for row in page.frame.iter_rows(named=True)]
    want = [row for page in pages(rows) for row in page.frame.iter_rows(named=True)]
    assert found == want
    assert [list(map(type, row.values())) for row in found] == [list(map(type, row.values())) for row in want]


def test_pages_keep_their_places_and_faults(tmp_path: Path) -> None:
    page = Page(pl.DataFrame({"a": ["1", None]}), "f.csv", [2, 5], {1: "ragged"}, all_text=True)
    (found,) = spool.write(tmp_path / "x.pages", [page]).read(None)
    assert (found.file, list(found.lines), found.row_errors, found.all_text, found.uniform) == (
        "f.csv",
        [2, 5],
        {1: "ragged"},
        True,
        True,
    )


def test_the_same_records_have_the_same_fingerprint(tmp_path: Path) -> None:
    rows = [{"a": Decimal("1.0"), "b": dt.date(2026, 1, 1), "c": UUID(int=5)}]
    first, second = (spool.write(tmp_path / name, pages(rows)).fingerprint() for name in ("a", "b"))
    assert first == second
    assert spool.write(tmp_path / "c", pages([{**rows[0], "a": Decimal("1.00")}])).fingerprint() != first


def test_a_damaged_spool_is_noticed(tmp_path: Path) -> None:
    kept = spool.write(tmp_path / "x.pages", [from_mappings([{"a": 1}])])
    raw = bytearray(kept.file.read_bytes())
    raw[len(raw) // 2] ^= 1
    kept.file.write_bytes(raw)
    with pytest.raises(LedgerError, match="is damaged"):
        list(kept.read(None))


def test_what_cannot_be_kept_is_told_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="a: a object cannot be spooled"):
        spool.write(tmp_path / "x.pages", [from_mappings([{"a": object()}])])
    assert not list(tmp_path.iterdir())


def test_numbers_of_a_table_keep_their_digits_in_a_spool(tmp_path: Path) -> None:
    page = Page(
        pl.DataFrame({"price": ["1.10", None, "12345678901234567890.5"]}), "t", range(1, 4), numbers=frozenset({"price"})
    )
    (back,) = spool.write(tmp_path / "x.pages", [page]).read(None)
    assert (back.frame.rows(), back.numbers) == (page.frame.rows(), page.numbers)


def test_what_is_known_from_writing_a_spool_is_what_reading_it_would_tell(tmp_path: Path) -> None:
    wide = Page(pl.DataFrame({"a": ["1"], "b": ["2"]}), "f.csv", [2], all_text=True)
    other = Page(pl.DataFrame({"a": ["1"]}), "g.csv", [2], all_text=True)
    written = spool.write(tmp_path / "x.pages", [wide, wide, other])
    read = spool.Spool(tmp_path / "x.pages")
    assert written.fingerprint() == read.fingerprint()
    assert list(written.columns()) == [("f.csv", ["a", "b"]), ("g.csv", ["a"])]
    assert list(dict.fromkeys((file, *names) for file, names in read.columns())) == [("f.csv", "a", "b"), ("g.csv", "a")]
