"""The durable memory: nothing is sent before its plan is durable, nothing forgotten before its verdict is."""

from sendoff.ledger.changes import Changes, Failure, Kept, Piece, Sent
from sendoff.ledger.delivered_rows import Memory, Remembered, Sifted
from sendoff.ledger.locks import RunLock
from sendoff.ledger.ranges import Ranges
from sendoff.ledger.state import RunState
from sendoff.ledger.store import Ledger

__all__ = [
    "Changes",
    "Failure",
    "Kept",
    "Ledger",
    "Memory",
    "Piece",
    "Ranges",
    "Remembered",
    "RunLock",
    "RunState",
    "Sent",
    "Sifted",
]
