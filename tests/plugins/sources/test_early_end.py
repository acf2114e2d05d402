"""A source that ends early is an error of the source: nothing of it is taken for all there is."""

from __future__ import annotations

import gzip
import io
import json
import socket
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest
from backports import zstd

from sendoff import Source, SourceError, SourceUnavailable
from sendoff.http import client
from sendoff.intake.reading import read_source
from sendoff.testing import Receiver, Reply
from sendoff_plugins.sources._files.location import File
from sendoff_plugins.sources.arrow import Arrow
from sendoff_plugins.sources.command import Command
from sendoff_plugins.sources.csv import Csv
from sendoff_plugins.sources.excel import Excel
from sendoff_plugins.sources.http import Http
from sendoff_plugins.sources.json import Json
from sendoff_plugins.sources.jsonl import JsonLines
from sendoff_plugins.sources.parquet import Parquet
from sendoff_plugins.sources.singer import Singer
from sendoff_plugins.sources.sql import Sql
from tests.plugins.sources import servers

ROWS = 20_000
CSV = b"id,name\n" + b"".join(b"%d,name %d\n" % (at, at * 7919) for at in range(ROWS))
LINES = b"".join(b'{"id": %d, "name": "name %d"}\n' % (at, at * 7919) for at in range(ROWS))


@pytest.fixture(autouse=True)
def without_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = client.HttpClient.__init__.__kwdefaults__
    assert usual is not None
    monkeypatch.setitem(usual, "sleep", lambda seconds: None)


def zipped(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("in.csv", content)
    return buffer.getvalue()


def written(home: Path, how: str) -> bytes:
    frame = pl.DataFrame({"id": range(ROWS), "name": [f"name {at * 7919}" for at in range(ROWS)]})
    getattr(frame, f"write_{how}")(home / "whole.xlsx")
    return (home / "whole.xlsx").read_bytes()


FILES: dict[str, tuple[type[Source], Callable[[Path], bytes]]] = {
    "csv.gz": (Csv, lambda _: gzip.compress(CSV)),
    "jsonl.gz": (JsonLines, lambda _: gzip.compress(LINES)),
    "csv.zst": (Csv, lambda _: zstd.compress(CSV)),
    "csv.zip": (Csv, lambda _: zipped(CSV)),
    "json": (Json, lambda _: json.dumps([json.loads(line) for line in LINES.splitlines()]).encode()),
    "csv in quotes": (Csv, lambda _: b"id,name\n" + b"".join(b'%d,"a\nb"\n' % at for at in range(9))),
    "parquet": (Parquet, lambda home: written(home, "parquet")),
    "arrow": (Arrow, lambda home: written(home, "ipc")),
    "xlsx": (Excel, lambda home: written(home, "excel")),
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("part", [0.3, 0.6, 0.999])
def test_a_file_that_is_cut_is_an_error(tmp_path: Path, kind: str, part: float) -> None:
    """Kind: an end that is not looked at. Text that may end anywhere (CSV, JSON Lines) is looked at below."""
    source, make = FILES[kind]
    whole = make(tmp_path)
    cut = whole.rindex(b'"a') + 2 if kind == "csv in quotes" else int(len(whole) * part)
    (tmp_path / "in").write_bytes(whole[:cut])
    with pytest.raises(SourceError, match="^in"):
        list(read_source(source(home=tmp_path, path="in")))


def test_a_last_line_that_is_cut_is_its_rows_fault_and_one_without_a_newline_is_none(tmp_path: Path) -> None:
    for source, whole, cut in ((Csv, CSV, b"id,name\n1,Ann\n2"), (JsonLines, LINES, b'{"id": 1}\n{"id": 2')):
        (tmp_path / "in").write_bytes(whole[:-1])
        pages = [*read_source(source(home=tmp_path, path="in"))]
        assert (sum(page.frame.height for page in pages), [page.row_errors for page in pages if page.row_errors]) == (ROWS, [])
        (tmp_path / "in").write_bytes(cut)
        *_, page = read_source(source(home=tmp_path, path="in"))
        assert [page.line(at) for at in page.row_errors] == [3 if source is Csv else 2]


BODY = json.dumps([json.loads(line) for line in LINES.splitlines()[:100]]).encode()


@contextmanager
def responding(raw: bytes) -> Iterator[str]:
    """A server that gives every request the same bytes, and then closes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    line, _ = listener.accept()
                except OSError:
                    return
                with line:
                    line.recv(65536)
                    line.sendall(raw)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/in"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def head(*lines: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", b"Content-Type: application/json", *lines, b"", b""])


PACKED = gzip.compress(BODY)
RESPONSES = {
    "length": head(b"Content-Length: %d" % len(BODY)) + BODY[:-40],
    "chunks": head(b"Transfer-Encoding: chunked") + b"%x\r\n%b\r\n" % (len(BODY), BODY),
    "within a chunk": head(b"Transfer-Encoding: chunked") + b"%x\r\n%b" % (len(BODY), BODY[:-40]),
    "gzip": head(b"Content-Length: %d" % (len(PACKED) - 40), b"Content-Encoding: gzip") + PACKED[:-40],
    "gzip without its checksum": head(b"Content-Length: %d" % (len(PACKED) - 8), b"Content-Encoding: gzip") + PACKED[:-8],
    "gzip with nothing in it": head(b"Content-Length: 0", b"Content-Encoding: gzip"),
}


@pytest.mark.parametrize("cut", RESPONSES)
@pytest.mark.parametrize("kind", ["http", "json file", "jsonl file"])
def test_a_response_that_is_cut_is_an_outage(cut: str, kind: str) -> None:
    """The compressed content may be cut where the response is whole by its length."""
    with responding(RESPONSES[cut]) as url:
        sources: dict[str, Source] = {"http": Http(url=url), "json file": Json(path=url), "jsonl file": JsonLines(path=url)}
        with pytest.raises(SourceUnavailable):
            list(read_source(sources[kind]))


def test_a_whole_response_is_read_compressed_or_not() -> None:
    for raw in (
        head(b"Content-Length: %d" % len(BODY)) + BODY,
        head(b"Content-Length: %d" % len(PACKED), b"Content-Encoding: gzip") + PACKED,
        head(b"Transfer-Encoding: chunked", b"Content-Encoding: GZIP") + b"%x\r\n%b\r\n0\r\n\r\n" % (len(PACKED), PACKED),
    ):
        with responding(raw) as url:
            assert sum(page.frame.height for page in read_source(Http(url=url))) == 100


def paged(last: Callable[[int], Reply]) -> Callable[[Any], Reply]:
    """An API of two pages; what it says beyond them."""

    def reply(request: Any) -> Reply:
        page = int(request.path.rpartition("=")[2])
        return Reply(200, json.dumps([{"id": 10 * page + at} for at in range(2)]).encode()) if page <= 2 else last(page)

    return reply


@pytest.mark.parametrize("records", [b'[{"id": 1}, {"id": 2}]', b'[{"id": 1}, {"id": NaN}]', b'[{"id": 1, "id": 2}]'])
@pytest.mark.parametrize("by", ["page", "offset"])
def test_a_page_that_comes_again_is_noticed_at_once(receiver: Receiver, by: str, records: bytes) -> None:
    """Brothers: with a record that cannot be one, of which there are equal ones too."""
    receiver.script = lambda _: Reply(200, records)
    with pytest.raises(SourceError, match=r"response 2 has the records of the one before; .*say `end: \[repeat\]`"):
        list(read_source(Http(url=receiver.url, paging={"by": by})))
    assert len(receiver.requests) == 2


@pytest.mark.parametrize(
    ("last", "end"), [(lambda page: Reply(404), [404]), (lambda page: Reply(200, b'[{"id": 20}, {"id": 21}]'), ["repeat"])]
)
def test_how_the_pages_end_can_be_said(receiver: Receiver, last: Callable[[int], Reply], end: list[Any]) -> None:
    receiver.script = paged(last)
    pages = read_source(Http(url=receiver.url, paging={"by": "page", "end": end}))
    assert [row["id"] for page in pages for row in page.frame.to_dicts()] == [10, 11, 20, 21]
    receiver.script = lambda _: Reply(404)
    with pytest.raises(SourceError, match="responded 404"):
        list(read_source(Http(url=receiver.url, paging={"by": "page", "end": end})))


def test_how_large_a_response_may_be_is_said_by_the_source_and_in_the_sentence(receiver: Receiver) -> None:
    receiver.script = lambda _: Reply(200, b'[{"id": 1}]')
    assert sum(page.frame.height for page in read_source(Http(url=receiver.url, max_bytes=11))) == 1
    with pytest.raises(SourceError, match=r"more than 10 bytes; .*`max_bytes`"):
        list(read_source(Http(url=receiver.url, max_bytes=10)))


def test_a_file_of_which_less_comes_than_there_is_is_an_outage() -> None:
    """Brothers: every store that says how large a file is (S3, SFTP)."""

    def fetch(into: Any) -> None:
        into.write(CSV[:100])

    with pytest.raises(SourceUnavailable, match="sftp://h/in: only 100 of its 5,000 bytes came"):
        File("sftp://h/in", 5_000, 0, fetch=fetch).fetched().__enter__()


@pytest.mark.parametrize("end", ["raise SystemExit(1)", "os.kill(os.getpid(), 9)", "raise RuntimeError('x')"])
@pytest.mark.parametrize("kind", ["command", "singer"])
def test_a_program_that_ends_early_is_an_error_whatever_it_wrote(end: str, kind: str) -> None:
    line = {"command": '{"id": 1}', "singer": '{"type": "RECORD", "stream": "s", "record": {"id": 1}}'}[kind]
    script = f"import os, sys; sys.argv = []\nfor _ in range(9): print({line!r}, flush=True)\n{end}"
    command = [sys.executable, "-c", script]
    source = Command(command=command, format="jsonl") if kind == "command" else Singer(command=command, config={})
    with pytest.raises(SourceError, match="ended with 1|was ended by SIGKILL"):
        list(read_source(source))


def test_a_database_that_is_lost_in_the_middle_is_an_outage() -> None:
    with servers.postgres() as url, psycopg.connect(url, autocommit=True) as other:
        other.execute("CREATE TABLE people AS SELECT generate_series(1, 400000) AS id, repeat('x', 200) AS name")
        pages = read_source(Sql(url=url, table="people", booleans=[]))
        assert next(pages).frame.height > 0
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND state <> 'idle'"
        )
        with pytest.raises(SourceUnavailable):
            list(pages)


@pytest.mark.parametrize("kind", ["command", "singer"])
def test_a_program_whose_run_is_cancelled_while_it_starts_is_ended(kind: str) -> None:
    """Kind: an interruption between a start and the note that there is something to end."""
    command = ["/bin/sh", "-c", "sleep 60"]
    source = Command(command=command, format="jsonl") if kind == "command" else Singer(command=command, config={})
    source.cancel()
    with pytest.raises(SourceUnavailable, match="was ended by SIGKILL"):
        list(read_source(source))
