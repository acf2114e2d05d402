"""The rows of the ledger that log requests and captured response values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sendoff.engine.block_buffer import BlockBuffer
from sendoff.engine.requests import RequestBuilder
from sendoff.ledger import CapturedResult, RequestRecord
from sendoff.records import Spans, within
from sendoff.response import Verdict, VerdictKind
from sendoff.transport.protocol import Completion, Request, RequestBurst, Response

#: So many requests of a run are all noted; after that, only those that did not simply deliver.
LOGGED_REQUESTS = 10_000


class RequestLog:
    """Turns responses into rows of the ledger."""

    def __init__(self, builder: RequestBuilder, buffer: BlockBuffer, before: int) -> None:
        self._builder, self._buffer = builder, buffer
        self._all_until = max(LOGGED_REQUESTS, before)

    def request(self, request: Request, response: Response, verdict: Verdict) -> Iterator[RequestRecord]:
        """The row of a request, if it is one of the first or was not simply delivered."""
        if verdict.kind is VerdictKind.DELIVERED and request.request_id > self._all_until:
            return
        yield RequestRecord(
            request.request_id, *request.span, request.record_count, request.attempt, request.method,
            self._builder.redact(request.url), request.key, request.body_length, response.status, verdict.kind.value,
            verdict.reason, round(response.seconds, 6), verdict.maybe_applied,
        )  # fmt: skip

    def burst(
        self, burst: RequestBurst, completions: Sequence[Completion], first: int, attempt: int
    ) -> Iterator[RequestRecord]:
        """The rows of a burst's successes, numbered from `first`, while within the first `LOGGED_REQUESTS`."""
        url = self._builder.redact(burst.url)
        for number, (at, response, seconds) in zip(range(first, self._all_until + 1), completions, strict=False):
            body = burst.record(at)
            key = burst.key(at, at + 1, body) if burst.key_header[0] else ""
            length = len(body) + len(burst.prefix) + len(burst.suffix)
            yield RequestRecord(
                number, at, at + 1, 1, attempt, burst.method, url, key, length, response.status,
                VerdictKind.DELIVERED.value, "", round(seconds, 6),
            )  # fmt: skip

    def captured(self, sent: Spans, delivered: Spans, verdict: Verdict) -> Iterator[CapturedResult]:
        """The captured values, with the rows they belong to: each its own, or of a whole response all that were delivered."""
        for place, values in verdict.captured.items():
            part = delivered if place < 0 else within(sent, place, place + 1)
            if not part or not values:
                continue
            shown = {name: self._builder.redact_value(value) for name, value in values.items()}
            for span in part:  # a request with holes in it has several
                block, lo, _ = next(self._buffer.slices_by_block((span,)))
                yield CapturedResult(*span, block.page.file, block.page.line(block.rows[lo - block.lo]), shown)
