"""Rates: at most so much in any period of their length, all at once, for all runs to one origin, and across restarts."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendoff import ConfigError
from sendoff.testing import Project, Receiver
from sendoff.transport import rate_limit
from sendoff.transport.rate_limit import Rate, RateLimiter, RateLimits, parse_rate

DAY = 86_400.0
_AMOUNTS = st.integers(1, 40)
_RATE = st.builds(Rate, _AMOUNTS.map(float), st.sampled_from([0.5, 1.0, 10.0, 60.0, DAY]))
_RATES = st.lists(_RATE, max_size=3).map(tuple)
_LIMITS = st.builds(RateLimits, requests=_RATES, records=_RATES, bytes=_RATES)
#: What a request is: how long after the last one it is asked for, its records and its bytes.
_REQUEST = st.tuples(st.sampled_from([0.0, 0.0, 0.0, 0.01, 0.7, 9.0, 3_000.0]), st.integers(1, 5), st.integers(1, 30))


def send(limiter: RateLimiter, requests: Sequence[tuple[float, int, int]], now: float = 0.0) -> list[tuple[float, int, int]]:
    """Send as soon as the limiter allows it. Returns when each left, with its records and its bytes."""
    left = []
    for after, records, size in requests:
        now += after
        while (wait := limiter.acquire(now, records=records, size=size)) > 0:
            now = max(now + wait, now * (1 + 1e-15))
        left.append((now, records, size))
    return left


def most_in(window: float, left: Sequence[tuple[float, float]]) -> float:
    """The most that left in any period of so many seconds, with their end not in it."""
    return max(
        (sum(amount for at, amount in left[lo:] if at < start + window * (1 - 1e-9)) for lo, (start, _) in enumerate(left)),
        default=0.0,
    )


@given(st.lists(_LIMITS, min_size=1, max_size=2), st.lists(_REQUEST, max_size=60))
def test_no_window_is_ever_exceeded_whoever_declared_it(
    declared: list[RateLimits], requests: list[tuple[float, int, int]]
) -> None:
    limiter = RateLimiter()
    for limits in declared:
        limiter.limit(limits)
    left = send(limiter, requests)
    amounts = {
        "requests": [(at, 1.0) for at, _, _ in left],
        "records": [(at, float(records)) for at, records, _ in left],
        "bytes": [(at, float(size)) for at, _, size in left],
    }
    for limits in declared:
        for name, rates in limits.declared():
            largest = max((amount for _, amount in amounts[name]), default=0.0)
            for rate in rates:
                # What is larger than the limit by itself leaves all the same, alone.
                assert most_in(rate.seconds, amounts[name]) <= max(rate.amount, largest)


@given(_RATE, st.integers(2, 200))
def test_a_rate_is_used_to_the_full(rate: Rate, requests: int) -> None:
    limiter = RateLimiter()
    limiter.limit(RateLimits(requests=(rate,)))
    left = send(limiter, [(0.0, 1, 1)] * requests)
    assert left[-1][0] <= (requests / rate.per_second) * 1.01 + 1e-6


def test_what_is_larger_than_the_limit_counts_for_as_many_windows_as_it_fills() -> None:
    limiter = RateLimiter()
    limiter.limit(RateLimits(records=(Rate(10, 1), Rate(100, 60))))
    left = send(limiter, [(0.0, 250, 1), (0.0, 1, 1), (0.0, 1, 1)])
    assert [at for at, _, _ in left] == [0.0, pytest.approx(120, abs=0.1), pytest.approx(120, abs=0.2)]


def test_the_shortest_rate_is_spread_evenly_and_the_longer_one_is_only_counted() -> None:
    limiter = RateLimiter()
    limiter.limit(RateLimits.parse({"requests": ["10/10s", "15/day"]}))
    left = [at for at, _, _ in send(limiter, [(0.0, 1, 1)] * 16)]
    assert left[:15] == pytest.approx([float(at) for at in range(15)])
    assert DAY <= left[15] <= DAY * (1 + 1 / 300)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("10/s", Rate(10, 1)), ("100/10s", Rate(100, 10)), ("100 / 10 s", Rate(100, 10)), ("250000/day", Rate(250_000, DAY)),
        ("250k/d", Rate(250_000, DAY)), ("5MB/2min", Rate(5e6, 120)), ("0.5/s", Rate(0.5, 1)), ("1/1.5h", Rate(1, 5400)),
    ],
)  # fmt: skip
def test_a_rate_is_an_amount_and_a_period(text: str, rate: Rate) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["fast", "10", "/s", "10/", "10/0s", "0/s", "10/week", "10/s/s", "-1/s", "1" * 400 + "/s"])
def test_what_is_no_rate_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="is not a valid rate; "):
        parse_rate(text)


def test_half_a_request_a_second_is_one_in_two_seconds() -> None:
    limiter = RateLimiter()
    limiter.limit(RateLimits.parse({"requests": "0.5/s"}))
    assert [at for at, _, _ in send(limiter, [(0.0, 1, 1)] * 3)] == pytest.approx([0.0, 2.0, 4.0])


def test_what_one_run_has_sent_counts_for_the_next_run_to_the_same_origin() -> None:
    limits = RateLimits.parse({"requests": "2/day"})
    send(rate_limit.for_origin("https://day.example.com/a", limits), [(0.0, 1, 1)])
    other = rate_limit.for_origin("https://day.example.com/b", RateLimits())
    assert send(other, [(10.0, 1, 1)]) == [(10.0, 1, 1)]
    del other  # no run of the origin is under way
    assert rate_limit.for_origin("https://day.example.com/b", limits).acquire(20.0, records=1, size=1) > DAY / 3


CONNECTOR = """
source: {{use: jsonl, path: in.jsonl}}
destination: {{url: "{url}/records", rate_limit: {rate_limit}}}
deadline: 1
send: single
"""


def test_a_window_of_a_day_outlasts_the_process(project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    text = CONNECTOR.format(url=receiver.url, rate_limit="[1000/s, 3/day]")
    project({"in.jsonl": "".join(f'{{"n": {at}}}\n' for at in range(5)), "connectors.d/c.yaml": text})
    first = project.run("c")
    assert (first.state, first.delivered, first.pending) == ("stopped", 3, 2)
    # Another process knows nothing but what the ledger says.
    monkeypatch.setattr(rate_limit, "_ORIGINS", {})
    monkeypatch.setattr(rate_limit, "_SHARED", {})
    again = project.run("c")
    assert (again.state, again.delivered, again.pending, len(receiver.requests)) == ("stopped", 3, 2, 3)


@pytest.mark.parametrize("rates", ["[]", "[10/s, fast]", "{requests: [10/s, 0/day]}", "[10]"])
def test_rates_that_are_none_are_refused_with_their_place(project: Project, rates: str) -> None:
    project({"in.jsonl": "", "connectors.d/c.yaml": CONNECTOR.format(url="http://x", rate_limit=rates)})
    with pytest.raises(ConfigError, match=r"c\.yaml:3:\d+: destination\.rate_limit\.requests"):
        project.runner().connector("c")
