# ruff: noqa: E501  # a line of another program's file reads best as a line
"""Schedules for cron."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from sendoff.plugin import ScheduledJob, Scheduler, hookimpl
from sendoff_plugins.schedulers._cron.expressions import start_times, tick


class Cron(Scheduler):
    """A line for a crontab. Cron has no time zones and makes up for nothing, so `sendoff run --due` decides at each tick."""

    name = "cron"

    def export(self, job: ScheduledJob) -> Mapping[str, str]:
        file = ["--env-file", str(job.home / ".env")] if job.variables and job.env_file is None else []
        words = shlex.join([*job.program, *job.options, *file, *job.run(due=True)])
        command = f"cd {shlex.quote(str(job.home))} && {words}".replace("%", "\\%")
        sets = f"# The file of variables sets {', '.join(job.variables)}, each as NAME=value in a line of its own.\n"
        return {
            f"sendoff-{job.connector}.cron": (
                f"# {job.connector}, {job.cron} in {job.timezone}: for the crontab of {job.user or 'who owns the project'}.\n"
                "# A cron knows no time zone but the machine's, and makes up for nothing: `--due` decides at each tick, by the ledger.\n"
                f"{sets if job.variables else ''}"
                "# Cron mails what is printed: nothing, where nothing is due.\n"
                f"{tick(start_times(job.cron, job.timezone, zones=False).cron)} {command}\n"
            )
        }


@hookimpl
def sendoff_schedulers() -> list[type[Scheduler]]:
    return [Cron]
