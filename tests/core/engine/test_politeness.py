"""How a run treats a destination: alone at first, few requests for a hopeless case, patience with trouble."""

from collections.abc import Callable, Iterator, Sequence
from random import Random

import pytest

from sendoff import Response
from sendoff.engine.actions import RetryLater, StopRun
from sendoff.engine.circuit_breaker import CircuitBreaker
from sendoff.engine.decide import Situation, decide
from sendoff.engine.planner import MAX_OUTSIDE_WINDOW
from sendoff.engine.retry import RetryPolicy
from sendoff.engine.states import CircuitState, TaskState
from sendoff.engine.tasks import Task
from sendoff.ledger import Chunk
from sendoff.records import Span
from sendoff.response import Verdict, VerdictKind
from sendoff_plugins.failure_strategies.fail import FailAll
from sendoff_plugins.failure_strategies.split import SplitUp
from tests.simulation import OK, REFUSED, Simulation, refusing

from .test_parts import RESULTS, results


def always(answer: Response) -> Simulation:
    return Simulation(1_000, lambda records: answer, batch=10, concurrency=8)


@pytest.mark.parametrize("status", [301, 302, 401, 403, 404, 405, 407, 410, 415, 431, 501, 207])
def test_what_cannot_get_better_stops_the_run_after_one_request(status: int) -> None:
    run = always(Response(status)).run()
    assert len(run.sent) == 1
    assert run.engine.stopped
    assert run.engine.stopped.state == "stopped"
    assert not run.memory.failed


@pytest.mark.parametrize("split", [True, False])
@pytest.mark.parametrize("batch", [1, 2, 7, 10, 250_000])
def test_everything_refused_costs_at_most_4_requests_and_condemns_no_record(split: bool, batch: int) -> None:
    run = Simulation(100_000 if batch > 10 else 1_000, lambda records: REFUSED, batch=batch, split=split, concurrency=8)
    run.memory.check = lambda: None  # type: ignore[method-assign]
    run.run()
    if batch > 10 and not split:
        # The only request was refused: there is nothing else to try, and the strategy says fail.
        assert len(run.sent) == 1
        assert len(run.memory.failed) == run.n
    else:
        assert len(run.sent) <= 4
        assert run.engine.stopped
        assert not run.memory.failed


def test_refusals_are_believed_when_told_to() -> None:
    run = Simulation(20, lambda records: REFUSED, batch=1, early_stop=False).run()
    assert len(run.memory.failed) == 20


def test_nothing_travels_beside_the_first_request_until_one_got_through() -> None:
    in_flight_when: list[int] = []

    def api(records: Sequence[int]) -> Response:
        in_flight_when.append(len(run.in_flight) + 1)
        return OK

    run = Simulation(1_000, api, batch=10, concurrency=8)
    run.run()
    assert in_flight_when[0] == 1
    assert 1 < run.busiest <= 8


def test_a_good_run_costs_not_one_request_more() -> None:
    assert len(Simulation(1_000, refusing(()), batch=100, split=True).run().sent) == 10


def test_a_refused_first_request_is_probed_with_its_first_middle_and_last_record() -> None:
    run = Simulation(1_000, refusing({300}), split=True).run()
    assert [tuple(span) for span in run.sent[:4]] == [(0, 1000), (0, 1), (500, 501), (999, 1000)]
    assert set(run.memory.failed) == {300}


def test_the_first_records_being_bad_is_not_mistaken_for_a_refusal_of_everything() -> None:
    run = Simulation(1_000, refusing({0, 500}), split=True).run()
    assert set(run.memory.failed) == {0, 500}
    assert not run.engine.stopped


def test_with_fail_a_refused_batch_costs_one_request_and_fails_whole() -> None:
    run = Simulation(1_000, refusing({5, 555}), batch=100).run()
    assert set(run.memory.failed) == {*range(100), *range(500, 600)}
    assert len(run.sent) == 10


def test_a_dead_endpoint_costs_a_handful_of_requests() -> None:
    run = Simulation(
        250_000, lambda records: Response(error="connection refused", may_have_been_sent=False), batch=1_000, concurrency=64
    )
    run.memory.check = lambda: None  # type: ignore[method-assign]
    run.run()
    assert len(run.sent) == 6
    assert run.engine.stopped
    assert "connection refused" in run.engine.stopped.reason


def test_an_endpoint_that_only_fails_costs_one_request_more_as_it_might_be_the_first_records() -> None:
    run = Simulation(1_000, lambda records: Response(503), batch=10, concurrency=8).run()
    assert len(run.sent) == 7
    assert run.engine.stopped
    assert not run.memory.failed


def test_an_outage_in_the_middle_of_a_run_is_waited_out_with_few_requests() -> None:
    down = (3.0, 20.0)

    def api(records: Sequence[int]) -> Response:
        return Response(503) if down[0] < run.now < down[1] else OK

    run = Simulation(20_000, api, batch=10, concurrency=4, retry={"max_attempts": 20})
    run.memory.check = lambda: None  # type: ignore[method-assign]
    run.run()
    assert run.memory.delivered.total == 20_000
    assert len(run.sent) - 2_000 < 60


def test_a_request_that_fails_while_others_get_through_is_given_up_alone() -> None:
    run = Simulation(100, lambda records: Response(500) if 42 in records else OK, batch=10, concurrency=2).run()
    assert set(run.memory.failed) == set(range(40, 50))
    assert run.memory.delivered.total == 90
    assert "given up after 6 attempts" in run.memory.failed[42]


@pytest.mark.parametrize("answer", [Response(500), Response(504), Response(error="reset by peer"), Response(408)])
def test_what_may_have_been_applied_is_never_split(answer: Response) -> None:
    run = Simulation(100, lambda records: answer if 42 in records else OK, batch=10, split=True).run()
    assert {tuple(span) for span in run.sent} == {(lo, lo + 10) for lo in range(0, 100, 10)}


def test_a_retry_after_is_obeyed_by_every_request() -> None:
    times: list[float] = []

    def api(records: Sequence[int]) -> Response:
        times.append(run.now)
        return Response(429, {"retry-after": "30"}) if len(times) == 5 else OK

    run = Simulation(1_000, api, batch=10, concurrency=4)
    run.run()
    assert run.memory.delivered.total == 1_000
    later = [time for time in times if time > times[4] + 1]
    assert later
    assert min(later) >= times[4] + 30


@pytest.mark.parametrize(
    "seconds",
    ["0", "-5", "0.01", "garbage", "1e309", "1700000000", "Thu Jan  1 00:00:00 1970", "Thu, 01 Jan 1970 00:00:00 GMT"],
)
def test_h14_an_api_that_always_asks_to_come_back_at_once_is_not_stormed(seconds: str) -> None:
    run = Simulation(100, lambda records: Response(429, {"retry-after": seconds}), batch=10).run()
    assert run.engine.stopped
    assert len(run.sent) < 60
    assert run.now >= 0


def test_a_retry_after_of_years_stops_the_run_instead_of_holding_it() -> None:
    run = Simulation(100, lambda records: Response(429, {"retry-after": "999999999"}), batch=10).run()
    assert run.engine.stopped
    assert run.engine.stopped.reason.endswith(
        "the API asks for 999999999 seconds (Retry-After), which is 31.7 years and must be a mistake of the API's"
    )
    assert run.engine.requested_pause == 86_400


@pytest.mark.parametrize("limit", [1, 3, 10, 70])
def test_an_unknown_size_limit_is_learned_once(limit: int) -> None:
    run = Simulation(1_000, lambda records: Response(413) if len(records) > limit else OK, batch=100, concurrency=3).run()
    assert run.memory.delivered.total == 1_000
    refused = [span for span in run.sent if span.size > limit]
    assert len(refused) <= 7  # log2(100)


def test_a_record_too_large_alone_fails_alone() -> None:
    run = Simulation(50, lambda records: Response(413) if 7 in records else OK, batch=10).run()
    assert set(run.memory.failed) == {7}


@pytest.mark.parametrize("max_bytes", [10, 11, 50, 69, 70, 71, 1_000])
def test_max_bytes_is_exact_and_used_to_the_full(max_bytes: int) -> None:
    lengths: list[int] = []

    def api(records: Sequence[int]) -> Response:
        lengths.append(len(records) * 7 + 1)
        return OK

    run = Simulation(500, api, max_bytes=max_bytes).run()
    assert run.memory.delivered.total == 500
    assert max(lengths) <= max_bytes
    assert max(lengths) + 7 > max_bytes


def test_h15_ten_minutes_of_outage_cost_a_tenth_of_a_request_a_piece_and_end_in_ten_seconds() -> None:
    down, slow = (5.0, 605.0), 0.05
    at: list[float] = []

    def api(records: Sequence[int]) -> Response:
        at.append(run.now)
        return Response(503) if down[0] < run.now < down[1] else OK

    run = Simulation(10_000, api, batch=10, concurrency=4)
    run.memory.check = lambda: None  # type: ignore[method-assign]
    plain = run.answer

    def answer() -> None:
        run.now += slow / 4
        plain()

    run.answer = answer  # type: ignore[method-assign]
    run.run()
    assert run.memory.delivered.total == 10_000
    assert down[0] < 6 < run.now  # the outage came in the middle
    pieces = 1_000
    assert len(run.sent) <= 1.1 * pieces
    healed = [time for time in at if time >= down[1]]
    assert healed[0] - down[1] <= 10
    busy = [time for time in healed if time <= down[1] + 10]
    assert len(busy) > 1
    # From then on as many travel at once as before.
    assert run.now - healed[0] < 2 * (pieces - len([time for time in at if time < down[0]])) * (slow / 4 + 0.01)


def test_an_outage_that_lasts_longer_than_give_up_after_stops_the_run() -> None:
    run = Simulation(10_000, lambda records: OK if run.now < 3 else Response(503), batch=10, concurrency=4)
    run.memory.check = lambda: None  # type: ignore[method-assign]
    run.run()
    assert run.engine.stopped
    assert 900 <= run.now < 960
    assert not run.memory.failed
    assert run.engine.breaker.is_open


def left_down(run: Simulation) -> Simulation:
    """The same, as a run begins after one that left the destination down."""
    run.engine.breaker.state, run.engine.breaker.was_down = CircuitState.OPEN, True
    return run


def test_what_an_earlier_run_left_down_costs_two_requests_of_other_records() -> None:
    run = left_down(Simulation(1_000, lambda records: Response(503), batch=10, concurrency=4)).run()
    assert [tuple(span) for span in run.sent] == [(0, 10), (10, 20)]
    assert run.engine.stopped
    assert "it was so when the last run stopped" in run.engine.stopped.reason
    assert "--no-early-stop" in run.engine.stopped.reason


@pytest.mark.parametrize("answer", [Response(500), Response(503), Response(error="reset by peer")])
def test_one_record_that_fails_by_itself_is_no_remembered_outage(answer: Response) -> None:
    """Kind: evidence about a record taken for evidence about the destination. Brothers: each transient failure."""
    run = left_down(Simulation(50, lambda records: answer if 0 in records else OK, batch=1)).run()
    assert not run.engine.stopped
    assert set(run.memory.failed) == {0}
    assert run.memory.delivered.total == 49


def test_failures_of_one_request_are_no_outage_and_those_of_two_are() -> None:
    one, two = (
        Simulation(100, lambda records: Response(500), batch=10, retry={"max_attempts": attempts}) for attempts in (100, 2)
    )
    for _ in range(100):
        one.random.choice(list(one.steps()))()
    assert not one.engine.breaker.is_outage
    assert two.run().engine.breaker.is_outage


@pytest.mark.parametrize("answer", [Response(500), Response(503), Response(error="reset by peer"), Response(429)])
def test_what_fails_to_the_last_is_rejected_when_the_owner_says_that_it_is_the_records(answer: Response) -> None:
    """Kind: a state that no command leaves. Brothers: an outage remembered, two records that fail and nothing else left."""
    run = left_down(Simulation(2, lambda records: answer, batch=1)).run()
    assert run.engine.stopped
    assert not run.memory.failed
    run.early_stop = False
    run.start()
    run.run()
    assert set(run.memory.failed) == {0, 1}


def test_what_was_never_sent_is_rejected_by_nothing() -> None:
    gone = Response(error="connection refused", may_have_been_sent=False)
    late = Simulation(3, lambda records: OK if 0 in records else gone, batch=1, early_stop=False).run()
    assert (late.engine.stopped is not None, set(late.memory.failed)) == (True, set())
    run = Simulation(
        2, lambda records: Response(error="connection refused", may_have_been_sent=False), batch=1, early_stop=False
    )
    run.run()
    assert run.engine.stopped
    assert not run.memory.failed


@pytest.mark.parametrize("max_elapsed", [3.0, 900.0])
@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_request_that_cannot_be_sent_is_never_given_up_whatever_it_was_answered_before(
    concurrency: int, batch: int, max_elapsed: float
) -> None:
    """Kind: a failure of the destination counted as a record's own.

    Brothers: the end of a run, a request that was held, `--no-early-stop` (which never believed it).
    """
    answers = iter([Response(500)])

    def api(records: Sequence[int]) -> Response:
        if run.memory.delivered.total < 40 - batch:
            return OK if 5 not in records else Response(503)
        return next(answers, Response(error="connection refused", may_have_been_sent=False))

    retry = {"max_attempts": 6, "initial_backoff": 2.0, "max_elapsed": max_elapsed}
    run = Simulation(40, api, batch=batch, concurrency=concurrency, retry=retry)
    run.memory.check = lambda: None  # type: ignore[method-assign]
    run.run()
    assert run.engine.stopped
    assert not run.memory.failed


@pytest.mark.parametrize("most", [1, 2, 3])
@pytest.mark.parametrize("overload", [Response(503), Response(429), Response(error="reset by peer")])
@pytest.mark.parametrize("batch", [1, 10])
def test_an_api_that_takes_only_so_many_at_once_rejects_no_record(most: int, overload: Response, batch: int) -> None:
    """Kind: the destination's limits blamed on a record. Brothers: statuses and resets, one by one and in batches."""
    run = Simulation(400 * batch, lambda records: overload if len(run.in_flight) >= most else OK, batch=batch, concurrency=8)
    run.memory.check = lambda: None  # type: ignore[method-assign]
    run.run()
    assert not run.memory.failed
    assert run.memory.delivered.total == 400 * batch
    assert len(run.sent) <= 1.25 * 400


def test_a_poisoned_record_is_found_among_those_that_an_overloaded_api_turns_away() -> None:
    run = Simulation(
        600, lambda records: Response(500) if 77 in records else Response(503) if len(run.in_flight) >= 2 else OK, batch=1,
        concurrency=8,
    )  # fmt: skip
    run.run()
    assert set(run.memory.failed) == {77}
    assert run.memory.delivered.total == 599


def test_three_poisoned_records_are_found_and_stall_nobody() -> None:
    bad = {10, 11, 200}
    run = Simulation(300, lambda records: Response(500) if bad.intersection(records) else OK, batch=1, concurrency=4).run()
    assert set(run.memory.failed) == bad
    assert run.memory.delivered.total == 297
    assert len(run.sent) <= 297 + 3 * 9


@pytest.mark.parametrize("batch", [1, 10])
def test_a_conflict_on_every_repeat_ends_and_says_what_to_declare(batch: int) -> None:
    """Kind: a repeat that can never succeed is tried for ever. Brothers: one by one, batches, a run that was killed."""
    run = Simulation(100, lambda records: Response(error="reset by peer") if len(run.sent) == 1 else OK, batch=batch)
    seen: set[int] = set()

    def api(records: Sequence[int]) -> Response:
        if seen.issuperset(records):
            return Response(409)
        seen.update(records)
        return Response(500) if 50 in records else OK

    run.api = api
    run.run()
    assert set(run.memory.failed) == set(range(50, 50 + batch))
    assert all("on_repeat" in failure.reason and failure.maybe_applied for failure in run.memory.failures.values())


def test_a_lost_request_is_split_only_where_a_repeat_does_no_harm() -> None:
    def api(records: Sequence[int]) -> Response:
        return Response(500) if 42 in records else OK

    run = Simulation(100, api, batch=10, concurrency=2, split=True, idempotent=True).run()
    assert set(run.memory.failed) == {42}
    assert run.memory.delivered.total == 99
    run = Simulation(100, api, batch=10, concurrency=2, split=True).run()
    assert set(run.memory.failed) == set(range(40, 50))


@pytest.mark.parametrize("rates", [{"requests": 10.0}, {"records": 70.0}, {"bytes": 500.0}, {"requests": 10.0, "bytes": 480.0}])
def test_no_rate_is_exceeded_and_none_is_wasted(rates: dict[str, float]) -> None:
    at: list[tuple[float, int]] = []

    def api(records: Sequence[int]) -> Response:
        at.append((run.now, len(records)))
        return OK

    run = Simulation(2_000, api, batch=7, concurrency=8, pace=rates)
    run.memory.check = lambda: None  # type: ignore[method-assign]
    run.run()
    weights: dict[str, Callable[[int], int]] = {"requests": lambda n: 1, "records": lambda n: n, "bytes": lambda n: n * 7 + 1}
    for name, rate in rates.items():
        for lo, (start, _) in enumerate(at):  # a second but for the time that answers take
            assert sum(weights[name](n) for when, n in at[lo:] if when < start + 0.9) <= rate
    # As many whole requests as fit in each second.
    fewest = min(rate // weights[name](7) for name, rate in rates.items())
    assert at[-1][0] <= len(at) / fewest * 1.05 + 1


def test_a_used_up_quota_is_rested_for_though_the_answer_was_a_success() -> None:
    times: list[float] = []

    def api(records: Sequence[int]) -> Response:
        times.append(run.now)
        return Response(200, {"ratelimit": '"hour";r=0;t=20'}) if len(times) % 5 == 0 else OK

    run = Simulation(200, api, batch=10)
    run.run()
    assert run.memory.delivered.total == 200
    assert all(times[at] - times[at - 1] >= 19.9 for at in range(5, len(times), 5))


def test_a_run_ends_at_its_deadline_and_the_next_goes_on() -> None:
    run = Simulation(1_000, lambda records: OK, batch=10, deadline=0.25)
    run.run()
    assert run.engine.stopped
    assert "deadline" in run.engine.stopped.reason
    done = run.memory.delivered.total
    assert 0 < done < 1_000
    run.deadline = float("inf")
    run.start()
    run.run()
    assert run.memory.delivered.total == 1_000


def test_splitting_stops_where_its_budget_ends() -> None:
    bad = set(range(0, 20_000, 3))
    run = Simulation(20_000, refusing(bad), strategy=SplitUp(ways=2, max_requests=100), concurrency=2, batch=1_000)
    run.memory.check = lambda: None  # type: ignore[method-assign]
    run.engine.breaker.state = CircuitState.CLOSED
    run.run()
    assert run.engine.stopped
    assert "on_failure.max_requests" in run.engine.stopped.reason
    assert len(run.sent) <= 130


def test_too_many_refused_records_stop_a_split() -> None:
    run = Simulation(5_000, refusing(set(range(5_000)) - {0, 1, 2}), split=True, concurrency=2, batch=1_000)
    run.memory.check = lambda: None  # type: ignore[method-assign]
    run.engine.breaker.state = CircuitState.CLOSED
    run.run()
    assert run.engine.stopped
    assert "on_failure.max_failed_ratio" in run.engine.stopped.reason
    assert 200 <= len(run.memory.failed) < 1_000


def test_h20_one_record_that_breaks_the_server_ends_alone_and_the_others_arrive() -> None:
    run = Simulation(1_000, lambda records: Response(500) if 500 in records else OK, batch=1, concurrency=8, seed=3).run()
    assert set(run.memory.failed) == {500}
    assert run.memory.delivered.total == 999


def test_h23_a_batch_applied_and_then_answered_500_is_repeated_with_its_key_and_never_split() -> None:
    applied: list[tuple[int, ...]] = []

    def api(records: Sequence[int]) -> Response:
        if tuple(records) in applied:
            return OK  # the key is known
        applied.append(tuple(records))
        return Response(500)

    run = Simulation(500, api, batch=50, split=True, concurrency=3, retry={"max_attempts": 20}).run()
    assert run.memory.delivered.total == 500
    assert len(applied) == 10
    assert len(run.keys) == 10


def test_renewed_credentials_cost_each_request_under_way_one_repeat() -> None:
    stale: set[int] = set()

    def api(records: Sequence[int]) -> Response:
        first = records[0]
        if 300 <= first < 340 and first not in stale:
            stale.add(first)
            return Response(401, credentials_renewed=True)
        return OK

    run = Simulation(1_000, api, batch=10, concurrency=4).run()
    assert run.memory.delivered.total == 1_000
    assert len(run.sent) == 104


def test_credentials_that_do_not_help_even_when_new_stop_the_run() -> None:
    run = Simulation(1_000, lambda records: Response(401, credentials_renewed=True), batch=10, concurrency=4).run()
    assert len(run.sent) == 2
    assert run.engine.stopped


def test_two_short_troubles_far_apart_are_not_one_long_outage() -> None:
    health = CircuitBreaker(Random(0))
    task = Task((Span(0, 1),), Chunk(0, 1, 1))
    health.on_failure(task, 0.0)
    health.on_success()
    health.on_failure(task, 1_000.0)
    assert health.failing_for(1_000.5) == 0.5
    assert not health.is_open


@pytest.mark.parametrize("answer", [REFUSED, Response(500), Response(503)])
@pytest.mark.parametrize("count", [5, 2_000])
def test_a_held_request_is_decided_on_where_all_others_wait_for_its_key(answer: Response, count: int) -> None:
    """Kind: two that wait for each other. Brothers: a rejection, attempts used up, more records than there are slots."""
    run = Simulation(count, lambda records: answer if 0 in records else OK, batch=1, lanes=lambda at: 1)
    run.memory.check = lambda: None  # type: ignore[method-assign]
    run.run()
    if answer is REFUSED:
        assert set(run.memory.failed) == {0}
        assert run.memory.delivered.total == count - 1
    else:
        assert run.engine.stopped
        assert not run.memory.failed


def test_records_with_ordering_keys_are_split_in_their_order() -> None:
    run = Simulation(20, refusing({3}), batch=20, split=True, lanes=lambda at: 1).run()
    assert set(run.memory.failed) == {3}
    assert run.memory.delivered.total == 19


@pytest.mark.parametrize("seconds", [8.0, 20.0, 60.0])
@pytest.mark.parametrize("seed", range(3))
def test_an_outage_before_a_conflict_counts_against_no_record(seconds: float, seed: int) -> None:
    """Kind: attempts in an outage blamed on a record. Brothers: a conflict, one failure alone, an end of the source."""
    busy: set[int] = set()

    def api(records: Sequence[int]) -> Response:
        if 0.05 < run.now < seconds:
            return Response(503)
        if records[0] not in busy and run.now >= seconds:
            busy.update(records)
            return Response(409)
        return OK

    run = Simulation(8, api, batch=1, seed=seed, seconds=lambda busy: 0.02)
    run.run()
    assert run.memory.delivered.total + len(run.memory.failed) == 8
    assert not [failure for failure in run.memory.failures.values() if failure.attempts > 1]


@pytest.mark.parametrize("seed", range(20))
def test_one_failure_alone_before_an_outage_is_not_what_the_outage_is_blamed_on(seed: int) -> None:
    def api(records: Sequence[int]) -> Response:
        return Response(503) if run.now > 0.6 else Response(500) if 5 in records else OK

    run = Simulation(400, api, batch=1, concurrency=4, seed=seed)
    run.memory.check = lambda: None  # type: ignore[method-assign]
    run.run()
    assert run.engine.stopped
    assert not run.memory.failed


def test_a_resumed_record_has_all_its_attempts() -> None:
    run = Simulation(3, lambda records: Response(500) if 0 in records else OK, batch=1, retry={"max_attempts": 2})
    while not run.memory.planned:
        run.random.choice([step for step in run.steps() if step != run.dispatch])()
    run.start()
    run.run()
    assert run.sent.count(Span(0, 1)) == 3  # the last after another had succeeded
    assert run.memory.attempts == {0: 3}


def test_a_record_that_met_an_outage_at_the_start_is_tried_once_more_when_another_has_succeeded() -> None:
    """Kind: an outage blamed on a record. Brothers: the first record of a run, of a resumed one, a whole batch."""
    for batch in (1, 10):
        turns = iter([Response(503)] * 2)

        def api(records: Sequence[int], turns: Iterator[Response] = turns) -> Response:
            return next(turns, OK)

        run = Simulation(40, api, batch=batch, retry={"max_attempts": 2}).run()
        assert (run.memory.failed, run.memory.delivered.total) == ({}, 40)


def test_an_endpoint_that_calls_every_record_too_large_rejects_none() -> None:
    run = Simulation(100, lambda records: Response(413), batch=1).run()
    assert run.engine.stopped
    assert len(run.sent) == 4
    assert not run.memory.failed


@pytest.mark.parametrize("answer", [Response(500), Response(503), Response(error="reset by peer")])
@pytest.mark.parametrize("bad", [{30}, {1, 20, 40}])
def test_records_that_fail_in_a_burst_are_found_within_minutes_also_where_they_are_all_that_is_left(
    answer: Response, bad: set[int]
) -> None:
    run = Simulation(60, lambda records: answer if bad.intersection(records) else OK, batch=1, concurrency=4).run()
    assert set(run.memory.failed) == bad
    assert run.memory.delivered.total == 60 - len(bad)
    assert run.now < 240


def test_records_that_break_the_api_at_the_beginning_keep_no_other_from_being_sent() -> None:
    """Kind: probes of what is at fault itself. Brother: an outage, whose probes cost as few requests as before."""
    bad = {1: Response(error="cut"), 2: Response(500), 3: Response(503)}
    run = Simulation(
        59, lambda records: bad.get(records[0], OK), batch=1, concurrency=4,
        retry={"initial_backoff": 0.0, "max_backoff": 0.1, "max_attempts": 2},
    ).run()  # fmt: skip
    assert set(run.memory.failed) == set(bad)
    assert run.memory.delivered.total == 56
    assert run.now < 60


@pytest.mark.parametrize("by_record", [False, True])
@pytest.mark.parametrize(("bad", "concurrency"), [({8, 12}, 1), ({8, 12, 16, 22, 26, 31}, 2)])
def test_batches_that_break_the_api_one_after_another_keep_no_other_from_being_planned(
    bad: set[int], concurrency: int, by_record: bool
) -> None:
    """Kind: what waits for its retry fills the window, so that nothing is left to show whether the API is down.

    Brothers: single records, of which more are planned than that; records that were retried out of a request with results;
    an outage, which costs as few requests as before, and of which no more is kept in memory than a few requests.
    """

    def api(records: Sequence[int]) -> Response:
        if by_record:
            return results([500 if at in bad else 201 for at in records])
        return Response(500) if bad.intersection(records) else OK

    run = Simulation(48, api, batch=5, concurrency=concurrency, response=RESULTS if by_record else None).run()
    assert not run.engine.stopped
    assert set(run.memory.failed) == (bad if by_record else {at for one in bad for at in range(one // 5 * 5, one // 5 * 5 + 5)})
    assert run.now < 240


def test_an_outage_plans_no_more_than_a_few_batches_beyond_the_window() -> None:
    turns = iter([OK] * 3)
    run = Simulation(1_000, lambda records: next(turns, Response(503)), batch=5, concurrency=2).run()
    assert run.engine.stopped
    assert run.memory.planned <= 5 * (3 + run.engine.in_flight.window + MAX_OUTSIDE_WINDOW)
    assert len(run.sent) < 130


@pytest.mark.parametrize("answer", [Response(503), Response(error="closed without a response")])
def test_an_outage_that_begins_with_the_last_requests_is_outlasted_whoever_succeeded_beside_them(answer: Response) -> None:
    """Kind: a failure beside a success in flight, taken for proof. Brother: one without, which was outlasted before."""
    run = Simulation(
        8, lambda records: answer if records[0] >= 6 and run.now < 20 else OK, batch=2, concurrency=2,
        retry={"max_attempts": 2, "initial_backoff": 8.0},
    )  # fmt: skip
    run.run()
    assert not run.memory.failed
    assert run.memory.delivered.total == 8


@pytest.mark.parametrize("concurrency", [1, 2, 4])
def test_a_part_that_fails_before_anything_has_succeeded_keeps_no_other_part_waiting(concurrency: int) -> None:
    """Kind: what is left to try is not known to be. Brothers: the parts of a probe, of a split, a rejection that is held."""

    def api(records: Sequence[int]) -> Response:
        if len(records) > 1 and 0 in records:
            return REFUSED
        return Response(500) if 0 in records else OK

    run = Simulation(400, api, batch=20, concurrency=concurrency, split=True, retry={"max_attempts": 2}).run()
    assert (run.engine.stopped, set(run.memory.failed), run.memory.delivered.total) == (None, {0}, 399)


@pytest.mark.parametrize(("now", "action"), [(10.0, RetryLater), (10_000.0, StopRun)])
def test_a_429_after_the_attempts_are_used_up_ends_nothing_before_max_elapsed(now: float, action: type) -> None:
    """Kind: a limit of requests taken for an end. Brothers: a Retry-After with another status, and no blame at the end."""
    task = Task((Span(1, 2),), Chunk(1, 2, 1), TaskState.IN_FLIGHT, attempts=2, failing_since=0.0, holds=1)
    for verdict in (Verdict(VerdictKind.RETRY, "429", 429), Verdict(VerdictKind.RETRY, "503", 503, retry_after=1.0)):
        situation = Situation(
            now, CircuitState.CLOSED, succeeded=True, failing_for=5.0, was_down=False, outage=False, rejections=0,
            another_held=False, more_to_try=False, early_stop=True, idempotent=False, retry=RetryPolicy(2, 0.5, 60, 300, 900),
        )  # fmt: skip
        assert isinstance(decide(task, verdict, situation, FailAll()), action)
