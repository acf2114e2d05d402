"""A server made of bytes: each connection is a script, so that it can break any rule of HTTP."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Self

Script = Callable[[socket.socket], None]


class Wire:
    """Listens on 127.0.0.1; the n-th connection runs the n-th script, and the last one every further."""

    def __init__(self, *scripts: Script) -> None:
        self._scripts = scripts
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/x"
        #: How many connections came, and every request's raw bytes.
        self.connections = 0
        self.requests: list[bytes] = []
        self._closed = False
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        self._listener.close()

    def _serve(self) -> None:
        while not self._closed:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            script = self._scripts[min(self.connections, len(self._scripts) - 1)]
            self.connections += 1
            threading.Thread(target=self._run, args=(script, line), daemon=True).start()

    def _run(self, script: Script, line: socket.socket) -> None:
        with line:
            try:
                line.settimeout(30)
                self.requests.append(request(line))
                script(line)
            except OSError:
                pass  # the client has had enough


def request(line: socket.socket) -> bytes:
    """One request, to its last byte."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        data = line.recv(65536)
        if not data:
            raise OSError
        raw += data
    head, _, body = raw.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
    while len(body) < length:
        body += line.recv(65536)
    return head + b"\r\n\r\n" + body


def saying(raw: bytes, *, hold: float = 0) -> Script:
    """Answer with these bytes, hold the line for some seconds, and hang up."""

    def script(line: socket.socket) -> None:
        line.sendall(raw)
        if hold:
            line.settimeout(hold)
            line.recv(1)

    return script


def trickling(raw: bytes, every: float = 0.05) -> Script:
    """Answer one byte at a time, for ever if the answer is."""

    def script(line: socket.socket) -> None:
        for byte in raw:
            line.sendall(bytes([byte]))
            time.sleep(every)

    return script


def resetting(line: socket.socket) -> None:
    """Hang up with a reset."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


def silent(line: socket.socket) -> None:
    """Take the request and say nothing."""
    line.settimeout(30)
    line.recv(1)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
