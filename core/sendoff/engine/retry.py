"""The retry policy: how often and how long a request is tried, and how long it waits in between."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How transient failures are retried, as `destination.retry` says it; times are in seconds."""

    #: How often one request is tried while others get through.
    max_attempts: int
    #: The most before the first retry; doubled for each next.
    initial_backoff: float
    #: The most between two tries.
    max_backoff: float
    #: The longest Retry-After that is obeyed.
    max_retry_after: float
    #: How long a request, or an API that is down, may fail before it is given up.
    max_elapsed: float


def backoff(attempt: int, retry: RetryPolicy, random: Random) -> float:
    """Seconds to wait after the attempt-th failure, counted from 1.

    Full jitter, ``uniform(0, min(cap, base * 2**(n - 1)))``, measured best in the AWS builders' library, "Timeouts, retries
    and backoff with jitter".
    """
    ceiling = min(retry.max_backoff, retry.initial_backoff * 2.0 ** min(attempt - 1, 60))
    return random.uniform(0, ceiling)
