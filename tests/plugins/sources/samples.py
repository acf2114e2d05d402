"""The same records in every form that a source can read."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import xlsxwriter
from backports import zstd
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

#: Eight fields, of every type that records have, with nulls and text that is not plain.
SCHEMA = """
schema:
  id: integer
  name: {type: string}
  note: {type: string, nullable: true}
  price: {type: decimal, nullable: true}
  score: {type: float, nullable: true}
  active: {type: boolean, nullable: true}
  born: {type: date, nullable: true}
  seen: {type: datetime}
"""
FIELDS = ("id", "name", "note", "price", "score", "active", "born", "seen")
NAMES = ("Ann", "Zoë", "李雷", 'O\'Brien "Bob"', "naïve, café", "😀", "tab\there", "back\\slash")


def records(count: int) -> list[dict[str, Any]]:
    """Records as Python's own values."""
    chance = Random(7)
    first = datetime(2026, 1, 1, 8, 30, 1)  # noqa: DTZ001  # spreadsheets know no time zones
    return [
        {
            "id": at,
            "name": f"{NAMES[at % 8]} {at}",
            "note": None if at % 5 == 0 else f"line one\nline two {at}" if at % 11 == 0 else f"n{at}",
            "price": None if at % 7 == 0 else Decimal(chance.randrange(1, 10**9) * 100 + 1) / 10000,
            "score": None if at % 9 == 0 else chance.randrange(1, 10**6) + 0.5,
            "active": None if at % 13 == 0 else at % 2 == 0,
            "born": None if at % 3 == 0 else date(1950, 1, 1) + timedelta(days=at % 20_000),
            "seen": first + timedelta(seconds=7 * at),
        }
        for at in range(count)
    ]


def text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case date() | datetime():
            return value.isoformat()
    return str(value)


def as_json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | datetime) else value


class _Exact(json.JSONEncoder):
    def default(self, o: Any) -> Any:
        return float(o) if isinstance(o, Decimal) else super().default(o)


def line(row: dict[str, Any]) -> str:
    return json.dumps(
        {key: as_json(value) for key, value in row.items()}, cls=_Exact, ensure_ascii=False, separators=(",", ":")
    )


def csv_text(rows: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(FIELDS)
    writer.writerows([text(row[name]) for name in FIELDS] for row in rows)
    return out.getvalue()


def frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    types: list[Any] = [pl.Int64, pl.String, pl.String, pl.Decimal(18, 4), pl.Float64, pl.Boolean, pl.Date, pl.Datetime("us")]
    return pl.DataFrame({name: [row[name] for row in rows] for name in FIELDS}, schema=dict(zip(FIELDS, types, strict=True)))


def xlsx(rows: list[dict[str, Any]], path: Path) -> None:
    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as book:
        day, moment = book.add_format({"num_format": "yyyy-mm-dd"}), book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        sheet = book.add_worksheet("People")
        sheet.write_row(0, 0, FIELDS)
        for at, row in enumerate(rows, 1):
            for column, name in enumerate(FIELDS):
                value = row[name]
                if isinstance(value, datetime):
                    sheet.write_datetime(at, column, value, moment)
                elif isinstance(value, date):
                    sheet.write_datetime(at, column, datetime(value.year, value.month, value.day), day)  # noqa: DTZ001  # spreadsheets know no time zones
                elif isinstance(value, str):
                    sheet.write_string(at, column, value)
                elif value is not None:
                    sheet.write(at, column, value)


def write(kind: str, rows: list[dict[str, Any]], home: Path) -> str:
    """The records as a file of a kind; answers with the `source:` that reads it."""
    lines = "".join(line(row) + "\n" for row in rows)
    whole = csv_text(rows)
    plain: dict[str, tuple[str, Callable[[Path], Any], str]] = {
        "csv": ("in.csv", lambda file: file.write_text(whole), ""),
        "csv-utf16": ("in.csv", lambda file: file.write_bytes(whole.encode("utf-16")), ", encoding: utf-16"),
        "csv-gzip": ("in.csv.gz", lambda file: file.write_bytes(gzip.compress(whole.encode())), ""),
        "csv-zstd": ("in.csv.zst", lambda file: file.write_bytes(zstd.compress(whole.encode())), ""),
        "csv-zip": ("in.zip", lambda file: zipped(file, whole), ', member: "*.csv"'),
        "jsonl": ("in.jsonl", lambda file: file.write_text(lines), ""),
        "json": (
            "in.json",
            lambda file: file.write_text('{"data": {"rows": [' + lines.replace("\n", ",\n")[:-2] + "]}}"),
            ", at: $.data.rows",
        ),
        "parquet": ("in.parquet", lambda file: frame(rows).write_parquet(file), ""),
        "arrow": ("in.arrow", lambda file: frame(rows).write_ipc(file), ""),
        "arrow-stream": ("in.arrows", lambda file: frame(rows).write_ipc_stream(file), ""),
        "excel": ("in.xlsx", lambda file: xlsx(rows, file), ", sheet: People"),
    }
    name, writer, more = plain[kind]
    writer(home / name)
    return f"{{use: {kind.partition('-')[0]}, path: {name}{more}}}"


def zipped(file: Path, whole: str) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("readme.txt", "nothing of interest")
        archive.writestr("people.csv", whole)


FILES = ("csv", "csv-utf16", "csv-gzip", "csv-zstd", "csv-zip", "jsonl", "json", "parquet", "arrow", "arrow-stream", "excel")


def google_key() -> str:
    """A service account's key file, with a key made for the occasion; TOKEN_URI is to be replaced."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    account = {
        "type": "service_account", "client_email": "sendoff@example.iam.gserviceaccount.com", "private_key_id": "1",
        "private_key": pem.decode(), "token_uri": "TOKEN_URI",
    }  # fmt: skip
    return json.dumps(account)
