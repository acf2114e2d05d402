"""Opens the ledger of a state directory, and its inboxes. Only here is decided what keeps it: SQLite."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from sendoff.ledger.history import History
from sendoff.ledger.inbox import Inboxes
from sendoff.ledger.ledger import Ledger
from sendoff.ledger.sqlite.history import SqliteHistory
from sendoff.ledger.sqlite.inbox import SqliteInboxes
from sendoff.ledger.sqlite.inbox import last_post_id as last_in_file
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


def open_inboxes(state: Path) -> Inboxes:
    """The inboxes of a state directory, made if there are none. Raises `LedgerError` if they cannot be used."""
    return SqliteInboxes(state)


def last_post_id(state: Path, inbox: str) -> int:
    """The number of the last post that waits in a state directory's inbox; 0 if none does. Makes no inbox."""
    return last_in_file(state, inbox)


def library() -> tuple[str, str]:
    """What keeps the ledger, and its version."""
    return "sqlite", LIBRARY_VERSION
