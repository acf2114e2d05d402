"""What is fuzzed: each target reads any bytes as one part of sendoff would, and lets only the errors through that are meant."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from sendoff import ConfigError, Response, SourceError
from sendoff.config import connector
from sendoff.errors import Problem
from sendoff.plugin import BadResponse
from sendoff.registry import Registry
from sendoff.response import Policy, classify
from sendoff.response.rate_headers import quota_reset_delay, retry_after
from sendoff_plugins.sources.csv import read_table
from sendoff_plugins.sources.jsonl import read_lines
from sendoff_plugins.transports._http1.response_parser import ResponseParser

Target = Callable[[bytes], None]


@cache
def _registry() -> Registry:
    return Registry()


@cache
def _home() -> Path:
    home = Path(tempfile.mkdtemp(prefix="fuzz-"))
    (home / "connectors.d").mkdir()
    return home


def yaml(data: bytes) -> None:
    """A connector file: read, checked and built, or refused with sentences that have a place."""
    file = _home() / "connectors.d" / "c.yaml"
    file.write_bytes(data)
    try:
        connector.load(file, _registry(), home=_home(), shown="c.yaml")
    except ConfigError as error:
        assert all(isinstance(each, Problem) and each.file == "c.yaml" and str(each) for each in error.problems)  # noqa: PT017  # most input raises nothing


def csv(data: bytes) -> None:
    """A CSV file: its records, or an error that names it. What is read has the header's columns."""
    try:
        for page in read_table(io.BytesIO(data), "f.csv", ","):
            _sound(page)
    except SourceError as error:
        assert "f.csv" in str(error)  # noqa: PT017  # most input raises nothing


def jsonl(data: bytes) -> None:
    """A file of JSON lines: a record or a reason for each line."""
    try:
        for page in read_lines(io.BytesIO(data), "f.jsonl"):
            _sound(page)
    except SourceError as error:
        assert "f.jsonl" in str(error)  # noqa: PT017  # most input raises nothing


def _sound(page: Any) -> None:
    assert isinstance(page.frame, pl.DataFrame)
    assert len(page.lines) == page.frame.height
    (read,) = page.materialize()
    assert read.frame.height == page.frame.height
    assert all(0 <= row < read.frame.height for row in read.row_errors)
    assert len(read.as_json(range(read.frame.height))) == read.frame.height
    read.to_python()


_POLICIES = [
    Policy.of({}),
    Policy.of({"records": {"at": "$.results", "status": "$.status", "reason": "$.error"}}),
    Policy.of({"records": {"at": "$.errors", "index": "$.row", "first": 1}}),
    Policy.of({"records": {"at": "$", "id": "$.id", "field": "id", "delivered_when": {"path": "$.ok", "equals": True}}}),
    Policy.of({"bad_record": {"text": "Row {row} has"}}),
    Policy.of({"bad_record": {"pointers": True}, "rejected_when": {"text": "bad"}}),
]
_TYPES = ["application/json", "application/problem+json", "text/html", "", "application/json; charset=latin-1", "text/plain"]


def responses(data: bytes) -> None:
    """An answer's status, headers and body, read by every policy there is: a verdict, always."""
    if len(data) < 4:
        return
    status, kind, count, body = 100 + data[0] * 2, _TYPES[data[1] % len(_TYPES)], 1 + data[2] % 4, data[3:]
    headers = {"content-type": kind, "x-row": body[:20].decode("latin-1")}
    for policy in _POLICIES:
        verdict = classify(Response(status, headers, body), policy, count=count, ids=lambda field: ["a", 2, None, "4"][:count])
        assert all(-1 <= at < count for at in (*verdict.per_record, *verdict.captured))
        assert len(verdict.reason) < 3_000


def retry_after_(data: bytes) -> None:
    """A header that asks for time: seconds that are none or not below zero."""
    first, _, second = data.decode("latin-1").partition("\n")
    now = datetime.now().strftime("%a, %d %b %Y %H:%M:%S GMT")  # noqa: DTZ005  # any date will do
    for date in (second, now):
        found = retry_after({"retry-after": first, "date": date})
        assert found is None or 0 <= found < float("inf")
        for headers in (
            {"ratelimit": first, "date": date},
            {"x-ratelimit-remaining": "0", "x-ratelimit-reset": first, "date": date},
            {"ratelimit-remaining": first, "ratelimit-reset": second},
        ):
            rest = quota_reset_delay(headers)
            assert rest is None or 0 <= rest < float("inf")


def http1(data: bytes) -> None:
    """What a server sends, in two pieces: an answer, or `BadResponse`; and the same however it is cut."""
    told = []
    for at in (len(data), len(data) // 2, 1):
        reply = ResponseParser(1 << 16)
        try:
            reply.feed(data[:at])
            if not reply.done and data[at:]:
                reply.feed(data[at:])
            if not reply.done:
                reply.ended()
            answer = reply.response()
            told.append((answer.status, answer.body))
        except BadResponse:
            told.append((None, b""))
    assert told[0] == told[1] == told[2], told


#: Name to target, and what a corpus begins with.
TARGETS: dict[str, tuple[Target, list[bytes]]] = {
    "yaml": (
        yaml,
        [
            b"source: {use: csv, path: in.csv}\nschema: {id: integer, email: {type: string, nullable: true}}\ndestination: {url: 'https://example.com/x', headers: {A: b}}\nsend: {use: batch, max_records: 10}\non_failure: split\n",
            b"source: stdin\ndestination:\n  url: http://localhost/{id}\n  response: {records: {at: $.r, status: $.s}}\nschedule: '0 7 * * *'\nincremental: {key: [id]}\n",
            b"&a [*a, !!binary x, ${env:X}, 1e3, 012, no]\n",
        ],
    ),
    "csv": (csv, [b"a,b\r\n1,2\r\n", b'a,b\n"x ""y""\n",2\n3\n', b"\xef\xbb\xbfa;b\n,\n"]),
    "jsonl": (jsonl, [b'{"a":1}\n{"a":"x","b":[1,{"c":null}]}\n', b'{"a":1,"a":2}\n[1]\n\n{"a":NaN}\n{"a":123456789012345678901234567890}\n']),
    "responses": (
        responses,
        [
            b'\x32\x00\x01{"results":[{"status":201},{"status":400,"error":"no"}]}',
            b'\x96\x01\x00{"type":"x","errors":[{"pointer":"/0/a","detail":"d"}]}',
            b"\x96\x02\x00<html>Row 2 has</html>",
        ],
    ),
    "retry_after": (retry_after_, [b"5\n", b"Fri, 31 Dec 1999 23:59:59 GMT\nFri, 31 Dec 1999 23:59:00 GMT", b'"a";r=0;t=30\n', b"1700000000\n"]),
    "http1": (
        http1,
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\n{}\r\n0\r\nT: 1\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nRetry-After: 1\r\n\r\n",
            b"HTTP/1.0 500 Oops\r\n\r\nbody",
        ],
    ),
}  # fmt: skip
