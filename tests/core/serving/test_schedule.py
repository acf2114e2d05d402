"""When a schedule is due, over changes of the clock, sleep, and clocks that are set."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendoff.config import cron as cron_times
from sendoff.config.schedule import GRACE, Due, ScheduleRule, due
from sendoff.options import find_timezone
from sendoff.serving.schedule import QUIET, Debouncer, Schedule

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).timestamp()


def schedule(cron: str, missed: Any = "run_once") -> ScheduleRule:
    return ScheduleRule(cron, "Europe/Berlin", missed)


def obey(table: Schedule, now: float) -> dict[str, Due]:
    """What is due, and was begun."""
    found = table.due(now)
    for name, one in found.items():
        table.mark_obeyed(name, one.fired)
    return found


def runs(cron: str, begin: str, end: str, step: int = 20) -> list[str]:
    """When runs begin if somebody looks every so many seconds."""
    now, found = at(begin), []
    table = Schedule({"c": schedule(cron)}, {"c": now})
    while now < at(end):
        now += step
        if "c" in obey(table, now):
            found.append(datetime.fromtimestamp(now, BERLIN).strftime("%d %H:%M %Z"))
    return found


def test_every_morning_it_runs_once() -> None:
    assert runs("0 7 * * *", "2026-11-20T00:00", "2026-11-22T23:00") == ["20 07:00 CET", "21 07:00 CET", "22 07:00 CET"]


def test_t2_in_the_hour_that_is_skipped_in_spring_it_runs_at_its_end() -> None:
    assert runs("30 2 * * *", "2026-03-28T00:00", "2026-03-30T12:00") == ["28 02:30 CET", "29 03:00 CEST", "30 02:30 CEST"]


def test_t2_in_the_hour_that_comes_twice_in_autumn_it_runs_once() -> None:
    assert runs("30 2 * * *", "2026-10-24T00:00", "2026-10-26T12:00") == ["24 02:30 CEST", "25 02:30 CEST", "26 02:30 CET"]


def test_every_hour_is_every_hour_also_when_the_clock_changes() -> None:
    assert len(runs("0 * * * *", "2026-10-25T00:00", "2026-10-25T06:00")) == 7
    assert len(runs("0 * * * *", "2026-03-29T00:00", "2026-03-29T06:00")) == 5


@pytest.mark.parametrize(("missed", "want"), [("run_once", True), ("skip", False)])
def test_what_was_missed_for_days_is_made_up_for_once_or_not_at_all(missed: str, want: bool) -> None:
    table = Schedule({"c": schedule("0 7 * * *", missed)}, {"c": at("2026-11-20T08:00")})
    found = obey(table, at("2026-11-24T12:00"))["c"]
    assert found == Due(want, at("2026-11-24T07:00"), "missed" if want else "skipped")
    assert obey(table, at("2026-11-24T12:01")) == {}
    assert obey(table, at("2026-11-25T07:00:05"))["c"].why == "on time"


def test_a_little_late_is_on_time_whatever_the_rule() -> None:
    for late, why in ((GRACE - 1, "on time"), (GRACE + 1, "skipped")):
        found = due(schedule("0 7 * * *", "skip"), at("2026-11-20T00:00"), at("2026-11-20T07:00") + late)
        assert found is not None
        assert found.why == why


def test_t1_a_clock_that_is_set_back_makes_nothing_due_twice() -> None:
    table = Schedule({"c": schedule("0 7 * * *")}, {"c": at("2026-11-20T00:00")})
    assert "c" in obey(table, at("2026-11-20T07:00:01"))
    assert obey(table, at("2026-11-20T06:00")) == {}
    assert obey(table, at("2026-11-20T07:00:30")) == {}
    assert "c" in obey(table, at("2026-11-21T07:00:01"))


def test_t1_a_clock_set_years_forward_is_one_missed_run() -> None:
    table = Schedule({"c": schedule("*/5 * * * *")}, {"c": at("2026-11-20T00:00")})
    assert obey(table, at("2031-11-20T00:03"))["c"].run
    assert obey(table, at("2031-11-20T00:04")) == {}


@given(
    st.integers(0, 3 * 365 * 86400),
    st.integers(1, 40 * 86400),
    st.sampled_from(["0 7 * * *", "*/7 * * * *", "30 2 * * 1-5", "0 0 1 * *"]),
)
def test_the_latest_is_the_last_of_those_that_follow(start: int, length: int, cron: str) -> None:
    after, until = at("2026-01-01T00:00") + start, at("2026-01-01T00:00") + start + length
    last, found = None, after
    while (found := cron_times.next_due(cron, "Europe/Berlin", found)) <= until:
        last = found
    assert cron_times.last_due(cron, "Europe/Berlin", after, until) == last


@pytest.mark.parametrize("text", ["* * * *", "0 25 * * *", "x 7 * * *", "0 0 31 2 *", "@daily", "0 7 * * * *"])
def test_what_is_no_schedule_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a valid schedule|is never due"):
        cron_times.cron(text)


@pytest.mark.parametrize("text", ["Berlin", "", "../etc/passwd", "Europe"])
def test_what_is_no_time_zone_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is not a valid time zone"):
        find_timezone(text)


def test_what_lands_is_taken_when_it_has_come_to_rest_and_only_once() -> None:
    landing = Debouncer()
    assert not landing.settled([], 0)
    assert not landing.settled([("a", 1)], 1)
    assert not landing.settled([("a", 2)], 2.5), "it still grows"
    assert not landing.settled([("a", 2)], 2.5 + QUIET - 0.1)
    assert landing.settled([("a", 2)], 2.5 + QUIET)
    assert not landing.settled([("a", 2)], 100)
    assert not landing.settled([("a", 2), ("b", 1)], 101)
    assert landing.settled([("a", 2), ("b", 1)], 104)
