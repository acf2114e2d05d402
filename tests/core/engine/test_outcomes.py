"""Verdict by verdict: what becomes of a request's records, and what is told of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from sendoff import Response
from sendoff.components import Refusal
from sendoff.records import Span
from sendoff_plugins.failure_strategies.split import SplitUp
from tests.simulation import OK, REFUSED, Simulation, refusing

from .test_parts import JSON, RESULTS, results

Api = Callable[[Sequence[int]], Response]


def told(run: Simulation, name: str) -> list[dict[str, Any]]:
    return [event.fields() for event in run.engine.events() if event.name == name]


def by_turns(first: Response, then: Api = lambda records: OK, *, times: int = 1) -> Api:
    """An API that answers its second request, and those after it, in a way of its own; then as it should."""
    turns = iter([OK, *[first] * times])
    return lambda records: next(turns, None) or then(records)


# What is told.


def test_a_request_that_is_too_large_is_told_with_its_size_and_the_limit_learned() -> None:
    run = Simulation(100, lambda records: Response(413) if len(records) > 60 else OK, batch=100).run()
    (event,) = told(run, "limit_lowered")
    assert event == {"bytes": 701, "records": 100, "at_most": 351, "of": "bytes"}


def test_what_is_too_many_is_told_in_records_and_limits_records() -> None:
    full = Response(400, JSON, b'{"code": "too_many"}')
    answers = {"too_large_when": {"path": "$.code", "equals": "too_many"}}
    width = {0: 1}  # the first record is short, so that a limit in bytes would come out at another number of records

    run = Simulation(
        100, lambda records: full if len(records) > 20 else OK, batch=40, response=answers, width=lambda at: width.get(at, 6)
    ).run()
    assert [(event["records"], event["at_most"], event["of"]) for event in told(run, "limit_lowered")] == [(40, 20, "records")]
    assert [len(body) for body in run.bodies] == [40, 20, 20, 20, 20, 20]


def test_a_split_is_told_with_its_reason() -> None:
    run = Simulation(8, refusing({3}), batch=8, split=True, ways=4).run()
    (first, *_) = told(run, "request_split")
    assert first == {"records": 8, "parts": 4, "reason": "400: bad record"}
    run = Simulation(20, refusing({3}), batch=20, split=True).run()
    (first, *_) = told(run, "request_split")
    assert first == {"records": 20, "parts": 5, "reason": "400: bad record"}  # three probes, and what lies between them


def test_a_retry_is_told_with_its_reason_its_wait_and_how_often_it_was_tried() -> None:
    run = Simulation(20, by_turns(Response(503)), batch=10, retry={"initial_backoff": 8.0, "max_backoff": 8.0}, seed=1).run()
    (event,) = told(run, "retry_scheduled")
    assert (event["reason"], event["records"], event["attempt"]) == ("503: Service Unavailable", 10, 1)
    assert 0 < event["seconds"] < 8
    assert event["seconds"] == round(event["seconds"], 3) != round(event["seconds"], 2)


def test_records_that_are_tried_again_are_told_by_their_number_and_a_reason() -> None:
    busy = iter([[201, 429, 429, 201]])
    run = Simulation(4, lambda records: results(next(busy, [201] * len(records))), batch=4, response=RESULTS).run()
    (event,) = told(run, "retry_scheduled")
    assert (event["reason"], event["records"], event["attempt"]) == ("429: rejected, without a reason", 2, 1)
    assert event["seconds"] > 0


def test_records_that_were_refused_for_their_company_are_told_as_sent_again_at_once() -> None:
    run = Simulation(
        10, lambda records: results([400 if at == 5 else "stopped" if 5 in records else 201 for at in records]), batch=10,
        response=RESULTS,
    ).run()  # fmt: skip
    (event,) = told(run, "retry_scheduled")
    assert event.pop("reason").startswith("400")
    assert event == {"records": 9, "seconds": 0.0, "attempt": 0}


def test_what_is_captured_of_a_record_that_got_through_is_kept_with_its_row() -> None:
    run = Simulation(
        4, lambda records: results([400 if at == 1 else 200 + at for at in records]), batch=4,
        response={**RESULTS, "capture": {"code": "$.s"}},
    ).run()  # fmt: skip
    assert [(kept.line, kept.values) for kept in run.memory.kept] == [(at + 2, {"code": 200 + at}) for at in (0, 2, 3)]


def test_what_is_captured_of_a_whole_answer_is_kept_with_its_first_row() -> None:
    answer = Response(200, JSON, b'{"job": "j1"}')
    run = Simulation(4, lambda records: answer, batch=2, response={"capture": {"job": "$.job"}}).run()
    assert [(kept.lo, kept.hi, kept.line, kept.values) for kept in run.memory.kept] == [
        (0, 2, 2, {"job": "j1"}),
        (2, 4, 4, {"job": "j1"}),
    ]


def test_a_failure_tells_its_status_and_whether_it_may_have_been_applied() -> None:
    answers = {3: REFUSED, 6: Response(500), 8: Response(error="reset by peer")}
    run = Simulation(30, lambda records: answers.get(records[0], OK), batch=1, retry={"max_attempts": 2}).run()
    assert {at: (failure.status, failure.maybe_applied) for at, failure in run.memory.failures.items()} == {
        3: (400, False),
        6: (500, True),
        8: (None, True),
    }


def test_every_request_that_got_through_is_counted_alone_or_in_a_volley() -> None:
    run = Simulation(1_000, lambda records: OK, batch=1, concurrency=8).run()
    assert run.engine.breaker.successes == 1_000


def test_an_outage_that_ends_with_a_result_for_each_record_is_over_for_all() -> None:
    outage = iter([results([201] * 10), *[Response(503)] * 12])

    def api(records: Sequence[int]) -> Response:
        return next(outage, None) or results([400 if at == 95 else 201 for at in records])

    run = Simulation(100, api, batch=10, concurrency=4, response=RESULTS, retry={"max_attempts": 20}).run()
    assert told(run, "destination_recovered") == [{}]
    assert (run.memory.delivered.total, set(run.memory.failed)) == (99, {95})


def test_an_outage_that_ends_with_a_record_to_be_tried_again_holds_nothing_else_back() -> None:
    times: list[float] = []
    turns = iter([results([201] * 10), *[Response(503)] * 12, results([201] * 9 + [429])])

    def api(records: Sequence[int]) -> Response:
        times.append(run.now)
        return next(turns, None) or results([201] * len(records))

    run = Simulation(
        100, api, batch=10, response=RESULTS, retry={"max_attempts": 20, "initial_backoff": 0.01, "max_backoff": 0.01}
    )
    run.run()
    assert run.memory.delivered.total == 100
    assert times[14] - times[13] < 0.1


def test_a_run_that_stops_as_every_record_is_refused_by_itself_tells_a_reason_of_theirs() -> None:
    run = Simulation(100, lambda records: results([400] * len(records)), batch=10, response=RESULTS).run()
    assert run.engine.stopped
    assert run.engine.stopped.reason == (
        "400: rejected, without a reason; the first 4 requests were all rejected, so it may not be the records: "
        "check the URL, the headers and the schema (if it is the records, run with --no-early-stop)"
    )


def test_new_credentials_and_the_end_of_an_outage_are_told() -> None:
    run = Simulation(20, by_turns(Response(401, credentials_renewed=True)), batch=10).run()
    assert told(run, "credentials_renewed") == [{}]
    run = Simulation(20, by_turns(Response(503), times=10), batch=10, retry={"max_attempts": 20}).run()
    assert told(run, "destination_recovered") == [{}]


# Tried again.


def test_new_credentials_cost_a_request_none_of_its_tries() -> None:
    tries: list[int] = []

    def api(records: Sequence[int]) -> Response:
        if 42 not in records:
            return OK
        tries.append(records[0])
        return Response(401, credentials_renewed=True) if len(tries) == 1 else Response(500)

    plain = Simulation(100, lambda records: Response(500) if 42 in records else OK, batch=10, retry={"max_attempts": 3}).run()
    run = Simulation(100, api, batch=10, retry={"max_attempts": 3}).run()
    assert plain.memory.attempts[42] == 3
    assert (run.memory.attempts[42], len(tries)) == (4, 4)


def test_a_wait_that_one_request_is_told_holds_back_the_others_for_as_long() -> None:
    times: list[float] = []

    def api(records: Sequence[int]) -> Response:
        times.append(run.now)
        return Response(503, {"retry-after": "30"}) if len(times) == 3 else OK

    run = Simulation(100, api, batch=10)
    run.run()
    assert times[3] >= times[2] + 30


@pytest.mark.parametrize("taken", [0, 3], ids=["all", "some"])
def test_results_that_say_later_wait_as_long_as_their_answer_says(taken: int) -> None:
    times: list[float] = []

    def api(records: Sequence[int]) -> Response:
        times.append(run.now)
        if len(times) != 2:
            return results([201] * len(records))
        later = results([201] * taken + [429] * (len(records) - taken))
        return Response(200, {**JSON, "retry-after": "30"}, later.body)

    run = Simulation(30, api, batch=10, response=RESULTS)
    run.run()
    assert run.memory.delivered.total == 30
    assert len(times) == 4
    assert times[2] >= times[1] + 30


def test_results_that_say_much_later_stop_the_run_with_their_records_held() -> None:
    later = Response(200, {**JSON, "retry-after": "999999"}, results([201, 429]).body)
    run = Simulation(2, lambda records: later, batch=2, response=RESULTS).run()
    assert run.engine.stopped
    assert "max_retry_after" in run.engine.stopped.reason
    assert run.engine.requested_pause == 86_400
    assert (run.memory.delivered.total, run.memory.failed) == (1, {})


def test_records_to_be_tried_again_wait_a_while_and_longer_each_time() -> None:
    times: list[float] = []

    def api(records: Sequence[int]) -> Response:
        times.append(run.now)
        return results([201] * (len(records) - 1) + [429 if len(times) < 5 else 201])

    run = Simulation(5, api, batch=5, response=RESULTS, retry={"initial_backoff": 100.0, "max_backoff": 100.0})
    run.run()
    assert [len(body) for body in run.bodies] == [5, 1, 1, 1, 1]
    assert times[1] - times[0] > 1  # a wait is anything up to its bound
    assert times[-1] > 50


@pytest.mark.parametrize("seed", range(5))
def test_a_record_that_alone_has_failed_for_too_long_is_given_up_from_its_first_failure_on(seed: int) -> None:
    times: list[float] = []

    def api(records: Sequence[int]) -> Response:
        times.extend(run.now for at in records if at == 3)
        return results([503 if at == 3 else 201 for at in records])

    retry = {"max_attempts": 1_000, "max_elapsed": 60.0, "initial_backoff": 20.0, "max_backoff": 20.0}
    run = Simulation(3_000, api, batch=10, response=RESULTS, retry=retry, pace={"requests": 2.0}, seed=seed)
    run.memory.check = lambda: None  # type: ignore[method-assign]
    run.run()
    assert set(run.memory.failed) == {3}
    assert times[-2] - times[0] < 60 <= times[-1] - times[0] + 0.01


def test_a_record_that_fails_alone_while_its_company_gets_through_is_tried_as_often_as_allowed() -> None:
    times: list[float] = []

    def api(records: Sequence[int]) -> Response:
        times.extend(run.now for at in records if at == 3)
        return results([503 if at == 3 else 201 for at in records])

    retry = {"max_attempts": 4, "initial_backoff": 1.0, "max_backoff": 1.0}
    run = Simulation(3_000, api, batch=10, response=RESULTS, retry=retry, pace={"requests": 10.0})
    run.memory.check = lambda: None  # type: ignore[method-assign]
    run.run()
    assert (run.memory.attempts, len(times)) == ({3: 4}, 4)
    assert times[-1] < run.now / 2


def test_a_request_that_fails_between_others_that_get_through_is_given_up_before_they_end() -> None:
    times: list[float] = []

    def api(records: Sequence[int]) -> Response:
        if 42 in records:
            times.append(run.now)
            return Response(500)
        return OK

    run = Simulation(3_000, api, batch=10, retry={"initial_backoff": 0.1, "max_backoff": 0.1}, pace={"requests": 10.0})
    run.memory.check = lambda: None  # type: ignore[method-assign]
    run.run()
    assert (set(run.memory.failed), run.memory.attempts[42]) == (set(range(40, 50)), 7)
    assert "given up after 7 attempts" in run.memory.failed[42]
    assert times[-1] < run.now / 2


def test_a_lost_request_of_two_records_is_divided_too_where_that_does_no_harm() -> None:
    run = Simulation(
        40, lambda records: Response(500) if 7 in records else OK, batch=2, concurrency=2, split=True, idempotent=True
    ).run()
    assert set(run.memory.failed) == {7}


# Refused.


def test_a_record_that_is_refused_by_itself_tells_how_often_it_was_tried_and_why() -> None:
    busy = iter([429])
    run = Simulation(
        6, lambda records: results([next(busy, 400) if at == 5 else 201 for at in records]), batch=6, response=RESULTS
    ).run()
    assert (run.memory.attempts, list(run.memory.failed)) == ({5: 2}, [5])
    assert run.memory.failed[5].endswith("because 400") or "400" in run.memory.failed[5]


def test_a_record_refused_beside_others_at_a_second_try_tells_of_both() -> None:
    busy = iter([429, 429])
    run = Simulation(
        6, lambda records: results([next(busy, 400 if at == 5 else 201) if at > 3 else 201 for at in records]), batch=6,
        response=RESULTS,
    ).run()  # fmt: skip
    assert run.memory.attempts == {5: 2}
    assert run.memory.delivered.total == 5


def test_a_strategy_is_told_the_status_and_the_reason() -> None:
    seen: list[Refusal] = []

    class Asked(SplitUp):
        def decide(self, refusal: Refusal) -> Any:
            seen.append(refusal)
            return super().decide(refusal)

    Simulation(6, refusing({4}), batch=3, strategy=Asked(ways=2)).run()
    assert seen[0] == Refusal(Span(3, 6), 400, "400: bad record", 1, {}, b'{"detail": "bad record"}')


def test_a_refused_first_request_of_two_records_is_split_before_anything_else_is_sent() -> None:
    run = Simulation(20, refusing({0}), batch=2, split=True).run()
    assert run.bodies[:3] == [[0, 1], [0], [1]]


def test_a_first_probe_that_is_refused_explains_the_others() -> None:
    run = Simulation(20, refusing({0}), batch=20, split=True).run()
    assert run.bodies == [list(range(20)), [0], [10], [19], list(range(1, 10)), list(range(11, 19))]


def test_a_single_record_that_fails_explains_its_family() -> None:
    run = Simulation(6, refusing({3}), batch=3, split=True).run()
    assert run.bodies == [[0, 1, 2], [3, 4, 5], [3], [4, 5]]


def test_culprits_that_are_named_are_told_how_often_they_were_tried() -> None:
    def api(records: Sequence[int]) -> Response:
        rows = [place for place, at in enumerate(records) if at in (3, 7)]
        return Response(400, JSON, json.dumps({"detail": "no", "rows": rows}).encode()) if rows else OK

    run = Simulation(10, api, split=True, response={"bad_record": {"path": "$.rows"}}).run()
    assert run.memory.attempts == {3: 1, 7: 1}


@pytest.mark.parametrize("named", [True, False])
def test_a_part_whose_culprit_is_named_explains_its_family(named: bool) -> None:
    """The others are sent on, and the last is tried whole: it need not hold a bad record any more."""

    def api(records: Sequence[int]) -> Response:
        if 2 not in records:
            return OK
        if named and len(records) <= 4:
            return Response(400, JSON, json.dumps({"row": records.index(2)}).encode())
        return REFUSED

    run = Simulation(8, api, batch=8, split=True, ways=2, response={"bad_record": {"path": "$.row"}}, early_stop=False).run()
    assert set(run.memory.failed) == {2}
    assert [4, 5, 6, 7] in run.bodies
    assert run.memory.delivered.total == 7


def test_a_part_that_is_judged_record_by_record_explains_its_family() -> None:
    def api(records: Sequence[int]) -> Response:
        if len(records) > 4:
            return REFUSED
        return results([400 if at == 2 else 201 for at in records])

    run = Simulation(8, api, batch=8, split=True, ways=2, response=RESULTS, early_stop=False).run()
    assert set(run.memory.failed) == {2}
    assert run.bodies == [list(range(8)), [0, 1, 2, 3], [4, 5, 6, 7]]


def test_a_part_whose_records_all_get_through_one_by_one_explains_nothing() -> None:
    """So the last part must hold the bad record, and is divided untried."""

    def api(records: Sequence[int]) -> Response:
        if len(records) > 4:
            return REFUSED
        return results([400 if at == 6 else 201 for at in records])

    run = Simulation(8, api, batch=8, split=True, ways=2, response=RESULTS, early_stop=False).run()
    assert set(run.memory.failed) == {6}
    assert [4, 5, 6, 7] not in run.bodies
