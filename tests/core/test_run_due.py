"""`run --due`: what a schedule asks for is done once, however often and by however many it is looked at."""

from __future__ import annotations

import threading

import pytest

from sendoff.monitoring.report import Report
from sendoff.runner import Runner
from sendoff.testing import Project, Receiver, Reply

NOON = 1_795_003_200.0  # a full hour
HOURLY = "schedule: {cron: '0 * * * *', timezone: UTC, missed: %s}\n"


class Clock:
    now = NOON

    def __call__(self) -> float:
        return self.now


def prepared(project: Project, receiver: Receiver, missed: str = "run_once") -> Clock:
    assert NOON % 3600 == 0
    text = f"source: {{use: csv, path: p.csv}}\ndestination: {{url: '{receiver.url}'}}\n" + HOURLY % missed
    project({"connectors.d/p.yaml": text, "p.csv": "id\n1\n"})
    return Clock()


def tick(project: Project, clock: Clock, grace: float = 90) -> Report | str:
    runner: Runner = project.runner(clock=clock)
    return runner.run_due(runner.connector("p"), grace=grace)


def test_it_runs_once_for_each_due_time(project: Project, receiver: Receiver) -> None:
    clock = prepared(project, receiver)
    assert isinstance(tick(project, clock), Report)
    assert tick(project, clock) == "nothing is due"
    clock.now += 1800
    assert tick(project, clock) == "nothing is due"
    clock.now += 1800
    assert isinstance(tick(project, clock), Report)
    assert len(receiver.requests) == 2


def test_a_connector_seen_for_the_first_time_has_missed_nothing(project: Project, receiver: Receiver) -> None:
    clock = prepared(project, receiver)
    clock.now += 600
    assert tick(project, clock) == "nothing is due"
    clock.now += 3600
    assert isinstance(tick(project, clock), Report)


def test_missed_times_are_made_up_for_once_or_skipped(project: Project, receiver: Receiver) -> None:
    clock = prepared(project, receiver, "skip")
    assert isinstance(tick(project, clock), Report)
    clock.now += 5 * 3600 + 600
    said = tick(project, clock)
    assert isinstance(said, str)
    assert "is late, and is skipped" in said
    assert tick(project, clock) == "nothing is due"
    clock.now += 3600
    assert isinstance(tick(project, clock, grace=900), Report)
    prepared(project, receiver)
    clock.now += 5 * 3600
    assert isinstance(tick(project, clock), Report)
    assert tick(project, clock) == "nothing is due"


def test_ticks_at_the_same_moment_run_it_once(project: Project, receiver: Receiver) -> None:
    clock = prepared(project, receiver)
    found: list[Report | str] = []
    looking = [threading.Thread(target=lambda: found.append(tick(project, clock))) for _ in range(4)]
    for each in looking:
        each.start()
    for each in looking:
        each.join()
    assert len(found) == 4
    assert sum(isinstance(one, Report) for one in found) == len(receiver.requests) == 1


def test_what_is_still_running_is_not_started_again_and_that_time_is_over(project: Project) -> None:
    waiting, go = threading.Event(), threading.Event()

    def slow(_: object) -> Reply:
        waiting.set()
        go.wait(20)
        return Reply()

    with Receiver(slow) as receiver:
        clock = prepared(project, receiver)
        first = threading.Thread(target=tick, args=(project, clock))
        first.start()
        assert waiting.wait(20)
        later = Clock()
        later.now = NOON + 3600
        assert tick(project, later) == "still running, and not started again"
        go.set()
        first.join()
        assert tick(project, later) == "nothing is due"
        assert len(receiver.requests) == 1


def test_a_source_to_be_fixed_is_told_of_once(project: Project, receiver: Receiver) -> None:
    clock = prepared(project, receiver)
    (project.home / "p.csv").unlink()
    runner = project.runner(clock=clock)
    with pytest.raises(Exception, match=r"p\.csv"):
        runner.run_due(runner.connector("p"))
    assert tick(project, clock) == "nothing is due"
