# ruff: noqa: E501  # a line of another program's file reads best as a line
"""Schedules for systemd."""

from __future__ import annotations

from collections.abc import Mapping

from sendoff.plugin import ScheduledJob, Scheduler, hookimpl
from sendoff_plugins.schedulers._cron.expressions import on_calendar


class Systemd(Scheduler):
    """A systemd service and its timer. A timer that is `Persistent` makes up for what was missed, once."""

    name = "systemd"

    def export(self, job: ScheduledJob) -> Mapping[str, str]:
        name = f"sendoff-{job.connector}"
        zone = job.timezone
        times = "".join(f"OnCalendar={when} {zone}\n" for when in on_calendar(job.cron))
        persistent = "true" if job.missed == "run_once" else "false"
        service = (
            f"[Unit]\nDescription=sendoff delivers {job.connector}\nAfter=network-online.target\nWants=network-online.target\n\n"
            f"[Service]\nType=oneshot\nWorkingDirectory={str(job.home).replace('%', '%%')}\n"
            f"ExecStart={job.program} run {job.connector} --quiet\n"
            "# 1: the run ended, and some records were not delivered. Add SuccessExitStatus=1 if that is routine.\n"
            "KillSignal=SIGTERM\nTimeoutStopSec=10min\n"
        )
        timer = f"[Unit]\nDescription=When sendoff delivers {job.connector}\n\n[Timer]\n{times}Persistent={persistent}\n\n[Install]\nWantedBy=timers.target\n"
        return {f"{name}.service": service, f"{name}.timer": timer}


@hookimpl
def sendoff_schedulers() -> list[type[Scheduler]]:
    return [Systemd]
