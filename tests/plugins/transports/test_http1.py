"""Whole runs over the `http1` transport; what one request may meet is in tests/faults/test_transport.py."""

from __future__ import annotations

import json
import select
import threading
import time
from collections import Counter

import pytest

from sendoff.ledger import open_history
from sendoff.testing import Project, Received, Receiver, Reply
from tests.crowd import Crowd


def connector(url: str, send: str, more: str = "", *, concurrency: int = 16) -> str:
    return (
        "source: {use: jsonl, path: in.jsonl}\n"
        f'destination: {{url: "{url}/x", transport: http1, concurrency: {concurrency}, retry: {{initial_backoff: 0.01}}{more}}}\n'
        f"send: {send}\n"
    )


def rows(count: int) -> str:
    return "".join(f'{{"n": {at}}}\n' for at in range(count))


@pytest.mark.parametrize("send", ["single", "{use: batch, max_records: 100}", "{use: batch, max_records: 250000}"])
def test_every_record_arrives_once(project: Project, receiver: Receiver, send: str) -> None:
    report = project({"in.jsonl": rows(2_000), "connectors.d/c.yaml": connector(receiver.url, send)}).run("c")
    assert (report.state, report.delivered) == ("complete", 2_000)
    found = [row["n"] for body in receiver.bodies for row in (body if isinstance(body, list) else [body])]
    assert sorted(found) == list(range(2_000))


def test_bad_records_are_found_through_lost_answers_and_refusals(project: Project) -> None:
    bad, seen = {7, 500, 999}, set[str]()
    taken: list[int] = []
    guard = threading.Lock()

    def answer(request: Received) -> Reply:
        ns = [row["n"] for row in json.loads(request.body)]
        if bad & set(ns):
            return Reply(400, b'{"detail": "bad"}')
        with guard:
            key = request.headers["idempotency-key"]
            if key in seen:
                return Reply()
            seen.add(key)
            taken.extend(ns)
        return Reply(cut=True) if len(seen) % 5 == 0 else Reply()

    with Receiver(answer) as api:
        text = connector(api.url, "{use: batch, max_records: 50}\non_failure: split")
        report = project({"in.jsonl": rows(1_000), "connectors.d/c.yaml": text}).run("c")
    assert (report.delivered, report.rejected) == (997, 3)
    assert sorted(taken) == sorted(set(range(1_000)) - bad)


def test_as_many_requests_travel_at_once_as_allowed_and_no_more(project: Project) -> None:
    with Crowd(0.005) as api:
        text = connector(api.url, "single", concurrency=12)
        report = project({"in.jsonl": rows(600), "connectors.d/c.yaml": text}).run("c")
    assert (report.state, api.most) == ("complete", 12)


def test_a_pace_is_kept_and_waits_end(project: Project, receiver: Receiver) -> None:
    text = connector(receiver.url, "single", ", rate_limit: 200/s")
    began = time.monotonic()
    report = project({"in.jsonl": rows(100), "connectors.d/c.yaml": text}).run("c")
    assert report.delivered == 100
    assert time.monotonic() - began >= 0.35


def test_an_interrupted_run_ends_after_the_requests_under_way_and_goes_on(project: Project) -> None:
    runner = project.runner()

    def answer(request: Received) -> Reply:
        if len(api.requests) == 300:
            runner.interrupt("by the test")
        return Reply()

    with Receiver(answer) as api:
        project({"in.jsonl": rows(3_000), "connectors.d/c.yaml": connector(api.url, "single")})
        first = runner.run("c")
        assert first.state == "interrupted"
        assert 0 < first.pending < 3_000
        report = project.runner().run("c")
    assert (report.state, report.delivered) == ("complete", 3_000)
    assert len(api.requests) == 3_000


def test_a_dead_endpoint_costs_six_requests(project: Project) -> None:
    with Receiver() as gone:
        url = gone.url
    report = project({"in.jsonl": rows(1_000), "connectors.d/c.yaml": connector(url, "single")}).run("c")
    assert (report.state, report.requests) == ("stopped", 6)
    assert "refused" in (report.stopped_because or "")


def test_where_there_is_no_epoll_the_platform_s_own_does(
    project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(select, "epoll")
    report = project({"in.jsonl": rows(300), "connectors.d/c.yaml": connector(receiver.url, "single")}).run("c")
    assert (report.state, report.delivered) == ("complete", 300)


def test_a_volley_ends_with_the_first_answer_that_is_no_success(project: Project) -> None:
    seen: Counter[int] = Counter()

    def answer(request: Received) -> Reply:
        n = json.loads(request.body)["n"]
        seen[n] += 1
        if n % 50 == 7:
            return Reply(422, b'{"detail": "odd"}')
        return Reply(503) if n % 40 == 3 and seen[n] == 1 else Reply()

    with Receiver(answer) as api:
        report = project({"in.jsonl": rows(400), "connectors.d/c.yaml": connector(api.url, "single")}).run("c")
    assert (report.state, report.delivered, report.rejected) == ("incomplete", 392, 8)
    assert report.requests == sum(seen.values())
    assert report.retries == report.requests - 400
    assert set(seen) == set(range(400))


def test_every_request_of_a_volley_is_noted_with_its_own_key(project: Project, receiver: Receiver) -> None:
    report = project({"in.jsonl": rows(200), "connectors.d/c.yaml": connector(receiver.url, "single")}).run("c")
    noted = list(open_history(project.home / ".sendoff").requests(report.run))
    keys = {json.loads(request.body)["n"]: request.headers["idempotency-key"] for request in receiver.requests}
    assert {row["lo"]: row["key"] for row in noted} == keys
    assert len({row["number"] for row in noted}) == len(set(keys.values())) == 200
    assert sum(row["bytes"] for row in noted) == report.bytes == sum(len(request.body) for request in receiver.requests)
