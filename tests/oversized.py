"""Inputs that are small and ask for much: a file, a table, a response of each kind, made to a size in bytes."""

from __future__ import annotations

import io
import sqlite3
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import polars as pl
import xlsxwriter

from sendoff.sandbox import Reply

COMMAND = "from sendoff.cli import main; main()"
#: Runs a command, whose output is then in its standard error, and prints its exit code and the most memory it had in KiB. A
#: process of its own, as what a process had before it became another program counts.
_MEASURE = (
    "import resource, subprocess, sys; resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30)); "
    "print(subprocess.call(sys.argv[1:], stdout=sys.stderr), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)
_NS = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"


class Case(NamedTuple):
    """A connector's source, the files it reads, and what its server answers, if it has one; all for an input of some size."""

    source: str
    files: Callable[[int], Mapping[str, bytes]] = lambda size: {}
    reply: Callable[[int], Reply] | None = None
    #: What else stands in the connector file.
    rest: str = ""


class Spent(NamedTuple):
    """What a run took, and what it said."""

    mib: int
    seconds: float
    code: int
    said: str


def run(home: Path, *words: str) -> Spent:
    """Run the tool in a process of its own, and measure it."""
    began = time.perf_counter()
    with (home / "said").open("wb") as said:
        measured = subprocess.run(
            [sys.executable, "-c", _MEASURE, sys.executable, "-c", COMMAND, *words],
            cwd=home,
            stdout=subprocess.PIPE,
            stderr=said,
        )
    code, kib = map(int, measured.stdout.split())
    return Spent(kib >> 10, time.perf_counter() - began, code, (home / "said").read_text())


def keys_all_differ(size: int) -> list[str]:
    """JSON objects of ten keys each, no two of which are the same."""
    found, row = [], 0
    while size > 0:
        found.append("{" + ",".join(f'"{row * 10 + at:x}":1' for at in range(10)) + "}")
        size -= len(found[-1]) + 1
        row += 1
    return found


def lines(size: int) -> bytes:
    return "".join(f"{each}\n" for each in keys_all_differ(size)).encode()


def array(size: int) -> bytes:
    return f"[{','.join(keys_all_differ(size))}]".encode()


def names(size: int) -> list[str]:
    return [f"c{at:06}" for at in range(size // 8)]


def wide_object(size: int) -> bytes:
    return ("{" + ",".join(f'"{name}":1' for name in names(size * 8 // 12)) + "}\n").encode()


def wide_header(size: int) -> bytes:
    found = names(size // 2)
    return (",".join(found) + "\n" + ",".join(["1"] * len(found)) + "\n").encode()


def ragged(size: int) -> bytes:
    """A header as wide as is allowed, above records of one cell."""
    return (",".join(names(80_000)) + "\n").encode() + b"x\n" * ((size - 80_000) // 16)


def long_names(size: int) -> bytes:
    """A header whose names are long, above records that are short."""
    header = ",".join(f"{at}{'n' * 4000}" for at in range(size // 8000))
    row = "," * header.count(",") + "\n"
    return (header + "\n" + row * ((size - len(header)) // len(row) // 8)).encode()


def frame(size: int) -> pl.DataFrame:
    return pl.DataFrame([pl.Series(name, [1]) for name in names(size // 8)])


def parquet(size: int) -> bytes:
    out = io.BytesIO()
    frame(size).write_parquet(out)
    return out.getvalue()


def arrow(size: int) -> bytes:
    out = io.BytesIO()
    frame(size).write_ipc(out)
    return out.getvalue()


def one_text_in_many_rows(size: int) -> bytes:
    """A long text, the same in every row, which the file has once."""
    out = io.BytesIO()
    pl.DataFrame({"a": ["S" * 30_000] * (size // 50)}).write_parquet(out)
    return out.getvalue()


def gzip_bomb(size: int) -> bytes:
    press = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = b" " * (1 << 20)
    return b"".join(press.compress(zeros) for _ in range(size // 1024)) + press.flush()


def workbook(sheet: bytes, texts: bytes) -> bytes:
    """An xlsx file with this sheet and these shared texts."""
    plain, out = io.BytesIO(), io.BytesIO()
    with xlsxwriter.Workbook(plain) as book:
        book.add_worksheet().write_row(0, 0, ["h", "S"])
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("sharedStrings.xml"):
                data = b'<sst xmlns="%s">%s</sst>' % (_NS, texts)
            if name.endswith("sheet1.xml"):
                data = b'<worksheet xmlns="%s"><sheetData>%s</sheetData></worksheet>' % (_NS, sheet)
            new.writestr(name, data)
    return out.getvalue()


def one_text_in_many_cells(size: int) -> bytes:
    rows = b"".join(b'<row r="%d"><c r="A%d" t="s"><v>1</v></c></row>' % (at, at) for at in range(2, size // 5))
    head = b'<row r="1"><c r="A1" t="s"><v>0</v></c></row>'
    return workbook(head + rows, b"<si><t>h</t></si><si><t>%s</t></si>" % (b"S" * 32_000))


def cells_far_apart(_: int) -> bytes:
    sheet = b'<row r="1"><c r="A1" t="s"><v>0</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    return workbook(sheet, b"<si><t>h</t></si>")


def wide_sheet(size: int) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        sheet = book.add_worksheet()
        for row in (0, 1):
            sheet.write_row(row, 0, names(min(size // 8, 16_000) * 8))
    return out.getvalue()


def table(_: int) -> bytes:
    """An SQLite file whose table is as wide as SQLite has them."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute(f"CREATE TABLE t ({', '.join(f'c{at}' for at in range(2000))})")
        db.executemany(f"INSERT INTO t VALUES ({', '.join(['1'] * 2000)})", [()] * 200)  # made of constants
        db.commit()
        return db.serialize()


_PYTHON = "def rows(file):\n    import json\n    return [json.loads(line) for line in open(file)]\n"
_SINGER = (
    "import json, sys\n"
    "print(json.dumps({'type': 'SCHEMA', 'stream': 's', 'schema': {}, 'key_properties': []}))\n"
    "for line in open('in.jsonl'):\n    print(json.dumps({'type': 'RECORD', 'stream': 's', 'record': json.loads(line)}))\n"
)
_CAT = "import sys; sys.stdout.write(open('in.jsonl').read())"


def file(name: str, make: Callable[[int], bytes]) -> Callable[[int], Mapping[str, bytes]]:
    return lambda size: {name: make(size)}


#: One of each kind for each source, by what it is.
CASES: Mapping[str, Case] = {
    "jsonl keys": Case("{use: jsonl, path: in.jsonl}", file("in.jsonl", lines)),
    "jsonl one object": Case("{use: jsonl, path: in.jsonl}", file("in.jsonl", wide_object)),
    "json keys": Case("{use: json, path: in.json}", file("in.json", array)),
    "csv header": Case("{use: csv, path: in.csv}", file("in.csv", wide_header)),
    "csv ragged": Case("{use: csv, path: in.csv}", file("in.csv", ragged)),
    "csv long names": Case(
        "{use: csv, path: in.csv}", file("in.csv", long_names), rest="send: {use: batch, max_bytes: 1000000}\n"
    ),
    "parquet columns": Case("{use: parquet, path: in.parquet}", file("in.parquet", parquet)),
    "parquet one text": Case(
        "{use: parquet, path: in.parquet}",
        file("in.parquet", one_text_in_many_rows),
        rest="send: {use: batch, max_bytes: 1000000}\n",
    ),
    "arrow columns": Case("{use: arrow, path: in.arrow}", file("in.arrow", arrow)),
    "excel columns": Case("{use: excel, path: in.xlsx}", file("in.xlsx", wide_sheet)),
    "excel one text": Case("{use: excel, path: in.xlsx}", file("in.xlsx", one_text_in_many_cells)),
    "excel far apart": Case("{use: excel, path: in.xlsx}", file("in.xlsx", cells_far_apart)),
    "sql columns": Case("{use: sql, url: 'sqlite:///in.db', table: t}", file("in.db", table)),
    "python keys": Case(
        "{use: python, call: 'rows.py:rows', arguments: {file: in.jsonl}}",
        lambda size: {"rows.py": _PYTHON.encode(), "in.jsonl": lines(size)},
    ),
    "command keys": Case(f'{{use: command, command: ["{sys.executable}", -c, "{_CAT}"]}}', file("in.jsonl", lines)),
    "singer keys": Case(
        f'{{use: singer, command: ["{sys.executable}", tap.py]}}',
        lambda size: {"tap.py": _SINGER.encode(), "in.jsonl": lines(size)},
    ),
    "http keys": Case("{use: http, url: '{url}'}", reply=lambda size: Reply(200, array(size))),
    "http bomb": Case(
        "{use: http, url: '{url}'}", reply=lambda size: Reply(200, gzip_bomb(size), {"Content-Encoding": "gzip"})
    ),
    "csv bomb": Case(
        "{use: csv, path: '{url}/x.csv'}", reply=lambda size: Reply(200, gzip_bomb(size), {"Content-Encoding": "gzip"})
    ),
    "google_sheets columns": Case(
        "{use: google_sheets, spreadsheet: abcdefghijklmnop, docs_root: '{url}'}",
        reply=lambda size: Reply(200, wide_header(size)),
    ),
}
