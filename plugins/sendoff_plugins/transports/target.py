"""Where the lines of the `http1` transport lead, and what the head of a request to there looks like."""

from __future__ import annotations

import ssl
from base64 import b64encode
from urllib.parse import unquote, urlsplit

from sendoff import Request


class Target:
    """Where lines lead: a host, perhaps by a proxy, perhaps under TLS."""

    def __init__(self, url: str, proxy: str | None, context: ssl.SSLContext | None) -> None:
        parts = urlsplit(url)
        self.host, self.secure = parts.hostname or "", parts.scheme == "https"
        self.port = parts.port or (443 if self.secure else 80)
        self.name = parts.netloc
        self.context = context
        self.proxied = proxy is not None
        self.dialled = (self.host, self.port)
        self._login = b""
        if proxy is not None:
            way = urlsplit(proxy)
            self.dialled = (way.hostname or "", way.port or 80)
            if way.username is not None:
                login = f"{unquote(way.username)}:{unquote(way.password or '')}"
                self._login = b"Proxy-Authorization: Basic " + b64encode(login.encode()) + b"\r\n"

    def head(self, request: Request) -> bytes:
        """The request line and the header fields. Raises ValueError for what no head can hold."""
        parts = urlsplit(request.url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        forward = self.proxied and not self.secure
        lines = [f"{request.method} {request.url if forward else target} HTTP/1.1", f"Host: {self.name}"]
        lines += [f"{name}: {value}" for name, value in request.headers.items()]
        lines.append(f"Content-Length: {request.length}")
        for line in lines:
            if "\r" in line or "\n" in line or "\0" in line:
                raise ValueError("a header's value is one line")
        return "\r\n".join(lines).encode("latin-1") + b"\r\n" + (self._login if forward else b"") + b"\r\n"

    def connect(self) -> bytes:
        """What asks a proxy for a tunnel (RFC 9110 §9.3.6)."""
        to = f"{self.host}:{self.port}".encode()
        return b"CONNECT " + to + b" HTTP/1.1\r\nHost: " + to + b"\r\n" + self._login + b"\r\n"
