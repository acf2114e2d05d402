"""How long to wait before trying again.

Full jitter, ``uniform(0, min(cap, base * 2**n))``, as measured best in the AWS builders' library,
"Timeouts, retries and backoff with jitter". A Retry-After (RFC 9110 §10.2.3) is obeyed where it
asks for more, up to a bound.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from random import Random


def backoff(attempt: int, retry: Mapping[str, float], random: Random) -> float:
    """Seconds to wait after the attempt-th failure, counted from 1."""
    ceiling = min(retry["cap"], retry["base"] * 2.0 ** min(attempt, 60))
    return random.uniform(0, ceiling)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds a Retry-After header asks for; None if there is none, or none that makes sense.

    A date is read against the answer's own Date, so that the local clock does not matter.
    """
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value) if value.isascii() else math.nan
    except ValueError:
        try:
            then, now = parsedate_to_datetime(value), parsedate_to_datetime(headers.get("date", ""))
            seconds = (then - now).total_seconds()
        except (ValueError, TypeError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
