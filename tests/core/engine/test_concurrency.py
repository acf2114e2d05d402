"""`concurrency: auto` settles near the best fixed number, whatever the server is like.

Each server is a few lines of queueing: time is a number, and a hundred thousand requests take a second.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random

import pytest

from sendoff.engine.concurrency import MAX_CONCURRENCY, AdaptiveLimit


@dataclass
class Server:
    """`seconds(busy, random)` to answer while `busy` are under way; more than `limit` are refused with 429."""

    seconds: Callable[[int, Random], float]
    limit: int | None = None
    #: How many are worked on at once; the others wait for their turn.
    workers: int | None = None


SERVERS = {
    "fixed latency of 10 ms": Server(lambda busy, random: 0.01),
    "fixed latency of 500 ms": Server(lambda busy, random: 0.5),
    "jittered latency": Server(lambda busy, random: random.uniform(0.02, 0.08)),
    "long tails": Server(lambda busy, random: 0.02 if random.random() < 0.95 else 0.3),
    "one worker": Server(lambda busy, random: 0.01, workers=1),
    "8 workers": Server(lambda busy, random: 0.02, workers=8),
    "20 workers, jittered": Server(lambda busy, random: random.uniform(0.01, 0.05), workers=20),
    "slower with every request": Server(lambda busy, random: 0.02 + 0.004 * busy),
    "much slower from 16 on": Server(lambda busy, random: 0.02 * max(1.0, (busy / 16) ** 2)),
    "a hard limit of 5": Server(lambda busy, random: 0.02, limit=5),
    "a hard limit of 12": Server(lambda busy, random: 0.05, limit=12),
    "a hard limit of 30, jittered": Server(lambda busy, random: random.uniform(0.01, 0.05), limit=30),
}


def speed(server: Server, limit: AdaptiveLimit, *, seed: int = 0, seconds: float = 60.0, warm: float = 0.5) -> float:
    """Successes a second, after a warm-up share of the time. What is refused is tried again after a moment."""
    random = Random(seed)
    now, busy, got = 0.0, 0, 0
    events: list[tuple[float, int, bool]] = []
    free = [0.0] * (server.workers or 0)
    number = 0
    while now < seconds:
        while busy < limit.limit:
            busy += 1
            number += 1
            if server.limit is not None and busy > server.limit:
                heappush(events, (now + 0.005, number, False))
            elif server.workers is not None:
                start = max(now, heappop(free))
                end = start + server.seconds(busy, random)
                heappush(free, end)
                heappush(events, (end, number, True))
            else:
                heappush(events, (now + server.seconds(busy, random), number, True))
        now, _, well = heappop(events)
        limit.on_response(now, succeeded=well, overloaded=not well, in_flight=busy)
        busy -= 1
        got += well and now > warm * seconds
    return got / (seconds * (1 - warm))


@pytest.mark.parametrize("name", SERVERS)
def test_it_settles_within_a_fifth_of_the_best_fixed_number(name: str) -> None:
    server = SERVERS[name]
    best = max(
        speed(server, AdaptiveLimit(limit, start=limit), seconds=20)
        for limit in (1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 30, 40, 50, MAX_CONCURRENCY)
    )
    for seed in range(3):
        assert speed(server, AdaptiveLimit(), seed=seed) >= 0.8 * best


@pytest.mark.parametrize("name", ["8 workers", "one worker", "a hard limit of 12", "20 workers, jittered"])
def test_it_does_not_pile_up_what_the_server_cannot_work_on(name: str) -> None:
    server = SERVERS[name]
    limit = AdaptiveLimit()
    speed(server, limit)
    assert limit.limit <= 4 * (server.workers or server.limit or 1)


def test_what_a_server_refuses_for_being_too_much_stays_rare() -> None:
    refused = total = 0

    class Watched(AdaptiveLimit):
        def on_response(self, now: float, *, succeeded: bool, overloaded: bool, in_flight: int, count: int = 1) -> None:
            nonlocal refused, total
            refused, total = refused + overloaded, total + count
            super().on_response(now, succeeded=succeeded, overloaded=overloaded, in_flight=in_flight, count=count)

    speed(SERVERS["a hard limit of 12"], Watched())
    assert refused < 0.05 * total
