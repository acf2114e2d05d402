"""The planner: which chunks are open, and which ordinals are planned."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import repeat

from sendoff.components import Sender
from sendoff.engine.block_buffer import BlockBuffer
from sendoff.engine.in_flight import InFlight
from sendoff.engine.tasks import OpenChunk, Task
from sendoff.ledger import Chunk, RunState
from sendoff.records import Block, Route, Span, Spans, spans_of, total

READ_AHEAD = 16 << 20
#: So many requests that wait for their retry use no slot, if they are not more than `READ_AHEAD` together.
MAX_OUTSIDE_WINDOW = 16
#: Where requests are addressed by their records, so many requests' worth is looked over at once to
#: fill requests to each address; and at most so many records.
ROUTE_LOOKAHEAD_REQUESTS, ROUTE_LOOKAHEAD_RECORDS = 16, 250_000
#: Records with one id are looked over together up to so many, and put in as many requests.
MAX_ID_REPEATS = 16


class Planner:
    """Cuts blocks into chunks while slots are free."""

    def __init__(self, sender: Sender, in_flight: InFlight, state: RunState) -> None:
        self.buffer = BlockBuffer(sender.separator)
        self._in_flight = in_flight
        self.single = sender.max_records == 1
        #: The most bytes a body may have, as declared or as learned from a 413.
        self.max_bytes = sender.max_bytes
        self.planned = state.planned
        self.ended = False
        #: The bytes of the largest chunk so far: planned records are kept in memory.
        self._largest = 0
        #: Open chunks by their first ordinal.
        self.open_chunks: dict[int, OpenChunk] = {}
        #: The most records in a request, as declared or as learned; and where splitting showed it, the fewest too many.
        self.max_records = sender.max_records
        self._too_many: int | None = None
        #: Whether so many were delivered together since; and the chunk that tries whether some more are, by its first ordinal.
        self._fits = False
        self._probe: int | None = None
        self._envelope = len(sender.prefix) + len(sender.suffix)
        self._awaiting_input = deque(self._reopened(state))
        in_flight.plan(sum(open_chunk.open_requests for open_chunk in self.open_chunks.values()))

    # Blocks in.

    def add(self, block: Block) -> list[OpenChunk]:
        """Add a block. Returns the chunks of an earlier process that can be sent again now that their records are read.

        Raises `SourceDiverged` if their bytes are not what was planned.
        """
        holds = sum(
            open_chunk.chunk.lo < block.hi and block.lo < open_chunk.chunk.hi for open_chunk in self.open_chunks.values()
        )
        self.buffer.add(block, holds)
        awake = []
        while self._awaiting_input and self._awaiting_input[0].chunk.hi <= self.buffer.hi:
            open_chunk = self._awaiting_input.popleft()
            if self.digest(open_chunk.chunk.spans) != open_chunk.chunk.digest:
                raise SourceDiverged
            awake.append(open_chunk)
        self.buffer.release(self.planned)
        return awake

    def end_of_input(self) -> None:
        """There are no more blocks. Raises `SourceDiverged` if an earlier process had planned more."""
        self.ended = True
        if self._awaiting_input or self.buffer.hi < self.planned:
            raise SourceDiverged

    def wants_input(self) -> bool:
        """Whether another block is needed: for a whole request, or to have one in reserve."""
        if self.ended:
            return False
        return (
            self.buffer.hi <= self.planned
            or self.buffer.unplanned_bytes(self.planned) < READ_AHEAD
            or self._find_end(1) is None
        )

    # Pieces out.

    def plan_chunks(self, outside: int) -> Iterator[Chunk]:
        """Open chunks while slots are free; so many retries use none."""
        self._in_flight.grow(self.affordable)
        while True:
            if not self._in_flight.can_plan(outside):
                return
            hi = self._find_end(self._in_flight.free_to_plan(outside)) if self.buffer.hi > self.planned else None
            if hi is None:
                return
            span = self._few_repeats(Span(self.planned, hi))
            self.planned = span.hi
            for spans in self._by_request(span):
                if total(spans) > self.max_records and not self.single:
                    self._probe = spans[0].lo
                yield self.open_chunk(spans, 1 if self.single else total(spans))

    @property
    def affordable(self) -> int:
        """How many requests as large as the largest so far may be kept in memory."""
        return READ_AHEAD // max(1, self._largest)

    def most_outside_window(self, retries: int) -> int:
        """How many of so many requests that wait for their retry use no slot: their records stay in memory."""
        return min(retries, MAX_OUTSIDE_WINDOW, self.affordable)

    def _few_repeats(self, span: Span) -> Span:
        """The span, or as much of it as has no id too often."""
        repeats = None if self.single else self.buffer.id_repeats(span)
        if repeats is None or max(repeats) < MAX_ID_REPEATS:
            return span
        return Span(span.lo, span.lo + repeats.index(MAX_ID_REPEATS))

    def _by_request(self, span: Span) -> Iterator[Spans]:
        """The span, or its records grouped by route, no two with one id together, no group larger than a request may be."""
        routes = None if self.single else self.buffer.routes(span)
        repeats = None if self.single else self.buffer.id_repeats(span)
        if routes is None and repeats is None:
            yield (span,)
            return
        groups: dict[tuple[Route | None, int], list[int]] = {}
        for ordinal, route, repeated in zip(range(*span), routes or repeat(None), repeats or repeat(0), strict=False):
            groups.setdefault((route, repeated), []).append(ordinal)
        for ordinals in groups.values():
            most = self._next_size
            for at in range(0, len(ordinals), most):
                yield spans_of(ordinals[at : at + most])

    def preview_requests(self, hi: int) -> Iterator[Spans]:
        """The requests that the buffered records up to `hi` would be sent in. Plans nothing."""
        lo = self.planned
        room = None if self.max_bytes is None else self.max_bytes - self._envelope
        while lo < hi:
            most = min(hi - lo, self.max_records if not self.buffer.has_routes or self.single else ROUTE_LOOKAHEAD_RECORDS)
            end = self.buffer.find_end(lo, most, None if self.buffer.has_routes else room, ended=True) or hi
            span = self._few_repeats(Span(lo, end))
            yield from self._by_request(span)
            lo = span.hi

    def open_chunk(self, spans: Spans, records_per_request: int) -> Chunk:
        """Open a chunk of these records, to be sent in requests of `records_per_request` records."""
        parts = self.buffer.slices(spans)
        self._largest = max(self._largest, sum(map(len, parts)))
        chunk = Chunk(spans[0].lo, spans[-1].hi, records_per_request, digest(parts), spans if len(spans) > 1 else ())
        self.open_chunks[chunk.lo] = open_chunk = OpenChunk.of(chunk, spans)
        self._in_flight.plan(open_chunk.open_requests)
        self.buffer.retain(chunk)
        return chunk

    def settle(self, chunk: Chunk, requests: int, *, sent: bool) -> bool:
        """Settle some of a chunk's requests. Returns whether they were its last ones, so that it is closed."""
        open_chunk = self.open_chunks[chunk.lo]
        open_chunk.open_requests -= requests
        self._in_flight.settle(requests, sent=sent)
        if open_chunk.open_requests:
            return False
        del self.open_chunks[chunk.lo]
        if chunk.lo == self._probe:
            self._probe = None
            if (size := total(chunk.spans)) > self.max_records:
                self._too_many = size  # whatever the reason: enough is known
        self.buffer.retain(chunk, -1)
        return True

    def exceeds_limit(self, task: Task) -> bool:
        """Whether a request is larger than the API is known to accept, and may be made smaller.

        One that may have been sent before may not: its parts would have other idempotency keys.
        """
        if task.repeats or task.attempts or task.size == 1 or task.chunk.lo == self._probe:
            return False
        return task.size > self.max_records or (self.max_bytes is not None and self.body_length(task.spans) > self.max_bytes)

    def lower_limit(self, parts: Sequence[Spans], *, in_bytes: bool) -> int:
        """A request was too large, in bytes or records: limit later ones to the largest of its parts. Returns the limit."""
        if in_bytes:
            largest = max(map(self.body_length, parts))
            self.max_bytes = largest if self.max_bytes is None else min(self.max_bytes, largest)
            return self.max_bytes
        if self._too_many is not None:
            self._too_many = min(self._too_many, sum(map(total, parts)))
        self.max_records = min(self.max_records, max(map(total, parts)))
        return self.max_records

    def learn_size(self, fewer: int, too_many: int) -> int:
        """Splitting showed that so many records are too many in one request: limit later ones to fewer. Returns the limit.

        It may have been something else, so from there it grows again: one request at a time is halfway to what was too many.
        """
        self._too_many = too_many if self._too_many is None else min(too_many, self._too_many)
        if self.max_records >= self._too_many:
            self.max_records, self._fits = fewer, False
        return self.max_records

    def note_delivered(self, records: int) -> None:
        """So many records were delivered in one request."""
        if self._too_many is not None and self.max_records <= records < self._too_many:
            self.max_records, self._fits = records, True

    def is_too_many(self, records: int) -> bool:
        """Whether so many records are known to be too many in one request."""
        return self._too_many is not None and records >= self._too_many

    @property
    def _next_size(self) -> int:
        """The most records of the next request."""
        if self._too_many is None or not self._fits or self._probe is not None:
            return self.max_records
        return (self.max_records + self._too_many) // 2

    def body_length(self, spans: Spans) -> int:
        return self.buffer.length(spans) + self._envelope

    def digest(self, spans: Spans) -> bytes:
        return digest(self.buffer.slices(spans))

    def fully_planned(self) -> bool:
        """Whether all that will ever be read is planned."""
        return self.ended and self.planned >= self.buffer.hi

    def _find_end(self, free: int) -> int | None:
        if self.single:
            available = self.buffer.hi - self.planned
            return self.planned + min(free, available) if available > 0 else None
        room = None if self.max_bytes is None else self.max_bytes - self._envelope
        most = (
            self._next_size
            if not self.buffer.has_routes
            else min(ROUTE_LOOKAHEAD_RECORDS, self.max_records * ROUTE_LOOKAHEAD_REQUESTS)
        )
        return self.buffer.find_end(self.planned, most, None if self.buffer.has_routes else room, ended=self.ended)

    def _reopened(self, state: RunState) -> Iterator[OpenChunk]:
        """The chunks an earlier process left open, without the records it settled."""
        uncertain = {(request.lo, request.hi): request for request in state.uncertain}
        for chunk in sorted(state.chunks, key=lambda chunk: chunk.lo):
            left = tuple(
                part for span in chunk.spans for gap in state.delivered.gaps(*span) for part in state.failed.gaps(*gap)
            )
            self.open_chunks[chunk.lo] = open_chunk = OpenChunk.of(chunk, left, repeats=True)
            open_chunk.uncertain = uncertain
            yield open_chunk


class SourceDiverged(Exception):
    """The source no longer yields the bytes that were planned."""


def digest(parts: Sequence[memoryview | bytes]) -> bytes:
    """SHA-256 over buffers as if they were one."""
    total = hashlib.sha256()
    for part in parts:
        total.update(part)
    return total.digest()
