"""A ledger, its history and its inboxes, of each implementation in turn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sendoff.ledger import History, Ledger
from sendoff.ledger.inbox import Inboxes
from tests.core.ledger.implementations import IMPLEMENTATIONS, Clock, Implementation


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=list(IMPLEMENTATIONS))
def ledgers(request: pytest.FixtureRequest) -> Implementation:
    return IMPLEMENTATIONS[request.param]


@pytest.fixture
def ledger(ledgers: Implementation, tmp_path: Path, clock: Clock) -> Iterator[Ledger]:
    with closing(ledgers.ledger(tmp_path, clock=clock)) as opened:
        yield opened


@pytest.fixture
def history(ledgers: Implementation, tmp_path: Path) -> History:
    """Of the same state directory as `ledger`."""
    return ledgers.history(tmp_path)


@pytest.fixture
def inboxes(ledgers: Implementation, tmp_path: Path, clock: Clock) -> Iterator[Inboxes]:
    with closing(ledgers.inboxes(tmp_path, clock=clock)) as opened:
        yield opened
