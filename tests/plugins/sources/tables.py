"""The samples in databases."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pymysql
from sqlalchemy.engine import make_url

from tests.plugins.sources.samples import FIELDS

_MARKS = ", ".join(["%s"] * len(FIELDS))
_PEOPLE = "people({})".format


def in_postgres(url: str, rows: Sequence[dict[str, Any]]) -> None:
    columns = "id bigint, name text, note text, price numeric(18,4), score float8, active boolean, born date, seen timestamp"
    with psycopg.connect(url) as db:
        db.execute("DROP TABLE IF EXISTS people")
        db.execute(f"CREATE TABLE {_PEOPLE(columns)}")
        with db.cursor().copy(f"COPY people({', '.join(FIELDS)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row([row[name] for name in FIELDS])


def mysql(url: str) -> Any:
    at = make_url(url)
    return pymysql.connect(
        host=at.host, port=at.port or 0, user=at.username, database=at.database, charset="utf8mb4", autocommit=True
    )


def in_mariadb(url: str, rows: Sequence[dict[str, Any]]) -> None:
    columns = "id bigint, name text, note text, price decimal(18,4), score double, active boolean, born date, seen datetime"
    with closing(mysql(url)) as db, db.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS people")
        cursor.execute(f"CREATE TABLE {_PEOPLE(columns)} CHARACTER SET utf8mb4")
        for at in range(0, len(rows), 10_000):
            some = [tuple(row[name] for name in FIELDS) for row in rows[at : at + 10_000]]
            cursor.executemany(f"INSERT INTO people VALUES ({_MARKS})", some)


def in_sqlite(file: Path, rows: Sequence[dict[str, Any]]) -> None:
    columns = "id integer, name text, note text, price text, score real, active boolean, born text, seen text"
    with closing(sqlite3.connect(file)) as db, db:
        db.execute(f"CREATE TABLE {_PEOPLE(columns)}")
        marks = ", ".join("?" * len(FIELDS))
        db.executemany(
            f"INSERT INTO people VALUES ({marks})",
            (
                [
                    None
                    if v is None
                    else v
                    if isinstance(v, int | float | str)
                    else v.isoformat()
                    if hasattr(v, "isoformat")
                    else str(v)
                    for v in (row[name] for name in FIELDS)
                ]
                for row in rows
            ),
        )
