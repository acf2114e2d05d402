"""urllib3's connections, which report their sockets to the watchdog, and check an address before they connect."""

from __future__ import annotations

import http
import http.client
import socket
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NameResolutionError, NewConnectionError

from sendoff.http.connect import CONNECT_TIMEOUT, resolve, ssl_context
from sendoff.http.watchdog import Watchdog
from sendoff.transport.protocol import TLS, ConnectionSettings

#: Connections closed after their first response, without a word in it, after which none is used twice.
_CLOSED_EARLY = 2
#: No more interim responses come before the real one.
_INTERIM = 100


class StrictHTTPResponse(http.client.HTTPResponse):
    """A response whose lines must come to their end.

    `http.client` takes a connection cut inside its head for a whole response, and urllib3 one cut inside the last lines
    of a chunked body. Nor is an interim response the real one: `http.client` knows of 100 only (RFC 9110 §15.2).
    """

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(_INTERIM):
            version, status, reason = super()._read_status()  # type: ignore[misc]  # not in its stub
            if not 100 <= status < 200 or status == http.HTTPStatus.SWITCHING_PROTOCOLS:
                return version, status, reason
            http.client.parse_headers(self.fp)
        raise http.client.HTTPException(f"{_INTERIM} interim responses came")

    def begin(self) -> None:
        raw = self.fp
        self._lines = _LineTracker(raw)
        watched: Any = self._lines
        self.fp = watched
        super().begin()
        if self.truncated:
            self.close()
            raise http.client.IncompleteRead(b"")
        if self.fp is watched and not self.chunked:
            self.fp = raw

    @property
    def truncated(self) -> bool:
        """Whether the connection ended inside a line."""
        return self._lines.truncated


class _LineTracker:
    """Reads lines, and remembers whether the last one came to its end."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self.truncated = False

    def readline(self, limit: int = -1) -> bytes:
        line: bytes = self._raw.readline(limit)
        self.truncated = not line.endswith(b"\n")
        return line

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


def make_pool(settings: ConnectionSettings, watchdog: Watchdog) -> Any:
    """A pool manager whose connections are watched and guarded, by the proxy if there is one."""
    closed_early: list[None] = []

    class Watched:  # mixed into urllib3's connections, whose methods it extends
        response_class = StrictHTTPResponse
        _line: socket.socket | None = None
        #: How many requests this connection was given.
        _carried = 0

        def _new_conn(self) -> socket.socket:
            sock = _connect(self, settings)
            # A second handle: the first one vanishes into the TLS layer, and TLS may hang too.
            self._line = sock.dup()
            watchdog.current.watch.on(self._line)
            return sock

        def request(self, *args: object, **kwargs: object) -> None:
            if self._line is not None:
                watchdog.current.watch.on(self._line)
            self._carried += 1
            super().request(*args, **kwargs)  # type: ignore[misc]  # the next class has it

        def getresponse(self) -> Any:
            carried = self._carried  # to close it forgets that
            try:
                return super().getresponse()  # type: ignore[misc]  # as above
            except ConnectionError:
                watchdog.current.watch.connection_lost = carried > 1
                if carried == 2:
                    closed_early.append(None)
                raise

        @property
        def is_connected(self) -> bool:
            open_: bool = super().is_connected  # type: ignore[misc]  # as above
            return open_ and (not self._carried or len(closed_early) < _CLOSED_EARLY)

        def close(self) -> None:
            super().close()  # type: ignore[misc]  # as above
            self._carried = 0
            if self._line is not None:
                self._line.close()
                self._line = None

    plain = type("WatchedHTTPConnection", (Watched, HTTPConnection), {})
    secure = type("WatchedHTTPSConnection", (Watched, HTTPSConnection), {})
    options: dict[str, Any] = {"num_pools": 4, "maxsize": settings.concurrency}
    if "https:" in (settings.url[:6].lower(), (settings.proxy or "")[:6].lower()):
        options |= _tls(settings.tls)  # the usual certificates take a moment to load
    if settings.proxy is None:
        manager: Any = urllib3.PoolManager(**options)
    else:
        parts = urllib3.util.parse_url(settings.proxy)
        login = urllib3.util.make_headers(proxy_basic_auth=parts.auth) if parts.auth else None
        manager = urllib3.ProxyManager(settings.proxy, proxy_headers=login, **options)
    manager.pool_classes_by_scheme = {
        "http": type("HTTPPool", (urllib3.HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("HTTPSPool", (_QuietHTTPSPool,), {"ConnectionCls": secure}),
    }
    return manager


class _QuietHTTPSPool(urllib3.HTTPSConnectionPool):
    """A pool that does not warn of `verify: false` at every request: sendoff warns once a run."""

    def _validate_conn(self, conn: Any) -> None:
        urllib3.HTTPConnectionPool._validate_conn(self, conn)
        if conn.is_closed:
            conn.connect()


def _tls(tls: TLS) -> dict[str, Any]:
    return {"ssl_context": ssl_context(tls), **({} if tls.verify else {"cert_reqs": "CERT_NONE"})}


def _connect(connection: Any, settings: ConnectionSettings) -> socket.socket:
    """A connection to the first of the host's addresses that takes one."""
    host, port = connection._dns_host, connection.port
    try:
        found = resolve(host, port, settings.address_filter)
    except socket.gaierror as error:
        raise NameResolutionError(host, connection, error) from error
    trouble: OSError = OSError("the name has no address")
    budget = connection.timeout if isinstance(connection.timeout, int | float) else CONNECT_TIMEOUT
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(budget / len(found))
            sock.connect(address)
        except OSError as error:
            sock.close()
            trouble = error
        else:
            return sock
    raise NewConnectionError(connection, str(trouble)) from trouble
