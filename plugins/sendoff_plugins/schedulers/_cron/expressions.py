"""Cron expressions in the notations of other schedulers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_NAMES = {name.upper(): str(at) for at, name in enumerate(_DAYS[:7])}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def on_calendar(expression: str) -> list[str]:
    """A cron expression as systemd's calendar events: two, if it names days of month and week, as cron means either."""
    minute, hour, day, month, weekday = expression.upper().split()
    months = _spread(_named(month, {name: str(at) for at, name in enumerate(_MONTHS, 1)}), 1)
    clock = f"{_spread(hour, 0)}:{_spread(minute, 0)}:00"
    days = _spread(day, 1) if day != "L" else "~01"
    dates = f"*-{months}{days}" if day == "L" else f"*-{months}-{days}"
    if weekday in ("*", "?"):
        return [f"{dates} {clock}"]
    of_week = f"{_weekdays(weekday)} *-{months}-* {clock}"
    return [of_week] if day in ("*", "?") else [f"{dates} {clock}", of_week]


def _spread(field: str, first: int) -> str:
    """A field in systemd's notation: ranges with two dots, and steps from where they begin."""
    parts = []
    for part in field.split(","):
        base, _, step = part.partition("/")
        base = "*" if base == "?" else base.replace("-", "..")
        base = base.zfill(2) if base.isdigit() else base
        parts.append(base if not step else f"{first if base == '*' else base}/{step}")
    return ",".join(parts)


def _named(field: str, names: Mapping[str, str]) -> str:
    return re.sub(r"[A-Z]{3}", lambda match: names[match[0]], field)


def _weekdays(field: str) -> str:
    found: list[str] = []
    for part in _named(field, _NAMES).split(","):
        base, _, step = part.partition("/")
        lo, _, hi = ("0-6" if base == "*" else base).partition("-")
        found += [_DAYS[at] for at in range(int(lo), int(hi or lo) + 1, int(step or 1))]
    return ",".join(dict.fromkeys(found))


def in_utc(expression: str, timezone: str, now: datetime | None = None) -> str:
    """An expression with its hours in UTC as the clock stands now, where hours are plain numbers; else as it is."""
    minute, hour, *rest = expression.split()
    if not re.fullmatch(r"\d+(,\d+)*", hour) or not re.fullmatch(r"\d+", minute):
        return expression
    moment = (now or datetime.now(UTC)).astimezone(ZoneInfo(timezone))
    offset = moment.utcoffset()
    assert offset is not None
    shift = int(offset.total_seconds()) // 60
    minutes = [(int(each) * 60 + int(minute) - shift) % 1440 for each in hour.split(",")]
    return " ".join([str(minutes[0] % 60), ",".join(str(at // 60) for at in sorted(minutes)), *rest])
