"""How fast a destination may be written to: token buckets, and rests it asks for. Shared by all who write to it."""

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
#: What may be sent at once after a pause, in seconds of the rate.
BURST = 0.1
#: Less of a token than this is a rounding error.
_NOTHING = 1e-6


def parse_rate(text: str) -> float:
    """How many a second ``10/s``, ``600/minute`` or ``5MB/s`` are; raises ValueError with a sentence."""
    match = _RATE.fullmatch(text)
    if match is None or match[2].lower() not in _TIMES or match[3] not in _PER or float(match[1]) <= 0:
        raise ValueError(f"{text!r} is no rate; write 10/s, 600/minute or 5MB/s")
    return float(match[1]) * _TIMES[match[2].lower()] / _PER[match[3]]


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Requests, records and bytes a second, at most; None where there is no limit."""

    requests: float | None = None
    records: float | None = None
    bytes: float | None = None

    def declared(self) -> Iterator[tuple[str, float]]:
        """The name and rate of each limit there is."""
        for name, rate in (("requests", self.requests), ("records", self.records), ("bytes", self.bytes)):
            if rate is not None:
                yield name, rate


class TokenBucket:
    """A token bucket that may be overdrawn: who takes a lot makes the next one wait."""

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
        return 0.0 if short < _NOTHING else short / self.rate

    def take(self, amount: float) -> None:
        self._level -= amount

    def tighten(self, per_second: float) -> None:
        """The rate is at most this from now on."""
        if per_second < self.rate:
            self.rate = per_second
            self._burst = max(1.0, per_second * BURST)
            self._level = min(self._level, self._burst)


class RateLimiter:
    """One destination's buckets and rests. Safe from any thread."""

    def __init__(self, paused_until: list[float] | None = None) -> None:
        self._buckets: dict[str, TokenBucket] = {}
        #: One cell: nothing goes before the time in it.
        self._paused_until = [0.0] if paused_until is None else paused_until
        self._lock = threading.Lock()
        #: Why it is paused, or was last.
        self.pause_reason = ""

    @property
    def limited(self) -> bool:
        """Whether there are rates to keep to."""
        return bool(self._buckets)

    def limit(self, rates: RateLimits) -> None:
        """Keep to these rates as well; the lowest of each counts."""
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
        """Nothing goes before this time, for a reason in words."""
        with self._lock:
            if until > self._paused_until[0]:
                self._paused_until[0], self.pause_reason = until, reason

    def pause_left(self, now: float) -> float:
        """Seconds of the pause that are left."""
        return max(0.0, self._paused_until[0] - now)


_SHARED: WeakValueDictionary[str, RateLimiter] = WeakValueDictionary()
#: The rests asked for outlive the runs they were asked of.
_PAUSES: dict[str, list[float]] = {}
_MAKING = threading.Lock()


def for_origin(url: str, rates: RateLimits) -> RateLimiter:
    """The pace of the URL's origin: one for all runs of this process that write to it."""
    where = origin(url)
    with _MAKING:
        limiter = _SHARED.get(where)
        if limiter is None:
            limiter = _SHARED[where] = RateLimiter(_PAUSES.setdefault(where, [0.0]))
    limiter.limit(rates)
    return limiter


def origin(url: str) -> str:
    """The scheme, host and port of a URL (RFC 6454 §4)."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{parts.port or {'http': 80, 'https': 443}[parts.scheme]}".lower()
