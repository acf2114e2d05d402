"""The ledger: what each run planned, delivered and failed. A plan is durable before anything of it is sent."""

from sendoff.ledger.changes import CapturedResult, Changes, Chunk, Failure, RequestRecord
from sendoff.ledger.claims import Claim, Fate, RecordKey
from sendoff.ledger.delivered_rows import DeliveredRow, FilterSummary
from sendoff.ledger.ranges import Ranges
from sendoff.ledger.sqlite import history
from sendoff.ledger.sqlite.delivered_rows import DeliveredRows
from sendoff.ledger.sqlite.ledger import Ledger
from sendoff.ledger.state import RunState

__all__ = [
    "CapturedResult",
    "Changes",
    "Chunk",
    "Claim",
    "DeliveredRow",
    "DeliveredRows",
    "Failure",
    "Fate",
    "FilterSummary",
    "Ledger",
    "Ranges",
    "RecordKey",
    "RequestRecord",
    "RunState",
    "history",
]
