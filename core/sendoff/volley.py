"""Many requests handed to a transport at once: alike but for their one record and its key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sendoff.records import Block


@dataclass(slots=True, eq=False)
class Volley:
    """The requests of the records ``[at, hi)``, each a slice of one block.

    A volley belongs to the thread that took it. It sends as many of the requests at once as the
    wire allows, and tells the exchange of their answers together: that way a request costs no object of its
    own. Whoever sees an answer that is no success stops taking, and tells; so does who finds it `recalled`.
    """

    method: str
    url: str
    #: Every header but the key's.
    headers: Mapping[str, str]
    #: What goes before a record's key in the head (``Idempotency-Key: "``, say) and after it; empty without keys.
    around_key: tuple[bytes, bytes]
    key: Callable[[int, bytes], str]
    prefix: bytes
    suffix: bytes
    block: Block
    at: int
    hi: int
    #: Seconds a request may take, and the bytes a second its body is given on top.
    timeout: float
    floor_rate: float
    answer_bytes: int
    recalled: bool = False

    def __bool__(self) -> bool:
        """Whether there is another request to take."""
        return self.at < self.hi and not self.recalled

    def record(self, at: int) -> bytes:
        """A record's bytes."""
        block = self.block
        place = at - block.lo
        return block.data[block.offsets[place] : block.offsets[place + 1] - 1]

    def take(self) -> tuple[int, bytes, bytes]:
        """The next request: its record's ordinal, its key's header line, its body."""
        at = self.at
        self.at = at + 1
        record = self.record(at)
        before, after = self.around_key
        line = b"%b%b%b" % (before, self.key(at, record).encode(), after) if before else b""
        return at, line, self.prefix + record + self.suffix if self.prefix or self.suffix else record
