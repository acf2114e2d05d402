"""Values that sources keep each in a way of their own: great numbers, lengths of time, moments with a zone, and JSON.

They are written here without sendoff, with all their digits.
"""

from __future__ import annotations

import csv
import io
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import psycopg
import xlsxwriter

from tests.plugins.sources import tables

FIELDS = ("id", "big", "exact", "lasts", "at", "clock", "doc", "tags")
SCHEMA = """
schema:
  id: integer
  big: {type: integer, nullable: true}
  exact: {type: decimal, nullable: true}
  lasts: {type: duration, nullable: true}
  at: {type: datetime, nullable: true}
  clock: {type: string, nullable: true}
  doc: {type: dict, nullable: true}
  tags: {type: list, nullable: true}
"""


class Row(NamedTuple):
    """A record as Python's own values; `doc` and `tags` are JSON text."""

    id: int
    big: int | None
    exact: Decimal | None
    lasts: timedelta | None
    at: datetime | None
    clock: str | None
    doc: str | None
    tags: str | None


def records(count: int) -> list[Row]:
    first = datetime(2026, 1, 1, 8, 30, 1, tzinfo=UTC)
    return [
        Row(
            id=at,
            big=None if at % 5 == 0 else 2**63 - 1 - at if at % 2 else -(2**63) + at,
            exact=None if at % 7 == 0 else Decimal(f"{'-' if at % 2 else ''}1234567890123456789012{at % 100:02}.{at:06}"),
            lasts=None if at % 11 == 0 else timedelta(seconds=61 * at + 1),
            at=None if at % 13 == 0 else first + timedelta(seconds=7 * at),
            clock=None if at % 3 == 0 else f"08:{at % 60:02}:00+02:00",
            doc=None if at % 17 == 0 else f'{{"n":{at},"sum":12345678901234567.{at % 90 + 10},"name":"Zoë \\"{at}\\""}}',
            tags=None if at % 19 == 0 else f'["a",{at},9007199254740993]',
        )
        for at in range(count)
    ]


def length(value: timedelta) -> str:
    """A length of time in ISO 8601, in days, hours, minutes and seconds."""
    minutes, seconds = divmod(value.seconds, 60)
    parts = {"H": minutes // 60, "M": minutes % 60, "S": seconds}
    clock = "".join(f"{number}{letter}" for letter, number in parts.items() if number)
    return f"P{f'{value.days}D' if value.days else ''}{f'T{clock}' if clock else ''}"


def texts(row: Row) -> list[str | None]:
    """Each value as text, as CSV has it."""
    return [
        str(row.id),
        None if row.big is None else str(row.big),
        None if row.exact is None else str(row.exact),
        None if row.lasts is None else length(row.lasts),
        None if row.at is None else row.at.isoformat(),
        row.clock,
        row.doc,
        row.tags,
    ]


def line(row: Row, fields: Sequence[str] = FIELDS) -> str:
    """The record as JSON, with these of its fields, the first ones."""
    values = texts(row)
    for at in (3, 4, 5):
        values[at] = None if values[at] is None else f'"{values[at]}"'
    return "{" + ",".join(f'"{name}":{value or "null"}' for name, value in zip(fields, values, strict=False)) + "}"


def write_csv(file: Path, rows: Sequence[Row]) -> None:
    """With words for nulls, as databases export them."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(FIELDS)
    words = ("\\N", "NULL", "")
    writer.writerows([words[row.id % 3] if value is None else value for value in texts(row)] for row in rows)
    file.write_text(out.getvalue())


def frame(rows: Sequence[Row]) -> pl.DataFrame:
    """As Parquet and Arrow have them; the JSON is nested."""
    doc = pl.Struct({"n": pl.Int64, "sum": pl.Decimal(38, 2), "name": pl.String})
    types: dict[str, Any] = {
        "id": pl.Int64, "big": pl.Int64, "exact": pl.Decimal(38, 6), "lasts": pl.Duration("us"), "at": pl.Datetime("us", "UTC"),
        "clock": pl.String, "doc": doc, "tags": pl.String,
    }  # fmt: skip
    docs = [
        None if row.doc is None
        else {"n": row.id, "sum": Decimal(f"12345678901234567.{row.id % 90 + 10}"), "name": f'Zoë "{row.id}"'}
        for row in rows
    ]  # fmt: skip
    values = {name: [getattr(row, name) for row in rows] for name in FIELDS} | {"doc": docs}
    return pl.DataFrame(values, schema=types).drop("tags")


def write_xlsx(file: Path, rows: Sequence[Row]) -> None:
    """A workbook knows no zones, no JSON, and no integers beyond 2^53: those are text."""
    with xlsxwriter.Workbook(str(file), {"constant_memory": True}) as book:
        clock = book.add_format({"num_format": "[h]:mm:ss"})
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, FIELDS[:6])
        for at, row in enumerate(rows, 1):
            sheet.write_number(at, 0, row.id)
            for column, value in enumerate(texts(row)[1:6], 1):
                if value is not None and column != 3:
                    sheet.write_string(at, column, value)
            if row.lasts is not None:
                sheet.write_datetime(at, 3, row.lasts, clock)


def in_postgres(url: str, rows: Sequence[Row]) -> None:
    """`doc` is jsonb, which orders keys by their length, and `tags` is json."""
    columns = "id bigint, big bigint, exact numeric(40,6), lasts interval, at timestamptz, clock timetz, doc jsonb, tags json"
    with psycopg.connect(url) as db:
        db.execute("DROP TABLE IF EXISTS exact")
        db.execute(f"CREATE TABLE exact({columns})")
        with db.cursor().copy(f"COPY exact({', '.join(FIELDS)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)


def in_mariadb(url: str, rows: Sequence[Row]) -> None:
    columns = "id bigint, big bigint, exact decimal(40,6), lasts text, at text, clock text, doc json, tags json"
    marks = ", ".join(["%s"] * len(FIELDS))
    with closing(tables.mysql(url)) as db, db.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS exact")
        cursor.execute(f"CREATE TABLE exact({columns}) CHARACTER SET utf8mb4")
        cursor.executemany(f"INSERT INTO exact VALUES ({marks})", [texts(row) for row in rows])


def in_sqlite(file: Path, rows: Sequence[Row]) -> None:
    """A number of SQLite has 64 bits or is a float, so that a decimal is text."""
    with closing(sqlite3.connect(file)) as db, db:
        db.execute(
            "CREATE TABLE exact(id integer, big integer, exact text, lasts text, at text, clock text, doc text, tags text)"
        )
        db.executemany("INSERT INTO exact VALUES (?, ?, ?, ?, ?, ?, ?, ?)", map(texts, rows))
