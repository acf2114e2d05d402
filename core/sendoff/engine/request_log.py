"""What is kept of requests and answers, for whoever wants to see what happened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sendoff.engine.block_buffer import Stock
from sendoff.engine.requests import Terms
from sendoff.ledger import Kept, Sent
from sendoff.records import Spans, within
from sendoff.response import Kind, Verdict
from sendoff.transport.protocol import Answer, Landed, Request, Volley

#: So many requests of a run are all noted; after that, only those that did not simply deliver.
NOTED = 10_000


class Evidence:
    """Turns answers into rows of the ledger."""

    def __init__(self, terms: Terms, stock: Stock, before: int) -> None:
        self._terms, self._stock = terms, stock
        self._all_until = max(NOTED, before)

    def request(self, request: Request, answer: Answer, verdict: Verdict) -> Iterator[Sent]:
        """A note of the request, if it is one of the first or did not simply deliver."""
        if verdict.kind is Kind.DELIVERED and request.number > self._all_until:
            return
        yield Sent(
            request.number, *request.span, request.count, request.attempt, request.method, self._terms.redact(request.url),
            request.key, request.length, answer.status, verdict.kind.value, verdict.reason, round(answer.seconds, 6),
        )  # fmt: skip

    def volley(self, volley: Volley, landed: Sequence[Landed], first: int, attempt: int) -> Iterator[Sent]:
        """Notes of successes that came in a volley, numbered from `first`, as far as they are of the first."""
        url = self._terms.redact(volley.url)
        for number, (at, answer, seconds) in zip(range(first, self._all_until + 1), landed, strict=False):
            body = volley.record(at)
            key = volley.key(at, at + 1, body) if volley.around_key[0] else ""
            length = len(body) + len(volley.prefix) + len(volley.suffix)
            yield Sent(
                number, at, at + 1, 1, attempt, volley.method, url, key, length, answer.status, Kind.DELIVERED.value, "",
                round(seconds, 6),
            )  # fmt: skip

    def kept(self, spans: Spans, verdict: Verdict) -> Iterator[Kept]:
        """What was captured, with the rows it belongs to."""
        for place, values in verdict.captured.items():
            part = spans if place < 0 else within(spans, place, place + 1)
            if not part or not values:
                continue
            block, lo, _ = next(self._stock.parts(part))
            line = block.page.line(block.rows[lo - block.lo])
            told = {name: self._terms.redact(value) if isinstance(value, str) else value for name, value in values.items()}
            yield Kept(part[0].lo, part[-1].hi, block.page.file, line, told)
