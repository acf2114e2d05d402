# ruff: noqa: E501  # a line of another program's file reads best as a line
"""Schedules for other schedulers: systemd, cron, Kubernetes, GitHub Actions, Airflow.

Each gets the connector's own expression and time zone where it knows them. Where it does not, the file says so.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from sendoff.config import cron as cron_times
from sendoff.config.connector import Connector

_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_NAMES = {name.upper(): str(at) for at, name in enumerate(_DAYS[:7])}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def systemd(chosen: Connector, home: Path, program: str) -> dict[str, str]:
    """A service and a timer. A timer that is `Persistent` makes up for what was missed, once."""
    assert chosen.schedule is not None
    name = f"sendoff-{chosen.name}"
    zone = chosen.schedule.timezone
    times = "".join(f"OnCalendar={when} {zone}\n" for when in on_calendar(chosen.schedule.cron))
    persistent = "true" if chosen.schedule.missed == "run_once" else "false"
    service = (
        f"[Unit]\nDescription=sendoff delivers {chosen.name}\nAfter=network-online.target\nWants=network-online.target\n\n"
        f"[Service]\nType=oneshot\nWorkingDirectory={str(home).replace('%', '%%')}\n"
        f"ExecStart={program} run {chosen.name} --quiet\n"
        "# 1: the run ended, and some records were not delivered. Add SuccessExitStatus=1 if that is routine.\n"
        "KillSignal=SIGTERM\nTimeoutStopSec=10min\n"
    )
    timer = f"[Unit]\nDescription=When sendoff delivers {chosen.name}\n\n[Timer]\n{times}Persistent={persistent}\n\n[Install]\nWantedBy=timers.target\n"
    return {f"{name}.service": service, f"{name}.timer": timer}


def cron(chosen: Connector, home: Path, program: str) -> dict[str, str]:
    """Lines for a crontab. `CRON_TZ` is known to cronie, and to no other cron; what was missed is not made up for."""
    assert chosen.schedule is not None
    command = f"cd {shlex.quote(str(home))} && {program} run {chosen.name} --quiet".replace("%", "\\%")
    zone = chosen.schedule.timezone
    return {
        f"sendoff-{chosen.name}.cron": (
            f"# cronie supports CRON_TZ; with another cron the machine's time zone must be {zone}.\n"
            f"CRON_TZ={zone}\n{chosen.schedule.cron} {command}\n"
        )
    }


def k8s(chosen: Connector, home: Path, program: str) -> dict[str, str]:
    """A CronJob. Its volume must outlive the pods: the ledger is in it, and it must be no network file system."""
    assert chosen.schedule is not None
    name = f"sendoff-{chosen.name}".replace("_", "-")[:52].rstrip("-")
    deadline = "" if chosen.schedule.missed == "run_once" else "  startingDeadlineSeconds: 90\n"
    return {
        f"{name}.yaml": (
            "apiVersion: batch/v1\nkind: CronJob\n"
            f"metadata: {{name: {name}}}\nspec:\n"
            f"  schedule: {json.dumps(chosen.schedule.cron)}\n"
            f"  timeZone: {chosen.schedule.timezone}\n"
            "  concurrencyPolicy: Forbid\n"
            + deadline
            + "  jobTemplate:\n    spec:\n      backoffLimit: 0\n      template:\n        spec:\n"
            "          restartPolicy: Never\n          containers:\n            - name: sendoff\n"
            "              image: IMAGE  # one with sendoff installed\n"
            f"              command: [sendoff, run, {chosen.name}, --quiet]\n"
            "              workingDir: /project\n"
            "              volumeMounts: [{name: project, mountPath: /project}]\n"
            "          volumes:\n            - name: project\n"
            "              persistentVolumeClaim: {claimName: sendoff}  # ReadWriteOnce, on a disk of the node's\n"
        )
    }


def github(chosen: Connector, home: Path, program: str) -> dict[str, str]:
    """A workflow. GitHub's cron is in UTC and late at times; the ledger is kept in its cache from run to run."""
    assert chosen.schedule is not None
    return {
        f"sendoff-{chosen.name}.yml": (
            f"name: sendoff {chosen.name}\non:\n  schedule:\n"
            f"    # {chosen.schedule.cron} in {chosen.schedule.timezone}, in UTC as the clock stands today:\n"
            "    # GitHub supports no other zone, so this is an hour off after the next change of the clock.\n"
            f"    - cron: {json.dumps(in_utc(chosen.schedule.cron, chosen.schedule.timezone))}\n"
            "  workflow_dispatch:\nconcurrency: {group: sendoff-" + chosen.name + ", cancel-in-progress: false}\n"
            "jobs:\n  deliver:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n"
            "      - uses: actions/setup-python@v5\n        with: {python-version: '3.13'}\n"
            "      - run: pip install sendoff\n"
            "      # The ledger knows what was delivered. A cache may be evicted: keep it elsewhere if that matters.\n"
            "      - uses: actions/cache@v4\n"
            f"        with: {{path: .sendoff, key: 'sendoff-{chosen.name}-${{{{ github.run_id }}}}', restore-keys: 'sendoff-{chosen.name}-'}}\n"
            f"      - run: sendoff run {chosen.name} --quiet\n"
        )
    }


def airflow(chosen: Connector, home: Path, program: str) -> dict[str, str]:
    """A DAG of one task. Exit code 1, some records not delivered, fails the task."""
    assert chosen.schedule is not None
    catchup = "# Airflow makes up for the last missed run only, as the ledger would deliver nothing twice anyhow."
    identity = f"sendoff_{chosen.name.replace('-', '_')}"
    return {
        f"{identity}.py": (
            "import pendulum\nfrom airflow import DAG\nfrom airflow.providers.standard.operators.bash import BashOperator\n\n"
            f"{catchup}\nwith DAG(\n    {json.dumps(identity)},\n    schedule={json.dumps(chosen.schedule.cron)},\n"
            f"    start_date=pendulum.datetime(2026, 1, 1, tz={json.dumps(chosen.schedule.timezone)}),\n"
            "    catchup=False,\n    max_active_runs=1,\n):\n"
            f'    BashOperator(task_id="deliver", bash_command={json.dumps(f"{program} run {chosen.name} --quiet")}, cwd={json.dumps(str(home))})\n'
        )
    }


FORMATS: Mapping[str, Callable[[Connector, Path, str], dict[str, str]]] = {
    "systemd": systemd, "cron": cron, "k8s": k8s, "github": github, "airflow": airflow,
}  # fmt: skip


def export(form: str, chosen: Connector, home: Path, program: str) -> dict[str, str]:
    """The files, by name, that make another scheduler run a connector when its schedule says so."""
    return FORMATS[form](chosen, home, program)


def on_calendar(expression: str) -> list[str]:
    """A cron expression as systemd's calendar events: two, if it names days of the month and of the week, as cron means either."""
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
    moment = (now or datetime.now(UTC)).astimezone(cron_times.zone(timezone))
    offset = moment.utcoffset()
    assert offset is not None
    shift = int(offset.total_seconds()) // 60
    minutes = [(int(each) * 60 + int(minute) - shift) % 1440 for each in hour.split(",")]
    return " ".join([str(minutes[0] % 60), ",".join(str(at // 60) for at in sorted(minutes)), *rest])
