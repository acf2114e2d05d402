"""HTTP/1.1 on one loop: many keep-alive connections, no thread, task or future for any request.

The loop is the standard library's `selectors`; it pulls a request whenever a connection is free and pushes
the answer as soon as it is whole. Nothing is ever pipelined.
"""

from __future__ import annotations

import math
import selectors
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from sendoff import Answer, Exchange, Request, Transport, Wait, Wire, hookimpl
from sendoff_plugins.transports.dialling import Undialled, addresses, context
from sendoff_plugins.transports.line import Line
from sendoff_plugins.transports.target import Target
from sendoff_plugins.transports.urllib3 import Urllib3

#: A line that was idle for longer is looked at before it is used.
_FRESH = 0.002


class Http1(Transport):
    """Carry requests over HTTP/1.1 on one loop: the fastest, for many small requests."""

    name = "http1"

    def carry(self, exchange: Exchange, wire: Wire) -> None:
        """Carry requests in this thread, over as many connections as may be under way.

        A proxy that is itself reached by TLS is left to `urllib3`.
        """
        if (wire.proxy or "")[:6].lower() == "https:":
            Urllib3(home=self.home).carry(exchange, wire)
            return
        loop = _Loop(exchange, wire)
        try:
            loop.run()
        finally:
            loop.close()


class _Loop:
    """The connections of one carrying, and what they wait for."""

    def __init__(self, exchange: Exchange, wire: Wire) -> None:
        self._exchange, self._wire = exchange, wire
        self._selector = selectors.DefaultSelector()
        self._target = Target(wire.url, wire.proxy, context(wire.tls) if wire.url[:6].lower() == "https:" else None)
        self._idle: list[Line] = []
        self._busy: set[Line] = set()
        self._soonest = self._resume = math.inf
        self._done = False
        self._thread = threading.get_ident()
        self._woken = self._closed = False
        self._waker, self._bell = socket.socketpair()
        self._waker.setblocking(False)
        self._bell.setblocking(False)
        self._selector.register(self._waker, selectors.EVENT_READ, None)
        self._resolver = ThreadPoolExecutor(1, thread_name_prefix="sendoff-dns")
        self._resolved: list[tuple[Line, Any]] = []
        exchange.changed(self._wake)

    def run(self) -> None:
        """Pull, carry and push until the exchange says ``"done"``."""
        self._pull()
        while self._busy or not self._done:
            now = time.monotonic()
            until = min(self._soonest, self._resume)
            for key, events in self._selector.select(None if until == math.inf else max(0.0, until - now)):
                line = key.data
                if line is None:
                    self._rung()
                    continue
                line.ready(events)
                self._soonest = min(self._soonest, line.due)
                self._settle(line)
            now = time.monotonic()
            if now >= self._soonest:
                self._expire(now)
            if now >= self._resume:
                self._pull()

    def close(self) -> None:
        self._closed = True
        for line in (*self._idle, *self._busy):
            line.close()
        self._selector.close()
        self._resolver.shutdown(wait=False, cancel_futures=True)
        self._waker.close()
        self._bell.close()

    # Requests out.

    def _pull(self) -> None:
        """Take requests while there are connections for them."""
        self._resume = math.inf
        while not self._done and len(self._busy) < self._wire.concurrency:
            found = self._exchange.next()
            if found == "done":
                self._done = True
            elif isinstance(found, Wait):
                self._resume = time.monotonic() + found.seconds
                return
            else:
                self._start(found)

    def _start(self, request: Request) -> None:
        now = time.monotonic()
        line = self._free_line(now)
        self._busy.add(line)
        self._soonest = min(self._soonest, now + request.deadline)
        line.take(request, now)
        if line.outcome is None and not line.open:
            self._resolver.submit(self._resolve, line)
        self._settle(line, pull=False)

    def _free_line(self, now: float) -> Line:
        while self._idle:
            line = self._idle.pop()
            if line.open and not (now - line.freed > _FRESH and line.stale()):
                return line
            line.close()
        return Line(self._target, self._selector)

    def _resolve(self, line: Line) -> None:
        """In the resolver's thread, as DNS may take long."""
        try:
            found: Any = addresses(*self._target.dialled, self._wire.guard)
        except Exception as error:
            found = error
        self._resolved.append((line, found))
        self._ring()

    # Answers in.

    def _settle(self, line: Line, *, pull: bool = True) -> None:
        """If a line's request is over, push its answer and pull the next."""
        if line.outcome is None or line not in self._busy:
            return
        self._busy.discard(line)
        request, answer = line.finished(time.monotonic())
        if line.open:
            self._idle.append(line)
        self._exchange.answer(request, answer)
        if pull:
            self._pull()

    def _expire(self, now: float) -> None:
        for line in list(self._busy):
            if line.due <= now:
                line.expire(now)
                self._settle(line)
        self._soonest = min((line.due for line in self._busy), default=math.inf)

    # Bells.

    def _wake(self) -> None:
        """Something changed; from any thread. In the loop's own it pulls anyhow."""
        if threading.get_ident() != self._thread:
            self._ring()

    def _ring(self) -> None:
        if not self._woken and not self._closed:
            self._woken = True
            with suppress(OSError):
                self._bell.send(b"\0")

    def _rung(self) -> None:
        with suppress(BlockingIOError):
            self._waker.recv(4096)
        self._woken = False
        while self._resolved:
            line, found = self._resolved.pop()
            if line not in self._busy or line.outcome is not None:
                continue
            if isinstance(found, Undialled):
                line.fail(Answer(error=str(found), sent=False, fatal=True))
            elif isinstance(found, Exception):
                where = f"the proxy {self._target.dialled[0]}" if self._target.proxied else self._target.name
                line.fail(Answer(error=f"cannot connect to {where}: {found}", sent=False, fatal=self._target.proxied))
            else:
                line.dial(found)
                self._soonest = min(self._soonest, line.due)
            self._settle(line)
        self._pull()


@hookimpl
def sendoff_transports() -> list[type[Transport]]:
    return [Http1]
