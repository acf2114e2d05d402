"""HTTP/1.1 on one loop: many keep-alive connections, no thread, task or future for any request.

The loop waits on epoll; it pulls a request whenever a connection is free and pushes
the answer as soon as it is whole. Nothing is ever pipelined.
"""

from __future__ import annotations

import math
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

from sendoff import ConnectionSettings, Request, RequestBurst, RequestQueue, Response, Transport, Wait, hookimpl
from sendoff.http.connect import AddressRefused, resolve, ssl_context
from sendoff.transport.protocol import Completion
from sendoff_plugins.transports._http1.connection import Connection, RepeatedResponse
from sendoff_plugins.transports._http1.endpoint import Endpoint
from sendoff_plugins.transports._http1.poller import READ, Poller
from sendoff_plugins.transports.urllib3 import Urllib3

#: A line that was idle for longer is looked at before it is used.
_FRESH = 0.002
#: Requests asked for at once, for each connection: few enough that a retry need not wait long for its turn.
AHEAD = 4


class Http1(Transport):
    """Carry requests over HTTP/1.1 on one loop: the fastest, for many small requests."""

    name = "http1"

    def run(self, queue: RequestQueue, settings: ConnectionSettings) -> None:
        """Carry requests in this thread, over as many connections as may be under way.

        A proxy that is itself reached by TLS is left to `urllib3`.
        """
        if (settings.proxy or "")[:6].lower() == "https:":
            Urllib3(home=self.home).run(queue, settings)
            return
        loop = _Loop(queue, settings)
        try:
            loop.run()
        finally:
            loop.close()


class _Loop:
    """The connections of one carrying, and what they wait for."""

    def __init__(self, queue: RequestQueue, settings: ConnectionSettings) -> None:
        self._queue, self._settings = queue, settings
        self._poller = Poller()
        self._endpoint = Endpoint(
            settings.url, settings.proxy, ssl_context(settings.tls) if settings.url[:6].lower() == "https:" else None
        )
        self._repeated = RepeatedResponse()
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        #: The volley that requests are taken from, what is left of it to send (backwards), and answers not told of yet.
        self._burst: RequestBurst | None = None
        self._messages: list[bytes] = []
        self._completions: dict[RequestBurst, list[Completion]] = {}
        self._soonest = self._resume = math.inf
        self._done = self._free = False
        self._thread = threading.get_ident()
        self._woken = self._closed = False
        self._waker, self._bell = socket.socketpair()
        self._waker.setblocking(False)
        self._bell.setblocking(False)
        self._poller.watch(self._waker.fileno(), READ, None)
        self._resolver = ThreadPoolExecutor(1, thread_name_prefix="sendoff-dns")
        self._resolved: list[tuple[Connection, Any]] = []
        queue.on_change(self._wake)

    def run(self) -> None:
        """Pull, carry and push until the exchange says ``"done"``."""
        self._pull(time.monotonic())
        while self._busy or not self._done:
            until = min(self._soonest, self._resume)
            wait = None if until == math.inf else max(0.0, until - time.monotonic())
            ready = self._poller.wait(wait)
            now = time.monotonic()
            for line, events in ready:
                if line is None:
                    self._rung(now)
                elif line.ready(events):
                    self._settle(line, now)
                elif line.due < self._soonest:
                    self._soonest = line.due
            if now >= self._soonest:
                self._expire(now)
            self._report_completions()
            if self._free or now >= self._resume:
                self._pull(now)

    def close(self) -> None:
        self._closed = True
        for line in (*self._idle, *self._busy):
            line.close()
        self._poller.close()
        self._resolver.shutdown(wait=False, cancel_futures=True)
        self._waker.close()
        self._bell.close()

    # Requests out.

    def _pull(self, now: float) -> None:
        """Take requests while there are connections for them."""
        self._resume, self._free = math.inf, False
        concurrency = self._settings.concurrency
        while len(self._busy) < concurrency:
            if self._burst is not None and self._burst.has_more:
                self._start_burst(self._burst, self._free_connection(now), now)
                continue
            if self._done:
                return
            found = self._queue.next_requests(AHEAD * concurrency)
            now = time.monotonic()  # a token may have been fetched for it
            if found == "done":
                self._done = True
            elif isinstance(found, Wait):
                self._resume = now + found.seconds
                return
            elif isinstance(found, RequestBurst):
                self._burst = found
                self._messages = self._endpoint.messages(found)
            else:
                self._start(found, now)

    def _start(self, request: Request, now: float) -> None:
        try:
            out = self._endpoint.written(request)
        except (ValueError, UnicodeError) as error:
            self._queue.complete(request, Response(error=str(error), may_have_been_sent=False, permanent=True))
            return
        line, deadline = self._free_connection(now), now + request.deadline
        self._soonest = min(self._soonest, deadline)
        line.assign(request, None, request.max_response_bytes, deadline, now)
        line.send_all(out)

    def _start_burst(self, volley: RequestBurst, line: Connection, now: float) -> None:
        """Send the next request of the volley."""
        message = self._messages.pop()
        at = volley.next_ordinal
        volley.next_ordinal = at + 1
        deadline = now + volley.timeout + len(message) / volley.min_upload_rate
        self._soonest = min(self._soonest, deadline)
        line.assign(at, volley, volley.max_response_bytes, deadline, now)
        line.send(message)

    def _free_connection(self, now: float) -> Connection:
        """A line to carry a request, busy from now on; a new one is dialled meanwhile."""
        while self._idle:
            line = self._idle.pop()
            if line.open and not (now - line.freed > _FRESH and line.stale()):
                break
            line.close()
        else:
            line = Connection(self._endpoint, self._poller, self._repeated)
            self._resolver.submit(self._resolve, line)
        self._busy.add(line)
        return line

    def _resolve(self, line: Connection) -> None:
        """In the resolver's thread, as DNS may take long."""
        try:
            found: Any = resolve(*self._endpoint.address, self._settings.address_filter)
        except Exception as error:
            found = error
        self._resolved.append((line, found))
        self._ring()

    # Answers in.

    def _settle(self, line: Connection, now: float) -> None:
        """A line's request is over: take note of its answer, and send the volley's next if there is one."""
        answer, volley = line.outcome, line.burst
        assert answer is not None
        if volley is not None:
            found = self._completions.get(volley)
            if found is None:
                found = self._completions[volley] = []
            found.append((line.load, answer, now - line.began))  # type: ignore[arg-type]  # of a volley it is an ordinal
            if answer.status is None or answer.status >= 300:
                volley.cancelled = True
            if self._burst is not None and self._burst.has_more and line.open:
                self._start_burst(self._burst, line, now)
                return
        request, line.load, line.outcome = line.load, None, None
        self._busy.discard(line)
        self._free = True
        if line.open:
            line.freed = now
            self._idle.append(line)
        if isinstance(request, Request):
            self._queue.complete(request, replace(answer, seconds=now - line.began))

    def _report_completions(self) -> None:
        """Say what came back for volleys."""
        if self._completions:
            landed, self._completions = self._completions, {}
            for volley, found in landed.items():
                self._queue.complete_many(volley, found)

    def _expire(self, now: float) -> None:
        for line in list(self._busy):
            if line.due <= now:
                line.expire(now)
                if line.outcome is not None:
                    self._settle(line, now)
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

    def _rung(self, now: float) -> None:
        with suppress(BlockingIOError):
            self._waker.recv(4096)
        self._woken = False
        while self._resolved:
            line, found = self._resolved.pop()
            if line not in self._busy or line.outcome is not None:
                continue
            if isinstance(found, AddressRefused):
                line.fail(Response(error=str(found), may_have_been_sent=False, permanent=True))
            elif isinstance(found, Exception):
                where = f"the proxy {self._endpoint.address[0]}" if self._endpoint.proxied else self._endpoint.name
                line.fail(
                    Response(
                        error=f"cannot connect to {where}: {found}", may_have_been_sent=False, permanent=self._endpoint.proxied
                    )
                )
            else:
                line.connect(found)
                self._soonest = min(self._soonest, line.due)
            if line.outcome is not None:
                self._settle(line, now)
        self._free = True


@hookimpl
def sendoff_transports() -> list[type[Transport]]:
    return [Http1]
