"""The ledger: what each run planned, delivered and failed. A plan is durable before anything of it is sent."""

from sendoff.ledger.changes import CapturedResult, Changes, Chunk, Failure, RequestRecord
from sendoff.ledger.delivered_rows import DeliveredRow, DeliveredRows, FilterSummary
from sendoff.ledger.locks import RunLock
from sendoff.ledger.ranges import Ranges
from sendoff.ledger.state import RunState
from sendoff.ledger.store import Ledger

__all__ = [
    "CapturedResult",
    "Changes",
    "Chunk",
    "DeliveredRow",
    "DeliveredRows",
    "Failure",
    "FilterSummary",
    "Ledger",
    "Ranges",
    "RequestRecord",
    "RunLock",
    "RunState",
]
