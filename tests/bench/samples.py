"""The sample records: eight fields and a note, some 190 bytes a record; the same in every form."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

SCHEMA = """\
  id:     {type: integer, min: 0}
  email:  {type: string, regex: "[^@]+@[^@]+", maxlength: 80}
  first:  {type: string, minlength: 1}
  last:   {type: string, nullable: true}
  born:   {type: date}
  amount: {type: decimal, min: -1000000}
  active: {type: boolean}
  score:  {type: float, min: 0, max: 1}
"""
#: As APIs and exports write them: objects and lists in values, and keys that are there in some lines only.
NESTED_SCHEMA = """\
  id:      {type: integer, min: 0}
  email:   {type: string, regex: "[^@]+@[^@]+", maxlength: 80}
  name:    {type: dict, schema: {first: {type: string}, last: {type: string, nullable: true}}}
  tags:    {type: list, schema: {type: string}}
  address: {type: dict, required: false, schema: {street: {type: string}, city: {type: string}, zip: {type: string}}}
  amount:  {type: number, required: false}
  active:  {type: boolean}
"""
NAMES = ("id", "email", "first", "last", "born", "amount", "active", "score")


def row(at: int) -> tuple[str, ...]:
    """The n-th record's values as they stand in JSON."""
    last = "null" if at % 7 == 0 else f'"Lastname{at % 1000}"'
    return (
        str(at), f'"person.number{at}@mail.example.com"', f'"First{at % 500}"', last, f'"19{at % 90 + 10}-0{at % 9 + 1}-1{at % 9}"',
        f"{at % 5000}.{at % 90 + 10}", "true" if at % 2 else "false", f"0.{at % 9999:04}",
    )  # fmt: skip


def jsonl(home: Path, records: int) -> Path:
    """JSON Lines, written once."""
    file = home / f"in-{records}.jsonl"
    if not file.exists():
        with file.open("w") as out:
            for at in range(records):
                out.write("{" + ",".join(f'"{name}":{value}' for name, value in zip(NAMES, row(at), strict=True)) + "}\n")
    return file


def nested(home: Path, records: int) -> Path:
    """JSON Lines with nested values, optional keys, and keys in three orders, written once."""
    file = home / f"in-{records}-nested.jsonl"
    if not file.exists():
        with file.open("w") as out:
            for at in range(records):
                cells = dict(zip(NAMES, row(at), strict=True))
                members = [
                    f'"id":{at}', f'"email":{cells["email"]}', f'"name":{{"first":{cells["first"]},"last":{cells["last"]}}}',
                    f'"tags":["a{at % 9}","b{at % 17}"]', f'"active":{cells["active"]}',
                ]  # fmt: skip
                members += [f'"amount":{cells["amount"]}'] if at % 2 else []
                members += (
                    [f'"address":{{"street":"Street {at % 700}","city":"City","zip":"{at % 90000:05}"}}'] if at % 3 else []
                )
                out.write("{" + ",".join(members[at % 3 :] + members[: at % 3]) + "}\n")
    return file


def csv(home: Path, records: int) -> Path:
    """CSV, written once."""
    file = home / f"in-{records}.csv"
    if not file.exists():
        with file.open("w") as out:
            out.write(",".join(NAMES) + "\n")
            for at in range(records):
                out.write(",".join("" if value == "null" else value.strip('"') for value in row(at)) + "\n")
    return file


def sqlite(home: Path, records: int) -> Path:
    """A table of a SQLite database, written once."""
    file = home / f"in-{records}.sqlite"
    if not file.exists():
        with sqlite3.connect(file) as db:
            db.execute(f"CREATE TABLE records({','.join(NAMES)})")
            rows = (tuple(json.loads(value) for value in row(at)) for at in range(records))
            db.executemany(f"INSERT INTO records VALUES ({','.join('?' * len(NAMES))})", rows)
    return file
