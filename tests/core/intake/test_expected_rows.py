"""How many rows a source has in all, as far as it shows while it is read."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from sendoff.components import Source
from sendoff.intake.reading import read_lazily
from sendoff.ledger import spool
from sendoff.records import Page
from sendoff_plugins.sources.csv import Csv
from sendoff_plugins.sources.jsonl import JsonLines
from sendoff_plugins.sources.parquet import Parquet

ROWS = 120_000


def make(kind: str, home: Path) -> Source:
    file = home / f"in.{kind}"
    frame = pl.DataFrame({"id": pl.int_range(ROWS, eager=True).cast(pl.String).str.zfill(100)})
    if kind == "spool":
        half = ROWS // 2
        return spool.write(file, [Page(frame[:half], "a", range(half)), Page(frame[half:], "a", range(half))])
    if kind == "csv":
        frame.write_csv(file)
        return Csv(home=home, path=file.name)
    if kind == "jsonl":
        frame.write_ndjson(file)
        return JsonLines(home=home, path=file.name)
    frame.write_parquet(file)
    return Parquet(home=home, path=file.name)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "spool"])
def test_a_source_on_disk_shows_how_many_rows_it_has_before_all_are_read(tmp_path: Path, kind: str) -> None:
    source = make(kind, tmp_path)
    shown = [source.expected_rows for _ in read_lazily(source)]
    assert shown[0] is None
    known = [count for count in shown if count is not None]
    assert known
    assert all(abs(count - ROWS) < ROWS / 1000 for count in known)
