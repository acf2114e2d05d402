"""Serve HTTP to the outside: one listener, whose bounds hold for every connection and request.

A request's head and its body each have a deadline as a whole, so that one byte now and then keeps nothing open. A handler
sees the head before the body is read: a request that it does not admit is answered and its body is never read. Where there
are too many connections, the one that has waited longest without an admitted request is closed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
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
#: Requests that are handled at once; handlers do not wait for others, but for the disk.
THREADS = 4
#: Seconds that a stop waits for the requests that were admitted.
STOP_SECONDS = 10.0

# Tornado logs each request and each malformed one; without a handler they would go to standard error.
logging.getLogger("tornado").addHandler(logging.NullHandler())


class Handler(RequestHandler):
    """A handler of JSON requests, of which a body is read only once `admit` was called."""

    _held = 0

    @property
    def listener(self) -> Listener:
        found: Listener = self.settings["listener"]
        return found

    @property
    def _connection(self) -> HTTP1Connection:
        return cast("HTTP1Connection", self.request.connection)

    def admit(self, length: int, held: int | None = None) -> bool:
        """Let the body of this request in; False if there is no room for it. `length` bytes come, `held` of them are kept."""
        held = length if held is None else held
        if not self.listener.admit(self._connection.stream, held):
            return False
        self._held = held
        self._connection.set_max_body_size(length)
        self._connection.set_body_timeout(BODY_SECONDS + length / BODY_RATE)
        return True

    async def run_in_thread(self, work: Callable[[], T]) -> T:
        """Do what waits for the disk, beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self.listener.threads, work)

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
        self._release()

    def _release(self) -> None:
        self.listener.release(self._connection.stream, self._held)
        self._held = 0

    def log_exception(self, *raised: object) -> None:
        """What a handler does not catch is answered 500; it is no line of the log, as strangers could write it."""


class _Server(HTTPServer):
    """Tornado's server, with a limit on its connections."""

    listener: Listener

    def handle_stream(self, stream: IOStream, address: tuple[str, int]) -> None:
        if self.listener.enter(stream):
            super().handle_stream(stream, address)
        else:
            stream.close()

    def on_close(self, server_conn: object) -> None:
        self.listener.leave(cast("HTTP1ServerConnection", server_conn).stream)
        super().on_close(server_conn)


class Listener:
    """Serves handlers at an address, in a thread of its own, until closed. Raises `OSError` for an address it cannot have.

    `max_bytes` is how much of admitted bodies may be held at once, `port` the port in use.
    """

    def __init__(
        self,
        routes: list[tuple[str, type[Handler], dict[str, object]]],
        host: str,
        port: int,
        *,
        max_bytes: int = 64 << 20,
        max_connections: int = MAX_CONNECTIONS,
        head_seconds: float = HEAD_SECONDS,
    ) -> None:
        self._max_bytes, self._bytes = max_bytes, 0
        self._max_connections = max_connections
        #: The open connections: those without an admitted request in the order in which they began to wait.
        self._waiting: dict[IOStream, None] = {}
        self._admitted: set[IOStream] = set()
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="sendoff-web")
        self._sockets = bind_sockets(port, host)
        self.port: int = self._sockets[0].getsockname()[1]
        self._head_seconds = head_seconds
        app = Application(routes, listener=self, log_function=lambda handler: None)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(app)), name="sendoff-web", daemon=True)
        self._thread.start()
        self._ready.wait()

    async def _serve(self, app: Application) -> None:
        self._loop, self._stopped, self._none_admitted = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        server = _Server(
            app,
            idle_connection_timeout=self._head_seconds,
            body_timeout=BODY_SECONDS,
            max_header_size=MAX_HEAD,
            max_body_size=0,  # until a handler admits a body
        )
        server.listener = self
        server.add_sockets(self._sockets)
        self._ready.set()
        await self._stopped.wait()
        server.stop()
        if self._admitted:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._none_admitted.wait(), STOP_SECONDS)
        await server.close_all_connections()

    def close(self) -> None:
        """Accept nothing more, wait for the requests that were admitted, and close every connection."""
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()
        self.threads.shutdown(wait=True)

    def enter(self, stream: IOStream) -> bool:
        """Let a connection in, in the place of the one that has waited longest if there are too many; False if all are busy."""
        if len(self._waiting) + len(self._admitted) >= self._max_connections:
            longest = next(iter(self._waiting), None)
            if longest is None:
                return False
            del self._waiting[longest]
            longest.close()
        self._waiting[stream] = None
        return True

    def leave(self, stream: IOStream) -> None:
        """A connection is closed."""
        self._settle(stream)
        self._waiting.pop(stream, None)

    def admit(self, stream: IOStream, held: int) -> bool:
        """Whether there is room for so many bytes of a body; if so, they count until released."""
        if held and self._bytes + held > self._max_bytes:
            return False
        self._bytes += held
        self._waiting.pop(stream, None)
        self._admitted.add(stream)
        return True

    def release(self, stream: IOStream, held: int) -> None:
        """A request is over; its connection waits for the next one."""
        self._bytes -= held
        if stream in self._admitted:
            self._settle(stream)
            self._waiting[stream] = None

    def _settle(self, stream: IOStream) -> None:
        self._admitted.discard(stream)
        if self._stopped.is_set() and not self._admitted:
            self._none_admitted.set()
