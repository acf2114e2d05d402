"""How fast a run goes, and how long it takes still."""

from __future__ import annotations

from collections import deque

#: Seconds that the rate is measured over.
WINDOW = 60.0
#: A pause that is longer than this says nothing about how fast the API takes records.
LONG_PAUSE = 2.0
#: How much of the difference a new estimate of the time left makes up for in a second.
_CATCH_UP = 0.2


class Throughput:
    """Measures settled records a second, without long pauses, and smooths the time left."""

    def __init__(self, now: float, settled: int) -> None:
        self._last = now
        self._active = 0.0
        self._points = deque([(0.0, settled)])
        self._left: float | None = None
        self._left_at = now

    def note(self, now: float, settled: int) -> None:
        """So many records are settled."""
        if settled == self._points[-1][1]:
            return
        gap, self._last = now - self._last, now
        self._active += min(gap, LONG_PAUSE) if len(self._points) > 1 else gap
        self._points.append((self._active, settled))
        while len(self._points) > 2 and self._active - self._points[1][0] > WINDOW:
            self._points.popleft()

    @property
    def rate(self) -> float:
        """Records a second."""
        (then, before), (now, settled) = self._points[0], self._points[-1]
        return (settled - before) / (now - then) if now > then else 0.0

    def seconds_left(self, now: float, records: float, wait: float = 0.0) -> float | None:
        """Seconds until so many more records are settled, after a wait; None if nothing shows it yet."""
        if not self.rate:
            return None
        found, passed = records / self.rate + wait, now - self._left_at
        if self._left is None:
            self._left, self._left_at = found, now
        elif passed > 0:
            expected = max(0.0, self._left - passed)
            self._left, self._left_at = expected + (found - expected) * min(1.0, _CATCH_UP * passed), now
        return self._left
