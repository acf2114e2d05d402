"""Serve HTTP to the outside: one listener, whose bounds hold for every connection and request.

A request's head and its body each have a deadline as a whole, which sending slowly does not extend. A handler sees the head
before the body is read, and admits the request or not: a body that is not admitted is never kept. Where there are too many
connections, the one that has waited longest is closed, but none whose request is admitted.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar, cast

from tornado.http1connection import HTTP1Connection, HTTP1ServerConnection
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

T = TypeVar("T")

#: Seconds from the start of a connection, or from its last response, to the end of the next request's head.
HEAD_SECONDS = 30.0
#: Seconds for an admitted body: so many, and one more for each `BODY_RATE` bytes of it.
BODY_SECONDS, BODY_RATE = 30.0, 50_000
#: Bytes of a request's head.
MAX_HEAD = 16_384
#: Connections that are open at once.
MAX_CONNECTIONS = 500
#: Of these, connections of one group (the posts to one inbox, say) whose request is admitted.
MAX_ADMITTED = 50
#: Seconds that are waited for a body that is thrown away.
DISCARD_SECONDS = 2.0
#: Requests that are handled at once; handlers do not wait for others, but for the disk.
THREADS = 4
#: Seconds that a stop waits for the requests that were admitted.
STOP_SECONDS = 10.0

# Tornado logs each request and each malformed one; without a handler they would go to standard error.
logging.getLogger("tornado").addHandler(logging.NullHandler())


class Handler(RequestHandler):
    """A handler of JSON requests, of which a body is read only once `admit` or `discard` was called."""

    _group: str | None = None
    _held = 0
    _is_working = _is_closed = False

    @property
    def listener(self) -> Listener:
        found: Listener = self.settings["listener"]
        return found

    @property
    def _connection(self) -> HTTP1Connection:
        return cast("HTTP1Connection", self.request.connection)

    def admit(self, group: str, length: int, most: int) -> bool:
        """Read the body of this request, of so many bytes; False if its group has no room for it.

        The bodies of a group that are held at once have `most` bytes, and a group has `MAX_ADMITTED` connections.
        """
        if not self.listener.reserve(self._connection.stream, group, length, most):
            return False
        self._group, self._held = group, length
        self._connection.set_max_body_size(length)
        self._connection.set_body_timeout(BODY_SECONDS + length / BODY_RATE)
        return True

    def discard(self, length: int, then: Callable[[], None]) -> None:
        """Read a body and throw it away, and go on when it has come, or after `DISCARD_SECONDS`.

        A response before that would be lost to most clients: the connection is closed behind it while they still write.
        """
        self._connection.set_max_body_size(length)
        self._connection.set_body_timeout(2 * DISCARD_SECONDS)
        asyncio.get_running_loop().call_later(DISCARD_SECONDS, lambda: None if self._finished or self._is_closed else then())

    async def run_in_thread(self, work: Callable[[], T]) -> T:
        """Do what waits for the disk, beside the event loop. The body counts as held until it is done."""
        self._is_working = True
        try:
            return await asyncio.get_running_loop().run_in_executor(self.listener.threads, work)
        finally:
            self._is_working = False
            self._release()

    def respond(self, status: int, content: Mapping[str, object], headers: Mapping[str, str] | None = None) -> None:
        """Answer with JSON. If the body has not been read, the connection is closed after it."""
        self.set_status(status)
        for name, value in (headers or {}).items():
            self.set_header(name, value)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(content))

    def write_error(self, status_code: int, **reason: object) -> None:
        self.respond(status_code, {"error": self._reason})

    def set_default_headers(self) -> None:
        self.clear_header("Server")

    def on_finish(self) -> None:
        self._release()

    def on_connection_close(self) -> None:
        self._is_closed = True
        self._release()

    def _release(self) -> None:
        if self._group is not None and not self._is_working:
            self.listener.request_ended(self._connection.stream, self._group, self._held)
            self._group = None

    def log_exception(self, *raised: object) -> None:
        """What a handler does not catch is answered 500; it is no line of the log, as strangers could write it."""


class _Server(HTTPServer):
    """Tornado's server, with a limit on its connections."""

    listener: Listener

    def handle_stream(self, stream: IOStream, address: tuple[str, int]) -> None:
        if self.listener.connection_opened(stream):
            super().handle_stream(stream, address)
        else:
            stream.close()

    def on_close(self, server_conn: object) -> None:
        self.listener.connection_closed(cast("HTTP1ServerConnection", server_conn).stream)
        super().on_close(server_conn)


class Listener:
    """Serves handlers at an address, in a thread of its own, until closed. Raises `OSError` for an address it cannot have.

    `port` is the port in use. A connection waits, for a request's head or for the next request; or its request is admitted:
    the handler has agreed to read its body. Only those that wait are closed to make room for others.
    """

    def __init__(
        self,
        routes: list[tuple[str, type[Handler], dict[str, object]]],
        host: str,
        port: int,
        *,
        max_connections: int = MAX_CONNECTIONS,
        head_seconds: float = HEAD_SECONDS,
    ) -> None:
        self._max_connections = max_connections
        #: The connections that wait, in the order in which they began to.
        self._waiting: dict[IOStream, None] = {}
        #: Those whose request is admitted, with its group; and the bytes of bodies that each group holds.
        self._admitted: dict[IOStream, str] = {}
        self._bytes: Counter[str] = Counter()
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="sendoff-web")
        self._sockets = bind_sockets(port, host)
        self.port: int = self._sockets[0].getsockname()[1]
        self._head_seconds = head_seconds
        app = Application(routes, listener=self, log_function=lambda handler: None)
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(app,), name="sendoff-web", daemon=True)
        self._thread.start()
        self._started.wait()

    def _run(self, app: Application) -> None:
        try:
            asyncio.run(self._serve(app))
        finally:
            self._started.set()

    async def _serve(self, app: Application) -> None:
        self._loop, self._stopped, self._idle = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        server = _Server(
            app,
            idle_connection_timeout=self._head_seconds,
            body_timeout=BODY_SECONDS,
            max_header_size=MAX_HEAD,
            max_body_size=0,  # until a handler admits a body
        )
        server.listener = self
        server.add_sockets(self._sockets)
        self._started.set()
        await self._stopped.wait()
        server.stop()
        if self._admitted:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), STOP_SECONDS)
        await server.close_all_connections()

    def close(self) -> None:
        """Accept nothing more, wait for the requests that were admitted, and close every connection."""
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()
        self.threads.shutdown(wait=True)

    def connection_opened(self, stream: IOStream) -> bool:
        """Let a connection in, in the place of the one that has waited longest if there are too many; False if none waits."""
        if len(self._waiting) + len(self._admitted) >= self._max_connections:
            longest = next(iter(self._waiting), None)
            if longest is None:
                return False
            del self._waiting[longest]
            longest.close()
        self._waiting[stream] = None
        return True

    def connection_closed(self, stream: IOStream) -> None:
        """Forget a connection."""
        self._waiting.pop(stream, None)
        self._forget_admitted(stream)

    def reserve(self, stream: IOStream, group: str, held: int, most: int) -> bool:
        """Whether a group has room for a request with so many bytes; if so, it is admitted, and they count until it ends."""
        if self._bytes[group] + held > most or list(self._admitted.values()).count(group) >= MAX_ADMITTED:
            return False
        self._bytes[group] += held
        self._waiting.pop(stream, None)
        self._admitted[stream] = group
        return True

    def request_ended(self, stream: IOStream, group: str, held: int) -> None:
        """An admitted request is over; its connection waits for the next one."""
        self._bytes[group] -= held
        if stream in self._admitted:
            self._forget_admitted(stream)
            self._waiting[stream] = None

    def _forget_admitted(self, stream: IOStream) -> None:
        self._admitted.pop(stream, None)
        if self._stopped.is_set() and not self._admitted:
            self._idle.set()
