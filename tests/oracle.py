"""Who judges a delivery: what the source held, what the ledger says, and what the API has, side by side.

The five words are Jepsen's (its ``total-queue`` checker):

* lost: the ledger says delivered, and the API never took it;
* unexpected: the API took what no source held, or what the ledger says was refused or found invalid;
* duplicated: the API took it more than once;
* recovered: the API took it, and the ledger does not know yet, as a crash came between; no fault;
* corrupted: the API took something else than the source held.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Judgement:
    """How many records, by word."""

    lost: int
    unexpected: int
    duplicated: int
    recovered: int
    corrupted: int

    def __add__(self, other: Judgement) -> Judgement:
        return Judgement(*(a + b for a, b in zip(asdict(self).values(), asdict(other).values(), strict=True)))

    @property
    def well(self) -> bool:
        return not (self.lost or self.unexpected or self.duplicated or self.corrupted)


NOTHING = Judgement(0, 0, 0, 0, 0)


def judge(
    source: Mapping[Any, Any], delivered: Iterable[Any], taken: Iterable[tuple[Any, Any]], failed: Iterable[Any] = ()
) -> Judgement:
    """Judge a delivery; records are told apart by a key, and compared by their payload.

    `source` is every record that should arrive or fail, `delivered` and `failed` the keys the ledger counts as
    such, `taken` what the API applied, in order and with repeats.
    """
    applied: Counter[Any] = Counter()
    corrupted = unexpected = 0
    for key, payload in taken:
        applied[key] += 1
        if key not in source:
            unexpected += 1
        elif source[key] != payload:
            corrupted += 1
    acknowledged, refused = set(delivered), set(failed)
    return Judgement(
        lost=len(acknowledged - applied.keys()),
        unexpected=unexpected + len(refused & applied.keys()),
        duplicated=sum(times - 1 for times in applied.values()),
        recovered=len((applied.keys() & source.keys()) - acknowledged - refused),
        corrupted=corrupted,
    )


@contextmanager
def copied(state: Path) -> Iterator[sqlite3.Connection]:
    """A copy of a ledger as its files are now: what SQLite has to recover, it recovers there, and the tool once more."""
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("ledger.db", "ledger.db-wal", "ledger.db-journal"):
            if (state / name).exists():
                shutil.copy(state / name, scratch)
        with closing(sqlite3.connect(Path(scratch) / "ledger.db")) as db:
            yield db


@dataclass(frozen=True)
class Account:
    """What a ledger says of one run: ordinals delivered, rejected and in pieces, and row numbers that are invalid."""

    planned: int
    delivered: set[int]
    rejected: set[int]
    invalid: set[int]
    open: set[int]


def account(state: Path, run: int | None = None) -> Account | None:
    """The ledger's account of a run, the last one if none is named; None if there is none yet.

    Raises `AssertionError` if the ledger is damaged, or if a planned record is in no place or in two.
    """
    path = state / "ledger.db"
    if not path.exists():
        return None
    with copied(state) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",), "the ledger is damaged"
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'run'").fetchone():
            return None
        row = db.execute("SELECT id, planned, state FROM run WHERE ? IN (0, id) ORDER BY id DESC", (run or 0,)).fetchone()
        if row is None:
            return None
        number, planned, how = row
        settled = Counter(
            at for lo, hi in db.execute("SELECT lo, hi FROM delivered WHERE run = ?", (number,)) for at in range(lo, hi)
        )
        delivered = set(settled)
        failed = {"rejected": set[int](), "invalid": set[int]()}
        for kind, at in db.execute("SELECT kind, position FROM failed WHERE run = ?", (number,)):
            failed[kind].add(at)
        settled.update(failed["rejected"])
        held: Counter[int] = Counter()
        for lo, hi, step, apart in db.execute("SELECT lo, hi, step, apart FROM piece WHERE run = ?", (number,)):
            inside = [at for first, end in (json.loads(apart) if apart else [(lo, hi)]) for at in range(first, end)]
            # A strip of single records stays while some of it are settled: decision 2.
            held.update(at for at in inside if step != 1 or at not in settled)
        if how != "discarded":
            places = settled + held
            assert set(places.values()) <= {1}, "a record is in two places"
            assert places.keys() == set(range(planned)), (
                "a planned record is in no place, or one in a place that was not planned"
            )
        return Account(planned, delivered, failed["rejected"], failed["invalid"], set(held))
