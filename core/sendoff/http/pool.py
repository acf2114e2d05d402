"""urllib3's connections, which report their sockets to the watchdog, and check an address before they connect."""

from __future__ import annotations

import errno
import logging
import selectors
import socket
import threading
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NameResolutionError, NewConnectionError

from sendoff.http.connect import CONNECT_TIMEOUT, resolve, ssl_context
from sendoff.http.strict_response import BadResponse, StrictHTTPResponse, describe_early
from sendoff.http.watchdog import Watchdog
from sendoff.transport.protocol import TLS, ConnectionSettings

#: Connections closed after their first response, without a word in it, after which none is used twice.
_CLOSED_EARLY = 2
#: A body is written in pieces of this size, and a response may come before each.
_PIECE = 256 << 10


def make_pool(settings: ConnectionSettings, watchdog: Watchdog) -> Any:
    """A pool manager whose connections are watched and guarded, by the proxy if there is one."""
    closed_early: list[None] = []

    class Watched:  # mixed into urllib3's connections, whose methods it extends
        sock: Any
        _line: socket.socket | None = None
        #: How many requests this connection was given; whether the last one was written to its end; its response.
        _carried = 0
        _written = True
        _response: StrictHTTPResponse | None = None

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
            self._written = False
            super().request(*args, **kwargs)  # type: ignore[misc]  # the next class has it
            self._written = True

        def send(self, data: Any) -> None:
            """Send; a large body only while no response comes. TLS hides whether one has: it is read when all is sent."""
            if not isinstance(data, memoryview) or self.sock is None or hasattr(self.sock, "pending"):
                super().send(data)  # type: ignore[misc]  # as above
                return
            with selectors.DefaultSelector() as selector:
                selector.register(self.sock, selectors.EVENT_READ | selectors.EVENT_WRITE)
                while data:
                    if any(events & selectors.EVENT_READ for _, events in selector.select(self.sock.gettimeout())):
                        raise BrokenPipeError(errno.EPIPE, "a response came first")  # which urllib3 then reads
                    data = data[self.sock.send(data[:_PIECE]) :]

        def response_class(self, *args: Any, **kwargs: Any) -> StrictHTTPResponse:
            self._response = StrictHTTPResponse(*args, **kwargs)
            return self._response

        def getresponse(self) -> Any:
            carried = self._carried  # to close it forgets that
            try:
                response = super().getresponse()  # type: ignore[misc]  # as above
            except ConnectionError:
                watchdog.current.watch.connection_lost = carried > 1
                if carried == 2:
                    closed_early.append(None)
                raise
            if not self._written:
                self.close()  # the server would take the next request for the rest of this one
                if 200 <= response.status < 300:
                    raise BadResponse(describe_early(response.status))
            return response

        @property
        def is_connected(self) -> bool:
            open_: bool = super().is_connected  # type: ignore[misc]  # as above
            if not open_ or not self._carried:
                return open_
            # What came after the last response would be taken for the next one.
            left_over = (self._response is not None and self._response.surplus) or getattr(self.sock, "pending", int)()
            return not left_over and len(closed_early) < _CLOSED_EARLY

        def close(self) -> None:
            super().close()  # type: ignore[misc]  # as above
            self._carried, self._response = 0, None
            if self._line is not None:
                watchdog.release(self._line)
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
        "http": type("HTTPPool", (_Unlogged, urllib3.HTTPConnectionPool), {"ConnectionCls": plain}),
        "https": type("HTTPSPool", (_Unlogged, _QuietHTTPSPool), {"ConnectionCls": secure}),
    }
    return manager


class _Unlogged:
    """Mixed into a pool: keeps urllib3 from logging, at level DEBUG, the addresses of requests, which may hold credentials."""

    _sending = threading.local()

    def urlopen(self, *args: object, **kwargs: object) -> Any:
        self._sending.now = True
        try:
            return super().urlopen(*args, **kwargs)  # type: ignore[misc]  # the next class has it
        finally:
            self._sending.now = False

    @classmethod
    def filter(cls, record: logging.LogRecord) -> bool:
        """Whether a line of urllib3's is about somebody else's request, or at least a warning."""
        return record.levelno > logging.DEBUG or not getattr(cls._sending, "now", False)


for _name in ("urllib3.connectionpool", "urllib3.util.retry"):
    logging.getLogger(_name).addFilter(_Unlogged.filter)


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
