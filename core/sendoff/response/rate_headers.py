"""What an API says about its rate limits: Retry-After, RateLimit, the X-RateLimit headers, and delays elsewhere."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC
from decimal import Decimal
from email.utils import parsedate_to_datetime

#: A number of seconds beyond this is a point in time, since 1970; one beyond the second is that in milliseconds.
_EPOCH, _EPOCH_MILLISECONDS = 1e9, 1e11
#: What a longer number is read as.
_MOST = 1e14

Clock = Callable[[], float]


def retry_after(headers: Mapping[str, str], clock: Clock = time.time) -> float | None:
    """The seconds a Retry-After header asks for (RFC 9110 §10.2.3); None if there is none that makes sense.

    A point in time is read against the response's own Date, so that the local clock matters only where there is none.
    """
    return read_delay(headers.get("retry-after", ""), headers, clock)


def read_delay(value: object, headers: Mapping[str, str], clock: Clock = time.time) -> float | None:
    """The seconds that a value in a response asks for, read as Retry-After is; None for one that makes no sense."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return _delay(float(min(value, int(_MOST))), headers, clock) if value >= 0 else None
    text = value.strip() if isinstance(value, str) else ""
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        return _delay(float(text), headers, clock)
    until = _parse_date(text)
    return None if until is None else max(0.0, until - _response_time(headers, clock))


def _delay(number: float, headers: Mapping[str, str], clock: Clock) -> float:
    """The seconds a number asks for: it is that many, or else a point in time."""
    seconds = min(number, _MOST)
    if seconds >= _EPOCH_MILLISECONDS:
        seconds /= 1000
    return seconds if seconds < _EPOCH else max(0.0, seconds - _response_time(headers, clock))


def _response_time(headers: Mapping[str, str], clock: Clock) -> float:
    date = _parse_date(headers.get("date", ""))
    return clock() if date is None else date


def _parse_date(text: str) -> float | None:
    """A date in any of the three forms of RFC 9110 §5.6.7, as seconds since 1970; None for anything else."""
    try:
        found = parsedate_to_datetime(text)
        # asctime's form names no zone, and means UTC.
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def quota_reset_delay(headers: Mapping[str, str], clock: Clock = time.time) -> float | None:
    """The seconds until a used-up quota is filled again; None where none is used up.

    Read are ``RateLimit: "name";r=0;t=30`` and ``RateLimit: limit=9, remaining=0, reset=30`` (the
    IETF drafts, new and old) and ``X-RateLimit-Remaining`` with ``-Reset``, in seconds or since 1970
    as Retry-After is read. They can only slow sendoff down.
    """
    draft = headers.get("ratelimit")
    rests = [rest for rest in (*(_ratelimit_draft(draft) if draft else ()), _x_ratelimit(headers, clock)) if rest is not None]
    return max(rests, default=None)


def _ratelimit_draft(value: str) -> list[float | None]:
    found: list[float | None] = []
    for policy in re.split(r",\s*(?=\")", value) if value.startswith('"') else [value]:
        parts = dict(re.findall(r"\b(r|t|remaining|reset)=(\d{1,12})\b", policy))
        remaining, reset = parts.get("r", parts.get("remaining")), parts.get("t", parts.get("reset"))
        if remaining == "0" and reset is not None:
            found.append(float(reset))
    return found


def _x_ratelimit(headers: Mapping[str, str], clock: Clock) -> float | None:
    for prefix in ("x-ratelimit-", "x-rate-limit-", "ratelimit-"):
        if prefix + "remaining" not in headers:
            continue
        remaining, reset = headers[prefix + "remaining"].strip(), headers.get(prefix + "reset", "").strip()
        if re.fullmatch(r"0+", remaining) and re.fullmatch(r"[0-9]+(\.[0-9]+)?", reset):
            return _delay(float(reset), headers, clock)
    return None
