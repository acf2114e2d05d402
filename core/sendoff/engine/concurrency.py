"""The limit of concurrent requests, adapted to what the destination takes.

`AdaptiveLimit` doubles while throughput grows, then rises by steps. A step that does not pay is taken back, and
an overload response makes it back off at once. Slower responses alone do not lower it: many APIs respond more
slowly under load and still do more. A `concurrency` that is a number is the most: the limit starts there. An API
that is overloaded by one request at a time counts requests a second: then a gap is kept between them, found likewise.
"""

from __future__ import annotations

#: Where `concurrency: auto` starts, and what it may rise to.
START, MAX_CONCURRENCY = 4, 64
#: A larger limit must let this share of its growth through in addition, or it is taken back.
WORTH = 0.2
BACK_OFF = 0.9
#: Overloads in one round that lower the limit; one alone may be any fault.
OVERLOADS = 2
#: The gap between requests, in seconds: the first, the most, and by how much it grows and shrinks.
FIRST_GAP, MAX_GAP, GAP_GROWTH, GAP_SHRINK = 0.005, 10.0, 1.25, 0.9
_ROUND = 12
#: Rounds that a limit is kept after a larger one did not pay.
_COOLDOWN_ROUNDS = 8


class AdaptiveLimit:
    """A limit that settles where a larger one would not raise throughput.

    A round is a few responses at one limit; its throughput is compared with that of the last smaller limit.
    """

    def __init__(self, most: int = MAX_CONCURRENCY, *, start: int = START) -> None:
        self.limit = start
        self._max = most
        self._doubling = True
        #: Seconds between the starts of two requests, where one at a time is still too many.
        self.gap = 0.0
        #: Responses to come to requests that were sent before the limit was lowered.
        self._sent_before = 0
        #: The limit before the last step up, and the answers a second it got through.
        self._base: tuple[int, float] | None = None
        self._cooldown_rounds = 0
        self._ceiling: float = most
        self._begin(None)

    def _begin(self, now: float | None) -> None:
        self._since = now
        self._succeeded = self._overloaded = self._full = 0

    def on_response(self, now: float, *, succeeded: bool, overloaded: bool, in_flight: int, count: int = 1) -> None:
        """A response came while `in_flight` requests were in flight: a success, or an overload; or `count` successes."""
        before = min(count, self._sent_before)
        self._sent_before -= before
        count -= before
        if not count:
            return
        if self._since is None:
            self._since = now  # what opens a round is not counted in it, as it belongs to the last limit
            return
        self._succeeded += count if succeeded else 0
        self._overloaded += overloaded
        self._full += count if in_flight >= self.limit else 0
        if overloaded and self._overloaded == OVERLOADS:
            self._retreat(in_flight)
        elif self._succeeded + self._overloaded >= max(_ROUND, 2 * self.limit):
            self._finish(now)

    def _retreat(self, in_flight: int) -> None:
        """Overloaded: back off, and keep below this limit for a while."""
        if self.limit == 1:
            self.gap = min(MAX_GAP, max(FIRST_GAP, self.gap * GAP_GROWTH))
        self._ceiling = max(1.0, self.limit - 1)
        self.limit = max(1, self.limit // 2 if self._doubling else int(self.limit * BACK_OFF))
        self._doubling, self._base, self._cooldown_rounds = False, None, _COOLDOWN_ROUNDS
        self._sent_before = in_flight - 1
        self._begin(None)

    def _finish(self, now: float) -> None:
        assert self._since is not None
        speed = self._succeeded / max(1e-9, now - self._since)
        used = self._full >= (self._succeeded + self._overloaded) // 2
        if self.gap:
            self._cooldown_rounds -= 1
            if self._cooldown_rounds <= 0:
                self.gap = self.gap * GAP_SHRINK if self.gap > FIRST_GAP else 0.0
            self._begin(now)
            return
        self._ceiling = min(self._max, self._ceiling + 0.25)
        if self._base is not None:
            before, speed_before = self._base
            growth = self.limit / before - 1
            if speed < speed_before * (1 + WORTH * growth):
                self.limit = before
                self._doubling, self._base, self._cooldown_rounds = False, None, _COOLDOWN_ROUNDS
                self._begin(None)
                return
        self._cooldown_rounds -= 1
        if used and self._cooldown_rounds <= 0 and self.limit < min(self._max, self._ceiling):
            self._base = self.limit, speed
            step = self.limit if self._doubling else max(1, self.limit // 8)
            self.limit = min(self._max, int(self._ceiling), self.limit + step)
            self._begin(None)
        else:
            self._base = None
            self._begin(now)
