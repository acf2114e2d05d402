"""The engine against an API that is a function, with a ledger that is a dictionary and time that is a number.

Nothing waits here: an outage of ten minutes or a thousand crashes take milliseconds.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any

import polars as pl

from sendoff import Request, Response, Wait
from sendoff.config.spec import RETRY
from sendoff.encode.idempotency import IdempotencyPolicy, make_key_function
from sendoff.engine.destination import Destination
from sendoff.engine.engine import MAX_WAIT, Engine
from sendoff.engine.requests import RequestBuilder
from sendoff.engine.retry import RetryPolicy
from sendoff.ledger import CapturedResult, Changes, Chunk, Failure, Ranges, RunState
from sendoff.records import Block, Page, Route, Span
from sendoff.response import Policy
from sendoff.transport.protocol import RequestBurst
from sendoff.transport.rate_limit import Rate, RateLimiter, RateLimits
from sendoff_plugins.failure_strategies.fail import FailAll
from sendoff_plugins.failure_strategies.split import SplitUp
from sendoff_plugins.senders.batch import Batch
from sendoff_plugins.senders.single import Single

OK = Response(200)
REFUSED = Response(400, {}, b'{"detail": "bad record"}')
Api = Callable[[Sequence[int]], Response]


def refusing(bad: Iterable[int]) -> Api:
    """An API that refuses every request with one of these records in it."""
    unwanted = frozenset(bad)
    return lambda records: REFUSED if unwanted.intersection(records) else OK


class Memory:
    """What a ledger keeps, kept in memory; it holds the account to its promise at every commit."""

    def __init__(self) -> None:
        self.pieces: dict[int, Chunk] = {}
        self.delivered = Ranges()
        self.failed: dict[int, str] = {}
        #: The same with all that is told of them.
        self.failures: dict[int, Failure] = {}
        #: What was captured of answers.
        self.kept: list[CapturedResult] = []
        self.planned = 0

    def commit(self, changes: Changes) -> None:
        for lo in changes.closed:
            del self.pieces[lo]
        for piece in changes.opened:
            assert piece.lo not in self.pieces
            self.pieces[piece.lo] = piece
        for span in changes.delivered:
            assert not any(at in self.delivered or at in self.failed for at in range(*span)), "delivered twice"
            self.delivered.add(*span)
        for failure in changes.failed:
            assert failure.position not in self.failed
            assert failure.position not in self.delivered
            self.failed[failure.position] = failure.reason
            self.failures[failure.position] = failure
        self.kept += changes.captured
        self.planned = self.planned if changes.planned is None else changes.planned
        self.check()

    @property
    def attempts(self) -> dict[int, int]:
        """How often each failed record was tried."""
        return {at: failure.attempts for at, failure in self.failures.items()}

    def check(self) -> None:
        """Partition: every planned record is delivered, failed, or in exactly one piece."""
        delivered = {at for span in self.delivered for at in range(*span)}
        held = [at for piece in self.pieces.values() for span in piece.spans for at in range(*span)]
        assert delivered.isdisjoint(self.failed), "a record is delivered and failed"
        assert len(set(held)) == len(held), "a record is in two pieces"
        forgotten = set(range(self.planned)).difference(delivered, self.failed, held)
        assert not forgotten, f"records are forgotten: {sorted(forgotten)[:5]}"

    def state(self) -> RunState:
        return RunState(
            1, "simulated", 1, "connector", resumed=bool(self.planned), planned=self.planned, chunks=list(self.pieces.values()),
            delivered=Ranges(self.delivered), failed=Ranges(Span(at, at + 1) for at in self.failed),
        )  # fmt: skip


class Simulation:
    """A run of n records: `run()` it, or `crash()` it at any step and run again."""

    def __init__(
        self, n: int, api: Api, *, batch: int = 250_000, concurrency: Any = 1, split: bool = False, ways: int = 2,
        max_bytes: int | None = None, seed: int = 0, width: Callable[[int], int] = lambda at: 6, retry: dict[str, Any] | None = None,
        early_stop: bool = True, response: dict[str, Any] | None = None, idempotent: bool = False,
        lanes: Callable[[int], Any] | None = None, routes: Callable[[int], Route] | None = None, pace: dict[str, Any] | None = None,
        seconds: Callable[[int], float] = lambda busy: 0.01, deadline: float = float("inf"), strategy: Any = None, memory: Any = None,
    ) -> None:  # fmt: skip
        self.n, self.api, self.random, self.width = n, api, Random(seed), width
        self.sender = Single(max_bytes=None) if batch == 1 else Batch(max_records=batch, max_bytes=max_bytes)
        self.strategy = strategy or (SplitUp(ways=ways) if split else FailAll())
        self.response, self.idempotent, self.lanes, self.routes = Policy.of(response or {}), idempotent, lanes, routes
        self.pace, self.deadline = (
            RateLimits(**{name: (Rate(rate, 1),) if isinstance(rate, float) else rate for name, rate in (pace or {}).items()}),
            deadline,
        )
        self.retry = RetryPolicy(**{name: rule["default"] for name, rule in RETRY.items()} | (retry or {}))
        self.concurrency = concurrency
        self.early_stop = early_stop
        self.memory = memory or Memory()
        self.now = 0.0
        #: Every request that travelled: its span, in order.
        self.sent: list[Span] = []
        self.bodies: list[list[int]] = []
        self.keys: dict[str, bytes] = {}
        self.repeats = 0
        self.busiest = 0
        self.start()

    def start(self) -> None:
        """A process begins: it knows what the memory holds, and reads the source from its start."""
        to = Destination(
            "http://x/", "POST", {}, self.concurrency, 60, self.retry, IdempotencyPolicy(),
            response=self.response, idempotent=self.idempotent, deadline=self.deadline,
        )  # fmt: skip
        pace = RateLimiter()
        pace.limit(self.pace)
        state = self.memory.state()
        terms = RequestBuilder(
            to,
            {},
            "header",
            make_key_function(b"s", "c", state.generation),
            pace,
            early_stop=self.early_stop,
        )
        self.engine = Engine(terms, self.sender, self.strategy, state, random=self.random)
        self.blocks = self._blocks()
        self.in_flight: list[Request | tuple[RequestBurst, int]] = []
        self.burst: RequestBurst | None = None
        #: What is not sent yet of the burst: ordinal, key and body.
        self.unsent: deque[tuple[int, bytes, bytes]] = deque()
        self.proposed: Changes | None = None
        self.exhausted = False

    def _blocks(self) -> Any:
        size = 97 if self.n < 5_000 else 9_973
        for lo in range(0, self.n, size):
            hi = min(self.n, lo + size)
            records = [f"{at:0{self.width(at)}d}".encode() for at in range(lo, hi)]
            offsets = array("q", [0])
            for record in records:
                offsets.append(offsets[-1] + len(record) + 1)
            page = Page(pl.DataFrame({"at": list(range(lo, hi))}), "f", range(lo + 2, hi + 2))
            yield Block(
                lo, b",".join(records), offsets, page, range(hi - lo),
                [self.routes(at) for at in range(lo, hi)] if self.routes else (),
                [self.lanes(at) for at in range(lo, hi)] if self.lanes else (),
            )  # fmt: skip

    def steps(self) -> Any:
        """Every step a process may take now, in any order the world may choose."""
        if not self.exhausted and self.engine.wants_input():
            yield self.read
        yield self.propose if self.proposed is None else self.confirm
        if self.in_flight:
            yield self.answer
        if len(self.in_flight) < (64 if self.concurrency == "auto" else self.concurrency):
            yield self.dispatch

    def read(self) -> None:
        block = next(self.blocks, None)
        if block is None:
            self.exhausted = True
            self.engine.end_of_input()
        else:
            self.engine.offer(block, (), block.hi)

    def propose(self) -> None:
        self.proposed = self.engine.propose()
        if self.proposed is not None:
            self.memory.commit(self.proposed)

    def confirm(self) -> None:
        assert self.proposed is not None
        self.engine.confirm(self.proposed)
        self.proposed = None

    def dispatch(self) -> None:
        if self.burst is not None and self.unsent and self.engine.is_cancelled(self.burst):
            self.return_unsent()
        if self.burst is not None and self.unsent and len(self.in_flight) >= self.burst.concurrency:
            return
        found = (
            self.burst
            if self.burst is not None and self.unsent
            else self.engine.next_request(self.now, self.random.choice((0, 1, 5, 300)))
        )
        if isinstance(found, RequestBurst):
            if found is not self.burst:
                self.burst = found
                self.unsent.extend((at, *request) for at, request in zip(range(*found.span), found.requests(), strict=True))
            at, line, body = self.unsent.popleft()
            self._left((found, at), Span(at, at + 1), line.decode().partition(": ")[2], body)
        elif isinstance(found, Request):
            body = b"".join(found.body)
            assert len(body) == found.body_length
            self._left(found, found.span, found.headers["Idempotency-Key"] + "\r\n", body)
        elif isinstance(found, Wait) and found.seconds < MAX_WAIT and not self.in_flight and self.engine.is_drained():
            self.now += found.seconds  # longer waits are for a commit, or for more to be read

    def _left(self, flight: Any, span: Span, key: str, body: bytes) -> None:
        assert self.keys.setdefault(key, body) == body, "a key came with other bytes"
        self.sent.append(span)
        self.bodies.append([int(record) for record in body.strip(b"[]").split(b",")])
        self.in_flight.append(flight)
        self.busiest = max(self.busiest, len(self.in_flight))

    def answer(self) -> None:
        request = self.in_flight.pop(self.random.randrange(len(self.in_flight)))
        self.now += 0.01
        if isinstance(request, tuple):
            self.land(request[0], {request[1]})
            return
        body = b"".join(request.body).strip(b"[]")
        self.engine.complete(request, self.api([int(record) for record in body.split(b",")]), self.now)

    def land(self, volley: RequestBurst, landed: set[int]) -> None:
        """Some of a volley's answers come together."""
        others = [pair for pair in self.in_flight if isinstance(pair, tuple) and pair[0] is volley]
        landed |= {at for _, at in others if self.random.random() < 0.5}
        self.in_flight = [flight for flight in self.in_flight if flight not in [(volley, at) for at in landed]]
        found = [(at, self.api([at]), 0.01) for at in landed]
        refused = volley is self.burst and any(answer.status != 200 for _, answer, _ in found)
        late = self.random.random() < 0.5
        if refused and not late:
            self.return_unsent()
        for request, answer in self.engine.complete_many(volley, found, self.now):
            self.engine.complete(request, answer, self.now)
        if refused and late:
            self.return_unsent()

    def return_unsent(self) -> None:
        """Send no more of the burst."""
        assert self.burst is not None
        if self.unsent:
            self.engine.return_unsent(self.burst, Span(self.unsent[0][0], self.burst.span.hi))
            self.unsent.clear()

    def over(self) -> bool:
        if self.engine.stopped:
            return self.engine.is_drained() and not self.in_flight and self.proposed is None
        return self.engine.is_finished()

    def run(self, most: int = 1_000_000) -> Simulation:
        """Step until the engine is done."""
        for _ in range(most):
            if self.over():
                return self
            self.random.choice(list(self.steps()))()
        raise AssertionError("the engine does not come to an end")

    def crash_after(self, steps: int) -> None:
        """Take some steps, then be killed: only the memory is left."""
        for _ in range(steps):
            if self.over():
                break
            self.random.choice(list(self.steps()))()
        self.start()
