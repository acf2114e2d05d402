"""Which schedules another scheduler can say itself, and the ticks at which the others may be due.

A schedule whose times the clock's changes do not touch means the same in every cron that has a time zone. For any other one
`sendoff run --due` is started at ticks in UTC, which has no such changes; the ticks are all times of day at which the
schedule can be due, and few more.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim

#: Where a reader of expressions begins: only what it parsed is used, in local time of no zone.
_ANY_DAY = datetime(2026, 1, 1)  # noqa: DTZ001  # as above
_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
#: For so many years the changes of a time zone's clock are looked at.
_YEARS = 12
_PLAIN = re.compile(r"\*|\*/\d+|\d+(-\d+(/\d+)?)?(,\d+(-\d+(/\d+)?)?)*")


class StartTimes(NamedTuple):
    """When a scheduler starts a run: a cron expression in a time zone, and whether `--due` decides at each of its times."""

    cron: str
    timezone: str
    due: bool


class _Change(NamedTuple):
    """A change of the clock: when it is, and between which local times the clock jumps."""

    at: datetime
    low: datetime
    high: datetime


def start_times(
    expression: str, timezone: str, *, zones: bool = True, either: bool = True, now: datetime | None = None
) -> StartTimes:
    """How a scheduler gets the times of a schedule.

    `zones`: it has time zones.
    """
    now = now or datetime.now(UTC)
    found = plain(expression)
    offsets, changes = _clock(timezone, now)
    if found is not None:
        if offsets == {0}:
            return StartTimes(found, "UTC", due=False)
        minute, hour, *days = found.split()
        if hour == "*" and days == ["*"] * 3 and len({each % 60 for each in offsets}) == 1:
            shift = min(offsets) % 60
            moved = {(each - shift) % 60 for each in CronSim(expression, now).minutes}
            return StartTimes(f"{minute if not shift else _numbers(moved, range(60))} * * * *", "UTC", due=False)
        if zones and not _touched(expression, changes):
            return StartTimes(found, timezone, due=False)
    times = _times_in_utc(expression, offsets, changes)
    minutes = _numbers({at % 60 for at in times}, range(60))
    return StartTimes(f"{minutes} {_numbers({at // 60 for at in times}, range(24))} * * *", "UTC", due=True)


def plain(expression: str) -> str | None:
    """An expression in the form that every cron knows; None if it cannot be written so."""
    sim = CronSim(expression, _ANY_DAY)
    if min(sim.days) < 0 or any(isinstance(day, tuple) for day in sim.weekdays):
        return None
    week = {int(str(day)) % 7 for day in sim.weekdays}
    parts = []
    for text, values, whole in zip(
        expression.split(), (sim.minutes, sim.hours, sim.days, sim.months, week),
        (range(60), range(24), range(1, 32), range(1, 13), range(7)), strict=True,
    ):  # fmt: skip
        parts.append(text if _PLAIN.fullmatch(text) and (whole != range(7) or "7" not in text) else _numbers(values, whole))
    _, _, day, _, weekday = expression.split()
    # Of both, crons differ in what a step beside a star means, and in what a list of all days does.
    if "*" not in (day, weekday) and (f"{day} {weekday}".count("*") or len(sim.days) == 31 or len(week) == 7):
        return None
    return " ".join(parts)


def on_calendar(expression: str) -> list[str]:
    """A plain expression as systemd's calendar events: two, if it names days of month and week, as cron means either."""
    minute, hour, day, month, weekday = expression.split()
    clock = f"{_spread(hour, 0)}:{_spread(minute, 0)}:00"
    dates = f"*-{_spread(month, 1)}-{_spread(day, 1)} {clock}"
    if weekday == "*":
        return [dates]
    week = sorted({int(str(each)) % 7 for each in CronSim(expression, _ANY_DAY).weekdays})
    of_week = f"{','.join(_DAYS[at] for at in week)} *-{_spread(month, 1)}-* {clock}"
    return [of_week] if day == "*" else [dates, of_week]


def tick(times: str) -> str:
    """How often a cron whose own time zone is not known looks whether something is due, so that it meets these times in UTC."""
    minutes = CronSim(times, _ANY_DAY).minutes
    step = next(step for step in (15, 5, 1) if all(minute % step == 0 for minute in minutes))
    return f"*/{step} * * * *" if step > 1 else "* * * * *"


def _clock(timezone: str, now: datetime) -> tuple[set[int], list[_Change]]:
    """A zone's distances from UTC in minutes, and the changes between them, for some years."""
    zone, offsets, changes = ZoneInfo(timezone), set(), []
    before = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=1)
    last = _offset(before, zone)
    for _ in range(366 * _YEARS):
        offsets.add(int(last.total_seconds() // 60))
        after = before + timedelta(days=1)
        if _offset(after, zone) != last:
            low, high = before, after
            while high - low > timedelta(minutes=1):
                middle = low + (high - low) // 2
                low, high = (middle, high) if _offset(middle, zone) == last else (low, middle)
            at = (high + timedelta(seconds=30)).replace(second=0, microsecond=0)
            ends = sorted((at + last, at + _offset(after, zone)))
            changes.append(_Change(at, *ends))
            last = _offset(after, zone)
        before = after
    return offsets, changes


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    found = at.astimezone(zone).utcoffset()
    assert found is not None
    return found


def _touched(expression: str, changes: Collection[_Change]) -> bool:
    """Whether a time of day of an expression falls into hours that a clock skips or repeats."""
    sim = CronSim(expression, _ANY_DAY)
    return any(_within(hour * 60 + minute, change) for change in changes for hour in sim.hours for minute in sim.minutes)


def _within(at: int, change: _Change) -> bool:
    low = change.low.hour * 60 + change.low.minute
    return (at - low) % 1440 <= (change.high - change.low).total_seconds() // 60


def _times_in_utc(expression: str, offsets: Collection[int], changes: Collection[_Change]) -> set[int]:
    """The minutes of the day in UTC at which an expression can be due."""
    sim = CronSim(expression, _ANY_DAY)
    local = {hour * 60 + minute for hour in sim.hours for minute in sim.minutes}
    found = {(at - offset) % 1440 for at in local for offset in offsets}
    # What falls into hours that are skipped is due when they end.
    return found | {change.at.hour * 60 + change.at.minute for change in changes if any(_within(at, change) for at in local)}


def _numbers(values: Collection[int], whole: range) -> str:
    """Numbers as a field: a star for all, and ranges."""
    kept = sorted(values)
    if len(kept) == len(whole):
        return "*"
    return ",".join(_runs(kept))


def _runs(kept: list[int]) -> Iterator[str]:
    start = 0
    for at in range(1, len(kept) + 1):
        if at == len(kept) or kept[at] != kept[at - 1] + 1:
            low, high = kept[start], kept[at - 1]
            if high - low > 1:
                yield f"{low}-{high}"
            else:
                yield from map(str, range(low, high + 1))
            start = at


def _spread(field: str, first: int) -> str:
    """A field in systemd's notation: ranges with two dots, and steps from where they begin."""
    parts = []
    for part in field.split(","):
        base, _, step = part.partition("/")
        base = "*" if base == "*" else base.replace("-", "..")
        base = base.zfill(2) if base.isdigit() else base
        parts.append(base if not step else f"{first if base == '*' else base}/{step}")
    return ",".join(parts)
