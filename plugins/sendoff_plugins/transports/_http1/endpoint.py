"""The endpoint that the `http1` transport connects to, and the bytes of requests to it."""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Mapping, Sequence
from urllib.parse import unquote, urlsplit

from sendoff.plugin import Request, RequestBurst

#: Bodies up to this are joined with their head: one system call, one packet (measured best below 64 KiB).
JOINED = 64 << 10


class Endpoint:
    """A host and port, with or without a proxy, with or without TLS."""

    def __init__(self, url: str, proxy: str | None, context: ssl.SSLContext | None) -> None:
        parts = urlsplit(url)
        self.host, self.secure = parts.hostname or "", parts.scheme == "https"
        self.port = parts.port or (443 if self.secure else 80)
        self.name = parts.netloc
        self.context = context
        self.proxied = proxy is not None
        self.address = (self.host, self.port)
        self._login = b""
        if proxy is not None:
            way = urlsplit(proxy)
            self.address = (way.hostname or "", way.port or 80)
            if way.username is not None:
                login = f"{unquote(way.username)}:{unquote(way.password or '')}"
                self._login = b"Proxy-Authorization: Basic " + b64encode(login.encode()) + b"\r\n"

    def opening(self, method: str, url: str, headers: Mapping[str, str]) -> bytes:
        """A head without Content-Length, which many requests share. Raises ValueError for a value with a line break."""
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        forward = self.proxied and not self.secure
        lines = [f"{method} {url if forward else target} HTTP/1.1", f"Host: {self.name}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        for line in lines:
            if "\r" in line or "\n" in line or "\0" in line:
                raise ValueError("a header's value is one line")
        return "\r\n".join(lines).encode("latin-1") + b"\r\n" + (self._login if forward else b"")

    def messages(self, burst: RequestBurst) -> list[bytes]:
        """The bytes of each request of a burst, the last first."""
        opening = self.opening(burst.method, burst.url, burst.headers).replace(b"%", b"%%")
        opening += b"%bContent-Length: %d\r\n\r\n%b"
        return [opening % (key, len(body), body) for key, body in burst.requests()][::-1]

    def serialize(self, request: Request) -> Sequence[bytes | memoryview]:
        """A request's bytes. Raises ValueError for a header with a line break."""
        head = b"%bContent-Length: %d\r\n\r\n" % (
            self.opening(request.method, request.url, request.headers),
            request.body_length,
        )
        return [b"".join((head, *request.body))] if request.body_length <= JOINED else [head, *request.body]

    def connect(self) -> bytes:
        """The request for a tunnel through the proxy (RFC 9110 §9.3.6)."""
        to = f"{self.host}:{self.port}".encode()
        return b"CONNECT " + to + b" HTTP/1.1\r\nHost: " + to + b"\r\n" + self._login + b"\r\n"
