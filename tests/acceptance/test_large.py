"""250,000 records over a real socket: what it costs, and who is left."""

from __future__ import annotations

import random

import pytest

from sendoff import Report
from sendoff.ledger import open_history
from sendoff.sandbox import Sandbox
from sendoff.testing import Project

RECORDS = 250_000
CONNECTOR = """
source: {{use: csv, path: in.csv}}
schema:
  id:     {{type: integer}}
  email:  {{type: string}}
  amount: {{type: decimal}}
  day:    {{type: date}}
destination: {{url: "{url}"}}
send: {{use: batch, max_records: {batch}}}
on_failure: {strategy}
"""


def deliver(project: Project, bad: set[int], batch: int, strategy: str) -> tuple[Report, Sandbox]:
    rows = (f"{at},{'bad' if at in bad else 'p'}{at}@example.com,{at}.10,2026-01-01\n" for at in range(RECORDS))
    with Sandbox(["400 if email ~ ^bad"]) as api:
        project({"in.csv": "id,email,amount,day\n" + "".join(rows)})
        project({"connectors.d/c.yaml": CONNECTOR.format(url=api.url, batch=batch, strategy=strategy)})
        return project.run("c"), api


@pytest.mark.slow
@pytest.mark.parametrize(("count", "most"), [(0, 1), (1, 39), (10, 321)])
def test_split_leaves_only_the_bad_ones(project: Project, count: int, most: int) -> None:
    bad = set(random.Random(count).sample(range(RECORDS), count))
    report, api = deliver(project, bad, 250_000, "split")
    assert (report.delivered, report.rejected) == (RECORDS - count, count)
    assert report.requests == api.counts["requests"] <= most
    assert sorted(record["id"] for record in api.records) == sorted(set(range(RECORDS)) - bad)
    failed = {int(row["record"]["id"]) for row in open_history(project.home / ".sendoff").failures(1)}
    assert failed == bad


@pytest.mark.slow
def test_fail_fails_the_bad_batches_whole_at_one_request_each(project: Project) -> None:
    bad = {5_500, 5_501, 77_000, 249_999}
    report, api = deliver(project, bad, 1_000, "fail")
    assert report.requests == 250
    assert (report.rejected, report.delivered) == (3_000, RECORDS - 3_000)
    assert len(api.records) == RECORDS - 3_000
