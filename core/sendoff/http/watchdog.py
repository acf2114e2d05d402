"""A watchdog over attempts: a total deadline, which no socket's time-out can be.

A time-out on a socket is for each read. A response that trickles in resets it with every byte, so it
would hold an attempt for ever. The watchdog shuts the line itself down when the time is over.
"""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Watch:
    """One attempt, as the watchdog sees it: the connection it is on, whether that was lost, and whether its time ran out."""

    def __init__(self) -> None:
        self.expired = False
        self.connected = False
        #: The connection had carried another request, and failed before a byte came back.
        self.connection_lost = False
        self._over = self._released = False
        self._line: socket.socket | None = None
        self._lock = threading.Lock()

    def on(self, line: socket.socket | None) -> None:
        with self._lock:
            if self._released and self._line is not None and line is not self._line:
                self._line.close()
            self._line, self.connected, self._released = line, True, False
            if self.expired:
                self._cut()

    def expire(self) -> None:
        with self._lock:
            if not self._over:
                self.expired = True
                self._cut()

    def release(self, line: socket.socket) -> bool:
        """The connection needs the line no more: whether the attempt closes it at its end, as a response is still read."""
        with self._lock:
            self._released = not self._over and line is self._line
            return self._released

    def end(self) -> None:
        with self._lock:
            self._over = True
            if self._released and self._line is not None:
                self._line.close()

    def _cut(self) -> None:
        if self._line is not None:
            with suppress(OSError):  # it may be gone already
                self._line.shutdown(socket.SHUT_RDWR)


class Watchdog:
    """A thread that ends attempts whose time is over."""

    def __init__(self) -> None:
        self.current = threading.local()
        self._due: dict[Watch, float] = {}
        self._wakes = math.inf
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="sendoff-watchdog", daemon=True)
        self._thread.start()

    @contextmanager
    def watch(self, seconds: float) -> Iterator[Watch]:
        """Watch over one attempt of this thread."""
        self.current.watch = watch = Watch()
        due = time.monotonic() + seconds
        with self._changed:
            self._due[watch] = due
            if due < self._wakes:
                self._changed.notify()
        try:
            yield watch
        finally:
            watch.end()
            with self._changed:
                del self._due[watch]

    def release(self, line: socket.socket) -> None:
        """Close a line that its connection needs no more: at once, or at the end of the attempt of this thread on it."""
        watch: Watch | None = getattr(self.current, "watch", None)
        if watch is None or not watch.release(line):
            line.close()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                for watch, due in self._due.items():
                    if due <= now:
                        watch.expire()
                self._wakes = min((due for due in self._due.values() if due > now), default=math.inf)
                self._changed.wait(None if self._wakes == math.inf else self._wakes - now)
