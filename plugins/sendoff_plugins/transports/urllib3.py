"""Requests by urllib3: pooled keep-alive connections, one thread for each request under way.

urllib3's own retries and redirects are off, as the engine owns both. Its timeouts are per read, so
a response that trickles in would outlive any of them (measured: 10.8 s with a timeout of 3): a
watchdog shuts the connection down when the whole attempt's time is over. Large bodies go out in
slices of 1 MiB with a Content-Length, uncopied.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from typing import Any

import urllib3

from sendoff.plugin import (
    CONNECT_TIMEOUT,
    ConnectionSettings,
    Request,
    RequestQueue,
    Response,
    Transport,
    Wait,
    Watchdog,
    hookimpl,
    make_pool,
    read_bounded,
    response_from_error,
)

SLICE = 1 << 20
JOINED = 64 << 10


class Urllib3(Transport):
    """Send requests with urllib3: the most proven transport."""

    name = "urllib3"
    default_for = ("tls_proxies",)

    def run(self, queue: RequestQueue, settings: ConnectionSettings) -> None:
        """Send requests from threads which pull from the queue: as many as are needed, and at most as may be in flight."""
        watchdog = Watchdog()
        pool = make_pool(settings, watchdog)
        try:
            _Workers(queue, settings.concurrency, lambda request: self._attempt(request, pool, watchdog)).run()
        finally:
            watchdog.close()
            pool.clear()

    def _attempt(self, request: Request, pool: Any, watchdog: Watchdog) -> Response:
        started = time.monotonic()
        with watchdog.watch(request.deadline) as watch:
            try:
                response = self._send(request, pool)
            except Exception as error:
                response = replace(response_from_error(error, request.url), connection_lost=watch.connection_lost)
            # A socket's own time-out may come a moment before the watchdog: it is the same deadline.
            early = response.status is None and not response.permanent and time.monotonic() - started >= request.deadline
            if watch.expired or early:
                sent = watch.connected if watch.expired else response.may_have_been_sent
                waiting = "no complete response" if sent else "no connection and no response"
                response = Response(error=f"{waiting} within {request.deadline:.3g} seconds", may_have_been_sent=sent)
        return replace(response, seconds=time.monotonic() - started)

    def _send(self, request: Request, pool: Any) -> Response:
        origin, target = _target(request.url)
        # A proxy may want the whole URL and headers of its own, which the manager knows.
        to, target = (pool, request.url) if pool.proxy is not None else (pool.connection_from_url(origin), target)
        response = to.urlopen(
            request.method,
            target,
            body=_body(request),
            headers={**request.headers, "Content-Length": str(request.body_length)},
            retries=False,
            redirect=False,
            preload_content=False,
            # The watchdog comes first; urllib3's own timeout is there in case it does not.
            timeout=urllib3.Timeout(connect=min(CONNECT_TIMEOUT, request.deadline), read=request.deadline + 1),
        )
        try:
            body, whole = read_bounded(response, request.max_response_bytes)
        finally:
            # What was not read to its end must not be read by the next request.
            if response.closed or response._fp is None or response._fp.closed:
                response.release_conn()
            else:
                response.close()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Response(response.status, headers, body, truncated=not whole)


class _Workers:
    """Threads that each send one request at a time. One that gets a request starts another, unless one is idle already."""

    def __init__(self, queue: RequestQueue, most: int, attempt: Callable[[Request], Response]) -> None:
        self._queue, self._most, self._attempt = queue, most, attempt
        self._threads: list[threading.Thread] = []
        self._waiting = 0
        self._lock = threading.Lock()

    def run(self) -> None:
        """Send requests until the queue says ``"done"`` to each thread."""
        self._start()
        for thread in self._threads:  # the list may grow meanwhile: only a running thread adds to it
            thread.join()

    def _start(self) -> None:
        with self._lock:
            if self._waiting or len(self._threads) == self._most:
                return
            thread = threading.Thread(target=self._work, name=f"sendoff-urllib3-{len(self._threads)}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def _work(self) -> None:
        while (request := self._queue.next_request()) != "done":
            if isinstance(request, Wait):
                with self._lock:
                    self._waiting += 1
                self._queue.wait(request.seconds)
                with self._lock:
                    self._waiting -= 1
            else:
                with suppress(RuntimeError):  # the system allows no more threads: those that run do the work
                    self._start()
                self._queue.complete(request, self._attempt(request))


@lru_cache(maxsize=1024)
def _target(url: str) -> tuple[str, str]:
    """The URL's origin, and its path and query, which is what goes on the request line."""
    parts = urllib3.util.parse_url(url)
    return f"{parts.scheme}://{parts.netloc}", parts.request_uri


def _body(request: Request) -> bytes | Iterator[memoryview]:
    if request.body_length <= JOINED:
        return b"".join(request.body)
    return (memoryview(part)[at : at + SLICE] for part in request.body for at in range(0, len(part), SLICE))


@hookimpl
def sendoff_transports() -> list[type[Transport]]:
    return [Urllib3]
