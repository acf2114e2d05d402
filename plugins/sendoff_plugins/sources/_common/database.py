"""The errors of databases: whether they may be transient, and their text."""

from __future__ import annotations

import re
from typing import Any

#: What says that a database is not there now: SQLSTATE classes (connection, resources, rollback, shutdown, lock),
#: MySQL's numbers of the same, and words of drivers that give neither.
_OUTAGE_STATES = ("08", "53", "40", "57P", "55P03")
_OUTAGE_NUMBERS = {1040, 1053, 1205, 1213, 2002, 2003, 2006, 2013}
_OUTAGE = re.compile(
    r"refused|timed? ?out|unreachable|temporar|reset by peer|connection is lost|closed the connection|closed unexpectedly"
    r"|starting up|shutting down|too many (clients|connections)|database is locked", re.IGNORECASE,
)  # fmt: skip


def is_outage(error: Any) -> bool:
    """Whether the database could not be reached or was lost, so that a later run may succeed."""
    cause = getattr(error, "orig", None)
    if cause is None:
        return False
    state, number = str(getattr(cause, "sqlstate", None) or ""), cause.args[0] if cause.args else None
    return bool(
        error.connection_invalidated
        or state.startswith(_OUTAGE_STATES)
        or number in _OUTAGE_NUMBERS
        or (not state and not isinstance(number, int) and _OUTAGE.search(str(cause)))
    )


def describe(error: Exception) -> str:
    """The database's error message, without SQLAlchemy's links."""
    cause = getattr(error, "orig", None) or error
    match cause.args:
        case (int(number), str(text)):  # PyMySQL's
            return f"{text} ({number})"
    return str(cause)
