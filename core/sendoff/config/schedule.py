"""What `schedule` in a connector file says; see `sendoff.config.cron` for when that is due."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ScheduleRule:
    """When a connector runs, and what happens to runs that were missed."""

    #: Minute, hour, day, month and weekday.
    cron: str
    timezone: str
    missed: Literal["run_once", "skip"] = "run_once"
