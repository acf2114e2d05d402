"""Opens the ledger of a state directory. Only here is decided what keeps it: SQLite."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from sendoff.ledger.history import History
from sendoff.ledger.ledger import Ledger
from sendoff.ledger.sqlite.history import SqliteHistory
from sendoff.ledger.sqlite.ledger import SqliteLedger
from sendoff.ledger.sqlite.opening import LIBRARY_VERSION


def open_ledger(state: Path, *, clock: Callable[[], float] = time.time) -> Ledger:
    """The ledger of a state directory, made if there is none.

    Raises `LedgerError` for one that cannot be opened, is of a newer version, or is not the one that was there before:
    a missing ledger is never silently replaced by an empty one.
    """
    return SqliteLedger(state, clock=clock)


def open_history(state: Path) -> History:
    """What the ledger of a state directory says of past runs. Nothing is opened before it is asked, and nothing made."""
    return SqliteHistory(state)


def library() -> tuple[str, str]:
    """What keeps the ledger, and its version."""
    return "sqlite", LIBRARY_VERSION
