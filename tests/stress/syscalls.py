"""C11, C14, D1, D2: strace makes the n-th write or sync of the real tool its last, or lets the disk refuse it.

A run of its own process is traced; what happens to it happens in the kernel, between sendoff, SQLite and the disk.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from sendoff.sandbox import Sandbox
from tests.oracle import NOTHING, Judgement, account, judge
from tests.stress.failpoints import WINDOW, ended
from tests.stress.promise import Budget, Figures, Promise

RECORDS, BAD = 60, {7, 41}
EMAILS = {at: f"{'bad' if at in BAD else 'good'}{at}@example.com" for at in range(RECORDS)}
#: A checkpoint after every commit, so that its writes are among those that are struck.
EAGER = (
    "from sendoff.ledger.sqlite import opening; connect = opening.connect\n"
    "def eager(path, **named):\n"
    "    db = connect(path, **named); db.execute('PRAGMA wal_autocheckpoint = 1').fetchall(); return db\n"
    "opening.connect = eager\n"
)
MAIN = "from sendoff.cli import main; main()"
#: What is struck, how, and only on which file of the state directory: three hits of each in CI, all in `make stress`.
BLOWS: dict[str, tuple[str, str, str]] = {
    "c14-fdatasync": ("fdatasync", "signal=KILL", ""),
    "c14-fsync": ("fsync", "signal=KILL", ""),
    "c14-pwrite64": ("pwrite64", "signal=KILL", ""),
    "c11-checkpoint": ("pwrite64", "signal=KILL", "ledger.db"),
    "d1-full": ("pwrite64", "error=ENOSPC", ""),
    "d1-full-wal": ("pwrite64", "error=ENOSPC", "ledger.db-wal"),
    "d2-fdatasync": ("fdatasync", "error=EIO", ""),
    "d2-fsync": ("fsync", "error=EIO", ""),
}


def able() -> str | None:
    """Why nothing can be traced here; None if it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    probe = subprocess.run(["strace", "-qq", "-o", os.devnull, "true"], capture_output=True, text=True)
    return f"strace may not trace: {probe.stderr.strip()}" if probe.returncode else None


def calls(blow: str, home: Path) -> list[int]:
    """The numbers of the calls a blow can fall on, as a run without one makes them.

    Each is far from those before it, so that the first few are all over the run.
    """
    with _world(home) as api:
        run = _run(home, [*_traced(blow, home), sys.executable, "-c", _main(blow)])
        assert run.returncode == 1, run.stderr
        assert len(api.received["/x"]) == RECORDS - len(BAD)
    lines = (home / "trace").read_text().splitlines()
    # strace counts for each thread apart.
    made = Counter(line.split()[0] for line in lines if f"{BLOWS[blow][0]}(" in line)
    return sorted(range(1, max(made.values()) + 1), key=lambda number: int(f"{number:016b}"[::-1], 2))


@contextmanager
def _world(home: Path) -> Iterator[Sandbox]:
    (home / "connectors.d").mkdir(parents=True)
    (home / "in.csv").write_text("id,email\n" + "".join(f"{at},{email}\n" for at, email in EMAILS.items()))
    with Sandbox(["400 if email ~ ^bad"]) as api:
        (home / "connectors.d/c.yaml").write_text(
            "source: {use: csv, path: in.csv}\nschema: {id: integer, email: string}\nsend: {use: batch, max_records: 5}\n"
            f'on_failure: split\ndestination: {{url: "{api.url}/x", concurrency: 2}}\n'
        )
        yield api


def _traced(blow: str, home: Path) -> list[str]:
    syscall, _, file = BLOWS[blow]
    only = ["-P", str(home / ".sendoff" / file)] if file else []
    # Without --seccomp-bpf: with it, strace 6.1 counts the calls and never sends the signal.
    return ["strace", "-f", "-qq", "-o", str(home / "trace"), *only, "-e", f"trace={syscall}"]


def _main(blow: str) -> str:
    return (EAGER if "checkpoint" in blow else "") + MAIN


def struck(blow: str, hit: int, home: Path) -> tuple[bool, Judgement]:
    """Run under a blow at its n-th time, go on without it, and judge: whether it fell, and the judgement."""
    syscall, what, _ = BLOWS[blow]
    state = home / ".sendoff"
    when = f"{hit}+" if "ENOSPC" in what else hit
    with _world(home) as api:
        inject = ["-e", f"inject={syscall}:{what}:when={when}"]
        run = _run(home, [*_traced(blow, home), *inject, sys.executable, "-c", _main(blow)])
        fell = "INJECTED" in (home / "trace").read_text() or run.returncode in (-9, 137)
        account(state)
        if run.returncode not in (0, 1):
            assert fell, f"{blow}@{hit}: {run.stderr}"
        if "error" in what and fell:
            # A refusal of the last checkpoint, when all is durable already, changes nothing.
            assert run.returncode == 2 or (run.returncode == 1 and ended(state)), (
                f"{blow}@{hit}: exit {run.returncode}, {run.stderr}"
            )
            assert "Traceback" not in run.stderr, run.stderr
            assert run.returncode == 1 or any(
                word in run.stderr for word in ("cannot be written", "cannot be opened or written", "cannot be created")
            ), run.stderr
        before = api.counts["replays"]
        if not ended(state):
            again = _run(home, [sys.executable, "-c", MAIN])
            assert again.returncode == 1, f"{blow}@{hit}: {again.stderr}"
        repeats = api.counts["replays"] - before
        assert repeats <= WINDOW, f"{blow}@{hit}: {repeats} requests came twice, so some were sent without a plan"
        assert api.counts["conflicts"] == 0, f"{blow}@{hit}: a key came with other bytes"
        held = account(state)
        assert held is not None
        assert held.rejected == BAD, f"{blow}@{hit}: the wrong ones failed: {held.rejected}"
        taken = [(record["id"], record) for record in api.received.get("/x", [])]
        source = {at: {"id": at, "email": email} for at, email in EMAILS.items()}
        return fell, judge(source, held.delivered, taken, held.rejected)


def _run(home: Path, command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*command, "run", "c", "-q"], cwd=home, capture_output=True, text=True, timeout=100)


def stress(budget: Budget) -> Figures:
    """Every call that a run makes, one of each kind after the other."""
    hits: Counter[str] = Counter()
    total, done = NOTHING, 0
    scratch = Path(tempfile.mkdtemp(prefix="syscalls-"))
    try:
        turns = sorted((turn, blow, hit) for blow in BLOWS for turn, hit in enumerate(calls(blow, scratch / blow)))
        for _, blow, hit in turns:
            if not budget.left(done):
                break
            fell, judgement = struck(blow, hit, scratch / f"{blow}-{hit}")
            shutil.rmtree(scratch / f"{blow}-{hit}")
            total, done, hits[blow] = total + judgement, done + 1, hits[blow] + fell
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    missed = [blow for blow in BLOWS if done >= len(BLOWS) and not hits[blow]]
    assert not missed, f"never reached: {missed}"
    refused = sum(count for blow, count in hits.items() if blow.startswith("d"))
    return {"deaths": hits.total() - refused, "errors": refused, **asdict(total)}


PROMISE = Promise(
    name="syscalls",
    says="Death at, or a refusal of, any write or sync of the ledger loses nothing, and nothing is sent without one",
    rests_on="SQLite's WAL with synchronous=FULL; no fsync is tried again",
    stress=stress,
    ci=24,
    full=500,
    proof="deaths",
    zero=("lost", "unexpected", "duplicated", "recovered", "corrupted"),
    needs=able,
)
