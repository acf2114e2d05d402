"""The state of a run when it starts or is resumed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from sendoff.ledger.changes import Chunk
from sendoff.ledger.ranges import Ranges


class UncertainRequest(NamedTuple):
    """A request of a run's earlier processes that the API may have applied, and whose records are still pending.

    It was for `records` records from `lo` up to `hi`, was sent `sends` times, and `reason` is why it was not simply
    delivered.
    """

    lo: int
    hi: int
    records: int
    sends: int
    reason: str


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
    #: The position in the source, as JSON, up to which a resumed run must read the same; None: all of it.
    mark: str | None = None
    requests: int = 0
    retries: int = 0
    bytes: int = 0
    accepted: int = 0
    invalid: int = 0
    rejected: int = 0
    chunks: list[Chunk] = field(default_factory=list)
    delivered: Ranges = field(default_factory=Ranges)
    failed: Ranges = field(default_factory=Ranges)
    uncertain: list[UncertainRequest] = field(default_factory=list)
    #: What the records of uncertain requests are, if a person says so; None sends them again.
    maybe_applied_as: Literal["delivered", "rejected"] | None = None
    #: Rows left out of the run: those that `incremental` knew, or a corrected file's that were delivered already.
    unchanged: int = 0
    #: The connector's name in idempotency keys: the one it had when the run began; "" for the one it has.
    key_name: str = ""
    #: The destination was down when it was last seen.
    was_down: bool = False
