"""Many requests handed to a transport at once: alike but for their one record and its key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sendoff.records import Block


@dataclass(slots=True, eq=False)
class RequestBurst:
    """The requests of the records up to `hi`, each a slice of one block; those from `at` on have not been sent.

    A burst belongs to the thread that took it. A transport sends as many of its requests at once as the settings
    allow, and passes their responses to the queue together, so that a request costs no object of its own. After a
    response that is not a success it sends no more of them, nor once the burst is `cancelled`.
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
    next_ordinal: int
    hi: int
    #: Seconds a request may take, and the bytes a second its body is given on top.
    timeout: float
    min_upload_rate: float
    max_response_bytes: int
    cancelled: bool = False

    @property
    def has_more(self) -> bool:
        """Whether there is another request to send."""
        return self.next_ordinal < self.hi and not self.cancelled

    def record(self, at: int) -> bytes:
        """A record's bytes."""
        block = self.block
        place = at - block.lo
        return block.data[block.offsets[place] : block.offsets[place + 1] - 1]

    def requests(self) -> Iterator[tuple[bytes, bytes]]:
        """The requests from `at` on: each one's key's header line, and its body. Who sends one moves `at`."""
        data, offsets, base, key = self.block.data, self.block.offsets, self.block.lo, self.key
        before, after = self.key_header
        bare = not (self.prefix or self.suffix)
        start = offsets[self.next_ordinal - base]
        for at, end in enumerate(offsets[self.next_ordinal - base + 1 : self.hi - base + 1], self.next_ordinal):
            record = data[start : end - 1]
            start = end
            line = b"%b%b%b" % (before, key(at, at + 1, record).encode(), after) if before else b""
            yield line, record if bare else b"%b%b%b" % (self.prefix, record, self.suffix)
