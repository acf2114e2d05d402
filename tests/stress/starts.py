"""L1: one connector is started twice at the same moment, by two processes, on a ledger that is not even there yet."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.stress.promise import Budget, Figures, Promise
from tests.stress.zygote import Zygote

RAN, LOCKED = 10, 11
RACERS = 2


def race(number: int) -> None:
    """In a child: take the lock and keep it until the others have been let in or turned away, or be turned away."""
    from sendoff import Locked  # the zygote has it already
    from sendoff.ledger import open_ledger

    ledger = open_ledger(Path(".sendoff"))
    try:
        with ledger.lock("c"):
            until = time.monotonic() + 20
            Path(f"let-in-{number}").touch()
            while len([*Path().glob("let-in-*"), *Path().glob("turned-away-*")]) < RACERS and time.monotonic() < until:
                time.sleep(0.001)
            sys.exit(RAN)
    except Locked:
        Path(f"turned-away-{number}").touch()
        sys.exit(LOCKED)


def stress(budget: Budget) -> Figures:
    """Race after race."""
    scratch = Path(tempfile.mkdtemp(prefix="starts-"))
    races = both = none = 0
    slowest = 0.0
    try:
        with Zygote(scratch) as zygote:
            while budget.left(races):
                home = scratch / f"race-{races}"
                home.mkdir()
                begun = time.monotonic()
                racers = [zygote.start("tests.stress.starts:race", number, cwd=home) for number in range(RACERS)]
                codes = [racer.wait(30) for racer in racers]
                slowest = max(slowest, time.monotonic() - begun)
                assert set(codes) <= {RAN, LOCKED}, [racer.output() for racer in racers]
                races, both, none = races + 1, both + (codes.count(RAN) > 1), none + (codes.count(RAN) < 1)
                shutil.rmtree(home)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return {"double starts": races, "both ran": both, "none ran": none, "slowest, in seconds": round(slowest, 2)}


PROMISE = Promise(
    name="starts",
    says="The same connector runs once at a time",
    rests_on="flock, which the kernel releases however a process ends",
    stress=stress,
    ci=120,
    full=10_000,
    proof="double starts",
    zero=("both ran", "none ran"),
)
