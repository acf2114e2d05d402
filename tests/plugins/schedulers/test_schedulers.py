"""Other schedulers get the same times, in words they know."""

from __future__ import annotations

import ast
import shutil
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
import yaml

from sendoff.config import cron as cron_times
from sendoff.plugin import ScheduledJob, Scheduler
from sendoff.registry import Registry
from sendoff.testing import Project
from sendoff_plugins.schedulers._cron.expressions import in_utc, on_calendar

CRONS = [
    "0 7 * * *", "*/15 * * * *", "5,35 6-18/2 * * 1-5", "30 2 1 * *", "0 0 * JAN,JUL sun", "15 3 1,15 * 5", "0 7 * * 6-7", "7 */6 * 3-9 *",
]  # fmt: skip


def export(scheduler: str, project: Project, program: str, cron: str = "0 7 * * *") -> Mapping[str, str]:
    """The files a scheduler is given for one connector."""
    component = Registry().find("schedulers", scheduler)
    assert component is not None
    exporter = component()
    assert isinstance(exporter, Scheduler)
    return exporter.export(ScheduledJob("morning", cron, "Europe/Berlin", "run_once", project.home, program))


@pytest.mark.parametrize("cron", CRONS)
def test_systemd_means_the_same_times(cron: str) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    base = datetime(2026, 2, 1, 12, 0, tzinfo=UTC)
    want, at = [], base.timestamp()
    for _ in range(12):
        at = cron_times.next_due(cron, "UTC", at)
        want.append(at)
    found: set[float] = set()
    for when in on_calendar(cron):
        command = ["systemd-analyze", "calendar", "--iterations=12", f"--base-time={base:%Y-%m-%d %H:%M:%S} UTC", f"{when} UTC"]
        out = subprocess.run(
            command, capture_output=True, text=True, check=True, env={"TZ": "UTC", "PATH": "/usr/bin:/bin"}
        ).stdout
        lines = [
            line.split(":", 1)[1].strip()
            for line in out.splitlines()
            if line.strip().startswith(("Next elapse", "Iteration", "Iter."))
        ]
        found |= {datetime.strptime(line, "%a %Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC).timestamp() for line in lines}
    assert sorted(found)[:12] == want


def test_hours_in_utc_follow_the_clock_of_the_day() -> None:
    winter, summer = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
    assert in_utc("0 7 * * *", "Europe/Berlin", winter) == "0 6 * * *"
    assert in_utc("0 7 * * *", "Europe/Berlin", summer) == "0 5 * * *"
    assert in_utc("15 3 * * 1", "Asia/Kolkata", summer) == "45 21 * * 1"
    assert in_utc("*/5 * * * *", "Europe/Berlin", summer) == "*/5 * * * *"


@pytest.mark.parametrize("form", Registry().names("schedulers"))
def test_each_names_the_connector_the_times_and_the_zone(project: Project, form: str) -> None:
    files = export(form, project, "sendoff")
    whole = "\n".join(files.values())
    assert "run morning" in whole or "run, morning" in whole
    assert "Europe/Berlin" in whole
    for name, content in files.items():
        if name.endswith((".yml", ".yaml")):
            yaml.safe_load(content)
        elif name.endswith(".py"):
            ast.parse(content)


def test_a_timer_is_one_that_systemd_takes(project: Project) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    for name, content in export("systemd", project, "/bin/true", "0 7 * * 1-5").items():
        (project.home / name).write_text(content)
    done = subprocess.run(
        ["systemd-analyze", "verify", "sendoff-morning.timer"], cwd=project.home, capture_output=True, text=True
    )
    assert "sendoff-morning" not in done.stderr, done.stderr
