"""Rate limits of a destination, and the pauses it asks for, shared by all runs that send to it.

A rate is at most so much in any period of its length, whenever that begins; all rates hold at once. What the shortest one
allows is spread evenly over its period; longer ones are only counted.
"""

from __future__ import annotations

import math
import re
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

_PER = {
    "s": 1.0, "sec": 1.0, "second": 1.0, "m": 60.0, "min": 60.0, "minute": 60.0, "h": 3600.0, "hour": 3600.0,
    "d": 86_400.0, "day": 86_400.0,
}  # fmt: skip
_TIMES = {"": 1, "k": 10**3, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20}
_RATE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*/\s*(\d+(?:\.\d+)?)?\s*([a-z]+)\s*")
#: How much may be sent at once after a pause, in seconds of the rate.
BURST = 0.1
#: Less of a token than this is a rounding error.
_ROUNDING_ERROR = 1e-6
#: What is sent within this share of a window is counted as if all of it were sent when the last of it was.
_SLOT = 1 / 300
#: Seconds: windows as long as this are worth storing, as they outlast a restart.
LASTING = 60.0

Usage = dict[str, list[tuple[float, float]]]
"""What was sent in each window, by the window's name: pairs of seconds ago and an amount, in their order."""


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `amount` in any `seconds`."""

    amount: float
    seconds: float

    @property
    def per_second(self) -> float:
        return self.amount / self.seconds


def parse_rate(text: str) -> Rate:
    """Parse ``10/s``, ``100/10s``, ``250000/day`` or ``5MB/s``; raises ValueError with a sentence."""
    match = _RATE.fullmatch(text)
    if match is None or match[2].lower() not in _TIMES or match[4] not in _PER:
        raise ValueError(f"{text!r} is not a valid rate; use 10/s, 100/10s, 250000/day or 5MB/s")
    amount, seconds = float(match[1]) * _TIMES[match[2].lower()], float(match[3] or 1) * _PER[match[4]]
    if not (0 < amount < math.inf and 0 < seconds < math.inf):
        raise ValueError(f"{text!r} is not a valid rate; both of its numbers are above 0")
    return Rate(amount, seconds)


@dataclass(frozen=True, slots=True)
class RateLimits:
    """The rates of requests, of records and of bytes; none where there is no limit."""

    requests: Sequence[Rate] = ()
    records: Sequence[Rate] = ()
    bytes: Sequence[Rate] = ()

    @classmethod
    def parse(cls, declared: Mapping[str, str | Sequence[str]]) -> RateLimits:
        """The rates that a connector file declares: one, or several, for each name. Raises ValueError with a sentence."""
        lists = {name: [rates] if isinstance(rates, str) else rates for name, rates in declared.items()}
        return cls(**{name: tuple(map(parse_rate, rates)) for name, rates in lists.items()})

    def declared(self) -> Iterator[tuple[str, Sequence[Rate]]]:
        """The name and rates of each limit that is set."""
        for name, rates in (("requests", self.requests), ("records", self.records), ("bytes", self.bytes)):
            if rates:
                yield name, rates


class TokenBucket:
    """A token bucket that may be overdrawn: a request that takes more than is left makes the next one wait."""

    def __init__(self, per_second: float) -> None:
        self.rate = per_second
        self._burst = max(1.0, per_second * BURST)
        self._level = self._burst
        self._at: float | None = None

    def wait(self, now: float) -> float:
        """Seconds until something may be taken."""
        if self._at is not None:
            self._level = min(self._burst, self._level + (now - self._at) * self.rate)
        self._at = now
        short = 1.0 - self._level
        return 0.0 if short < _ROUNDING_ERROR else short / self.rate

    def take(self, amount: float) -> None:
        self._level -= amount

    def tighten(self, per_second: float) -> None:
        """Lower the rate to this, if it is higher."""
        if per_second < self.rate:
            self.rate = per_second
            self._burst = max(1.0, per_second * BURST)
            self._level = min(self._level, self._burst)


class Window:
    """What was sent in the last so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        #: The times of the first and the last of what was sent together, and how much it was; oldest first.
        self._log: deque[tuple[float, float, float]] = deque()
        self._used = 0.0

    def wait(self, now: float, amount: float, limit: float) -> float:
        """Seconds until this amount may be sent as well; what is more than the limit by itself counts as that much."""
        while self._log and self._log[0][1] <= now - self.seconds:
            self._used -= self._log.popleft()[2]
        if not self._log:
            self._used = 0.0  # without what rounding has left
        over = self._used + min(amount, limit) - limit
        for _, last, sent in self._log:
            if over <= _ROUNDING_ERROR:
                return 0.0
            over -= sent
            if over <= _ROUNDING_ERROR:
                return last + self.seconds - now
        return 0.0

    def take(self, now: float, amount: float, limit: float) -> None:
        """Count an amount. What is more than the limit counts for as many windows as it fills."""
        while amount > limit:
            self._append(now, now, limit)
            amount -= limit
            now += self.seconds
        if self._log and self._log[-1][0] <= now < self._log[-1][0] + self.seconds * _SLOT:
            first, _, sent = self._log.pop()
            self._used -= sent
            self._append(first, now, sent + amount)
        else:
            self._append(now, now, amount)

    def _append(self, first: float, last: float, amount: float) -> None:
        self._log.append((first, last, amount))
        self._used += amount

    def usage(self, now: float) -> list[tuple[float, float]]:
        """What still counts: pairs of seconds ago and an amount."""
        return [(now - last, sent) for _, last, sent in self._log if now - last < self.seconds]

    def restore(self, now: float, usage: Sequence[tuple[float, float]]) -> None:
        """Count what another process has sent, unless this one has counted already."""
        if not self._log:
            for ago, sent in usage:
                self._append(now - ago, now - ago, sent)


@dataclass(slots=True)
class _OriginState:
    """What is known of an origin beyond the run that has learned it: its pause, and what was sent in each window."""

    paused_until: float = 0.0
    windows: dict[tuple[str, float], Window] = field(default_factory=dict)


class RateLimiter:
    """One destination's rates and pauses. Thread-safe."""

    def __init__(self, origin_state: _OriginState | None = None) -> None:
        #: What spreads requests, records and bytes evenly, and the most of each in windows of each length.
        self._buckets: dict[str, TokenBucket] = {}
        self._limits: dict[tuple[str, float], float] = {}
        #: `for_origin` keeps it after the limiter is gone.
        self._origin = origin_state or _OriginState()
        self._lock = threading.Lock()
        #: Why it is paused, or was last.
        self.pause_reason = ""

    @property
    def limited(self) -> bool:
        """Whether any rate is limited, or counted for another run's sake."""
        return bool(self._limits) or self.is_lasting

    @property
    def is_lasting(self) -> bool:
        """Whether what is sent counts for so long that it should be stored."""
        return any(seconds >= LASTING for _, seconds in self._origin.windows)

    def limit(self, rates: RateLimits) -> None:
        """Limit to these rates as well; of two with one length the lower counts."""
        with self._lock:
            for name, declared in rates.declared():
                for rate in declared:
                    key, amount = (name, rate.seconds), float(math.ceil(rate.amount))
                    self._limits[key] = min(amount, self._limits.get(key, amount))
                    self._origin.windows.setdefault(key, Window(rate.seconds))
                even = min(declared, key=lambda rate: rate.seconds).per_second
                self._buckets.setdefault(name, TokenBucket(even)).tighten(even)

    def acquire(self, now: float, *, records: int, size: int) -> float:
        """Take what a request needs and return 0, or return the seconds to wait before asking again."""
        amounts = {"requests": 1, "records": records, "bytes": size}
        with self._lock:
            windows = self._origin.windows
            waits = [bucket.wait(now) for bucket in self._buckets.values()]
            waits += [windows[key].wait(now, amounts[key[0]], limit) for key, limit in self._limits.items()]
            wait = max(*waits, self._origin.paused_until - now, 0.0)
            if wait > 0:
                return wait
            for name, bucket in self._buckets.items():
                bucket.take(amounts[name])
            for key, window in windows.items():
                window.take(now, amounts[key[0]], self._limits.get(key, math.inf))
            return 0.0

    def pause_until(self, until: float, reason: str = "") -> None:
        """Send nothing before this time; the reason is a sentence."""
        with self._lock:
            if until > self._origin.paused_until:
                self._origin.paused_until, self.pause_reason = until, reason

    def pause_left(self, now: float) -> float:
        """The seconds that are left of the pause."""
        return max(0.0, self._origin.paused_until - now)

    def usage(self, now: float) -> Usage:
        """What was sent in each window that is worth storing."""
        with self._lock:
            windows = self._origin.windows.items()
            return {f"{name}/{seconds:g}s": w.usage(now) for (name, seconds), w in windows if seconds >= LASTING}

    def restore(self, now: float, usage: Mapping[str, Sequence[tuple[float, float]]]) -> None:
        """Count what was sent before this process began, in windows that it has not counted itself."""
        with self._lock:
            for (name, seconds), window in self._origin.windows.items():
                window.restore(now, usage.get(f"{name}/{seconds:g}s", ()))


_SHARED: WeakValueDictionary[str, RateLimiter] = WeakValueDictionary()
#: A pause that the API asked for lasts beyond the run in which it asked, and so does what was sent.
_ORIGINS: dict[str, _OriginState] = {}
_LOCK = threading.Lock()


def for_origin(url: str, rates: RateLimits) -> RateLimiter:
    """The rate limiter of the URL's origin: one for all runs of this process that send to it."""
    where = origin(url)
    with _LOCK:
        limiter = _SHARED.get(where)
        if limiter is None:
            limiter = _SHARED[where] = RateLimiter(_ORIGINS.setdefault(where, _OriginState()))
    limiter.limit(rates)
    return limiter


def origin(url: str) -> str:
    """The scheme, host and port of a URL (RFC 6454 §4)."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{parts.port or {'http': 80, 'https': 443}[parts.scheme]}".lower()
