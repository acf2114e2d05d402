"""How long to wait before trying again.

Full jitter, ``uniform(0, min(cap, base * 2**n))``, as measured best in the AWS builders' library,
"Timeouts, retries and backoff with jitter".
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random


def backoff(attempt: int, retry: Mapping[str, float], random: Random) -> float:
    """Seconds to wait after the attempt-th failure, counted from 1."""
    ceiling = min(retry["cap"], retry["base"] * 2.0 ** min(attempt, 60))
    return random.uniform(0, ceiling)
