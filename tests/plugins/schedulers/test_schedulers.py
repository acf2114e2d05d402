"""Other schedulers get the same times, and start what delivers.

What is exported is read by the programs it is for, or by their schemas, and its command lines are run as they would run them.
"""

from __future__ import annotations

import ast
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import kubernetes_validate
import pytest
import yaml
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from sendoff.config import cron as cron_times
from sendoff.config.schedule import ScheduleRule, due
from sendoff.plugin import ScheduledJob, Scheduler
from sendoff.registry import Registry
from sendoff.testing import Project, Receiver
from sendoff_plugins.schedulers._cron.expressions import StartTimes, on_calendar, plain, start_times, tick

NAMES = Registry().names("schedulers")
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
]
CRONS = [
    "0 7 * * *", "*/15 * * * *", "5,35 6-18/2 * * 1-5", "30 2 1 * *", "0 0 * JAN,JUL sun", "15 3 1,15 * 5", "0 7 * * 6-7", "7 */6 * 3-9 *",
    "0 0 * * 1", "0 0 1 * *", "0 9-17 * * *", "0 */2 * * *", "30 6 * * 1#1", "0 7 LW * *", "0 7 L * *", "0 5 * * 5L", "0 2 * * 7",
    "30 1 * * *", "*/20 2 * * *", "0 0 */2 * 1-6", "0 12 1-31 * 1",
]  # fmt: skip
#: Winter and summer, and a while around two changes of the clock.
WINDOWS = [(datetime(2027, 3, 27, tzinfo=UTC), 4), (datetime(2027, 10, 30, tzinfo=UTC), 4)]

MOMENTS = st.integers(1_798_761_600, 1_861_833_600).map(lambda at: datetime.fromtimestamp(at, UTC))


def field(low: int, high: int, *, names: bool = False) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    span = st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}")
    stepped = st.tuples(st.one_of(st.just("*"), span), st.integers(1, high)).map(lambda pair: f"{pair[0]}/{pair[1]}")
    one = st.one_of(number.map(str), span, stepped)
    return st.one_of(st.just("*"), st.just("*"), one, st.lists(one, min_size=1, max_size=3).map(",".join))


@st.composite
def crons(draw: st.DrawFn) -> str:
    day = draw(st.one_of(field(1, 28), st.sampled_from(["L", "LW"])))
    weekday = draw(st.one_of(field(0, 7), st.sampled_from(["1#1", "5L", "mon-fri", "SUN", "6-7"])))
    month = draw(st.one_of(st.just("*"), st.just("*"), field(1, 12), st.just("FEB-NOV")))
    return f"{draw(field(0, 59))} {draw(field(0, 23))} {day} {month} {weekday}"


def wanted(expression: str, timezone: str, start: datetime, end: datetime, most: int = 150) -> list[float]:
    """The times at which the connector's own schedule is due."""
    found, at = list[float](), start.timestamp()
    while len(found) < most and (at := cron_times.next_due(expression, timezone, at)) <= end.timestamp():
        found.append(at)
    return found


def expand(expression: str, timezone: str, start: datetime, end: datetime) -> Iterator[float]:
    """The times of a cron expression, as a cron without any rules of its own for changes of the clock has them."""
    zone = ZoneInfo(timezone)
    sim = CronSim(expression, start.astimezone(zone).replace(tzinfo=None) - timedelta(hours=2))
    for local in takewhile(lambda local: local <= end.astimezone(zone).replace(tzinfo=None) + timedelta(hours=2), sim):
        at = local.replace(tzinfo=zone).timestamp()
        if start.timestamp() < at <= end.timestamp():
            yield at


def obeyed(rule: ScheduleRule, ticks: Iterable[float], start: float) -> list[float]:
    """The ticks at which `run --due` runs."""
    found, fired = [], start
    for at in ticks:
        if (decision := due(rule, fired, at)) is not None:
            fired = decision.fired
            found.append(at)
    return found


def starts(chosen: StartTimes, rule: ScheduleRule, start: datetime, end: datetime) -> list[float]:
    ticks = sorted(expand(chosen.cron, chosen.timezone, start, end))
    return obeyed(rule, ticks, start.timestamp()) if chosen.due else ticks


def check_plans(expression: str, timezone: str, start: datetime, days: float) -> None:
    rule = ScheduleRule(expression, timezone)
    want = wanted(expression, timezone, start, start + timedelta(days=days))
    end = min(start + timedelta(days=days), datetime.fromtimestamp(want[-1], UTC)) if want else start + timedelta(days=days)
    for zones in (True, False):
        assert starts(start_times(expression, timezone, zones=zones, now=start), rule, start, end) == want, (
            zones,
            expression,
            timezone,
        )


@pytest.mark.parametrize("timezone", ["Europe/Berlin", "Asia/Kathmandu"])
@pytest.mark.parametrize("expression", CRONS)
def test_every_plan_starts_a_run_when_the_schedule_says_so(expression: str, timezone: str) -> None:
    for start, days in WINDOWS:
        check_plans(expression, timezone, start, days)


@settings(max_examples=30, deadline=None)
@given(crons(), st.sampled_from(ZONES), MOMENTS)
def test_every_plan_of_any_schedule_starts_a_run_when_that_says_so(expression: str, timezone: str, start: datetime) -> None:
    try:
        cron_times.cron(expression)
    except ValueError:
        return
    check_plans(expression, timezone, start, 4)


@settings(max_examples=20, deadline=None)
@given(crons(), st.sampled_from(ZONES), st.sampled_from([0, 60, 330, 345, -210]))
def test_a_crontab_in_any_machines_zone_ticks_when_the_schedule_is_due(expression: str, timezone: str, machine: int) -> None:
    try:
        cron_times.cron(expression)
    except ValueError:
        return
    start = datetime(2027, 3, 26, tzinfo=UTC)
    line = tick(start_times(expression, timezone, zones=False, now=start).cron)
    for at in wanted(expression, timezone, start, start + timedelta(days=2), 60):
        local = datetime.fromtimestamp(at, UTC) + timedelta(minutes=machine)
        assert next(CronSim(line, local.replace(tzinfo=None) - timedelta(minutes=1))) == local.replace(tzinfo=None), line


def calendar(events: Iterable[str], zone: str, start: datetime, count: int) -> list[float]:
    """The first times of systemd's calendar events, by systemd itself."""
    found: set[float] = set()
    for when in events:
        command = [
            "systemd-analyze",
            "calendar",
            f"--iterations={count}",
            f"--base-time={start:%Y-%m-%d %H:%M:%S} UTC",
            f"{when} {zone}",
        ]
        done = subprocess.run(command, capture_output=True, text=True, env={"TZ": "UTC", "PATH": "/usr/bin:/bin"})
        assert done.returncode == 0, (when, done.stderr)
        for line in done.stdout.splitlines():
            head, _, said = line.strip().partition(": ")
            if head == "(in UTC)" or (zone == "UTC" and head.startswith(("Next elapse", "Iter"))):
                found.add(datetime.strptime(said.strip(), "%a %Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC).timestamp())
    return sorted(found)[:count]


def check_timer(expression: str, timezone: str, start: datetime) -> None:
    chosen = start_times(expression, timezone, now=start)
    ticks = calendar(on_calendar(chosen.cron), chosen.timezone, start, 40)
    rule = ScheduleRule(expression, timezone)
    found = obeyed(rule, ticks, start.timestamp()) if chosen.due else ticks
    if ticks:
        assert found == wanted(expression, timezone, start, datetime.fromtimestamp(ticks[-1], UTC)), (expression, timezone)


@pytest.mark.parametrize("expression", CRONS)
def test_systemd_starts_a_run_when_the_schedule_says_so(expression: str) -> None:
    for start, _ in WINDOWS[:2]:
        check_timer(expression, "Europe/Berlin", start + timedelta(hours=20))
    check_timer(expression, "UTC", WINDOWS[0][0])


@settings(max_examples=10, deadline=None)
@given(crons(), st.sampled_from(ZONES), MOMENTS)
def test_systemd_starts_a_run_when_any_schedule_says_so(expression: str, timezone: str, start: datetime) -> None:
    try:
        cron_times.cron(expression)
    except ValueError:
        return
    check_timer(expression, timezone, start)


def test_what_other_crons_do_not_know_is_not_written_for_them() -> None:
    for expression in ("0 7 L * *", "0 7 LW * *", "0 7 * * 1#1", "0 7 * * 5L", "0 0 */2 * 1-5"):
        assert plain(expression) is None
        assert start_times(expression, "UTC").due
    assert plain("0 7 * JAN-MAR mon,7") == "0 7 * 1-3 0,1"
    assert start_times("0 7 * * *", "Europe/Berlin", zones=False).cron == "0 5,6 * * *"
    assert start_times("0 7 * * *", "Europe/Berlin") == StartTimes("0 7 * * *", "Europe/Berlin", due=False)
    assert start_times("30 2 * * *", "Europe/Berlin").due
    assert start_times("*/15 * * * *", "Europe/Berlin") == StartTimes("*/15 * * * *", "UTC", due=False)


CONNECTOR = """\
source: {{use: csv, path: people.csv}}
destination: {{url: '{url}/people', headers: {{Authorization: 'Bearer ${{env:API_TOKEN}}', X-Env: '${{env:STAGE:-test}}'}}}}
schedule: {{cron: '{cron}', timezone: {zone}, missed: {missed}}}
"""


def made(
    project: Project, url: str, cron: str = "0 7 * * 1-5", zone: str = "Europe/Berlin", missed: str = "run_once"
) -> Project:
    text = CONNECTOR.format(url=url, cron=cron, zone=zone, missed=missed)
    return project({"connectors.d/people.yaml": text, "people.csv": "id\n1\n2\n", ".env": "API_TOKEN=opensesame\n"})


def sendoff(project: Project, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "sendoff", *words], cwd=project.home, capture_output=True, text=True)


def exported(project: Project, scheduler: str, *options: str) -> dict[str, str]:
    """What the command writes. The variables are not set where it is run."""
    folder = project.home / "out"
    done = sendoff(project, *options, "schedule", "export", scheduler, "--to", str(folder))
    assert done.returncode == 0, done.stderr
    return {file.name: file.read_text() for file in folder.iterdir()}


@pytest.mark.parametrize("form", NAMES)
def test_each_names_the_connector_the_zone_and_the_variables(project: Project, form: str) -> None:
    whole = "\n".join(exported(made(project, "http://127.0.0.1:1"), form).values())
    assert "people" in whole
    assert "Europe/Berlin" in whole
    assert "API_TOKEN" in whole
    assert "STAGE" in whole
    assert "opensesame" not in whole
    assert "pip install sendoff" not in whole


@pytest.mark.parametrize(
    ("cron", "zone"), [("0 7 * * 1-5", "Europe/Berlin"), ("30 2 * * *", "Europe/Berlin"), ("0 6 LW * *", "UTC")]
)
def test_systemd_accepts_the_units(project: Project, cron: str, zone: str) -> None:
    assert shutil.which("systemd-analyze"), "tests/acceptance/install.sh installs it"
    exported(made(project, "http://127.0.0.1:1", cron, zone), "systemd")
    done = subprocess.run(
        ["systemd-analyze", "verify", "./sendoff-people.timer", "./sendoff-people.service"],
        cwd=project.home / "out", capture_output=True, text=True,
    )  # fmt: skip
    assert "sendoff-people" not in done.stderr, done.stderr


def settings_of(unit: str, name: str) -> list[str]:
    return [line.partition("=")[2] for line in unit.splitlines() if line.startswith(f"{name}=")]


def test_what_systemd_starts_delivers(project: Project, receiver: Receiver) -> None:
    units = exported(made(project, receiver.url), "systemd")
    service = units["sendoff-people.service"]
    (file,), (command,), (folder,) = (
        settings_of(service, name) for name in ("EnvironmentFile", "ExecStart", "WorkingDirectory")
    )
    variables = dict(line.split("=", 1) for line in Path(file).read_text().splitlines())
    done = subprocess.run(shlex.split(command), cwd=folder, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert receiver.requests[0].headers["authorization"] == "Bearer opensesame"


def test_what_cron_starts_delivers_when_it_is_due_and_prints_nothing_when_not(project: Project, receiver: Receiver) -> None:
    (text,) = exported(made(project, receiver.url, "* * * * *", "UTC"), "cron").values()
    line = [line for line in text.splitlines() if not line.startswith("#")][-1]
    times, command = " ".join(line.split()[:5]), line.split(None, 5)[5]
    assert times in ("* * * * *", "*/15 * * * *")
    bare = ["env", "-i", "PATH=/usr/bin:/bin", f"HOME={project.home}", "/bin/sh", "-c", command]
    done = subprocess.run(bare, cwd="/", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(receiver.requests) == 1
    made(project, receiver.url, "0 0 1 1 *", "UTC")
    quiet = subprocess.run(bare, cwd="/", capture_output=True, text=True)
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


def test_kubernetes_accepts_the_job(project: Project) -> None:
    for cron in ("0 7 * * 1-5", "30 2 * * *"):
        for missed in ("run_once", "skip"):
            (text,) = exported(made(project, "http://127.0.0.1:1", cron, missed=missed), "k8s").values()
            kubernetes_validate.validate(yaml.safe_load(text), "1.31", strict=True)


def test_github_accepts_the_workflow_and_what_it_runs_delivers(project: Project, receiver: Receiver) -> None:
    made(project, receiver.url)
    (text,) = exported(project, "github").values()
    check = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.github-workflows",
        str(project.home / "out/sendoff-people.yml"),
    ]
    done = subprocess.run(check, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    workflow = yaml.safe_load(text)
    steps = workflow["jobs"]["deliver"]["steps"]
    (run,) = [step["run"] for step in steps if "sendoff" in step.get("run", "") and "pip" not in step["run"]]
    folder = project.home / "bin"
    folder.mkdir()
    (folder / "sendoff").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m sendoff "$@"\n')
    (folder / "sendoff").chmod(0o755)
    environment = {"PATH": f"{folder}:/usr/bin:/bin", "API_TOKEN": "opensesame", "STAGE": ""}
    by_schedule, by_hand = run.split("'")[3], run.split("'")[5]
    for command in (by_schedule, by_hand):
        done = subprocess.run(["bash", "-e", "-c", command], cwd=project.home, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert 1 <= len(receiver.requests) <= 2


def test_airflow_gets_a_dag_whose_command_delivers(project: Project, receiver: Receiver) -> None:
    (text,) = exported(made(project, receiver.url), "airflow").values()
    tree = ast.parse(text)
    (call,) = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "BashOperator"]
    given: Mapping[str, Any] = {word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg}
    assert given["env"]["API_TOKEN"] == "{{ var.value.API_TOKEN }}"
    environment = {"PATH": os.environ["PATH"], "API_TOKEN": "opensesame"}
    done = subprocess.run(
        ["bash", "-c", given["bash_command"]], cwd=given["cwd"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert len(receiver.requests) == 1


def test_options_of_the_command_line_are_kept_with_whole_paths(project: Project, receiver: Receiver) -> None:
    made(project, receiver.url)
    (project.home / "other env").write_text("API_TOKEN=opensesame\n")
    text = exported(project, "systemd", "--env-file", "other env", "--state", "my state", "-d", ".")["sendoff-people.service"]
    (command,) = settings_of(text, "ExecStart")
    assert f'--state "{project.home}/my state"' in command
    done = subprocess.run(shlex.split(command), cwd="/", env={"PATH": "/usr/bin"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (project.home / "my state" / "ledger.db").exists()


def test_a_plugin_may_be_given_a_job_of_the_least(project: Project) -> None:
    for form in NAMES:
        component = Registry().find("schedulers", form)
        assert component is not None
        exporter = component()
        assert isinstance(exporter, Scheduler)
        assert exporter.export(ScheduledJob("morning", "0 7 * * *", "UTC", "skip", project.home, ("sendoff",)))
    assert json.dumps(sorted(NAMES)) == '["airflow", "cron", "github", "k8s", "systemd"]'
    assert all(a < b for a, b in pairwise(sorted(NAMES)))
