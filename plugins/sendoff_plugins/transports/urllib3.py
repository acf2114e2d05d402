"""Requests by urllib3: pooled keep-alive connections, one thread for each request under way.

urllib3's own retries and redirects are off, as the engine owns both. Its timeouts are per read, so
an answer that trickles in would outlive any of them (measured: 10.8 s with a timeout of 3): a
watchdog shuts the connection down when the whole attempt's time is over. Large bodies go out in
slices of 1 MiB with a Content-Length, uncopied.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    NewConnectionError,
    SSLError,
)

from sendoff import Answer, Exchange, Request, Transport, Wait, hookimpl
from sendoff_plugins.transports.watchdog import Watchdog

SLICE = 1 << 20
JOINED = 64 << 10
CONNECT = 10.0


class Urllib3(Transport):
    """Carry requests with urllib3: the most proven transport."""

    name = "urllib3"
    options = {
        "max_answer_bytes": {
            "type": "integer", "min": 1024, "default": 1 << 20,
            "meta": {"help": "How much of an answer is read, decoded; more than that is not looked at."},
        }
    }  # fmt: skip

    max_answer_bytes: int

    def carry(self, exchange: Exchange, *, url: str, concurrency: int) -> None:
        """Carry requests in `concurrency` threads that pull from the exchange."""
        watchdog = Watchdog()
        pool = _pool(url, concurrency, watchdog)
        threads = [
            threading.Thread(target=self._work, args=(exchange, pool, watchdog), name=f"sendoff-urllib3-{number}", daemon=True)
            for number in range(concurrency)
        ]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            watchdog.close()
            pool.close()

    def _work(self, exchange: Exchange, pool: Any, watchdog: Watchdog) -> None:
        while (request := exchange.next()) != "done":
            if isinstance(request, Wait):
                exchange.wait(request.seconds)
            else:
                exchange.answer(request, self._attempt(request, pool, watchdog))

    def _attempt(self, request: Request, pool: Any, watchdog: Watchdog) -> Answer:
        started = time.monotonic()
        with watchdog.watch(request.deadline) as watch:
            try:
                answer = self._exchange(request, pool)
            except Exception as error:
                answer = _lost(error, request.url)
            if watch.expired:
                answer = Answer(error=f"no whole answer within {request.deadline:g} seconds", sent=watch.connected)
        return Answer(
            answer.status, answer.headers, answer.body, answer.error, answer.sent, answer.fatal, time.monotonic() - started
        )

    def _exchange(self, request: Request, pool: Any) -> Answer:
        response = pool.urlopen(
            request.method,
            _target(request.url),
            body=_body(request),
            headers={**request.headers, "Content-Length": str(request.length)},
            retries=False,
            redirect=False,
            preload_content=False,
            # The watchdog comes first; urllib3's own timeout is there in case it does not.
            timeout=urllib3.Timeout(connect=min(CONNECT, request.deadline), read=request.deadline + 1),
        )
        try:
            body = response.read(self.max_answer_bytes + 1, decode_content=True)
            whole = len(body) <= self.max_answer_bytes and not response.read(1)
        finally:
            # What was not read to its end must not be read by the next request.
            if response.closed or response._fp is None or response._fp.closed:
                response.release_conn()
            else:
                response.close()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, headers, body[: self.max_answer_bytes] if not whole else body)


@lru_cache(maxsize=1024)
def _target(url: str) -> str:
    """The URL's path and query, which is what goes on the request line."""
    return urllib3.util.parse_url(url).request_uri


def _body(request: Request) -> bytes | Iterator[memoryview]:
    if request.length <= JOINED:
        return b"".join(request.body)
    return (memoryview(part)[at : at + SLICE] for part in request.body for at in range(0, len(part), SLICE))


def _lost(error: Exception, url: str) -> Answer:
    """An exception as an answer: whether anything may have been sent, and whether a retry can help."""
    sentence = _sentence(error)
    match error:
        case SSLError() if _distrusted(error):
            return Answer(error=f"TLS: {sentence}", sent=False, fatal=True)
        case NewConnectionError() | ConnectTimeoutError():
            return Answer(error=f"cannot connect to {urllib3.util.parse_url(url).netloc}: {sentence}", sent=False)
        case LocationValueError() | UnicodeError() | ValueError():
            return Answer(error=sentence, sent=False, fatal=True)
        case HTTPError() | OSError():
            return Answer(error=sentence)
    return Answer(error=f"{type(error).__name__}: {sentence}", fatal=True)


def _distrusted(error: Exception) -> bool:
    """Whether TLS failed on who the server is or on how it speaks, rather than on a line that broke."""
    causes = (error, *error.args, error.__cause__, error.__context__)
    return any(
        isinstance(cause, ssl.SSLCertVerificationError)
        or (isinstance(cause, ssl.SSLError) and any(word in (cause.reason or "") for word in ("VERSION", "PROTOCOL", "CIPHER")))
        for cause in causes
    )


def _sentence(error: Exception) -> str:
    """The innermost cause's words, without urllib3's wrapping."""
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and cause not in causes:
        causes.append(cause)
    innermost = next((c for c in reversed(causes) if isinstance(c, OSError) and c.strerror), error)
    if isinstance(innermost, OSError) and innermost.strerror:
        return innermost.strerror.lower() if innermost.strerror.isascii() else innermost.strerror
    return str(error).rpartition("object at ")[2].partition(">: ")[2] or str(error)


class _WholeHead(http.client.HTTPResponse):
    """An answer whose head must come to its end: `http.client` takes a connection cut inside it for one."""

    def begin(self) -> None:
        raw = self.fp
        watched: Any = _HeadReader(raw)
        self.fp = watched
        super().begin()
        if watched.cut:
            self.close()
            raise http.client.IncompleteRead(b"")
        if self.fp is watched:
            self.fp = raw


class _HeadReader:
    """Reads lines, and remembers whether they came to an end before the blank one."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self.cut = False

    def readline(self, limit: int = -1) -> bytes:
        line: bytes = self._raw.readline(limit)
        self.cut = not line.endswith(b"\n")
        return line

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


def _pool(url: str, size: int, watchdog: Watchdog) -> Any:
    """A pool whose connections tell the watchdog which attempt they serve."""

    class Watched:  # mixed into urllib3's connections, whose methods it extends
        response_class = _WholeHead
        _line: socket.socket | None = None

        def _new_conn(self) -> socket.socket:
            sock: socket.socket = super()._new_conn()  # type: ignore[misc]  # the next class has it
            # A second handle: the first one vanishes into the TLS layer, and TLS may hang too.
            self._line = sock.dup()
            watchdog.current.watch.on(self._line)
            return sock

        def request(self, *args: Any, **kwargs: Any) -> None:
            if self._line is not None:
                watchdog.current.watch.on(self._line)
            super().request(*args, **kwargs)  # type: ignore[misc]  # as above

        def close(self) -> None:
            super().close()  # type: ignore[misc]  # as above
            if self._line is not None:
                self._line.close()
                self._line = None

    parts = urllib3.util.parse_url(url)
    secure = parts.scheme == "https"
    kind = urllib3.HTTPSConnectionPool if secure else urllib3.HTTPConnectionPool
    pool = kind(parts.host or "", parts.port, maxsize=size)
    pool.ConnectionCls = type("WatchedConnection", (Watched, HTTPSConnection if secure else HTTPConnection), {})
    return pool


@hookimpl
def sendoff_transports() -> list[type[Transport]]:
    return [Urllib3]
