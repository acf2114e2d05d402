"""What `schedule` in a connector file says, and what is due of it.

That is decided from what was obeyed so far and the time it is, and from nothing else. The rules: a run is due at the times
its expression names, in its time zone (see `sendoff.config.cron`). Times that passed while nobody looked are missed:
`run_once` makes up for all of them with one run at once, `skip` lets them go. A clock that is set back makes nothing due
twice. A run that is still under way when it is due again is not started a second time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

#: A run that starts so many seconds late is not late.
GRACE = 90.0


@dataclass(frozen=True, slots=True)
class ScheduleRule:
    """When a connector runs, and what happens to runs that were missed."""

    #: Minute, hour, day, month and weekday.
    cron: str
    timezone: str
    missed: Literal["run_once", "skip"] = "run_once"


class Due(NamedTuple):
    """What to do about one connector's schedule: whether it runs, and up to when its schedule is obeyed by that."""

    run: bool
    fired: float
    why: Literal["on time", "missed", "skipped"]


def due(schedule: ScheduleRule, fired: float, now: float, grace: float = GRACE) -> Due | None:
    """What is due of a schedule that was obeyed up to a time; None if nothing is."""
    from sendoff.config import cron  # noqa: PLC0415  # it brings a library

    last = cron.last_due(schedule.cron, schedule.timezone, fired, now)
    if last is None:
        return None
    if now - last <= grace:
        return Due(True, last, "on time")
    if schedule.missed == "run_once":
        return Due(True, last, "missed")
    return Due(False, last, "skipped")
