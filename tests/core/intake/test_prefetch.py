"""Items made ahead are the same items, and nobody is left behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from sendoff.intake.prefetch import prefetch


def test_the_items_come_in_order_and_an_error_in_its_place() -> None:
    def items() -> Iterator[int]:
        yield from range(5)
        raise LookupError("broken")

    found = prefetch(items())
    assert [next(found) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(LookupError, match="broken"):
        next(found)
    assert list(prefetch(range(100))) == list(range(100))


def test_who_stops_asking_stops_the_making() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for at in range(1_000_000):
            made.append(at)
            yield at

    found = prefetch(items())
    next(found)
    found.close()  # type: ignore[attr-defined]  # a generator's
    assert not [thread for thread in threading.enumerate() if thread.name == "sendoff-ahead"]
    assert len(made) < 100
