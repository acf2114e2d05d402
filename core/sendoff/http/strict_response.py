"""A response read strictly by RFC 9112, for urllib3: `http.client` guesses at what is malformed, and takes a cut for an end.

What the RFC lets a recipient take is taken: lines that end in LF alone, empty lines before the status line, and a body
without a length, which ends with the connection.
"""

from __future__ import annotations

import http.client
import io
import re
import ssl
from collections.abc import Mapping
from typing import Any

#: Maximum bytes of a head and of trailers, fields in each, and interim (1xx) responses before the final one.
MAX_HEAD, MAX_FIELDS, MAX_INTERIM = 64 << 10, 200, 100
#: Statuses whose responses have no body (RFC 9112 §6.3).
BODILESS = frozenset({204, 304})
#: A body is read in pieces of this size.
_PIECE = 64 << 10

_TEXT = rb"[\t\x20-\x7e\x80-\xff]*"
_TOKEN = rb"!#$%&'*+\-.^_`|~0-9A-Za-z"
_STATUS_LINE = re.compile(rb"HTTP/(1\.[01]) ([1-5][0-9]{2})(?: (" + _TEXT + rb"))?")
_FIELD = re.compile(rb"([" + _TOKEN + rb"]+):(" + _TEXT + rb")")
_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"'
#: A chunk's size, and extensions, which mean nothing here; as llhttp has them, so that both transports read the same.
_CHUNK_SIZE = re.compile(
    rb"0*([0-9A-Fa-f]{1,15})[\t ]*(?:\r\n|(?:;(?![\r\n])["
    + _TOKEN
    + rb"]*(?:=["
    + _TOKEN
    + rb"]*(?:"
    + _QUOTED
    + rb")?)?)+\r?\n)"
)

UNCLEAR = "the response does not say clearly how long it is"
NO_HTTP, TOO_LONG, TOO_MANY = (
    "not an HTTP response",
    "the head of the response is too long",
    "the response has too many header fields",
)


class BadResponse(http.client.HTTPException):
    """A response that counts for none; its text is the sentence to show."""


def describe_start(data: bytes) -> str:
    """What the first bytes of a response are that is no HTTP: a server that waits for TLS answers with an alert of TLS."""
    return "the server speaks TLS at this port; is it https://?" if data.startswith(b"\x15\x03") else NO_HTTP


def read_status_line(line: bytes) -> tuple[str, int, str]:
    """The version, status and reason of a status line, which has no line end."""
    found = _STATUS_LINE.fullmatch(line)
    if not found:
        raise BadResponse(NO_HTTP)
    return found[1].decode(), int(found[2]), (found[3] or b"").decode("latin-1")


def find_framing(version: str, status: int, fields: Mapping[str, str]) -> int | bool | None:
    """How a body is delimited: its length, True for chunks, None for the end of the connection (RFC 9112 §6.3)."""
    length, coding = fields.get("content-length"), fields.get("transfer-encoding")
    if coding is not None:
        if coding.lower() != "chunked" or length is not None or version == "1.0":
            raise BadResponse(UNCLEAR)
        return 0 if status in BODILESS else True
    if length is None:
        return 0 if status in BODILESS else None
    if not re.fullmatch("[0-9]{1,18}", length):
        raise BadResponse(UNCLEAR)
    return 0 if status in BODILESS else int(length)


def describe_early(status: int) -> str:
    """Why a success that comes before the last byte of its request was written is none."""
    return f"the API responded {status} before the request was sent whole"


class StrictHTTPResponse(http.client.HTTPResponse):
    """A response whose head, chunks and trailers are as RFC 9112 has them, within bounds."""

    #: Whether bytes came after its end: they belong to no request.
    surplus = False

    def __init__(self, sock: Any, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self._line: Any = self.fp
        self._of = sock

    def begin(self) -> None:
        if not self._line.peek(1):
            raise http.client.RemoteDisconnected("")
        for _ in range(MAX_INTERIM + 1):
            version, status, reason, fields = _read_head(self._line)
            if status == http.HTTPStatus.SWITCHING_PROTOCOLS:
                raise BadResponse("the server wants to speak another protocol")
            if status >= 200:
                break
            connection = " ".join(value for name, value in fields if name.lower() == "connection").lower()
            if "close" in connection or (version == "1.0" and "keep-alive" not in connection):
                raise BadResponse(NO_HTTP)
        else:
            raise BadResponse(f"{MAX_INTERIM + 1} interim responses came")
        joined: dict[str, str] = {}
        self.headers = self.msg = http.client.HTTPMessage()
        for name, value in fields:
            joined[name.lower()] = f"{joined[name.lower()]}, {value}" if name.lower() in joined else value
            self.msg[name] = value
        is_head = self._method == "HEAD"  # type: ignore[attr-defined]  # not in its stub
        framing = 0 if is_head else find_framing(version, status, joined)
        del self.msg["Transfer-Encoding"]  # it is taken off here
        self.code = self.status = status
        self.version, self.reason = (10 if version == "1.0" else 11), reason
        self.chunked, self.chunk_left = False, None
        self.length = None if framing is True else framing
        self.will_close = framing is None or self._check_close()  # type: ignore[attr-defined]  # not in its stub
        self.fp = io.BufferedReader(_Body(self, self._line, framing), _PIECE)

    def ended(self, *, whole: bool) -> None:
        """Its body was read to the end, or given up."""
        self.surplus = not whole or (not self.will_close and _has_more(self._line, self._of))


class _Body(io.RawIOBase):
    """The bytes of one body, out of its framing. Raises `IncompleteRead` where the connection ends before it does."""

    def __init__(self, response: StrictHTTPResponse, line: Any, framing: int | bool | None) -> None:
        self._response, self._line = response, line
        self._chunked, self._begun = framing is True, False
        #: Bytes left of the body, or of a chunk; None where only the connection's end tells.
        self._left = 0 if self._chunked else framing
        self._ended = not self._chunked and framing == 0

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        if self._chunked and not self._left and not self._ended:
            self._next_chunk()
        if self._ended:
            return 0
        count: int = self._line.readinto1(memoryview(into)[: self._left])
        if self._left is None:
            self._ended = not count
        elif not count:
            raise http.client.IncompleteRead(b"")
        else:
            self._left -= count
            self._ended = not self._left and not self._chunked
        return count

    def _next_chunk(self) -> None:
        if self._begun and _content(_read_line(self._line, 3)):
            raise BadResponse(NO_HTTP)
        found = _CHUNK_SIZE.fullmatch(_read_line(self._line, MAX_HEAD))
        if not found:
            raise BadResponse(NO_HTTP)
        self._left, self._begun = int(found[1], 16), True
        if not self._left:
            trailers = _read_fields(self._line, MAX_HEAD)
            if any(name.lower() == "content-length" for name, _ in trailers):
                raise BadResponse(UNCLEAR)
            self._ended = True

    def close(self) -> None:
        if not self.closed:
            self._response.ended(whole=self._ended)
            self._line.close()
        super().close()


def _has_more(line: Any, sock: Any) -> bool:
    """Whether bytes wait to be read, without waiting for any; or the connection is broken."""
    try:
        timeout = sock.gettimeout()
        sock.settimeout(0.0)
        try:
            return bool(line.peek(1))
        except ssl.SSLWantReadError:
            return False
        finally:
            sock.settimeout(timeout)
    except (OSError, ValueError):
        return True


def _read_head(line: Any) -> tuple[str, int, str, list[tuple[str, str]]]:
    """Version, status, reason and fields of one head."""
    left, text = MAX_HEAD, b""
    while not text:
        raw = _read_line(line, left)
        left -= len(raw)
        text = _content(raw).lstrip(b"\r")
    return *read_status_line(text), _read_fields(line, left)


def _read_fields(line: Any, left: int) -> list[tuple[str, str]]:
    """Fields up to the empty line after them: those of a head, or trailers."""
    fields: list[tuple[str, str]] = []
    while text := _content(raw := _read_line(line, left)):
        left -= len(raw)
        found = _FIELD.fullmatch(text)
        if not found:
            raise BadResponse(NO_HTTP)
        if len(fields) == MAX_FIELDS:
            raise BadResponse(TOO_MANY)
        fields.append((found[1].decode(), found[2].strip(b" \t").decode("latin-1")))
    return fields


def _read_line(line: Any, most: int) -> bytes:
    raw: bytes = line.readline(max(1, most))
    if raw.endswith(b"\n"):
        return raw
    if raw.startswith(b"\x15\x03"):
        raise BadResponse(describe_start(raw))
    if len(raw) >= most:
        raise BadResponse(TOO_LONG)
    raise http.client.IncompleteRead(b"")


def _content(line: bytes) -> bytes:
    return line[:-2] if line.endswith(b"\r\n") else line[:-1]
