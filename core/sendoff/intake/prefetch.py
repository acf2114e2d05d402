"""Prefetch: an iterator whose next items are produced in a thread of their own."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from queue import Queue
from typing import TypeVar, cast

T = TypeVar("T")

_END = object()


def prefetch(items: Iterable[T], limit: int = 1) -> Iterator[T]:
    """The same items, up to `limit` of them produced ahead.

    An exception of the iterable is raised where it would have been. Closing the generator stops the thread.
    """
    made: Queue[tuple[object, BaseException | None]] = Queue(limit)
    stopped = threading.Event()

    def make() -> None:
        try:
            for item in items:
                made.put((item, None))
                if stopped.is_set():
                    return
            made.put((_END, None))
        except BaseException as error:
            made.put((_END, error))

    thread = threading.Thread(target=make, name="sendoff-ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error = made.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield cast("T", item)
    finally:
        stopped.set()
        while thread.is_alive():  # it may wait for room
            while not made.empty():
                made.get_nowait()
            thread.join(0.01)
