"""A run that finds three new rows among millions that are remembered, beside reading the file alone."""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median

from tests.bench.measure import Result, Server, run
from tests.bench.report import Bar

READ = "import sys, polars; polars.read_csv(sys.argv[1], infer_schema=False)"
CONNECTOR = """
source: {{use: csv, path: in.csv}}
schema: {{id: integer, email: string, plan: string, signed: date, amount: float, city: string}}
incremental: {{key: [id], initial_load: skip, changed: resend}}
destination: {{url: "{url}"}}
send: batch
"""


def bars(home: Path, records: int, rounds: int) -> list[Bar]:
    """How many times as long as polars alone it takes to read the file, and the peak."""
    here = home / "incremental"
    (here / "connectors.d").mkdir(parents=True)
    file = here / "in.csv"
    with file.open("w") as out:
        out.write("id,email,plan,signed,amount,city\n")
        out.writelines(map(_line, range(records)))
    found: list[tuple[Result, Result]] = []
    with Server(home) as server:
        (here / "connectors.d/c.yaml").write_text(CONNECTOR.format(url=server.url))
        sendoff = [sys.executable, "-m", "sendoff", "run", "c", "-q"]
        run(sendoff, here)
        for at in range(rounds):
            with file.open("a") as out:
                out.writelines(map(_line, range(records + 3 * at, records + 3 * at + 3)))
            found.append((run(sendoff, here), run([sys.executable, "-c", READ, file], here)))
            taken = server.taken()[1]
            if taken != 3 * at + 3:
                raise RuntimeError(f"{taken} rows were delivered, of which {3 * at + 3} are new")
    ratio = median(ours.seconds / alone.seconds for ours, alone in found)
    what = f"incremental, {records:,} remembered rows, three new"
    return [
        Bar(f"{what}: time / reading the file by polars alone", ratio, 5, least=False),
        Bar(f"{what}: peak MiB", median(ours.peak for ours, _ in found), 600, least=False),
    ]


def _line(at: int) -> str:
    return f"{at},user{at * 7919 % 9_999_991}@example.com,{'pro' if at % 3 else 'free'},2026-01-{at % 28 + 1:02},{at % 9973}.25,Berlin\n"
