"""A transport keeps its own place in a burst: it completes each request of it, or gives it back."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Sequence
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from sendoff import ConnectionSettings, Request, RequestBurst, Response, Wait
from sendoff.records import Block, Page, Span
from sendoff.testing import Received, Receiver, Reply
from sendoff.transport.protocol import Completion
from sendoff_plugins.transports.http1 import Http1

SIZE = 24


class Bursts:
    """Hands out what was not sent yet in bursts, and cancels those that are under way after some responses."""

    def __init__(self, url: str, cancel_after: Sequence[int], *, concurrency: int = 1, again: bool = True) -> None:
        records = [b'{"n":%d}' % at for at in range(SIZE)]
        offsets = array("q", [0])
        for record in records:
            offsets.append(offsets[-1] + len(record) + 1)
        self._block = Block(0, b",".join(records), offsets, Page(pl.DataFrame()), range(SIZE))
        self._url, self._left, self._cancel_after = url, [Span(0, SIZE)], set(cancel_after)
        #: Whether what is given back is handed out again.
        self._again, self._concurrency = again, concurrency
        self._burst: RequestBurst | None = None
        self.cancelled = set[RequestBurst]()
        self.completed: list[tuple[int, Response]] = []
        self.returned: list[int] = []
        self._changed: Callable[[], None] = lambda: None

    def next_request(self) -> Any:
        raise AssertionError("it takes bursts")

    def next_requests(self, ahead: int) -> Request | RequestBurst | Wait | Any:
        if not self._left:
            return "done"
        limit = ahead * self._concurrency
        lo, hi = self._left.pop()
        if hi - lo > limit:
            self._left.append(Span(lo + limit, hi))
        span = Span(lo, min(hi, lo + limit))
        self._burst = RequestBurst(
            "POST",
            self._url,
            {},
            (b"", b""),
            lambda lo, hi, body: "",
            b"",
            b"",
            self._block,
            span,
            self._concurrency,
            5.0,
            1e3,
            1 << 20,
        )
        return self._burst

    def cancel(self) -> None:
        """Cancel the burst under way, from any thread."""
        assert self._burst is not None
        self.cancelled.add(self._burst)
        self._changed()

    def complete(self, request: Request, response: Response) -> None:
        raise AssertionError("there are only bursts")

    def complete_many(self, burst: RequestBurst, completions: Sequence[Completion]) -> None:
        for at, response, _ in completions:
            assert at in range(*burst.span)
            self.completed.append((at, response))
            if len(self.completed) in self._cancel_after:
                self.cancelled.add(burst)
        self._changed()

    def is_cancelled(self, burst: RequestBurst) -> bool:
        return burst in self.cancelled

    def return_unsent(self, burst: RequestBurst, unsent: Span) -> None:
        assert burst.span.lo <= unsent.lo < unsent.hi == burst.span.hi
        self.returned += range(*unsent)
        if self._again:
            self._left.append(unsent)
        self._changed()

    def wait(self, seconds: float) -> None: ...

    def on_change(self, callback: Callable[[], None]) -> None:
        self._changed = callback


@given(st.integers(1, 4), st.sets(st.integers(0, SIZE - 1), max_size=4), st.sets(st.integers(1, SIZE), max_size=4))
@settings(max_examples=40, deadline=None)
def test_every_request_of_a_burst_is_completed_or_given_back(concurrency: int, bad: set[int], cancel_after: set[int]) -> None:
    """Kind: a burst that two sides end. Brothers looked at: a refusal, a connection cut, a cancellation between two responses."""

    def answer(request: Received) -> Reply:
        n = json.loads(request.body)["n"]
        return Reply(cut=True) if n in bad and n % 2 else Reply(400) if n in bad else Reply()

    with Receiver(answer) as api:
        queue = Bursts(f"{api.url}/x", sorted(cancel_after), concurrency=concurrency)
        Http1().run(queue, ConnectionSettings(f"{api.url}/x", concurrency))
        arrived = sorted(json.loads(request.body)["n"] for request in api.requests)
    assert sorted(at for at, _ in queue.completed) == arrived == list(range(SIZE))
    assert {at for at, response in queue.completed if response.status != 200} == bad


def test_no_more_of_a_burst_is_sent_after_a_refusal() -> None:
    with Receiver(lambda request: Reply(400)) as api:
        queue = Bursts(f"{api.url}/x", (), again=False)
        Http1().run(queue, ConnectionSettings(f"{api.url}/x", 1))
    assert [at for at, _ in queue.completed] == list(range(0, SIZE, 4))
    assert len(queue.returned) == SIZE - SIZE // 4


def test_no_more_of_a_burst_is_sent_once_it_is_cancelled_while_a_response_is_waited_for() -> None:
    def answer(request: Received) -> Reply:
        if json.loads(request.body)["n"] == 1:
            queue.cancel()
        return Reply()

    with Receiver(answer) as api:
        queue = Bursts(f"{api.url}/x", (), again=False)
        Http1().run(queue, ConnectionSettings(f"{api.url}/x", 1))
    assert queue.returned == [2, 3]
    assert [at for at, _ in queue.completed] == [0, 1, *range(4, SIZE)]
