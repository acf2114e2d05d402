"""Schedules for cron."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from sendoff.plugin import ScheduledJob, Scheduler, hookimpl


class Cron(Scheduler):
    """Lines for a crontab. `CRON_TZ` is known to cronie, and to no other cron; missed runs are not made up for."""

    name = "cron"

    def export(self, job: ScheduledJob) -> Mapping[str, str]:
        command = f"cd {shlex.quote(str(job.home))} && {job.program} run {job.connector} --quiet".replace("%", "\\%")
        zone = job.timezone
        return {
            f"sendoff-{job.connector}.cron": (
                f"# cronie supports CRON_TZ; with another cron the machine's time zone must be {zone}.\n"
                f"CRON_TZ={zone}\n{job.cron} {command}\n"
            )
        }


@hookimpl
def sendoff_schedulers() -> list[type[Scheduler]]:
    return [Cron]
