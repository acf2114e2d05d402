"""250,000 records from CSV, with a schema and a durable ledger, against a plain script that has neither.

``python -m tests.bench [--rounds 5] [--records 250000]``. Both deliver the same file to the same local
API, in turn, in one run; the figures are medians, and the ratio is what to look at: how fast the
machine is falls out of it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HEADER = "id,email,first,last,born,amount,active,score"
SCHEMA = """\
  id:     {type: integer, min: 0}
  email:  {type: string, regex: "[^@]+@[^@]+", maxlength: 80}
  first:  {type: string, minlength: 1}
  last:   {type: string, nullable: true}
  born:   {type: date}
  amount: {type: decimal, min: -1000000}
  active: {type: boolean}
  score:  {type: float, min: 0, max: 1}
"""

PLAIN = """\
import csv, json, sys, urllib3
url, file, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
pool = urllib3.PoolManager()
def post(rows):
    answer = pool.request("POST", url, body=json.dumps(rows).encode(), headers={"Content-Type": "application/json"})
    assert answer.status == 200, answer.status
rows = []
for row in csv.DictReader(open(file, newline="")):
    row["id"] = int(row["id"]); row["score"] = float(row["score"]); row["amount"] = float(row["amount"])
    row["active"] = row["active"] == "true"; row["last"] = row["last"] or None
    rows.append(row)
    if len(rows) == size:
        post(rows); rows = []
if rows:
    post(rows)
"""


@dataclass(frozen=True)
class Result:
    """One process: seconds from its start to its end, its CPU seconds and its peak memory in MiB."""

    seconds: float
    cpu: float
    peak: float


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--records", type=int, default=250_000)
    settings = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        size = write(home / "in.csv", settings.records)
        (home / "plain.py").write_text(PLAIN)
        print(
            f"{settings.records:,} records, {size / settings.records:.0f} bytes each, 8 fields; medians of {settings.rounds}\n"
        )
        print(f"{'case':<22}{'program':<18}{'records/s':>12}{'CPU s':>9}{'peak MiB':>10}{'of plain':>10}")
        for title, batch in (("one batch", 250_000), ("batches of 1,000", 1_000)):
            case(home, title, batch, settings.records, settings.rounds, Served, ["urllib3"])
        if shutil.which("gcc") is None:
            print("record by record: left out, as it needs gcc for its server")
            return
        subprocess.run(["gcc", "-O2", "-o", home / "server", Path(__file__).with_name("server.c")], check=True)
        few = settings.records // 10
        write(home / "in.csv", few)
        case(home, "record by record", 1, few, settings.rounds, lambda: Free(home / "server"), ["urllib3", "http1"])


def case(
    home: Path, title: str, batch: int, records: int, rounds: int, server: Callable[[], Served | Free], transports: list[str]
) -> None:
    """One row a program, in turn."""
    results: dict[str, list[Result]] = {"plain script": [], **{f"sendoff {name}": [] for name in transports}}
    for number in range(rounds):
        for program, kept in results.items():
            with server() as served:
                state = home / f"state-{batch}-{number}-{program}"
                transport = program.removeprefix("sendoff ")
                command = (
                    plain(home, served.url, batch)
                    if program == "plain script"
                    else sendoff(home, served.url, batch, state, transport)
                )
                kept.append(run(command, home))
            assert served.received == records
    base = statistics.median(r.seconds for r in results["plain script"])
    for program, kept in results.items():
        seconds = statistics.median(r.seconds for r in kept)
        cpu, peak = statistics.median(r.cpu for r in kept), statistics.median(r.peak for r in kept)
        print(f"{title:<22}{program:<18}{records / seconds:>12,.0f}{cpu:>9.2f}{peak:>10.0f}{base / seconds:>9.2f}x", flush=True)


def plain(home: Path, url: str, batch: int) -> list[str]:
    return [sys.executable, str(home / "plain.py"), f"{url}/x", str(home / "in.csv"), str(batch)]


def sendoff(home: Path, url: str, batch: int, state: Path, transport: str) -> list[str]:
    send = f"{{use: batch, max_records: {batch}}}" if batch > 1 else "single"
    concurrency = 4 if batch > 1 else 64
    connector = (
        f"source: {{use: csv, path: in.csv}}\nschema:\n{SCHEMA}"
        f'destination: {{url: "{url}/x", transport: {transport}, concurrency: {concurrency}}}\nsend: {send}\n'
    )
    (home / "connectors.d").mkdir(exist_ok=True)
    (home / "connectors.d/bench.yaml").write_text(connector)
    return [sys.executable, "-c", "from sendoff.cli import main; main()", "--state", str(state), "run", "--quiet"]


def run(command: list[str], home: Path) -> Result:
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return Result(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


class Served:
    """The sandbox in a process of its own, so that its work is not in anybody's figures."""

    def __enter__(self) -> Served:
        code = "from tests.bench.__main__ import serve; serve()"
        self._process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        return self

    def __exit__(self, *_: object) -> None:
        self.received = int(self._process.communicate()[0])


class Free:
    """A server that costs next to nothing, and counts requests: where the client is what is measured."""

    def __init__(self, program: Path) -> None:
        self._program = program

    def __enter__(self) -> Free:
        self._process = subprocess.Popen([self._program], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{self._process.stdout.readline().strip()}"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self.received = int(self._process.communicate()[0])


def serve() -> None:
    # Imported here: a child's peak memory counts from its parent's, so this program stays small.
    from sendoff.sandbox import Sandbox

    with Sandbox() as api:
        print(api.url, flush=True)
        sys.stdin.read()
        print(len({record["id"] for record in api.records}))


def write(file: Path, records: int) -> int:
    """The sample file; answers with its size."""
    with file.open("w") as out:
        out.write(HEADER + "\n")
        for at in range(records):
            last = "" if at % 7 == 0 else f"Lastname{at % 1000}"
            out.write(
                f"{at},person.number{at}@mail.example.com,First{at % 500},{last},19{at % 90 + 10}-0{at % 9 + 1}-1{at % 9},"
                f"{at % 5000}.{at % 90 + 10},{'true' if at % 2 else 'false'},0.{at % 9999:04}\n"
            )
    return file.stat().st_size


if __name__ == "__main__":
    main()
