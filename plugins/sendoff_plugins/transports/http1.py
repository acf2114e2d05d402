"""HTTP/1.1 on one loop: many keep-alive connections, no thread, task or future for any request.

The loop waits on epoll; it pulls a request from the queue whenever a connection is free, and completes it as soon as its
response is whole. Requests are never pipelined.
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

from sendoff.plugin import (
    AddressRefused,
    Completion,
    ConnectionSettings,
    Request,
    RequestBurst,
    RequestQueue,
    Response,
    Span,
    Transport,
    Wait,
    describe_failure,
    hookimpl,
    resolve,
    ssl_context,
)
from sendoff_plugins.transports._http1.connection import Connection, RepeatedResponse
from sendoff_plugins.transports._http1.endpoint import Endpoint
from sendoff_plugins.transports._http1.poller import READ, Poller
from sendoff_plugins.transports.urllib3 import Urllib3

#: Connections closed after their first response, without a word in it, after which none is used twice.
_CLOSED_EARLY = 2
#: Requests pulled at once for each connection: few enough that a retry need not wait long for its turn.
AHEAD = 4


class Http1(Transport):
    """Send requests over HTTP/1.1 on one loop: the fastest."""

    name = "http1"
    default_for = ("destinations",)

    def run(self, queue: RequestQueue, settings: ConnectionSettings) -> None:
        """Send requests from this thread, over as many connections as may be in flight.

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
    """The connections of one run of the transport, and what they wait for."""

    def __init__(self, queue: RequestQueue, settings: ConnectionSettings) -> None:
        self._queue, self._settings = queue, settings
        self._poller = Poller()
        self._endpoint = Endpoint(
            settings.url, settings.proxy, ssl_context(settings.tls) if settings.url[:6].lower() == "https:" else None
        )
        self._repeated = RepeatedResponse()
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        #: The burst being sent, its messages that are not sent yet (the last first), and responses not reported yet.
        self._burst: RequestBurst | None = None
        self._messages: list[bytes] = []
        self._completions: dict[RequestBurst, list[Completion]] = {}
        self._soonest = self._resume = math.inf
        self._done = self._free = self._waits = False
        self._closed_early = 0
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
        """Pull requests, send them and complete them until the queue says ``"done"``."""
        self._pull(time.monotonic())
        while self._busy or not self._done:
            until = min(self._soonest, self._resume)
            wait = None if until == math.inf else max(0.0, until - time.monotonic())
            self._waits = True
            ready = self._poller.wait(0.0 if self._free else wait)  # a signal may have come since the pull
            self._waits = False
            now = time.monotonic()
            self._obey_cancellation()
            for connection, events in ready:
                if connection is None:
                    self._on_wake(now)
                elif connection.ready(events):
                    self._settle(connection, now)
                elif connection.due < self._soonest:
                    self._soonest = connection.due
            if now >= self._soonest:
                self._expire(now)
            self._report_completions()
            if self._free or now >= self._resume:
                self._pull(now)

    def close(self) -> None:
        self._closed = True
        for connection in (*self._idle, *self._busy):
            connection.close()
        self._poller.close()
        self._resolver.shutdown(wait=False, cancel_futures=True)
        self._waker.close()
        self._bell.close()

    # Requests.

    def _pull(self, now: float) -> None:
        """Pull requests while there are connections for them."""
        self._resume, self._free = math.inf, False
        concurrency = self._settings.concurrency
        self._obey_cancellation()
        while len(self._busy) < concurrency:
            if self._burst is not None and self._messages:
                if len(self._busy) >= self._burst.concurrency:
                    return
                self._start_burst(self._burst, self._free_connection(now), now)
                continue
            if self._done:
                return
            found = self._queue.next_requests(AHEAD)
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
            out = self._endpoint.serialize(request)
        except (ValueError, UnicodeError) as error:
            self._queue.complete(request, Response(error=str(error), may_have_been_sent=False, permanent=True))
            return
        connection, deadline = self._free_connection(now), now + request.deadline
        self._soonest = min(self._soonest, deadline)
        connection.assign(request, None, request.max_response_bytes, deadline, now)
        connection.send_all(out)

    def _start_burst(self, burst: RequestBurst, connection: Connection, now: float) -> None:
        """Send the next request of the burst."""
        at = burst.span.hi - len(self._messages)
        message = self._messages.pop()
        deadline = now + burst.timeout + len(message) / burst.min_upload_rate
        self._soonest = min(self._soonest, deadline)
        connection.assign(at, burst, burst.max_response_bytes, deadline, now)
        connection.send(message)

    def _obey_cancellation(self) -> None:
        """Send no more of the burst if the queue has cancelled it."""
        if self._messages and self._burst is not None and self._queue.is_cancelled(self._burst):
            self._return_unsent()

    def _return_unsent(self) -> None:
        """Give back to the queue what is not sent of the burst."""
        burst, unsent, self._messages = self._burst, len(self._messages), []
        if burst is not None and unsent:
            self._queue.return_unsent(burst, Span(burst.span.hi - unsent, burst.span.hi))

    def _free_connection(self, now: float) -> Connection:
        """An idle connection, or a new one that is connecting; it is busy from now on."""
        connection = None
        while self._idle and connection is None:
            idle = self._idle.pop()
            if idle.open and self._closed_early < _CLOSED_EARLY and not idle.stale():
                connection = idle
            else:
                idle.close()
        if connection is None:
            connection = Connection(self._endpoint, self._poller, self._repeated)
            self._resolver.submit(self._resolve, connection)
        self._busy.add(connection)
        return connection

    def _resolve(self, connection: Connection) -> None:
        """Look up the address; in a thread of its own, as DNS may take long."""
        try:
            found: Any = resolve(*self._endpoint.address, self._settings.address_filter)
        except Exception as error:
            found = error
        self._resolved.append((connection, found))
        self._ring()

    # Responses.

    def _settle(self, connection: Connection, now: float) -> None:
        """Note the response of a connection's request, and send the next request of the burst if there is one."""
        response, burst = connection.outcome, connection.burst
        assert response is not None
        if response.connection_lost and connection.carried == 2:
            self._closed_early += 1
        elif self._closed_early >= _CLOSED_EARLY:
            connection.close()
        if burst is not None:
            found = self._completions.get(burst)
            if found is None:
                found = self._completions[burst] = []
            found.append((connection.load, response, now - connection.began))  # type: ignore[arg-type]  # of a burst it is an ordinal
            if burst is self._burst and (response.status is None or response.status >= 300):
                self._return_unsent()
            if self._burst is not None and self._messages and connection.open:
                if not connection.stale():
                    self._start_burst(self._burst, connection, now)
                    return
                connection.close()
        request, connection.load, connection.outcome = connection.load, None, None
        self._busy.discard(connection)
        self._free = True
        if connection.open:
            self._idle.append(connection)
        if isinstance(request, Request):
            self._queue.complete(request, replace(response, seconds=now - connection.began))

    def _report_completions(self) -> None:
        """Complete the requests of bursts that have their responses."""
        if self._completions:
            completions, self._completions = self._completions, {}
            for burst, found in completions.items():
                self._queue.complete_many(burst, found)

    def _expire(self, now: float) -> None:
        for connection in list(self._busy):
            if connection.due <= now:
                connection.expire(now)
                if connection.outcome is not None:
                    self._settle(connection, now)
        self._soonest = min((connection.due for connection in self._busy), default=math.inf)

    # Waking the loop from other threads.

    def _wake(self) -> None:
        """Make the loop pull again: from another thread, or from a signal handler while the loop waits in its own."""
        if self._waits or threading.get_ident() != self._thread:
            self._ring()
        else:
            self._free = True

    def _ring(self) -> None:
        if not self._woken and not self._closed:
            self._woken = True
            with suppress(OSError):
                self._bell.send(b"\0")

    def _on_wake(self, now: float) -> None:
        with suppress(BlockingIOError):
            self._waker.recv(4096)
        self._woken = False
        while self._resolved:
            connection, found = self._resolved.pop()
            if connection not in self._busy or connection.outcome is not None:
                continue
            if isinstance(found, AddressRefused):
                connection.fail(Response(error=str(found), may_have_been_sent=False, permanent=True))
            elif isinstance(found, Exception):
                where = f"the proxy {self._endpoint.address[0]}" if self._endpoint.proxied else self._endpoint.name
                error = f"cannot connect to {where}: {describe_failure(found)}"
                connection.fail(Response(error=error, may_have_been_sent=False, permanent=self._endpoint.proxied))
            else:
                connection.connect(found)
                self._soonest = min(self._soonest, connection.due)
            if connection.outcome is not None:
                self._settle(connection, now)
        self._free = True


@hookimpl
def sendoff_transports() -> list[type[Transport]]:
    return [Http1]
