"""What an API says about its rate limits: Retry-After, RateLimit, and the X-RateLimit headers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

#: A reset beyond this is a point in time (seconds since 1970), not a number of seconds.
_EPOCH = 1e9


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds a Retry-After header asks for (RFC 9110 §10.2.3); None if there is none that makes sense.

    A date is read against the response's own Date, so that the local clock does not matter.
    """
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,11}(\.[0-9]+)?", value):
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("date", ""))).total_seconds())
    except (ValueError, TypeError):
        return None


def quota_reset_delay(headers: Mapping[str, str]) -> float | None:
    """The seconds until a used-up quota is filled again; None where none is used up.

    Read are ``RateLimit: "name";r=0;t=30`` and ``RateLimit: limit=9, remaining=0, reset=30`` (the
    IETF drafts, new and old) and ``X-RateLimit-Remaining`` with ``-Reset``, in seconds or since 1970
    by the response's own Date. They can only slow sendoff down.
    """
    draft = headers.get("ratelimit")
    rests = [rest for rest in (*(_ratelimit_draft(draft) if draft else ()), _x_ratelimit(headers)) if rest is not None]
    return max(rests, default=None)


def _ratelimit_draft(value: str) -> list[float | None]:
    found: list[float | None] = []
    for policy in re.split(r",\s*(?=\")", value) if value.startswith('"') else [value]:
        parts = dict(re.findall(r"\b(r|t|remaining|reset)=(\d{1,12})\b", policy))
        remaining, reset = parts.get("r", parts.get("remaining")), parts.get("t", parts.get("reset"))
        if remaining == "0" and reset is not None:
            found.append(float(reset))
    return found


def _x_ratelimit(headers: Mapping[str, str]) -> float | None:
    for prefix in ("x-ratelimit-", "x-rate-limit-", "ratelimit-"):
        if prefix + "remaining" not in headers:
            continue
        remaining, reset = headers[prefix + "remaining"].strip(), headers.get(prefix + "reset", "").strip()
        if not re.fullmatch(r"0+", remaining) or not re.fullmatch(r"\d{1,12}(\.\d+)?", reset):
            continue
        seconds = float(reset)
        if seconds < _EPOCH:
            return seconds
        try:
            return max(0.0, seconds - parsedate_to_datetime(headers.get("date", "")).timestamp())
        except (ValueError, TypeError):
            return None
    return None
