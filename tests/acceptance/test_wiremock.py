"""WireMock's faults: a record for which the connection breaks, in every way that it knows, among many that are taken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sendoff.testing import Project

from .servers import kill_when, reasons, settled
from .wiremock import FAULTS, received, respond, wiremock

SINGLE = """
source: {{use: csv, path: people.csv}}
schema: {{id: integer, email: string}}
destination:
  url: {url}
  transport: {transport}
  retry: {{max_attempts: 2, initial_backoff: 0}}
send: single
"""
BATCHES = """
source: {{use: csv, path: people.csv}}
schema: {{id: integer, email: string}}
destination:
  url: {url}
  transport: {transport}
  retry: {{max_attempts: 2, initial_backoff: 0}}
  idempotent: true             # so what may have been applied is split as well
send: {{use: batch, max_records: 20}}
on_failure: split
"""


@pytest.fixture
def mock(tmp_path: Path) -> Iterator[str]:
    with wiremock(tmp_path / "wiremock") as url:
        yield url


def people(count: int) -> str:
    return "id,email\n" + "".join(f"{at},p{at}@example.com\n" for at in range(count))


@pytest.mark.parametrize("connector", [SINGLE, BATCHES], ids=["single", "batches"])
def test_however_a_connection_breaks_only_the_record_it_breaks_for_is_given_up(
    project: Project, mock: str, connector: str
) -> None:
    slowly = {"numberOfChunks": 2, "totalDuration": 2}
    respond(mock, {"urlPathPattern": "/.*"}, {"status": 201, "chunkedDribbleDelay": slowly, "body": "{}"})
    project({"people.csv": people(100)})
    for fault in FAULTS:
        poisoned = {"matchesJsonPath": "$..[?(@.id == 66)]"}
        respond(mock, {"urlPath": f"/{fault}", "bodyPatterns": [poisoned]}, {"fault": fault}, 1)
        for transport in ("http1", "urllib3"):
            name, path = f"{fault}-{transport}".lower().replace("_", "-"), f"/{fault}?{transport}"
            project({f"connectors.d/{name}.yaml": connector.format(url=f'"{mock}{path}"', transport=transport)})
            report = project.run(name)
            assert (report.state, report.delivered, report.rejected) == ("incomplete", 99, 1), name
            (why,) = reasons(project, report).values()
            assert "given up" in why
            assert "it may have been applied" in why
            times = received(mock, path)
            assert times.keys() == set(range(100))
            # http1 may have others under way on the connection that broke; urllib3 has one request a connection.
            repeated = {at for at, often in times.items() if often > 1}
            assert 66 in repeated
            assert connector is BATCHES or transport == "http1" or repeated == {66}


def test_killed_and_resumed_with_slow_responses_only_what_was_under_way_is_sent_twice(project: Project, mock: str) -> None:
    slow = {"type": "lognormal", "median": 20, "sigma": 0.4}
    respond(mock, {"urlPath": "/people"}, {"status": 201, "delayDistribution": slow})
    project({"people.csv": people(300)})
    project({"connectors.d/people.yaml": SINGLE.format(url=f"{mock}/people", transport="http1")})
    kill_when(project, "people", lambda: settled(project), 40, "60/s")
    report = project.run("people")
    assert (report.state, report.delivered) == ("complete", 300)
    times = received(mock, "/people")
    assert times.keys() == set(range(300))
    assert max(times.values()) <= 2
    assert times.total() - 300 <= 64
