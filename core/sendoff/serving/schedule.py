"""What is due, and when the next is: decided from what was obeyed so far and the time it is, and from nothing else.

The rules: a run is due at the times its expression names, in its time zone. Times that passed while nobody looked are
missed: `run_once` makes up for all of them with one run at once, `skip` lets them go. A clock that is set back makes
nothing due twice. A run that is still under way when it is due again is not started a second time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from sendoff.config import cron
from sendoff.config.schedule import ScheduleRule

#: A run that starts so many seconds late is not late.
GRACE = 90.0
#: Seconds that what has landed must stay as it is before it is taken to be whole.
QUIET = 2.0


class Due(NamedTuple):
    """What to do about one connector's schedule: whether it runs, and up to when its schedule is obeyed by that."""

    run: bool
    fired: float
    why: Literal["on time", "missed", "skipped"]


def due(schedule: ScheduleRule, fired: float, now: float) -> Due | None:
    """What is due of a schedule that was obeyed up to a time; None if nothing is."""
    last = cron.last_due(schedule.cron, schedule.timezone, fired, now)
    if last is None:
        return None
    if now - last <= GRACE:
        return Due(True, last, "on time")
    if schedule.missed == "run_once":
        return Due(True, last, "missed")
    return Due(False, last, "skipped")


class Debouncer:
    """Whether what lies before a source has changed and come to rest."""

    def __init__(self) -> None:
        self._taken: object = None
        self._seen: object = None
        self._since = 0.0

    def settled(self, token: object, now: float) -> bool:
        """Whether there is something new that has not changed for a while. Once True was returned, it counts as taken."""
        if token != self._seen:
            self._seen, self._since = token, now
        if not token or token == self._taken or now - self._since < QUIET:
            return False
        self._taken = token
        return True


class Schedule:
    """The schedules of some connectors."""

    def __init__(self, schedules: Mapping[str, ScheduleRule], fired: Mapping[str, float]) -> None:
        self._schedules = schedules
        self._fired = dict(fired)

    def due(self, now: float) -> dict[str, Due]:
        """What is due now, by connector."""
        found = {name: due(schedule, self._fired[name], now) for name, schedule in self._schedules.items()}
        return {name: one for name, one in found.items() if one is not None}

    def mark_obeyed(self, name: str, fired: float) -> float:
        """Take a connector's schedule for obeyed up to a time; returns up to when it was before."""
        before, self._fired[name] = self._fired[name], fired
        return before
