"""How fast each source reads, beside polars or the driver doing nothing else: records into frames, in one process, in turn."""

from __future__ import annotations

import gc
import gzip
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import polars as pl

from tests.bench.floors import alternating
from tests.bench.report import Bar
from tests.plugins.sources import samples, servers, tables

RECORDS = 200_000


def bars(home: Path, rounds: int) -> Iterator[Bar]:
    """The rate of each kind of source as a share of its floor."""
    rows = samples.records(RECORDS)
    with ExitStack() as stack:
        yield from (
            Bar(f"reading {kind}: sendoff / {floor} alone", alternating(_timed(ours), _timed(alone), rounds), wanted)
            for kind, floor, ours, alone, wanted in _kinds(home, rows, stack)
        )


def _kinds(home: Path, rows: list[dict[str, Any]], stack: ExitStack) -> Iterator[tuple[str, str, Any, Any, float]]:
    import python_calamine
    import sqlalchemy

    for kind in ("csv", "csv-gzip", "jsonl", "json", "parquet", "arrow", "excel"):
        samples.write(kind, rows, home)
    plain = home / "in.csv"
    if not plain.exists():
        plain.write_text(samples.csv_text(rows))

    def polars(read: Callable[[], pl.DataFrame]) -> Callable[[], None]:
        return lambda: _all(read())

    def unzipped() -> pl.DataFrame:
        with gzip.open(home / "in.csv.gz") as packed, (home / "out.csv").open("wb") as out:
            shutil.copyfileobj(packed, out, 1 << 20)
        return pl.read_csv(home / "out.csv", infer_schema=False)

    def cells() -> None:
        with python_calamine.load_workbook(str(home / "in.xlsx")) as book:
            assert sum(1 for _ in book.get_sheet_by_index(0).iter_rows()) == RECORDS + 1

    yield "CSV", "polars", _source(home, "csv", "in.csv"), polars(lambda: pl.read_csv(plain, infer_schema=False)), 0.6
    yield "CSV in gzip", "gzip and polars", _source(home, "csv", "in.csv.gz"), polars(unzipped), 0.6
    yield "JSON Lines", "polars", _source(home, "jsonl", "in.jsonl"), polars(lambda: pl.read_ndjson(home / "in.jsonl")), 0.6
    yield "JSON", "Python's json", _source(home, "json", "in.json", at="$.data.rows"), lambda: _loaded(home / "in.json"), 0.6
    yield "Parquet", "polars", _source(home, "parquet", "in.parquet"), polars(lambda: pl.read_parquet(home / "in.parquet")), 0.6
    yield (
        "Arrow",
        "polars",
        _source(home, "arrow", "in.arrow"),
        polars(lambda: pl.scan_ipc(home / "in.arrow").with_columns(pl.all()).collect()),
        0.6,
    )
    yield "Excel", "calamine", _source(home, "excel", "in.xlsx"), cells, 0.6
    for name, start, fill in (
        ("PostgreSQL", servers.postgres, tables.in_postgres),
        ("MariaDB", servers.mariadb, tables.in_mariadb),
    ):
        url = stack.enter_context(start())
        fill(url, rows)
        yield f"{name}", "SQLAlchemy", _sql(home, url), _fetched(sqlalchemy, url), 0.7
    tables.in_sqlite(home / "people.db", rows)
    yield "SQLite", "SQLAlchemy", _sql(home, "sqlite:///people.db"), _fetched(sqlalchemy, f"sqlite:///{home}/people.db"), 0.7


def _source(home: Path, use: str, file: str, **options: Any) -> Callable[[], None]:
    from sendoff.records import pages
    from sendoff.registry import Registry

    made: Any = Registry().find("sources", use)

    def read() -> None:
        found = sum(page.frame.height for page in pages(made(home=home, path=file, **options).read(None)))
        assert found == RECORDS

    return read


def _sql(home: Path, url: str) -> Callable[[], None]:
    from sendoff_plugins.sources.sql import Sql

    def read() -> None:
        assert sum(page.frame.height for page in Sql(home=home, url=url, table="people").read(None)) == RECORDS

    return read


def _fetched(sqlalchemy: Any, url: str) -> Callable[[], None]:
    url = url.replace("postgresql://", "postgresql+psycopg://").replace("mysql://", "mysql+pymysql://")

    def fetch() -> None:
        engine = sqlalchemy.create_engine(url)
        with engine.connect() as connection:
            result = connection.execution_options(stream_results=True, max_row_buffer=20_000).execute(
                sqlalchemy.text("SELECT * FROM people")
            )
            assert sum(len(some) for some in result.partitions(20_000)) == RECORDS
        engine.dispose()

    return fetch


def _loaded(file: Path) -> None:
    import json
    from decimal import Decimal

    with file.open() as stream:
        assert len(json.load(stream, parse_float=Decimal)["data"]["rows"]) == RECORDS


def _all(frame: pl.DataFrame) -> None:
    assert frame.height == RECORDS


def _timed(work: Callable[[], None]) -> Callable[[], float]:
    def timed() -> float:
        gc.collect()
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    return timed
