"""When a schedule is due: cron expressions in a time zone.

What falls into the hour that is skipped in spring runs at its end; what falls into the hour that comes twice in
autumn runs once, the first time. An expression with ``*`` in its hour follows the clock's real hours. These are the
rules of Debian's cron, which `cronsim` keeps.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cronsim import CronSim, CronSimError

from sendoff.options import find_timezone

#: How far back a missed run is looked for.
_BACK = timedelta(days=400)
#: For so many seconds back it is looked for forwards.
_NEAR = 26 * 3600.0


def cron(text: str) -> str:
    """Return the expression if it is valid and ever due; raises ValueError with a sentence."""
    if len(text.split()) != 5:
        raise ValueError(f"{text!r} is not a valid schedule; use minute, hour, day, month and weekday, like '0 7 * * *'")
    try:
        next(CronSim(text, datetime(2026, 1, 1)))  # noqa: DTZ001  # any moment does; only the expression is checked
    except CronSimError as error:
        raise ValueError(f"{text!r} is not a valid schedule: {error}") from None
    except StopIteration:
        raise ValueError(f"{text!r} is never due") from None
    return text


def next_due(expression: str, timezone: str, after: float) -> float:
    """The next time a schedule is due after a moment, both in seconds since 1970."""
    start = datetime.fromtimestamp(after, UTC).astimezone(find_timezone(timezone))
    return next(CronSim(expression, start)).timestamp()


def last_due(expression: str, timezone: str, after: float, until: float) -> float | None:
    """The last time a schedule was due, after one moment and up to another; None if it was not."""
    zone = find_timezone(timezone)
    begin, end = (datetime.fromtimestamp(at, UTC).astimezone(zone) for at in (until - _NEAR, until))
    if begin.utcoffset() != end.utcoffset():  # backwards, what falls into the hour that comes twice is not always found
        recent, at = None, max(after, until - _NEAR)
        while (at := next_due(expression, timezone, at)) <= until:
            recent = at
        if recent is not None or after >= until - _NEAR:
            return recent
    start = end + timedelta(minutes=1)
    for due in CronSim(expression, start, reverse=True):
        found = due.timestamp()
        if found <= after or found < until - _BACK.total_seconds():
            return None
        if found <= until:
            return found
    return None
