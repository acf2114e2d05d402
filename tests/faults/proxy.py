"""A network that misbehaves: a proxy for bytes, between sendoff and an API, that delays, slows, slices, cuts and holds them.

Each connection has its own `Weather`, chosen by its number. What a router, a load balancer or a bad cable does is
done here in one process, and at an exact byte.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Weather:
    """What happens to one connection. "Up" is towards the API, "down" is back to sendoff; bytes are counted for each."""

    #: Seconds that every packet waits.
    latency: float = 0.0
    #: Bytes a second, each way; 0 for as fast as can be.
    rate: int = 0
    #: Packets are cut into slices of so many bytes.
    slices: int = 0
    #: After so many bytes the connection is reset, both ways.
    cut_up: int | None = None
    cut_down: int | None = None
    #: After so many bytes nothing more passes, and nobody is told.
    hold_up: int | None = None
    hold_down: int | None = None
    #: Seconds between the end of one side and its being passed on.
    slow_close: float = 0.0
    #: Called once so many bytes have passed.
    at_up: tuple[int, Callable[[], None]] | None = None
    at_down: tuple[int, Callable[[], None]] | None = None


FINE = Weather()


class Proxy:
    """Listens on 127.0.0.1 and passes bytes to a port there, in the weather of the n-th connection."""

    def __init__(self, port: int, weather: Callable[[int], Weather]) -> None:
        self._target, self._weather = port, weather
        self.connections = 0
        self._loop = asyncio.new_event_loop()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)
        self._stop = asyncio.Event()
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self._loop.close()

    async def _serve(self) -> None:
        lines: set[asyncio.Task[Any]] = set()

        def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            task = self._loop.create_task(self._line(reader, writer, self._weather(self.connections - 1)))
            lines.add(task)
            task.add_done_callback(lines.discard)

        server = await asyncio.start_server(meet, sock=self._listener)
        await self._stop.wait()
        server.close()
        for task in lines:
            task.cancel()
        await asyncio.gather(*lines, return_exceptions=True)

    async def _line(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, weather: Weather) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            _reset(writer)
            return
        up = _Way(reader, back, weather, weather.cut_up, weather.hold_up, weather.at_up)
        down = _Way(there, writer, weather, weather.cut_down, weather.hold_down, weather.at_down)
        try:
            await asyncio.gather(up.carry(), down.carry())
        except OSError:
            pass  # one side is gone, so the other goes too
        finally:
            _reset(writer)
            _reset(back)


class _Way:
    """The bytes of one direction."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, weather: Weather,
        cut: int | None, hold: int | None, at: tuple[int, Callable[[], None]] | None,
    ) -> None:  # fmt: skip
        self._reader, self._writer, self._weather = reader, writer, weather
        self._cut, self._hold, self._at = cut, hold, at
        self._passed = 0

    async def carry(self) -> None:
        while data := await self._reader.read(65_536):
            size = self._weather.slices or len(data)
            for start in range(0, len(data), size):
                await self._pass(data[start : start + size])
        await asyncio.sleep(self._weather.slow_close)
        if self._writer.can_write_eof():
            self._writer.write_eof()

    async def _pass(self, data: bytes) -> None:
        if self._weather.latency:
            await asyncio.sleep(self._weather.latency)
        if self._weather.rate:
            await asyncio.sleep(len(data) / self._weather.rate)
        ends = [at - self._passed for at in (self._cut, self._hold, self._at and self._at[0]) if at is not None]
        data, rest = data[: max(0, min([*ends, len(data)]))], data[max(0, min([*ends, len(data)])) :]
        self._writer.write(data)
        await self._writer.drain()
        self._passed += len(data)
        if self._at is not None and self._passed >= self._at[0]:
            call, self._at = self._at[1], None
            call()
        if self._cut is not None and self._passed >= self._cut:
            raise ConnectionResetError
        if self._hold is not None and self._passed >= self._hold:
            await asyncio.Event().wait()
        if rest:
            await self._pass(rest)


def _reset(writer: asyncio.StreamWriter) -> None:
    """End with a reset, so that nothing that waits in a buffer is delivered after all."""
    line = writer.get_extra_info("socket")
    if line is not None and line.fileno() >= 0:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    writer.transport.abort()
