"""The state of a run when it starts or is resumed."""

from __future__ import annotations

from dataclasses import dataclass, field

from sendoff.ledger.changes import Chunk
from sendoff.ledger.ranges import Ranges


@dataclass(slots=True)
class RunState:
    """The state of a run when it starts or is resumed: counts, open chunks, and what is settled."""

    id: int
    connector: str
    generation: int
    source: str
    resumed: bool
    retry_of: int | None = None
    planned: int = 0
    read: int = 0
    requests: int = 0
    retries: int = 0
    bytes: int = 0
    invalid: int = 0
    rejected: int = 0
    chunks: list[Chunk] = field(default_factory=list)
    delivered: Ranges = field(default_factory=Ranges)
    failed: Ranges = field(default_factory=Ranges)
    #: Rows left out of the run: those that `incremental` knew, or a corrected file's that were delivered already.
    unchanged: int = 0
    #: The connector's name in idempotency keys: the one it had when the run began; "" for the one it has.
    key_name: str = ""
    #: The destination was down when it was last seen.
    was_down: bool = False
