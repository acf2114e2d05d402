"""C15, C16: the power is cut at any moment of a ledger's life; every commit that was acknowledged is there when it is back."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

from sendoff.ledger import Changes, Chunk, Failure, state_dir
from sendoff.ledger.sqlite.ledger import SqliteLedger
from sendoff.records import Span
from tests.stress.promise import Budget, Figures, Promise

COMMITS = 30
#: In memory if there is such a place: the disk that matters here is the simulated one.
SCRATCH = "/dev/shm" if Path("/dev/shm").is_dir() else None


def able() -> str | None:
    """Why no disk can be simulated here; None if one can."""
    return None if find_spec("apsw") else "apsw is not installed"


@contextlib.contextmanager
def powered_by(disk: Any, overrides: dict[str, str]) -> Iterator[None]:
    """Ledgers opened here are on this disk."""
    from tests.stress.disk import Database  # needs apsw

    def connect(name: str, **_: Any) -> Any:
        return Database(name[5:].partition("?")[0], disk, overrides)

    with (
        mock.patch.object(sqlite3, "connect", connect),
        mock.patch.object(state_dir, "sync_directory", disk.sync_directory),
    ):
        yield


def work(directory: Path, acknowledged: list[int]) -> None:
    """Plan, deliver and fail, as a run does; note each commit when it returns."""
    ledger = SqliteLedger(directory)
    try:
        _work(ledger, acknowledged)
    finally:
        os.close(ledger._write_fd)  # its connection has lost its disk, and cannot be closed


def _work(ledger: SqliteLedger, acknowledged: list[int]) -> None:
    state = ledger.begin("c", config_digest=b"s", fingerprint=b"f")
    acknowledged.append(0)
    for at in range(1, COMMITS):
        failure = Failure("rejected", at * 10 - 1, "f", at, "no", "{}" * 200)
        done = [Span(at * 10 - 10, at * 10 - 1)] if at > 1 else []
        closed = [at * 10 - 10] if at > 1 else []
        changes = Changes(
            closed, [Chunk(at * 10, at * 10 + 10, 10, b"d")], done, [failure] if at > 1 else [], planned=at * 10 + 10
        )
        ledger.commit(state, changes)
        acknowledged.append(at)


def cut(scratch: Path, number: int, overrides: dict[str, str]) -> tuple[int, int]:
    """One power cut: the last commit acknowledged before it, and the last one found after; -1 for none."""
    from tests.stress.disk import Disk  # needs apsw

    chance = Random(number)
    born = number % 4 > 0  # every fourth ledger is cut from its first byte on
    disk = Disk(chance.randrange(0 if not born else 20, 440), pessimistic=number % 2 == 0)
    before, after = scratch / f"before-{number}", scratch / f"after-{number}"
    if born:
        SqliteLedger(before).close()
    acknowledged: list[int] = []
    with powered_by(disk, overrides), contextlib.suppress(Exception):
        work(before, acknowledged)
    disk.after(chance, before, after)
    ledger = SqliteLedger(after)
    try:
        assert ledger._db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        state = ledger.unfinished("c")
        planned = state.planned // 10 - 1 if state else 0
        if state:
            places = [0] * state.planned
            for lo, hi in [*((p.lo, p.hi) for p in state.chunks), *state.delivered, *state.failed]:
                for at in range(lo, hi):
                    places[at] += 1
            assert set(places[10:]) <= {1}, "a record is in no place, or in two"
        return (acknowledged[-1] if acknowledged else -1), planned
    finally:
        ledger.close()
        shutil.rmtree(before)
        shutil.rmtree(after)


def stress(budget: Budget, overrides: dict[str, str] | None = None) -> Figures:
    """Cut after cut, on both kinds of disk."""
    scratch = Path(tempfile.mkdtemp(prefix="cuts-", dir=SCRATCH))
    cuts = losses = middle = 0
    # A connection that lost its disk cannot be closed quietly.
    said = mock.patch.object(sys, "unraisablehook", new=mock.Mock())
    said.start()
    try:
        while budget.left(cuts):
            before, after = cut(scratch, budget.seed * 1_000_000 + cuts, overrides or {})
            cuts, losses, middle = cuts + 1, losses + (after < before), middle + (0 < before < COMMITS - 1)
            if cuts % 50 == 0:
                gc.collect()  # a connection that lost its disk goes only with the cycle it is in
    finally:
        gc.collect()
        said.stop()
        shutil.rmtree(scratch, ignore_errors=True)
    assert middle > cuts / 4, "the cuts must fall into the work, or they prove nothing"
    return {"cuts": cuts, "in the middle of a run": middle, "acknowledged commits lost": losses, "damaged ledgers": 0}


PROMISE = Promise(
    name="cuts",
    says="What was committed is there after a power cut, on a disk that drops or tears whatever was not synced",
    rests_on="synchronous=FULL, a directory synced after the ledger's birth",
    stress=stress,
    ci=500,
    full=10_000,
    proof="cuts",
    weight=1.2,
    zero=("acknowledged commits lost", "damaged ledgers"),
    needs=able,
)
