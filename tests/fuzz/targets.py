"""What is fuzzed: each target reads any bytes as one part of sendoff would, and ends in a value or in sendoff's own error.

The file is long, as it has all of them side by side.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from sendoff import AuthError, ConfigError, Request, Response, Runner, SourceError, Span
from sendoff.config import connector
from sendoff.config.cron import cron, last_due, next_due
from sendoff.errors import Problem
from sendoff.intake.reading import read_source
from sendoff.jsonlib import jsonpath
from sendoff.ledger.claims import parse_name
from sendoff.options import find_timezone
from sendoff.plugin import BadResponse
from sendoff.registry import Registry
from sendoff.response import Policy, classify
from sendoff.response.condition import statuses
from sendoff.response.rate_headers import quota_reset_delay, retry_after
from sendoff.sandbox.rules import parse as parse_rule
from sendoff.serving import inbox_app
from sendoff.testing import Project as TestProject
from sendoff.testing import Receiver, Reply
from sendoff.transport.egress import address_problem
from sendoff.transport.rate_limit import parse_rate
from sendoff.transport.urls import proxy_problem, url_problem
from sendoff_plugins.authenticators.oauth2 import OAuth2
from sendoff_plugins.sources._csv.dialect import Dialect
from sendoff_plugins.sources._csv.table import read_table
from sendoff_plugins.sources.excel import Excel
from sendoff_plugins.sources.http import _linked
from sendoff_plugins.sources.inbox import Inbox
from sendoff_plugins.sources.json import read_array
from sendoff_plugins.sources.jsonl import read_lines
from sendoff_plugins.sources.parquet import Parquet
from sendoff_plugins.sources.singer import Singer
from sendoff_plugins.transports._http1.response_parser import ResponseParser
from tests.faults.test_raw_responses import compare
from tests.oversized import workbook

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
        for page in read_table(io.BytesIO(data), "f.csv", Dialect()):
            _sound(page)
    except SourceError as error:
        assert "f.csv" in str(error)  # noqa: PT017  # most input raises nothing


def jsonl(data: bytes) -> None:
    """A file of JSON lines: a record or a reason for each line."""
    try:
        for lines in read_lines(io.BytesIO(data), "f.jsonl"):
            for page in lines.read():
                _sound(page)
    except SourceError as error:
        assert "f.jsonl" in str(error)  # noqa: PT017  # most input raises nothing


def _sound(page: Any) -> None:
    assert isinstance(page.frame, pl.DataFrame)
    assert len(page.lines) == page.frame.height
    assert all(0 <= row < page.frame.height for row in page.row_errors)
    assert len(page.as_json(range(page.frame.height))) == page.frame.height
    page.to_python()


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


def json(data: bytes) -> None:
    """A file that is one JSON document: its records, or an error that names it."""
    try:
        for page in read_array(io.BytesIO(data), "f.json", ["a"] if data[:1] == b" " else []):
            _sound(page)
    except SourceError as error:
        assert "f.json" in str(error)  # noqa: PT017  # most input raises nothing


def singer(data: bytes) -> None:
    """What a tap writes: its records, or an error."""
    tap = Singer(home=_home(), command=["tap"], stream=None, config=None, catalog=None)
    with suppress(SourceError):
        for page in tap._pages(io.BytesIO(data), is_first=True):
            _sound(page)


def posts(data: bytes) -> None:
    """What a partner posts: no fault, some, or a sentence for a 400."""
    inbox = Inbox(home=_home(), token="t" * 16)
    with suppress(SourceError):
        faults = inbox._faults(["json", "jsonl", "csv"][data[0] % 3] if data else "json", data[1:])
        assert all(number > 0 and sentence for number, sentence in faults)


def words(data: bytes) -> None:
    """Small languages, each in one text: what it says, or a ValueError."""
    text = data.decode("utf-8", "replace")
    for read in (jsonpath.parse, parse_rate, statuses, parse_rule, _schedule):
        with suppress(ValueError):
            read(text)
    for check in (url_problem, proxy_problem, parse_name, key_problem, address_in_each_mode):
        check(text)


def _schedule(text: str) -> None:
    expression, zone = cron(text.partition("@")[0]), text.partition("@")[2] or "UTC"
    if find_zone(zone):
        assert next_due(expression, zone, 1.75e9) > 1.75e9
        last_due(expression, zone, 1.7e9, 1.75e9)


def find_zone(name: str) -> bool:
    try:
        find_timezone(name)
    except ValueError:
        return False
    return True


def key_problem(text: str) -> None:
    inbox_app._allowed("token", text)


def address_in_each_mode(text: str) -> None:
    address_problem(text, "configured")
    address_problem(text, "public")


def links(data: bytes) -> None:
    """A Link header: the address of the next page, or none."""
    header = data.decode("latin-1")
    found = _linked(header)
    assert found is None or found in header


def tokens(data: bytes) -> None:
    """What a token server responds: a token that fits into a header, or an error that says why there is none."""
    auth = OAuth2(token_url="https://example.org/token", client_id="a", client_secret="bcdefgh")
    auth.sleep = lambda seconds: None
    auth.start(lambda request: Response(200, {"content-type": "application/json"}, data))
    with suppress(AuthError):
        header = auth.sign(Request(Span(0, 1), "POST", "https://example.org/x", {}, [b"{}"], 2, 1))["Authorization"]
        assert header.isascii()
        assert header.isprintable()


def head(data: bytes) -> None:
    """What a server sends, as the parser for urllib3 reads it: the same as the one of http1."""
    compare(data)


@cache
def _failed_run() -> tuple[Runner, int]:
    """A run that left two failed records behind."""
    project = TestProject(Path(tempfile.mkdtemp(prefix="fuzz-")))
    with Receiver(lambda request: Reply(400, b'{"error": "no"}')) as api:
        text = f'source: {{use: jsonl, path: in.jsonl}}\ndestination: {{url: "{api.url}"}}\nsend: single\n'
        project({"in.jsonl": '{"id": 1, "a": "x"}\n{"id": 2, "b": [1]}\n', "connectors.d/c.yaml": text})
        run = project.run("c", early_stop=False).run
    return project.runner(), run


def corrections(data: bytes) -> None:
    """A file of corrections: what a retry would do with it, or what is wrong with it."""
    runner, run = _failed_run()
    file = _home() / ("fix.jsonl" if data[:1] == b"{" else "fix.csv")
    file.write_bytes(data)
    with suppress(ConfigError, SourceError):
        found = runner.examine(run, file)
        assert found.left <= 2


#: Name to target, and what a corpus begins with.
def sheet(data: bytes) -> None:
    """The sheet of an xlsx file: its rows, or an error that names the file."""
    _read_file(Excel, "f.xlsx", workbook(data, b"<si><t>a</t></si><si><t>b</t></si>"))


def ods(data: bytes) -> None:
    """The content of an OpenDocument file: its rows, or an error that names the file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<m:manifest xmlns:m='urn:oasis:names:tc:opendocument:xmlns:manifest:1.0'/>")
        archive.writestr("content.xml", data)
    _read_file(Excel, "f.ods", out.getvalue())


def parquet(data: bytes) -> None:
    """A Parquet file: its rows, or an error that names the file."""
    _read_file(Parquet, "f.parquet", data)


def _read_file(source: Any, name: str, data: bytes) -> None:
    (_home() / name).write_bytes(data)
    try:
        for page in read_source(source(home=_home(), path=name)):
            _sound(page)
    except SourceError as error:
        assert name in str(error)  # noqa: PT017  # most input raises nothing


def _a_parquet_file() -> bytes:
    out = io.BytesIO()
    pl.DataFrame({"id": [1, 2], "t": ["x", None], "d": [[1.5], []]}).write_parquet(out, compression="uncompressed")
    return out.getvalue()


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
    "retry_after": (retry_after_, [b"5\n", b"Fri, 31 Dec 1999 23:59:59 GMT\nFri, 31 Dec 1999 23:59:00 GMT", b'"a";r=0;t=30\n', b"1700000000\n",
        b"Mon, 01 Jan 2024 00:00:00 +9999\nSun Nov  6 08:49:37 1994", b"Sunday, 06-Nov-94 08:49:37 GMT\n", b"99999999999999999999\n"]),
    "http1": (
        http1,
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\n{}\r\n0\r\nT: 1\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nRetry-After: 1\r\n\r\n",
            b"HTTP/1.0 500 Oops\r\n\r\nbody",
        ],
    ),
    "sheet": (
        sheet,
        [
            b'<row r="1"><c r="A1" t="s"><v>0</v></c></row><row r="2"><c r="A2"><f>1+1</f><v/></c><c r="B2" t="e"><v>#N/A</v></c></row>',
            b'<row r="3"><c r="B3" t="inlineStr"><is><t>n</t></is></c></row><row><c s="1"><v>45000.5</v></c><c t="b"><v>1</v></c></row>',
        ],
    ),
    "ods": (
        ods,
        [(
            b'<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
            b'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0">'
            b'<office:body><office:spreadsheet><table:table table:name="One"><table:table-row><table:table-cell '
            b'office:value-type="string"><text:p>id</text:p></table:table-cell></table:table-row><table:table-row '
            b'table:number-rows-repeated="2"><table:table-cell table:formula="of:=1"/></table:table-row></table:table>'
            b"</office:spreadsheet></office:body></office:document-content>"
        )],
    ),
    "parquet": (parquet, [_a_parquet_file()]),
    "json": (json, [b'[{"a":1},{"b":[{"c":null}]}]', b' {"x":0,"a":[{"a":1e5}]}', b"[1]"]),
    "singer": (
        singer,
        [
            b'{"type":"SCHEMA","stream":"a","schema":{}}\n{"type":"RECORD","stream":"a","record":{"b":1}}\n{"type":"STATE","value":{}}\n',
            b'{"type":"BATCH","stream":"a","encoding":{"format":"jsonl","compression":"gzip"},"manifest":["file:///x"]}\n',
        ],
    ),
    "posts": (posts, [b'\0{"a":1}', b'\0[{"a":1},{"a":2}]', b'\1{"a":1}\n{"b":2}\n', b"\2a,b\r\n1,2\r\n"]),
    "words": (
        words,
        [
            b"0 7 * * 1-5@Europe/Berlin", b"*/5 0-3 L 2 0", b"$.a['b'][-1].*", b"10 records/min", b"400, 5xx, 500-599", b"https://u:p@[::1]:80/a?b#c",
            b"/v1 400 if email ~ @invalid", b"slow 0.05 if every 3", b"7:0001", b"64:ff9b:1::a9fe:a9fe%eth0", b"Bearer t",
        ],
    ),
    "links": (links, [b'<https://a/?p=2>; rel="next", <https://a/>; rel=first', b'<a>;rel=prev next;title="x,y"']),
    "tokens": (
        tokens,
        [
            b'{"access_token":"a","token_type":"Bearer","expires_in":3600}',
            b'{"error":"no","error_description":["x"]}',
            b'{"access_token":"a","expires_in":' + b"9" * 400 + b"}",
        ],
    ),
    "head": (
        head,
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
            b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2;x=y\r\n{}\r\n0\r\nT: 1\r\n\r\n",
            b"\r\nHTTP/1.1 103 Hints\r\n\r\nHTTP/1.0 500 Oops\r\n\r\nbody",
        ],
    ),
    "corrections": (corrections, [b"_record,id\r\n1:0,3\r\n", b'{"_record":"1:0","id":7}\n', b"_record,_reason,id,a,b\n1:1,no,2,,[1]\n,,,,\n"]),
}  # fmt: skip
