"""Parse one response with llhttp, strictly, within bounds on its head, its fields and its body."""

from __future__ import annotations

import re

import httptools

from sendoff.plugin import (
    MAX_FIELDS,
    MAX_HEAD,
    MAX_INTERIM,
    BadResponse,
    ContentDecoder,
    Response,
    describe_start,
    find_framing,
    read_status_line,
)

_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")


class ResponseParser:
    """Parses the response to one request: `feed` it bytes until it is `done`, then `renew` it for the next."""

    def __init__(self, body_bytes: int) -> None:
        self._parser = httptools.HttpResponseParser(self)
        # What RFC 9112 lets a recipient take (§2.2), or wants it to (§7.1.1).
        self._parser.set_dangerous_leniencies(lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True)
        self.renew(body_bytes)

    def renew(self, body_bytes: int, *, head_only: bool = False) -> None:
        """Start on the next response of the same connection; `head_only`, to a HEAD request, has no body whatever it says."""
        self._head_only = head_only
        self._max_body = body_bytes
        self._fields: list[tuple[str, str]] = []
        self._headers: dict[str, str] = {}
        self._trailers = 0
        self._body: list[bytes] = []
        #: The bytes of the head so far; bytes fed since the last of a body, or of a head.
        self._head = bytearray()
        self._size = self._unproductive = self._interim = 0
        #: How many bytes have been fed.
        self.fed = 0
        self._decoder: ContentDecoder | None = None
        self.status: int | None = None
        #: Whether any byte came; whether it is complete; whether more came than was asked for.
        self.begun = self.done = self.truncated = False
        #: Whether the connection can carry another request.
        self.reusable = False
        self._framed = False

    def feed(self, data: bytes) -> None:
        """Take in bytes. Raises `BadResponse`."""
        self.begun = True
        self.fed += len(data)
        self._unproductive += len(data)
        if self.status is None:
            self._head += data
        self._feed(data)
        if self._unproductive > MAX_HEAD and not self.done:
            raise BadResponse("the head of the response is too long" if self.status is None else "its trailers are too long")

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise BadResponse("the server wants to speak another protocol") from None
        except httptools.HttpParserCallbackError as error:
            if self.done:
                self.reusable = False  # bytes after the response belong to no request
                return
            cause = error.__context__
            raise cause if isinstance(cause, BadResponse) else BadResponse(str(cause or error)) from None
        except httptools.HttpParserError as error:
            if not self.done:
                raise BadResponse(describe_start(bytes(self._head[:2]))) from error
            self.reusable = False

    def ended(self) -> None:
        """The connection was closed by the other side. Raises `BadResponse` if that cuts the response off."""
        if self.done:
            return
        if not self.begun:
            raise BadResponse("the connection was closed without a response")
        if self.status is None or self._framed:
            raise BadResponse("the connection was closed before the response was whole")
        self._complete()  # delimited by its end (RFC 9112 §6.3)

    def response(self) -> Response:
        return Response(self.status, self._headers, b"".join(self._body), truncated=self.truncated)

    def _complete(self) -> None:
        if self._decoder is not None and not self.truncated:
            self._decoder.finish()
        self.done = True

    # Called by llhttp.

    def on_message_begin(self) -> None:
        if self.done:
            self.reusable = False
            raise BadResponse("more than one response came")
        self._fields.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.status is not None:
            self._trailers += 1  # they are not looked at
        if max(len(self._fields), self._trailers) >= MAX_FIELDS:
            raise BadResponse("the response has too many header fields")
        if self.status is None:
            self._fields.append((name.decode("latin-1").lower(), value.decode("latin-1").strip(" \t")))

    def on_headers_complete(self) -> None:
        head = self._head.lstrip(b"\r\n")
        version, status, _ = read_status_line(bytes(head[: head.index(b"\n")].removesuffix(b"\r")))
        self._unproductive = 0
        if status < 200:
            self._interim += 1
            found = _END_OF_HEAD.search(head)
            assert found is not None
            self._head = head[found.end() :]
            if status == 101:
                raise BadResponse("the server wants to speak another protocol")
            if self._interim > MAX_INTERIM:
                raise BadResponse(f"{self._interim} interim responses came")
            return
        self.status, headers = status, self._headers
        for name, value in self._fields:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        self._framed = find_framing(version, status, headers) is not None
        if "content-encoding" in headers:
            self._decoder = ContentDecoder.of(status, headers["content-encoding"])
        if self._head_only:
            self._complete()

    def on_body(self, data: bytes) -> None:
        self._unproductive = 0
        if self.truncated:
            return
        room = self._max_body - self._size
        if self._decoder is not None:
            data = self._decoder.decode(data, room + 1)
        if len(data) > room:
            data, self.truncated, self.done = data[:room], True, True
        self._body.append(data)
        self._size += len(data)

    def on_message_complete(self) -> None:
        if self.status is None:
            return  # an interim one
        if not self.done:
            self._complete()
            self.reusable = self._parser.should_keep_alive()
