"""H1 to H8: raw responses, over both transports. What RFC 9112 says must be rejected is; what a recipient may take, is taken.

The kind: two parsers that differ, so that one API works with one transport and not with the other.
"""

from __future__ import annotations

import gzip
import http.client
import io
import resource
import socket
import threading
import time
import zlib
from typing import Any

import pytest
from hypothesis import given

import sendoff
from sendoff import Transport
from sendoff.http.strict_response import MAX_FIELDS, MAX_HEAD, MAX_INTERIM, StrictHTTPResponse
from sendoff.plugin import BadResponse
from sendoff.response import VerdictKind, classify

from .test_fuzz import answers, told
from .test_transport import TRANSPORTS, Queue, ask
from .wire import OK, Wire, saying, trickling

H = b"HTTP/1.1 200 OK\r\n"
CHUNKED = H + b"Transfer-Encoding: chunked\r\n\r\n"
PACKED = gzip.compress(b"{}")
RAW = zlib.compress(b"{}", wbits=-15)
GZIP = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"

#: Responses that are read, all with the body `{}`.
TAKEN = {
    "a length": H + b"Content-Length: 2\r\n\r\n{}",
    "a length with zeros before it": H + b"Content-Length: 0002\r\n\r\n{}",
    "a length among blanks": H + b"Content-Length: \t2 \r\n\r\n{}",
    "no length, until the connection closes": H + b"\r\n{}",
    "http/1.0": b"HTTP/1.0 200 OK\r\n\r\n{}",
    "no reason": b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}",
    "an empty reason": b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\n{}",
    "a reason that is not ascii": b"HTTP/1.1 200 \xc3\xbc\r\nContent-Length: 2\r\n\r\n{}",
    "lines that end in lf": b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}",
    "lines that end in lf, no fields": b"HTTP/1.1 200 OK\n\n{}",
    "an empty line first": b"\r\n" + H + b"Content-Length: 2\r\n\r\n{}",
    "empty lines first": b"\n\r\n\r\n" + H + b"Content-Length: 2\r\n\r\n{}",
    "an empty field": H + b"X-A:\r\nContent-Length: 2\r\n\r\n{}",
    "chunks": CHUNKED + b"2\r\n{}\r\n0\r\n\r\n",
    "chunks, in capitals": H + b"TRANSFER-ENCODING: Chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
    "chunks with zeros": CHUNKED + b"0002\r\n{}\r\n000\r\n\r\n",
    "a blank after a chunk's size": CHUNKED + b"2 \r\n{}\r\n0 \r\n\r\n",
    "chunk extensions": CHUNKED + b'1;a\r\n{\r\n1;a=b;c="d e"\r\n}\r\n0;e\r\n\r\n',
    "trailers": CHUNKED + b"2\r\n{}\r\n0\r\nX-T: 1\r\nX-U:\r\n\r\n",
    "interim responses": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n" + H + b"Content-Length: 2\r\n\r\n{}",
    "gzip": H + GZIP % len(PACKED) + PACKED,
    "gzip in two members": H + GZIP % (2 * len(gzip.compress(b"{"))) + gzip.compress(b"{") + gzip.compress(b"}"),
    "gzip and two zeros": H + GZIP % (len(PACKED) + 2) + PACKED + b"\0\0",
    "gzip and a line end": H + GZIP % (len(PACKED) + 1) + PACKED + b"\n",
    "gzip and half of a member's mark": H + GZIP % (len(PACKED) + 1) + PACKED + b"\x1f",
    "gzip and more, in chunks": H + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(PACKED) + PACKED + b"\r\n1\r\n\x1f\r\n2\r\n\x1f\x8b\r\n0\r\n\r\n",
    "gzip in two members, cut in the second's mark": H + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % (len(PACKED) + 1) + PACKED + b"\x1f\r\n%x\r\n" % (len(gzip.compress(b"")) - 1) + gzip.compress(b"")[1:] + b"\r\n0\r\n\r\n",
    "deflate": H + b"Content-Encoding: deflate\r\n\r\n" + zlib.compress(b"{}"),
    "deflate and more": H + b"Content-Encoding: deflate\r\n\r\n" + zlib.compress(b"{}") + b"\r\n",
    "deflate without its header": H + b"Content-Encoding: deflate\r\n\r\n" + RAW,
    "deflate without its header, stored": H + b"Content-Encoding: deflate\r\n\r\n" + b"\1\2\0\xfd\xff{}",
    "many fields": H + b"X-A: b\r\n" * (MAX_FIELDS - 1) + b"Content-Length: 2\r\n\r\n{}",
}  # fmt: skip

#: Responses that count for none.
REFUSED = {
    "another protocol": b"RTSP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "another protocol, after an interim response": b"HTTP/1.1 100 Go\r\n\r\nRTSP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "ice": b"ICE/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "small letters": b"http/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "http/0.9": b"HTTP/0.9 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "http/1.01": b"HTTP/1.01 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "http/1.2": b"HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "http/2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\n{}",
    "a status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\n{}",
    "a status beyond all": b"HTTP/1.1 600 OK\r\nContent-Length: 2\r\n\r\n{}",
    "two blanks before the status": b"HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "a tab before the reason": b"HTTP/1.1 200\tOK\r\nContent-Length: 2\r\n\r\n{}",
    "a nul in the reason": b"HTTP/1.1 200 O\0K\r\nContent-Length: 2\r\n\r\n{}",
    "a body alone": b"{}",
    "lines that end in cr": b"HTTP/1.1 200 OK\rContent-Length: 2\r\r{}",
    "a cr in a line": H + b"X-A: b\rc\r\nContent-Length: 2\r\n\r\n{}",
    "two cr": H + b"X-A: b\r\r\nContent-Length: 2\r\n\r\n{}",
    "a nul in a field": H + b"X-A: b\0c\r\nContent-Length: 2\r\n\r\n{}",
    "an escape in a field": H + b"X-A: b\x1bc\r\nContent-Length: 2\r\n\r\n{}",
    "a folded field": H + b"X-A: b\r\n folded\r\nContent-Length: 2\r\n\r\n{}",
    "a folded first field": H + b" folded\r\nContent-Length: 2\r\n\r\n{}",
    "a blank before the colon": H + b"Content-Length : 2\r\n\r\n{}",
    "no colon": H + b"X-A\r\nContent-Length: 2\r\n\r\n{}",
    "no name": H + b": b\r\nContent-Length: 2\r\n\r\n{}",
    "a name that is not ascii": H + b"X-\xfc: b\r\nContent-Length: 2\r\n\r\n{}",
    "a length with a sign": H + b"Content-Length: +2\r\n\r\n{}",
    "a length below zero": H + b"Content-Length: -1\r\n\r\n{}",
    "a length with a letter": H + b"Content-Length: 2a\r\n\r\n{}",
    "a length with an underscore": H + b"Content-Length: 0_2\r\n\r\n{}",
    "no length after its colon": H + b"Content-Length: \r\n\r\n{}",
    "a length beyond all": H + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    "two lengths": H + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a length twice": H + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "two lengths in one": H + b"Content-Length: 2, 2\r\n\r\n{}",
    "a length and chunks": H + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunks and a length": H + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "an unknown transfer coding": H + b"Transfer-Encoding: gzip\r\n\r\n{}",
    "a transfer coding before chunks": H + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a transfer coding after chunks": H + b"Transfer-Encoding: chunked, identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunks twice": H + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "an empty transfer coding": H + b"Transfer-Encoding:\r\n\r\n{}",
    "chunks in http/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a chunk without its end": CHUNKED + b"2\r\n{}0\r\n\r\n",
    "a chunk with another end": CHUNKED + b"2\r\n{}xx0\r\n\r\n",
    "a chunk longer than its size": CHUNKED + b"1\r\n{}\r\n0\r\n\r\n",
    "a chunk's size with a sign": CHUNKED + b"+2\r\n{}\r\n0\r\n\r\n",
    "a chunk's size below zero": CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n",
    "a chunk's size in words of python": CHUNKED + b"0x2\r\n{}\r\n0\r\n\r\n",
    "a chunk's size with an underscore": CHUNKED + b"0_2\r\n{}\r\n0\r\n\r\n",
    "a chunk's size beyond all": CHUNKED + b"2" + b"0" * 40 + b"\r\n{}\r\n0\r\n\r\n",
    "no chunk's size": CHUNKED + b"\r\n{}\r\n0\r\n\r\n",
    "a chunk's size whose line ends in lf": CHUNKED + b"2\n{}\r\n0\r\n\r\n",
    "a chunk extension that is none": CHUNKED + b"2;\x01\r\n{}\r\n0\r\n\r\n",
    "a trailer that is none": CHUNKED + b"2\r\n{}\r\n0\r\nX-T\r\n\r\n",
    "a length in a trailer": CHUNKED + b"2\r\n{}\r\n0\r\nContent-Length: 2\r\n\r\n",
    "no last chunk": CHUNKED + b"2\r\n{}\r\n",
    "no empty line after the last chunk": CHUNKED + b"2\r\n{}\r\n0\r\n",
    "a trailer cut off": CHUNKED + b"2\r\n{}\r\n0\r\nX-T: ",
    "a body cut off": H + b"Content-Length: 3\r\n\r\n{}",
    "a head cut off": H + b"Content-Length: 0\r\n",
    "gzip cut off": H + GZIP % (len(PACKED) - 9) + PACKED[:-9],
    "gzip without its last byte": H + GZIP % (len(PACKED) - 1) + PACKED[:-1],
    "gzip cut off in its second member": H + GZIP % (len(PACKED) + 5) + PACKED + PACKED[:5],
    "gzip cut off where the connection closes": H + b"Content-Encoding: gzip\r\n\r\n" + PACKED[:-2],
    "gzip cut off in chunks": H + b"Content-Encoding: x-gzip\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n" + PACKED[:5] + b"\r\n0\r\n\r\n",
    "gzip of nothing at all": H + GZIP % 0,
    "gzip with another sum": H + GZIP % len(PACKED) + PACKED[:-8] + b"\0" * 8,
    "gzip that is none": H + GZIP % 2 + b"{}",
    "gzip and a member that is broken": H + GZIP % (len(PACKED) + 4) + PACKED + b"\x1f\x8b{}",
    "deflate cut off": H + b"Content-Encoding: deflate\r\n\r\n" + zlib.compress(b"{}")[:-1],
    "deflate without its header, cut off": H + b"Content-Encoding: deflate\r\n\r\n" + RAW[:-1],
    "deflate that is none": H + b"Content-Encoding: deflate\r\n\r\n{}",
    "another protocol wanted": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "too many fields": H + b"X-A: b\r\n" * MAX_FIELDS + b"Content-Length: 2\r\n\r\n{}",
    "too long a head": H + b"X-A: " + b"b" * 2 * MAX_HEAD + b"\r\nContent-Length: 2\r\n\r\n{}",
    "an interim response that closes": b"HTTP/1.1 100 Go\r\nConnection: close\r\n\r\n" + H + b"Content-Length: 2\r\n\r\n{}",
    "an interim response of http/1.0": b"HTTP/1.0 100 Go\r\n\r\n" + H + b"Content-Length: 2\r\n\r\n{}",
    "too many interim responses": b"HTTP/1.1 100 Continue\r\n\r\n" * (MAX_INTERIM + 1) + H + b"Content-Length: 2\r\n\r\n{}",
    "too many trailers": CHUNKED + b"2\r\n{}\r\n0\r\n" + b"X-T: 1\r\n" * (MAX_FIELDS + 1) + b"\r\n",
}  # fmt: skip


@pytest.fixture(params=TRANSPORTS, ids=lambda kind: kind.name)
def transport(request: pytest.FixtureRequest) -> Transport:
    made: Transport = request.param()
    return made


@pytest.mark.parametrize("raw", TAKEN.values(), ids=TAKEN)
def test_what_a_recipient_may_take_both_transports_take(transport: Transport, raw: bytes) -> None:
    with Wire(saying(raw)) as server:
        answer = ask(transport, server.url)
    assert (answer.status, answer.body) == (200, b"{}"), answer.error


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED)
def test_what_must_be_rejected_both_transports_reject(transport: Transport, raw: bytes) -> None:
    with Wire(saying(raw)) as server:
        answer = ask(transport, server.url)
    assert (answer.status, answer.may_have_been_sent, answer.permanent) == (None, True, False)
    assert classify(answer).kind is VerdictKind.RETRY


class Line:
    """A socket with nothing but these bytes."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(io.BytesIO(self._raw))

    def gettimeout(self) -> None: ...

    def settimeout(self, seconds: float | None) -> None: ...


@given(answers())
def test_both_parsers_read_or_reject_the_same(raw: bytes) -> None:
    compare(raw)


def compare(raw: bytes) -> None:
    """Both parsers read the same. Of chunks that are malformed one may take what the other rejects, as llhttp has its oddities."""
    found, other = told(raw, []), read_strictly(raw)
    if BadResponse in (found, other) and b"chunked" in raw.lower():
        return
    if found is not BadResponse:
        found[1].pop("transfer-encoding", None)  # the other takes it off with the chunks
    assert found == other


def read_strictly(raw: bytes) -> Any:
    """What the parser for urllib3 makes of some bytes."""
    try:
        answer = StrictHTTPResponse(Line(raw))
        answer.begin()
        body = b"".join(iter(lambda: answer.read(65536), b""))  # a length may be larger than any memory
        length = answer.headers.get("Content-Length")
        if length is not None and answer.status not in (204, 304) and len(body) < int(length):
            return BadResponse  # which urllib3 looks after
    except (BadResponse, http.client.HTTPException):
        return BadResponse
    headers: dict[str, str] = {}
    for name, value in answer.headers.items():
        headers[name.lower()] = f"{headers[name.lower()]}, {value}" if name.lower() in headers else value
    return answer.status, headers, body


# What a connection may carry next.


@pytest.mark.parametrize("second", [OK, b"x", b"HTTP/1.1 200 OK\r\n"])
@pytest.mark.parametrize("padding", [0, 1, 20_000, 65_536 - 100, 65_536], ids=str)
def test_h2_bytes_that_wait_when_a_request_is_to_be_sent_close_the_connection(
    transport: Transport, second: bytes, padding: int
) -> None:
    """However the first response and what nobody asked for are read: with it, in part with it, or not yet."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %5d\r\n\r\n"
    first = head % padding + b"x" * padding if padding < 65_536 else head % (padding - 43) + b"x" * (padding - 43)
    came = threading.Event()

    def twice(line: socket.socket) -> None:
        line.sendall(first + second)
        came.set()
        line.settimeout(10)
        line.recv(1)

    with Wire(twice, saying(b"HTTP/1.1 400 No\r\nContent-Length: 2\r\n\r\n{}")) as server:
        queue = Queue(server.url, count=2)
        original = queue.next_request
        queue.next_request = lambda: (came.wait(10) if queue.responses else None, original())[1]  # type: ignore[method-assign]
        transport.run(queue, sendoff.ConnectionSettings(server.url, 1))
    assert [answer.status for answer in queue.responses] == [200, 400]
    assert server.connections == 2


def test_h2_a_response_that_nobody_asked_for_comes_between_two_requests(transport: Transport) -> None:
    late = threading.Event()

    def twice(line: socket.socket) -> None:
        line.sendall(OK)
        time.sleep(0.001)
        line.sendall(OK)
        late.set()
        line.settimeout(10)
        line.recv(1)

    with Wire(twice, saying(b"HTTP/1.1 400 No\r\nContent-Length: 2\r\n\r\n{}")) as server:
        queue = Queue(server.url, count=2)
        original = queue.next_request
        queue.next_request = lambda: (late.wait(10) if queue.responses else None, original())[1]  # type: ignore[method-assign]
        transport.run(queue, sendoff.ConnectionSettings(server.url, 1))
    assert [answer.status for answer in queue.responses] == [200, 400]


@pytest.mark.parametrize(
    ("status", "found", "kind"),
    [
        (b"200 OK", None, VerdictKind.RETRY),
        (b"202 Accepted", None, VerdictKind.RETRY),
        (b"400 Bad Request", 400, VerdictKind.REJECTED),
        (b"413 Content Too Large", 413, VerdictKind.TOO_LARGE),
        (b"503 Service Unavailable", 503, VerdictKind.RETRY),
    ],
)
@pytest.mark.parametrize("then", ["holds", "reads on"])
def test_h12_a_response_before_the_request_is_whole_is_no_success_and_an_error_is_one(
    transport: Transport, status: bytes, found: int | None, kind: VerdictKind, then: str
) -> None:
    """Whether the server takes no more of the request or, as a proxy would, some of it."""
    closed = threading.Event()

    def early(line: socket.socket) -> None:
        line.recv(1_000)
        line.sendall(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\n{}")
        line.settimeout(20)
        if then == "holds":
            time.sleep(0.3)
        while line.recv(1 << 20):
            pass
        closed.set()

    class Deaf(Wire):
        def _run(self, script: Any, line: socket.socket) -> None:
            with line:
                script(line)

    with Deaf(early) as server:
        began = time.monotonic()
        answer = ask(transport, server.url, body=b"x" * 100_000_000, deadline=15)
        assert closed.wait(10), "the connection was kept"
    assert time.monotonic() - began < 10
    assert answer.status == found, answer.error
    assert classify(answer, count=2).kind is kind
    if found is None:
        assert answer.may_have_been_sent
        assert answer.error.endswith("before the request was sent whole")


def test_m3_the_deadline_is_total_for_a_body_without_a_length_too(transport: Transport) -> None:
    with Wire(trickling(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 1_000)) as server:
        began = time.monotonic()
        answer = ask(transport, server.url, deadline=0.5)
    assert (answer.status, answer.error) == (None, "no complete response within 0.5 seconds")
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("line", [b"X-T: 1\r\n", b"x"], ids=["many", "one without end"])
def test_h7_trailers_count_into_the_bound_on_heads(transport: Transport, line: bytes) -> None:
    def endless(sock: socket.socket) -> None:
        sock.sendall(CHUNKED + b"2\r\n{}\r\n0\r\n")
        for _ in range(500):
            sock.sendall(line * 100_000)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Wire(endless) as server:
        began = time.monotonic()
        answer = ask(transport, server.url, deadline=20)
    assert answer.status is None
    assert time.monotonic() - began < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 << 10
