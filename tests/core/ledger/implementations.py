"""What keeps a ledger: the tests of the interfaces run with every implementation that is named here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sendoff.ledger import Claim, Failure, History, Ledger, RecordKey, RunState
from sendoff.ledger.inbox import Inboxes
from sendoff.ledger.sqlite.history import SqliteHistory
from sendoff.ledger.sqlite.inbox import SqliteInboxes, last_post_id
from sendoff.ledger.sqlite.ledger import SqliteLedger


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Implementation:
    """How what belongs to a state directory is opened; `ledger` and `inboxes` take a `clock`."""

    ledger: Callable[..., Ledger]
    history: Callable[[Path], History]
    inboxes: Callable[..., Inboxes]
    last_post_id: Callable[[Path, str], int]


IMPLEMENTATIONS = {
    "sqlite": Implementation(SqliteLedger, SqliteHistory, SqliteInboxes, last_post_id),
}


def begun(ledger: Ledger, connector: str = "c", **more: Any) -> RunState:
    return ledger.begin(connector, config_digest=b"s", fingerprint=b"f", **more)


def ended(ledger: Ledger, state: RunState, outcome: str = "complete") -> None:
    ledger.end(state, outcome, read=0, seconds=0.0, because=None)


def rejected(position: int, **more: Any) -> Failure:
    return Failure("rejected", position, "f.csv", position + 2, "400: no", "{}", **more)


def claimed(*keys: tuple[str, int]) -> list[Claim]:
    """Claims on these records of run 1, as the first rows of a retry."""
    return [Claim(RecordKey(1, *key), row) for row, key in enumerate(keys)]


def resumable(ledger: Ledger, connector: str = "c") -> RunState:
    found = ledger.unfinished(connector)
    assert found is not None
    return found


def open_positions(history: History, run: int = 1) -> list[int]:
    return [key.position for key in history.failed_keys(run)]
