"""Rate limits of a destination: token buckets, and the pauses it asks for, shared by all runs that send to it."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

_PER = {"s": 1.0, "sec": 1.0, "second": 1.0, "m": 60.0, "min": 60.0, "minute": 60.0, "h": 3600.0, "hour": 3600.0}
_TIMES = {"": 1, "k": 10**3, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20}
_RATE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*/\s*([a-z]+)\s*")
#: How much may be sent at once after a pause, in seconds of the rate.
BURST = 0.1
#: Less of a token than this is a rounding error.
_ROUNDING_ERROR = 1e-6


def parse_rate(text: str) -> float:
    """Parse ``10/s``, ``600/minute`` or ``5MB/s`` to an amount per second; raises ValueError with a sentence."""
    match = _RATE.fullmatch(text)
    if match is None or match[2].lower() not in _TIMES or match[3] not in _PER or float(match[1]) <= 0:
        raise ValueError(f"{text!r} is not a valid rate; use 10/s, 600/minute or 5MB/s")
    return float(match[1]) * _TIMES[match[2].lower()] / _PER[match[3]]


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Requests, records and bytes a second, at most; None where there is no limit."""

    requests: float | None = None
    records: float | None = None
    bytes: float | None = None

    def declared(self) -> Iterator[tuple[str, float]]:
        """The name and rate of each limit that is set."""
        for name, rate in (("requests", self.requests), ("records", self.records), ("bytes", self.bytes)):
            if rate is not None:
                yield name, rate


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


class RateLimiter:
    """One destination's token buckets and pauses. Thread-safe."""

    def __init__(self, paused_until: list[float] | None = None) -> None:
        self._buckets: dict[str, TokenBucket] = {}
        #: A list of one time, before which nothing is sent; `for_origin` keeps it after the limiter is gone.
        self._paused_until = [0.0] if paused_until is None else paused_until
        self._lock = threading.Lock()
        #: Why it is paused, or was last.
        self.pause_reason = ""

    @property
    def limited(self) -> bool:
        """Whether any rate is limited."""
        return bool(self._buckets)

    def limit(self, rates: RateLimits) -> None:
        """Limit to these rates as well; the lowest of each counts."""
        with self._lock:
            for name, per_second in rates.declared():
                if name in self._buckets:
                    self._buckets[name].tighten(per_second)
                else:
                    self._buckets[name] = TokenBucket(per_second)

    def acquire(self, now: float, *, records: int, size: int) -> float:
        """Take what a request needs and return 0, or return the seconds to wait before asking again."""
        with self._lock:
            wait = max((bucket.wait(now) for bucket in self._buckets.values()), default=0.0)
            wait = max(wait, self._paused_until[0] - now)
            if wait > 0:
                return wait
            for name, bucket in self._buckets.items():
                bucket.take({"requests": 1, "records": records, "bytes": size}[name])
            return 0.0

    def pause_until(self, until: float, reason: str = "") -> None:
        """Send nothing before this time; the reason is a sentence."""
        with self._lock:
            if until > self._paused_until[0]:
                self._paused_until[0], self.pause_reason = until, reason

    def pause_left(self, now: float) -> float:
        """The seconds that are left of the pause."""
        return max(0.0, self._paused_until[0] - now)


_SHARED: WeakValueDictionary[str, RateLimiter] = WeakValueDictionary()
#: A pause that the API asked for lasts beyond the run in which it asked.
_PAUSES: dict[str, list[float]] = {}
_LOCK = threading.Lock()


def for_origin(url: str, rates: RateLimits) -> RateLimiter:
    """The rate limiter of the URL's origin: one for all runs of this process that send to it."""
    where = origin(url)
    with _LOCK:
        limiter = _SHARED.get(where)
        if limiter is None:
            limiter = _SHARED[where] = RateLimiter(_PAUSES.setdefault(where, [0.0]))
    limiter.limit(rates)
    return limiter


def origin(url: str) -> str:
    """The scheme, host and port of a URL (RFC 6454 §4)."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{parts.port or {'http': 80, 'https': 443}[parts.scheme]}".lower()
