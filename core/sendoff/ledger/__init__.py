"""The ledger: what each run planned, delivered and failed. A plan is durable before anything of it is sent."""

from sendoff.ledger.changes import CapturedResult, Changes, Chunk, Failure, RequestRecord, StoredMark
from sendoff.ledger.claims import Claim, Fate, RecordKey
from sendoff.ledger.delivered_rows import DeliveredRow, FilterSummary
from sendoff.ledger.history import History
from sendoff.ledger.ledger import DeliveredRows, Ledger
from sendoff.ledger.opening import open_history, open_ledger
from sendoff.ledger.ranges import Ranges
from sendoff.ledger.state import RunState, UncertainRequest

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
    "History",
    "Ledger",
    "Ranges",
    "RecordKey",
    "RequestRecord",
    "RunState",
    "StoredMark",
    "UncertainRequest",
    "open_history",
    "open_ledger",
]
