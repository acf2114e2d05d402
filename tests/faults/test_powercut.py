"""C15: the power is cut at any moment; every commit that was acknowledged is there when it is back.

``SENDOFF_CUTS=2000`` runs the long version.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from sendoff.ledger import Changes, Failure, Ledger, Piece, opening
from sendoff.records import Span

apsw = pytest.importorskip("apsw")
from .powercut import Database, Disk  # noqa: E402

CUTS = int(os.environ.get("SENDOFF_CUTS", "150"))
COMMITS = 30

# A connection that lost its disk cannot be closed quietly.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@contextlib.contextmanager
def powered_by(disk: Disk, overrides: dict[str, str]) -> Iterator[None]:
    """Ledgers opened here are on this disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening.sqlite3, "connect", lambda name, **_: Database(name[5:].partition("?")[0], disk, overrides))
        yield


def work(directory: Path, acknowledged: list[int]) -> None:
    """Plan, deliver and fail, as a run does; note each commit when it returns."""
    ledger = Ledger(directory)
    state = ledger.begin("c", shape=b"s", fingerprint=b"f")
    acknowledged.append(0)
    for at in range(1, COMMITS):
        failure = Failure("rejected", at * 10 - 1, "f", at, "no", "{}" * 200)
        done = [Span(at * 10 - 10, at * 10 - 1)] if at > 1 else []
        closed = [at * 10 - 10] if at > 1 else []
        changes = Changes(
            closed, [Piece(at * 10, at * 10 + 10, 10, b"d")], done, [failure] if at > 1 else [], planned=at * 10 + 10
        )
        ledger.commit(state, changes)
        acknowledged.append(at)


def cut(tmp_path: Path, number: int, overrides: dict[str, str]) -> tuple[int, int]:
    """One power cut: the last commit acknowledged before it, and the last one found after."""
    chance = random.Random(number)
    disk = Disk(chance.randrange(20, 440))
    before, after = tmp_path / f"before-{number}", tmp_path / f"after-{number}"
    Ledger(before).close()  # what is cut is a run, not the birth of the ledger
    acknowledged: list[int] = []
    with powered_by(disk, overrides), contextlib.suppress(Exception):
        work(before, acknowledged)
    disk.after(chance, before, after)
    ledger = Ledger(after)
    try:
        assert ledger._db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        state = ledger.unfinished("c")
        planned = state.planned // 10 - 1 if state else 0
        if state:
            places = [0] * state.planned
            for lo, hi in [*((p.lo, p.hi) for p in state.pieces), *state.delivered, *state.failed]:
                for at in range(lo, hi):
                    places[at] += 1
            assert set(places[10:]) <= {1}, "a record is in no place, or in two"
        return (acknowledged[-1] if acknowledged else -1), planned
    finally:
        ledger.close()


def lost(tmp_path: Path, overrides: dict[str, str]) -> tuple[int, int]:
    """Over many cuts: how many lost an acknowledged commit, and how many cut a run in its middle."""
    found = [cut(tmp_path, number, overrides) for number in range(CUTS)]
    return sum(after < before for before, after in found), sum(0 < before < COMMITS - 1 for before, _ in found)


def test_c15_every_acknowledged_commit_survives_a_power_cut(tmp_path: Path) -> None:
    losses, middle = lost(tmp_path, {})
    assert losses == 0
    assert middle > CUTS / 3, "the cuts must fall into the work, or they prove nothing"


def test_c15_the_control_a_laxer_setting_loses_acknowledged_commits(tmp_path: Path) -> None:
    losses, _ = lost(tmp_path, {"synchronous": "PRAGMA synchronous = NORMAL"})
    assert losses > 0
