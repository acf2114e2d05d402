"""Parts by themselves, each beside the least it could take: in one process, in turn, medians."""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.bench import samples
from tests.bench.measure import Server

BODY = 25 << 20


def alternating(first: Callable[[], float], second: Callable[[], float], rounds: int) -> float:
    """The first's speed as a share of the second's; each answers with its seconds."""
    pairs = [(first(), second()) for _ in range(rounds)]
    return statistics.median(b for _, b in pairs) / statistics.median(a for a, _ in pairs)


def transport(home: Path, rounds: int, name: str = "http1") -> float:
    """25 MB bodies by the transport that batches use, against a bare `sendall` on one connection."""
    from sendoff import ConnectionSettings, Request, Span
    from sendoff_plugins.transports.http1 import Http1
    from sendoff_plugins.transports.urllib3 import Urllib3

    count, body = 20, bytes(BODY)
    with Server(home) as server:
        where = urlsplit(server.url)

        class Queue:
            def __init__(self) -> None:
                self.left = count

            def next_request(self) -> Any:
                if not self.left:
                    return "done"
                self.left -= 1
                return Request(Span(0, 1), "POST", server.url, {}, [memoryview(body)], BODY, 60.0)

            def next_requests(self, ahead: int) -> Any:
                return self.next_request()

            def complete(self, request: Any, response: Any) -> None:
                assert response.status == 200, response

            def wait(self, seconds: float) -> None: ...
            def on_change(self, callback: Any) -> None: ...

        def carried() -> float:
            chosen: Any = {"urllib3": Urllib3, "http1": Http1}[name](home=home)
            began = time.perf_counter()
            chosen.run(Queue(), ConnectionSettings(server.url, 1))
            return time.perf_counter() - began

        def bare() -> float:
            began = time.perf_counter()
            with socket.create_connection((where.hostname, where.port)) as line:
                head = f"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: {BODY}\r\n\r\n".encode()
                for _ in range(count):
                    line.sendall(head)
                    line.sendall(body)
                    assert line.recv(65536)
            return time.perf_counter() - began

        return alternating(carried, bare, rounds)


CSV_ALONE = """
import sys, time
import polars as pl
began = time.perf_counter()
types = {"id": pl.Int64, "email": pl.String, "first": pl.String, "last": pl.String, "born": pl.Date,
         "amount": pl.Decimal(18, 4), "active": pl.Boolean, "score": pl.Float64}
reader = pl.scan_csv(sys.argv[1], schema=dict.fromkeys(types, pl.String)).collect()
for at in range(0, reader.height, 10_000):
    some = reader[at : at + 10_000].with_columns(
        *(pl.col(name).cast(kind) for name, kind in types.items() if kind not in (pl.Boolean, pl.Date)),
        pl.col("active") == "true", pl.col("born").str.to_date("%Y-%m-%d"),
    )
    b"[" + some.select(pl.struct(pl.all()).struct.json_encode()).to_series().str.join(",").item().encode() + b"]"
print(time.perf_counter() - began)
"""


def csv(home: Path, records: int, rounds: int) -> float:
    """Seconds that polars alone takes to read a CSV file, cast its columns, and write them as JSON arrays of 10,000."""
    file = samples.csv(home, records)
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", CSV_ALONE, file], check=True, capture_output=True)
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def schema(home: Path, rounds: int) -> tuple[float, bool]:
    """How many times as fast as Cerberus by itself the schema check is, and whether both refuse the same rows."""
    import cerberus
    import yaml

    from sendoff.records import from_mappings
    from sendoff.schema import Schema, declare

    rules = yaml.safe_load(samples.SCHEMA)
    rows = [
        json.loads("{" + ",".join(f'"{n}":{v}' for n, v in zip(samples.NAMES, samples.row(at), strict=True)) + "}")
        for at in range(20_000)
    ]
    for at in range(0, 20_000, 97):
        rows[at]["score"] = 1.5
    page = from_mappings(rows)
    ours = Schema([declare(name, rule) for name, rule in rules.items()], unknown="forbid")
    alone = cerberus.Validator(
        {**rules, "born": {"type": "string"}, "amount": {"type": "float", "min": -1000000}, "id": {**rules["id"]}}
    )

    def compiled() -> float:
        began = time.perf_counter()
        ours.apply(page)
        return (time.perf_counter() - began) / len(rows)

    def by_row() -> float:
        began = time.perf_counter()
        for row in rows[:1_000]:
            alone.validate(row)
        return (time.perf_counter() - began) / 1_000

    same = {at for at in range(1_000) if not alone.validate(rows[at])} == {at for at in ours.apply(page).invalid if at < 1_000}
    return alternating(compiled, by_row, rounds), same


def memory(home: Path, records: int, command: Any) -> tuple[float, float]:
    """A long run's peak in MiB, and by how much it is higher than the peak of the first half, as a share: what leaks grows on."""
    sizes: list[tuple[float, float]] = []
    with Server(home) as server:
        process = subprocess.Popen(command(server.url), cwd=home, stdout=subprocess.DEVNULL)
        while process.poll() is None:
            try:
                pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
            except (OSError, IndexError, ValueError):
                break
            sizes.append((server.taken()[1] / records, pages * 4096 / 2**20))
            time.sleep(0.2)
        assert process.wait() == 0
    peak = max(size for _, size in sizes)
    return peak, peak / max(size for done, size in sizes if done <= 0.5) - 1
