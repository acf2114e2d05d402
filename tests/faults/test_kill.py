"""C13, C17: a real process killed at random moments loses nothing and repeats little.

``SENDOFF_KILLS=200`` runs the long version.
"""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from sendoff.sandbox import Sandbox
from sendoff.testing import Project

KILLS = int(os.environ.get("SENDOFF_KILLS", "20"))
RECORDS, WINDOW = 3_000 * KILLS, 4
BAD = set(random.Random(3).sample(range(RECORDS), 25))
INVALID = {10, 11, 20_000}

CONNECTOR = """
source: {{use: csv, path: in.csv}}
schema:
  id: integer
  email: {{type: string}}
destination: {{url: "{url}/x", concurrency: {window}}}
send: {{use: batch, max_records: 60}}
on_failure: split
"""


def start(home: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", "from sendoff.cli import main; main()", "run", "c", "--json"]
    return subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.timeout(1_500)
@pytest.mark.slow
def test_c13_killed_at_random_moments_nothing_is_lost_or_applied_twice(project: Project) -> None:
    rows = (f"{'x' if at in INVALID else at},{'bad' if at in BAD else 'good'}{at}@example.com\n" for at in range(RECORDS))
    with Sandbox(["400 if email ~ ^bad", "slow 0.02 if always", "cut if every 97"]) as api:
        project({"in.csv": "id,email\n" + "".join(rows), "connectors.d/c.yaml": CONNECTOR.format(url=api.url, window=WINDOW)})
        chance = random.Random(11)
        landed = 0
        for _ in range(KILLS):
            run = start(project.home)
            try:
                run.wait(chance.uniform(0.35, 1.0))
            except subprocess.TimeoutExpired:
                how = chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
                run.send_signal(how)
                landed += 1
            out, _ = run.communicate(timeout=90)
            hold_the_account(project.home)
            if run.returncode in (0, 1):
                break
            assert run.returncode in (-9, 143, 130, -2, -15), out
        out, err = start(project.home).communicate(timeout=120) if run.returncode not in (0, 1) else (out, b"")
        (report,) = json.loads(out)["runs"]

        assert report["state"] == "incomplete", err
        assert report["read"] == RECORDS
        assert report["rejected"] == len(BAD - INVALID)
        assert report["invalid"] == len(INVALID)
        assert report["unsettled"] == 0
        received = [record["id"] for record in api.records]
        assert len(received) == len(set(received)), "a record was applied twice"
        assert set(received) == set(range(RECORDS)) - BAD - INVALID
        assert api.counts["conflicts"] == 0, "a key came with other bytes"
        cuts = api.counts["cut"]
        assert api.counts["replays"] <= 2 * WINDOW * landed + cuts
        assert landed >= 0.8 * KILLS, "the run was over before it could be killed often enough"


def hold_the_account(home: Path) -> None:
    """After any kill the ledger is whole, and every planned record is in exactly one place."""
    path = home / ".sendoff" / "ledger.db"
    if not path.exists():
        return
    db = sqlite3.connect(path)
    try:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'run'").fetchone():
            return
        row = db.execute("SELECT id, planned FROM run ORDER BY id DESC").fetchone()
        run, planned = row or (0, 0)
        places = [0] * planned
        for table in ("delivered", "piece"):
            for lo, hi in db.execute(f"SELECT lo, hi FROM {table} WHERE run = ?", (run,)):
                for at in range(lo, hi):
                    places[at] += 1
        for (at,) in db.execute("SELECT position FROM failed WHERE kind = 'rejected' AND run = ?", (run,)):
            places[at] += 1
        assert set(places) <= {1}
    finally:
        db.close()
