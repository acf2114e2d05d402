"""Wait until a connection can be read or written: with epoll, or what the platform has instead."""

from __future__ import annotations

import select
import selectors
from typing import Any

#: The values of epoll.
READ, WRITE = 1, 4


class Poller:
    """What `selectors` does, without an object for each event (measured: a third of a microsecond each)."""

    def __init__(self) -> None:
        self._epoll = select.epoll() if hasattr(select, "epoll") else None
        self._selector = None if self._epoll is not None else selectors.DefaultSelector()
        self._known: dict[int, Any] = {}

    def watch(self, fd: int, events: int, who: Any) -> None:
        """Report these events of a file descriptor from now on, with `who`."""
        new = fd not in self._known
        self._known[fd] = who
        if self._epoll is not None:
            (self._epoll.register if new else self._epoll.modify)(fd, events)
        else:
            assert self._selector is not None
            (self._selector.register if new else self._selector.modify)(fd, _to_selectors(events), who)

    def forget(self, fd: int) -> None:
        """Report no more events of a file descriptor."""
        del self._known[fd]
        if self._epoll is not None:
            self._epoll.unregister(fd)
        else:
            assert self._selector is not None
            self._selector.unregister(fd)

    def wait(self, seconds: float | None) -> list[tuple[Any, int]]:
        """Wait for events, at most so many seconds; return who can be read or written."""
        known = self._known
        if self._epoll is not None:
            # A broken connection counts as readable and writable: using it raises the error.
            return [(known[fd], events if events <= 5 else READ | WRITE) for fd, events in self._epoll.poll(seconds)]
        assert self._selector is not None
        return [(key.data, _from_selectors(events)) for key, events in self._selector.select(seconds)]

    def close(self) -> None:
        (self._epoll or self._selector).close()  # type: ignore[union-attr]  # one of the two is there


def _to_selectors(events: int) -> int:
    return (selectors.EVENT_READ if events & READ else 0) | (selectors.EVENT_WRITE if events & WRITE else 0)


def _from_selectors(events: int) -> int:
    return (READ if events & selectors.EVENT_READ else 0) | (WRITE if events & selectors.EVENT_WRITE else 0)
