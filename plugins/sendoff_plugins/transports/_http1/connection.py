"""One connection of the `http1` transport: it connects, makes TLS, writes and reads without ever blocking.

The file is long because connecting, the TLS handshake, writing and reading share one socket and one state.
"""

from __future__ import annotations

import errno
import math
import os
import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sendoff.plugin import (
    CONNECT_TIMEOUT,
    BadResponse,
    Request,
    RequestBurst,
    Response,
    describe_early,
    describe_failure,
    is_distrusted,
)
from sendoff_plugins.transports._http1.endpoint import Endpoint
from sendoff_plugins.transports._http1.poller import READ, WRITE, Poller
from sendoff_plugins.transports._http1.response_parser import ResponseParser

#: Maximum bytes of one write, and of one read.
WRITE_BYTES, READ_BYTES = 1 << 20, 64 << 10
#: Maximum parts of a request that are written by one call; systems allow 1,024.
MAX_PARTS = 64
#: Maximum bytes of a response that is kept to recognise the next one by.
REPEATED_LIMIT = 4 << 10
_GATHERS = hasattr(socket.socket, "sendmsg")
_IN_PROGRESS = {errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EAGAIN}


@dataclass(slots=True)
class RepeatedResponse:
    """The last whole response that came in one read: its bytes, and what they parsed to. Many APIs send the same each time."""

    data: bytes | None = None
    response: Response | None = None
    max_bytes: int = 0


class Connection:
    """A connection that carries one request at a time. Its owner says when it is readable or writable."""

    def __init__(self, endpoint: Endpoint, poller: Poller, repeated: RepeatedResponse) -> None:
        self._endpoint, self._poller, self._repeated = endpoint, poller, repeated
        self._addresses: deque[Any] = deque()
        self._sock: socket.socket | ssl.SSLSocket | None = None
        self._events = 0
        #: Says whether bytes wait, for half of what a read costs that finds none (measured: 0.9 to 2.0 microseconds).
        self._waiting: select.poll | None = None
        self._out: deque[memoryview] = deque()
        self._tunnel: ResponseParser | None = None
        self._stage = self._connected
        #: What it sends, None while it is idle: a request, or a record's ordinal in a burst.
        self.load: Request | int | None = None
        self.burst: RequestBurst | None = None
        self._parser: ResponseParser | None = None
        #: Whether a response has begun; whether the connection is open and no bytes wait to be written.
        self._begun = self._exchanging = False
        self.max_response_bytes = 0
        self.deadline = self.began = 0.0
        #: When the next address is tried; the seconds each address has.
        self._connect_deadline, self._seconds_per_address = math.inf, CONNECT_TIMEOUT
        #: How many requests it was given, this one included.
        self.carried = 0
        #: Whether a byte of this request may have left; whether the rest of it never will.
        self.sent = self._cut_off = False
        #: Whether the response came before all of the request was written.
        self._early = False
        #: The response, once the request is over.
        self.outcome: Response | None = None
        self.open = False

    # Called by the loop.

    def assign(self, load: Request | int, burst: RequestBurst | None, max_bytes: int, deadline: float, now: float) -> None:
        """Take on a request; its bytes are given to `send` or `send_all` next."""
        self.load, self.burst, self.max_response_bytes = load, burst, max_bytes
        self.began, self.deadline = now, deadline
        self.carried += 1
        self.outcome, self.sent, self._begun, self._cut_off, self._early = None, False, False, False, False

    def send(self, message: bytes) -> None:
        """Send a request that is one string of bytes; on an open connection at once."""
        if self._exchanging:
            self.sent = True
            try:
                done = self._sock.send(message)  # type: ignore[union-attr]  # an open connection has one
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                done = 0
            except OSError:
                self._cut_off = True
                return  # the other side may have responded already, and closed: read its response
            if done == len(message):
                return
            message = message[done:]
        self.send_all((message,))

    def send_all(self, parts: Sequence[bytes | memoryview]) -> None:
        """Send a request's bytes."""
        self._out.extend(map(memoryview, parts))
        if self.open:
            self._write()
            self._watch_on()

    def connect(self, addresses: Sequence[Any]) -> None:
        """Connect to the first of these addresses that accepts."""
        self._addresses = deque(addresses)
        self._seconds_per_address = CONNECT_TIMEOUT / max(1, len(self._addresses))
        self._next_address("the name has no address")

    def ready(self, events: int) -> bool:
        """The socket can be read or written; returns whether that ended the request."""
        try:
            if self._exchanging and events == READ and self.load is not None:
                self._read()
            else:
                self._stage(events)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except BadResponse as error:
            self._end(self._broken(str(error)))
        except ssl.SSLError as error:
            self._end(
                Response(
                    error=describe_failure(error),
                    may_have_been_sent=self.sent,
                    permanent=not self.sent and is_distrusted(error),
                )
            )
        except OSError as error:
            self._end(self._broken(describe_failure(error)))
        return self.outcome is not None

    def stale(self) -> bool:
        """Whether an idle connection was closed by the server, or received bytes that belong to no request."""
        assert self._sock is not None
        if self._waiting is not None and not self._waiting.poll(0):
            return False
        try:
            self._sock.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False  # nothing, or only TLS records without data
        except OSError:
            pass
        return True

    @property
    def due(self) -> float:
        """When `expire` is to be called."""
        return min(self.deadline, self._connect_deadline)

    def expire(self, now: float) -> None:
        """End a request whose deadline has passed, or try the next address."""
        if now < self.deadline:
            self._next_address("connection timed out")
            return
        waiting = "no complete response" if self.open or self.sent else "no connection and no response"
        self._end(Response(error=f"{waiting} within {self.deadline - self.began:.3g} seconds", may_have_been_sent=self.sent))

    def fail(self, response: Response) -> None:
        self._end(response)

    def close(self) -> None:
        if self._sock is not None:
            if self._events:
                self._poller.forget(self._sock.fileno())
            self._sock.close()
        self._sock, self._waiting, self._events, self.open, self._exchanging = None, None, 0, False, False

    # Stages.

    def _next_address(self, trouble: str) -> None:
        while self._addresses:
            family, kind, protocol, _, address = self._addresses.popleft()
            self.close()
            try:
                self._sock = socket.socket(family, kind, protocol)
                self._sock.setblocking(False)
                self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                code = self._sock.connect_ex(address)
            except OSError as error:
                trouble = describe_failure(error)
                continue
            if code == 0 or code in _IN_PROGRESS:
                self._stage, self._connect_deadline = self._connected, time.monotonic() + self._seconds_per_address
                self._watch(WRITE)
                return
            trouble = os.strerror(code).lower()
        host, port = self._endpoint.address
        to = f"the proxy {host}:{port}" if self._endpoint.proxied else self._endpoint.name
        self._end(
            Response(error=f"cannot connect to {to}: {trouble}", may_have_been_sent=False, permanent=self._endpoint.proxied)
        )

    def _connected(self, events: int) -> None:
        assert self._sock is not None
        code = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._next_address(os.strerror(code).lower())
            return
        self._connect_deadline = math.inf
        if self._endpoint.proxied and self._endpoint.secure:
            self._tunnel, self._stage = ResponseParser(1 << 16), self._tunnelled
            self._sock.sendall(self._endpoint.connect())  # fits any socket's buffer
            self._watch(READ)
        else:
            self._secure()

    def _tunnelled(self, events: int) -> None:
        assert self._sock is not None
        assert self._tunnel is not None
        data = self._sock.recv(4096)
        trouble = ""
        try:
            if data:
                # The response to a CONNECT has no body, whatever its head says; TLS begins behind it.
                self._tunnel.feed(data)
            else:
                self._tunnel.ended()
        except BadResponse as error:
            trouble = str(error)
        if self._tunnel.status is not None and 200 <= self._tunnel.status < 300 and not trouble:
            self._secure()
        elif trouble or not data or self._tunnel.status is not None:
            self._end(
                Response(
                    error=f"the proxy: {trouble or f'it responded with {self._tunnel.status}'}",
                    may_have_been_sent=False,
                    permanent=True,
                )
            )

    def _secure(self) -> None:
        assert self._sock is not None
        if self._endpoint.secure:
            assert self._endpoint.context is not None
            if self._events:
                self._poller.forget(self._sock.fileno())
                self._events = 0
            self._sock = self._endpoint.context.wrap_socket(
                self._sock, server_hostname=self._endpoint.host, do_handshake_on_connect=False
            )
            self._stage = self._handshake
            self._handshake(WRITE)
        else:
            self._opened()

    def _handshake(self, events: int) -> None:
        assert isinstance(self._sock, ssl.SSLSocket)
        try:
            self._sock.do_handshake()
        except ssl.SSLWantReadError:
            self._watch(READ)
            return
        except ssl.SSLWantWriteError:
            self._watch(WRITE)
            return
        self._opened()

    def _opened(self) -> None:
        assert self._sock is not None
        if hasattr(select, "poll"):
            self._waiting = select.poll()
            self._waiting.register(self._sock.fileno(), select.POLLIN)
        self.open, self._stage = True, self._exchange
        self._exchange(WRITE)

    def _exchange(self, events: int) -> None:
        """Write what there is to write, and read what there is to read: a response may come before all is sent."""
        if self.load is None:
            if self.stale():
                self.close()
            return
        if self._out and events & WRITE:
            self._write()
        if events & READ:
            self._read()
        self._watch_on()

    def _watch_on(self) -> None:
        """Watch for what is to be written, if anything, and for a response."""
        self._watch(READ | WRITE if self._out else READ)
        self._exchanging = self.open and not self._out

    def _write(self) -> None:
        assert self._sock is not None
        out, self.sent = self._out, True
        try:
            while out:
                done = self._send_some()
                while out and done >= len(out[0]):
                    done -= len(out.popleft())
                if done:
                    out[0] = out[0][done:]
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass
        except OSError:
            self._cut_off = True
            out.clear()  # the other side may have responded already, and closed: read its response

    def _send_some(self) -> int:
        """Send the next bytes, those of several parts in one call where the socket can; returns how many left."""
        sock, first = self._sock, self._out[0]
        if len(first) >= WRITE_BYTES or len(self._out) == 1 or isinstance(sock, ssl.SSLSocket) or not _GATHERS:
            return sock.send(first[:WRITE_BYTES])  # type: ignore[union-attr]  # what writes has one
        parts, room = [], WRITE_BYTES
        for part in islice(self._out, MAX_PARTS):
            parts.append(part[:room])
            room -= len(parts[-1])
            if not room:
                break
        return sock.sendmsg(parts)  # type: ignore[union-attr]  # what writes has one

    def _read(self) -> None:
        assert self._sock is not None
        try:
            data = self._sock.recv(READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except ssl.SSLEOFError:
            data = b""
        last = self._repeated
        if not self._begun:
            if data == last.data and not self._unwritten and last.max_bytes == self.max_response_bytes:
                self.outcome = last.response  # byte for byte a response that was read before
                return
            self._begun = bool(data)
            self._parser = self._parser or ResponseParser(self.max_response_bytes)
            self._parser.renew(self.max_response_bytes, head_only=self._asks_for_head)
        parser = self._parser
        assert parser is not None
        if data:
            parser.feed(data)
        else:
            parser.ended()
        self._early = self._early or (parser.status is not None and self._unwritten)
        if parser.done:
            keep = parser.reusable and not self._early and not parser.truncated and bool(data)
            response = parser.response()
            if self._early and response.status is not None and 200 <= response.status < 300:
                response = Response(error=describe_early(response.status))
            self._end(response, keep=keep)
            if keep and parser.fed == len(data) <= REPEATED_LIMIT and not self._asks_for_head:
                last.data, last.response, last.max_bytes = data, response, self.max_response_bytes

    @property
    def _asks_for_head(self) -> bool:
        """Whether the response has no body, whatever its head says."""
        return isinstance(self.load, Request) and self.load.method == "HEAD"

    @property
    def _unwritten(self) -> bool:
        """Whether the request was not written to its end: nothing that is said of it is a success, nor of the next one."""
        return bool(self._out) or self._cut_off

    def _broken(self, error: str) -> Response:
        return Response(error=error, may_have_been_sent=self.sent, connection_lost=self.carried > 1 and not self._begun)

    def _end(self, response: Response, *, keep: bool = False) -> None:
        self.outcome = response
        self._out.clear()
        self._connect_deadline = math.inf
        if not keep:
            self.close()

    def _watch(self, events: int) -> None:
        if events == self._events or self._sock is None:
            return
        self._poller.watch(self._sock.fileno(), events, self)
        self._events = events
