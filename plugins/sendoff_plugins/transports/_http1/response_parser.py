"""Parse one response with llhttp, strictly, within bounds on its head, its fields and its body."""

from __future__ import annotations

import zlib
from typing import Any

import httptools

from sendoff.plugin import Response

#: Maximum bytes of a head, fields in it, and interim (1xx) responses before the final one.
MAX_HEAD, MAX_FIELDS, MAX_INTERIM = 64 << 10, 200, 100


class Malformed(Exception):
    """The bytes are not a valid response; the text says why, for the user."""


class ResponseParser:
    """Parses the response to one request: `feed` it bytes until it is `done`, then `renew` it for the next."""

    def __init__(self, body_bytes: int) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.renew(body_bytes)

    def renew(self, body_bytes: int) -> None:
        """Start on the next response of the same connection."""
        self._max_body = body_bytes
        self._fields: list[tuple[str, str]] = []
        self._body: list[bytes] = []
        self._size = self._head = self._interim = 0
        #: How many bytes have been fed.
        self.fed = 0
        self._gzip: Any = None
        self.status: int | None = None
        #: Whether any byte came; whether it is complete; whether more came than was asked for.
        self.begun = self.done = self.truncated = False
        #: Whether the connection can carry another request.
        self.reusable = False
        self._framed = False

    def feed(self, data: bytes) -> None:
        """Take in bytes. Raises `Malformed`."""
        self.begun = True
        self.fed += len(data)
        if self.status is None:
            self._head += len(data)
            if self._head > MAX_HEAD and self.status is None:
                self._feed(data)
                if self.status is None:
                    raise Malformed("the head of the response is too long")
                return
        self._feed(data)

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise Malformed("the server wants to speak another protocol") from None
        except httptools.HttpParserCallbackError as error:
            if self.done:
                self.reusable = False  # bytes after the response belong to no request
                return
            cause = error.__context__
            raise cause if isinstance(cause, Malformed) else Malformed(str(cause or error)) from None
        except httptools.HttpParserError as error:
            if not self.done:
                raise Malformed("not an HTTP response") from error
            self.reusable = False

    def ended(self) -> None:
        """The connection was closed by the other side. Raises `Malformed` if that cuts the response off."""
        if self.done:
            return
        if not self.begun:
            raise Malformed("the connection was closed without a response")
        if self.status is None or self._framed:
            raise Malformed("the connection was closed before the response was whole")
        self.done = True  # delimited by its end (RFC 9112 §6.3)

    def response(self) -> Response:
        headers: dict[str, str] = {}
        for name, value in self._fields:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return Response(self.status, headers, b"".join(self._body), truncated=self.truncated)

    # Called by llhttp.

    def on_message_begin(self) -> None:
        if self.done:
            self.reusable = False
            raise Malformed("more than one response came")
        self._fields.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(self._fields) >= MAX_FIELDS:
            raise Malformed("the response has too many header fields")
        self._fields.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if not 100 <= status <= 599:
            raise Malformed(f"{status} is not a valid status")
        if status < 200:
            self._interim += 1
            self._head = 0
            if status == 101:
                raise Malformed("the server wants to speak another protocol")
            if self._interim > MAX_INTERIM:
                raise Malformed(f"{self._interim} interim responses came")
            return
        self.status = status
        found = dict(self._fields)
        self._framed = "content-length" in found or "transfer-encoding" in found or status in (204, 304)
        if found.get("content-encoding", "").strip().lower() in ("gzip", "x-gzip"):
            self._gzip = zlib.decompressobj(31)

    def on_body(self, data: bytes) -> None:
        if self.truncated:
            return
        room = self._max_body - self._size
        if self._gzip is not None:
            try:
                data = self._gzip.decompress(data, room + 1)
            except zlib.error as error:
                raise Malformed("the response's compression is broken") from error
        if len(data) > room:
            data, self.truncated, self.done = data[:room], True, True
        self._body.append(data)
        self._size += len(data)

    def on_message_complete(self) -> None:
        if self.status is None:
            return  # an interim one
        if not self.done:
            self.done = True
            self.reusable = self._parser.should_keep_alive()
