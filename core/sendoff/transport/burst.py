"""Many requests handed to a transport at once: alike but for their one record and its key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sendoff.records import Block, Span


@dataclass(frozen=True, slots=True, eq=False)
class RequestBurst:
    """The requests of the records in `span`, each a slice of one block.

    A burst belongs to the thread that took it, and never changes: the transport keeps its own place in it. It sends at
    most `concurrency` of the requests at once, and passes their responses to `RequestQueue.complete_many` together, so that
    a request costs no object of its own. It sends no more of them after a response that is not a success, nor once
    `RequestQueue.is_cancelled` says so, and gives back by `RequestQueue.return_unsent` those it has not sent.
    """

    method: str
    url: str
    #: Every header but the key's.
    headers: Mapping[str, str]
    #: What goes before a record's key in the head (``Idempotency-Key: "``, say) and after it; empty without keys.
    key_header: tuple[bytes, bytes]
    key: Callable[[int, int, bytes], str]
    prefix: bytes
    suffix: bytes
    block: Block
    span: Span
    concurrency: int
    #: Seconds a request may take, and the bytes a second its body is given on top.
    timeout: float
    min_upload_rate: float
    max_response_bytes: int

    def record(self, at: int) -> bytes:
        """A record's bytes."""
        block = self.block
        place = at - block.lo
        return block.data[block.offsets[place] : block.offsets[place + 1] - 1]

    def requests(self) -> Iterator[tuple[bytes, bytes]]:
        """The requests in the order of their records: each one's key's header line, and its body."""
        data, offsets, base, key = self.block.data, self.block.offsets, self.block.lo, self.key
        before, after = self.key_header
        bare = not (self.prefix or self.suffix)
        lo, hi = self.span
        start = offsets[lo - base]
        for at, end in enumerate(offsets[lo - base + 1 : hi - base + 1], lo):
            record = data[start : end - 1]
            start = end
            line = b"%b%b%b" % (before, key(at, at + 1, record).encode(), after) if before else b""
            yield line, record if bare else b"%b%b%b" % (self.prefix, record, self.suffix)
