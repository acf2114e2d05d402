# ruff: noqa: E501  # a line of another program's file reads best as a line
"""Schedules for systemd."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sendoff.plugin import ScheduledJob, Scheduler, hookimpl
from sendoff_plugins.schedulers._cron.expressions import StartTimes, on_calendar, start_times

_HARDENING = """\
NoNewPrivileges=true
ProtectSystem=strict
ProtectHome=read-only
ProtectKernelTunables=true
ProtectControlGroups=true
RestrictSUIDSGID=true
"""


class Systemd(Scheduler):
    """A systemd service and its timer. A timer that is `Persistent` makes up for what was missed, once."""

    name = "systemd"

    def export(self, job: ScheduledJob) -> Mapping[str, str]:
        name = f"sendoff-{job.connector}"
        when = start_times(job.cron, job.timezone)
        return {f"{name}.service": "".join(_service(job, when)), f"{name}.timer": "".join(_timer(job, when))}


def _service(job: ScheduledJob, when: StartTimes) -> Iterator[str]:
    yield f"[Unit]\nDescription=sendoff delivers {job.connector}\nAfter=network-online.target\nWants=network-online.target\n\n"
    yield f"[Service]\nType=oneshot\nUser={job.user}\nWorkingDirectory={_escape(job.home)}\n"
    if job.variables:
        yield f"# It sets {', '.join(job.variables)}, each as NAME=value in a line of its own. Let nobody else read it.\n"
        yield f"EnvironmentFile={_escape(job.env_file or job.home / '.env')}\n"
    yield f"ExecStart={_command([*job.program, *job.options, *job.run(due=when.due)])}\n"
    yield "# 1: it ended, and some records were not delivered; 2: something must be fixed. Both are failures: see OnFailure=.\n"
    yield "# 75: it is running already, and is not started twice. 143: it was stopped, and the next run resumes it.\n"
    yield "SuccessExitStatus=75 143\n"
    if not when.due:
        yield "# 3: what is wrong passes by itself. It is started again until it has, and goes on.\nRestart=on-failure\nRestartPreventExitStatus=1 2 70\nRestartSec=5min\n"
    yield "KillSignal=SIGTERM\nTimeoutStopSec=10min\n"
    yield _HARDENING
    kept = [
        path for path in dict.fromkeys((job.home, job.state or job.home)) if path == job.home or job.home not in path.parents
    ]
    if not any(Path(place) in path.parents for place in ("/tmp", "/var/tmp") for path in kept):  # noqa: S108  # the unit's own
        yield "PrivateTmp=true\n"
    yield f"ReadWritePaths={' '.join(map(_word, kept))}\n"


def _timer(job: ScheduledJob, when: StartTimes) -> Iterator[str]:
    yield f"[Unit]\nDescription=When sendoff delivers {job.connector}\n\n[Timer]\n"
    if when.due:
        yield f"# {job.cron} in {job.timezone}: systemd cannot say that through changes of the clock, so `--due` decides at these times.\n"
    yield from (f"OnCalendar={each} {when.timezone}\n" for each in on_calendar(when.cron))
    yield f"Persistent={'true' if job.missed == 'run_once' else 'false'}\nAccuracySec=1s\n\n[Install]\nWantedBy=timers.target\n"


def _escape(path: Path) -> str:
    return str(path).replace("%", "%%")


def _command(words: Sequence[str]) -> str:
    return " ".join(_word(word).replace("$", "$$") for word in words)


def _word(word: object) -> str:
    text = str(word).replace("%", "%%")
    plain = text and not any(letter in text for letter in " \t\"'\\;")
    return text if plain else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@hookimpl
def sendoff_schedulers() -> list[type[Scheduler]]:
    return [Systemd]
