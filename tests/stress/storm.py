"""Millions of records, and a fault every second: refusals, lost answers, cut lines, silence, and the process killed."""

from __future__ import annotations

import hashlib
import re
import shutil
import signal
import tempfile
import threading
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from sendoff.sandbox import LocalServer, Received, Reply
from tests.oracle import copied
from tests.stress.promise import Budget, Figures, Promise
from tests.stress.zygote import Zygote

FAULTS = ("503", "429", "500", "taken, and the answer lost", "lost before", "slow")
#: The process is killed instead at every n-th fault: a run that goes on reads its source from the start (decision 6), and
#: one that is killed sooner than it has read so far again does not get any further.
KILLED = 30
BATCH = 1_000
_ID = re.compile(rb"\d+")


class Counting(LocalServer):
    """Counts how often each record was applied; knows repeats by their keys; behaves as its mood is."""

    def __init__(self, records: int) -> None:
        self.applied = bytearray(records)
        self.mood = ""
        self.keys: dict[str, bytes] = {}
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        super().__init__(self._answer)

    def _answer(self, request: Received) -> Reply:
        mood = self.mood
        if mood.isdigit():
            return Reply(int(mood), headers={"Retry-After": "1"} if mood == "429" else {})
        if mood == "lost before":
            return Reply(cut=True)
        key, digest = request.headers["idempotency-key"], hashlib.blake2b(request.body, digest_size=16).digest()
        with self._lock:
            before = self.keys.setdefault(key, digest)
            self.counts["conflicts"] += before != digest
            if len(self.keys) == self.counts["taken"]:
                self.counts["replays"] += 1
            else:
                self.counts["taken"] += 1
                for found in _ID.findall(request.body):
                    self.applied[int(found)] += 1
        return Reply(cut=True) if mood.startswith("taken") else Reply(delay=0.2 if mood == "slow" else 0.0)


def stress(budget: Budget) -> Figures:
    """One delivery through a storm; as many records as there is time for, ten million at most."""
    records = min(budget.rounds, int(budget.seconds * 25_000) if budget.seconds < 1e6 else budget.rounds)
    chance, scratch, over = Random(budget.seed), Path(tempfile.mkdtemp(prefix="storm-")), threading.Event()
    faults: Counter[str] = Counter()
    (scratch / "connectors.d").mkdir()
    with (scratch / "in.csv").open("w") as file:
        file.write("id\n")
        for lo in range(0, records, 100_000):
            file.write("".join(f"{at}\n" for at in range(lo, min(records, lo + 100_000))))
    try:
        with Counting(records) as api, Zygote(scratch) as zygote:
            (scratch / "connectors.d/c.yaml").write_text(
                f"source: {{use: csv, path: in.csv}}\nschema: {{id: integer}}\nsend: {{use: batch, max_records: {BATCH}}}\n"
                f'destination: {{url: "{api.url}/x", concurrency: 8, timeout: 20, retry: {{initial_backoff: 0.05, max_backoff: 0.5, max_attempts: 100}}}}\n'
            )
            run: list[Any] = []

            def weather() -> None:
                while not over.wait(0.5):
                    mood = chance.choice(FAULTS) if faults.total() % KILLED != 3 else "killed"
                    faults[mood] += 1
                    if mood == "killed":
                        run[-1].signal(signal.SIGKILL)
                    else:
                        api.mood = mood
                    over.wait(0.5)
                    api.mood = ""

            code, storm = None, threading.Thread(target=weather)
            while code not in (0, 1):
                run.append(zygote.run("run", "c", "--json", cwd=scratch))
                if len(run) == 1:
                    storm.start()
                code = run[-1].wait(1_000)
                assert code in (0, 1, 3, -9), run[-1].output()
            over.set()
            storm.join()
            with copied(scratch / ".sendoff") as db:
                delivered = db.execute(
                    "SELECT coalesce(sum(hi - lo), 0) FROM delivered WHERE run = (SELECT max(id) FROM run)"
                ).fetchone()[0]
    finally:
        over.set()
        shutil.rmtree(scratch, ignore_errors=True)
    return {
        "records": records, "faults": faults.total(), "kills": faults["killed"], "lost": delivered - sum(map(bool, api.applied)),
        "duplicated": sum(times - 1 for times in api.applied if times), "missing": records - delivered,
        "same key with other bytes": api.counts["conflicts"], "repeats known by their keys": api.counts["replays"],
    }  # fmt: skip


PROMISE = Promise(
    name="storm",
    says="Millions of records with a fault every second arrive once each",
    rests_on="all of the above",
    stress=stress,
    ci=500_000,
    full=10_000_000,
    proof="records",
    zero=("lost", "duplicated", "missing", "same key with other bytes"),
    weight=2.5,
)
