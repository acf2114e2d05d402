"""Many connectors, many files and many records, with receivers that answer in any order and a fault every second."""

from __future__ import annotations

import pytest

from tests.stress import load, storm
from tests.stress.promise import Budget


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_64_connectors_at_once_lose_and_repeat_nothing_and_a_thousand_files_are_no_hindrance() -> None:
    figures = load.PROMISE.hold(Budget(load.PROMISE.ci))
    assert (figures["connectors at once"], figures["connector files"]) == (64, 1_000)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_records_sent_through_a_storm_arrive_once_each() -> None:
    figures = storm.PROMISE.hold(Budget(storm.PROMISE.ci))
    assert figures["records"] == storm.PROMISE.ci
    assert figures["faults"] > 1
