"""Records judged one by one, addressed one by one, and kept in order by a key: over any answers and any crashes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendoff import Request, Response
from sendoff.records import Route
from tests.simulation import OK, REFUSED, Simulation

JSON = {"content-type": "application/json"}
RESULTS = {"records": {"at": "$.results", "status": "$.s", "not_attempted_when": {"path": "$.why", "equals": "stopped"}}}


def results(statuses: Sequence[int | str]) -> Response:
    items = [{"s": 400, "why": "stopped"} if s == "stopped" else {"s": s, "why": f"because {s}"} for s in statuses]
    return Response(200, JSON, json.dumps({"results": items}).encode())


class PerRecord:
    """Takes the good records of every request, says so of each, and knows a repeated request by its records."""

    def __init__(self, bad: set[int], busy: set[int]) -> None:
        self.bad, self.busy = bad, set(busy)
        self.applied: Counter[int] = Counter()
        self._answered: dict[tuple[int, ...], Response] = {}

    def __call__(self, records: Sequence[int]) -> Response:
        known = self._answered.get(tuple(records))
        if known is None:
            said = [400 if at in self.bad else 429 if at in self.busy else 201 for at in records]
            self.busy.difference_update(records)
            self.applied.update(at for at, status in zip(records, said, strict=True) if status == 201)
            known = results(said)
            if set(said) != {429}:  # what was not taken at all is not remembered
                self._answered[tuple(records)] = known
        return known


worlds = st.fixed_dictionaries(
    {
        "n": st.integers(1, 400),
        "batch": st.sampled_from([2, 10, 97, 250_000]),
        "concurrency": st.integers(1, 5),
        "seed": st.integers(0, 2**32),
    }
)
some = st.sets(st.integers(0, 399), max_size=8)


@given(worlds, some, some, st.lists(st.integers(0, 200), max_size=6), st.sampled_from([1, 3]), st.sampled_from([0, 4]))
@settings(max_examples=200)
def test_every_record_is_settled_by_its_own_verdict(
    world: dict[str, Any], bad: set[int], busy: set[int], crashes: list[int], addresses: int, lanes: int
) -> None:
    api = PerRecord(bad, busy)

    def answered(records: Sequence[int]) -> Response:
        answer = api(records)
        return Response(error="reset by peer") if run.random.random() < 0.05 else answer

    run = Simulation(
        **world, api=answered, response=RESULTS, retry={"max_attempts": 1_000, "max_elapsed": 1e9},
        routes=(lambda at: Route(f"http://x/{at % 3}")) if addresses > 1 else None,
        lanes=(lambda at: at % lanes) if lanes else None,
    )  # fmt: skip
    for steps in crashes:
        settled = {at for at in range(run.n) if at in run.memory.delivered or at in run.memory.failed}
        before = len(run.bodies)
        run.crash_after(steps)
        assert not settled.intersection(at for body in run.bodies[before:] for at in body), "a settled record was sent again"
    run.run()
    assert not run.engine.stopped
    assert set(run.memory.failed) == {at for at in bad if at < run.n}
    assert {at for at in range(run.n) if at in run.memory.delivered} == set(range(run.n)) - bad
    assert api.applied == Counter(at for at in range(run.n) if at not in bad)
    if addresses > 1:
        assert all(len({at % 3 for at in body}) == 1 for body in run.bodies)


@given(
    st.integers(1, 300), st.sampled_from([1, 2, 7]), st.integers(2, 8), st.integers(1, 9), st.booleans(), st.integers(0, 2**32)
)
@settings(max_examples=100)
def test_what_shares_a_key_is_never_under_way_at_once_and_keeps_its_order(
    n: int, batch: int, concurrency: int, keys: int, split: bool, seed: int
) -> None:
    arrived: list[int] = []

    def number(request: object) -> int:
        assert isinstance(request, Request)
        return request.request_id

    def api(records: Sequence[int]) -> Response:
        assert not {at % keys for at in records} & {at % keys for other in run.in_flight for at in under_way[number(other)]}
        if run.random.random() < 0.2:
            return Response(503)
        if split and batch > 1 and any(at % 50 == 7 for at in records):
            return REFUSED
        arrived.extend(records)
        return OK

    run = Simulation(
        n, api, batch=batch, concurrency=concurrency, split=split and batch > 1, seed=seed, lanes=lambda at: at % keys,
        retry={"max_attempts": 1_000, "max_elapsed": 1e9}, early_stop=False,
    )  # fmt: skip
    under_way: dict[int, list[int]] = {}
    plain = run.dispatch

    def dispatch() -> None:
        before = len(run.bodies)
        plain()
        for request, body in zip(run.in_flight[::-1], run.bodies[before:][::-1], strict=False):
            under_way[number(request)] = body

    run.dispatch = dispatch  # type: ignore[method-assign]
    run.run()
    assert not run.engine.stopped
    for key in range(keys):
        own = [at for at in arrived if at % keys == key]
        assert own == sorted(own)


def test_other_keys_go_on_while_one_waits() -> None:
    times: dict[int, float] = {}

    def api(records: Sequence[int]) -> Response:
        times.setdefault(records[0], run.now)
        return Response(503) if records[0] == 30 and run.now < 5 else OK

    run = Simulation(300, api, batch=1, concurrency=4, lanes=lambda at: at % 3, seed=1, retry={"max_attempts": 20})
    run.run()
    assert run.memory.delivered.total == 300
    assert max(times[at] for at in range(1, 200, 3)) < 5 < min(times[at] for at in range(33, 300, 3))


def test_what_was_innocent_is_sent_again_at_once_and_counts_against_nobody() -> None:
    def api(records: Sequence[int]) -> Response:
        if 5 not in records:
            return results([201] * len(records))
        return results([400 if at == 5 else "stopped" for at in records])

    run = Simulation(10, api, batch=10, response=RESULTS, retry={"max_attempts": 1}).run()
    assert set(run.memory.failed) == {5}
    assert run.memory.delivered.total == 9
    assert len(run.sent) == 2
    assert run.now < 0.1


def test_k_bad_records_cost_two_requests_where_the_api_names_them() -> None:
    answers = {"bad_record": {"path": "$.rows"}}

    def api(records: Sequence[int]) -> Response:
        rows = [place for place, at in enumerate(records) if at in (3, 777, 901)]
        return Response(400, JSON, json.dumps({"detail": "no", "rows": rows}).encode()) if rows else OK

    run = Simulation(1_000, api, split=True, response=answers).run()
    assert set(run.memory.failed) == {3, 777, 901}
    assert len(run.sent) == 2


def test_without_split_a_named_culprit_fails_its_whole_request() -> None:
    def api(records: Sequence[int]) -> Response:
        return Response(400, {"x-row": "3"}, b"{}") if 13 in records else OK

    run = Simulation(100, api, batch=10, response={"bad_record": {"header": "X-Row"}}).run()
    assert set(run.memory.failed) == set(range(10, 20))


def test_routes_fill_requests_to_each_address() -> None:
    run = Simulation(1_000, lambda records: OK, batch=10, concurrency=4, routes=lambda at: Route(f"http://x/{at % 7}")).run()
    assert run.memory.delivered.total == 1_000
    assert all(len({at % 7 for at in body}) == 1 for body in run.bodies)
    assert len(run.bodies) < 150  # 100 would be the fewest


def test_a_retried_item_is_not_stormed() -> None:
    times: list[float] = []

    def api(records: Sequence[int]) -> Response:
        if 4 in records:
            times.append(run.now)
        return results([503 if at == 4 else 201 for at in records])

    run = Simulation(1_000, api, batch=10, response=RESULTS, concurrency=2)
    run.run()
    assert set(run.memory.failed) == {4}
    assert 6 <= len(times) <= 10, "and it is all that is left, so that a 503 may pass"
    assert f"given up after {len(times)} attempts" in run.memory.failed[4]


def test_a_429_never_counts_against_a_record_however_often_it_comes() -> None:
    """Kind: the destination's limits blamed on a record. Brothers: a 429 alone, for a whole batch, and with Retry-After."""

    def api(records: Sequence[int]) -> Response:
        return results([429 if at == 4 else 201 for at in records])

    run = Simulation(1_000, api, batch=10, response=RESULTS, concurrency=2).run()
    assert not run.memory.failed
    assert run.memory.delivered.total == 999
    assert run.engine.stopped
    assert "429" in run.engine.stopped.reason
    assert "--no-early-stop" in run.engine.stopped.reason
    run.early_stop = False
    run.start()
    run.run()
    assert set(run.memory.failed) == {4}


@pytest.mark.parametrize("split", [True, False])
def test_an_api_that_refuses_every_record_by_itself_costs_4_requests_and_condemns_none(split: bool) -> None:
    run = Simulation(
        1_000, lambda records: results([400] * len(records)), batch=10, split=split, response=RESULTS, concurrency=4
    )
    run.run()
    assert run.engine.stopped
    assert len(run.sent) == 4
    assert not run.memory.failed


@pytest.mark.parametrize("split", [True, False])
def test_if_the_only_request_is_refused_record_by_record_each_fails_for_its_own_reason(split: bool) -> None:
    run = Simulation(10, lambda records: results([400 + at for at in range(len(records))][:10]), batch=10, split=split, response={
        "statuses": {"4xx": "rejected"}, **RESULTS,
    }).run()  # fmt: skip
    assert set(run.memory.failed) == set(range(10))
    assert {reason[:3] for reason in run.memory.failed.values()} == {str(400 + at) for at in range(10)}
