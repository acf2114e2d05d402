"""The cases: which programs do which job, in turn, round after round; and what must come of it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.bench import programs as p
from tests.bench.measure import Result, Server, run
from tests.bench.programs import Job, Program


@dataclass(frozen=True)
class Case:
    """One job, done by several programs."""

    title: str
    records: int
    size: int
    concurrency: int
    programs: Sequence[Program]
    delay: float = 0.0
    tls: bool = False
    kind: str = "jsonl"


@dataclass
class Measured:
    """What came of a case: by program, records a second, CPU seconds for 100,000 records, and peak MiB."""

    case: Case
    rate: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)
    peak: dict[str, float] = field(default_factory=dict)


def cases(scale: float) -> list[Case]:
    """All of them; `scale` makes them shorter."""
    one, many = int(500_000 * scale), int(1_000_000 * scale)
    singles = [p.SENDOFF, p.WRK, p.MQ_BRIDGE, p.UNDICI, p.SYSLOG_NG, p.REDPANDA, p.PLAIN, p.URLLIB3_ONE, p.DRT, p.DLT]
    batches = [p.SENDOFF, p.URLLIB3, p.MQ_BRIDGE, p.UNDICI, p.SYSLOG_NG, p.REDPANDA, _all(p.PLAIN), _some(p.DRT), _some(p.DLT)]
    return [
        Case("one by one, 64 at once", one, 1, 64, singles),
        Case("one by one, TLS, 64 at once", one, 1, 64, [p.SENDOFF, p.WRK], tls=True),
        *(
            Case(
                f"one by one, 20 ms, {n} at once",
                int(150 * n * max(scale, 0.4)),
                1,
                n,
                [_all(p.SENDOFF), _all(p.MQ_BRIDGE)],
                delay=0.02,
            )
            for n in (64, 256, 512)
        ),
        Case("batches of 1,000", many, 1_000, 4, batches),
        Case("batches of 10,000", many, 10_000, 4, batches),
        Case("batches of 250,000", many, 250_000, 4, [b for b in batches if b.name not in ("syslog-ng", "dlt")]),
        *(
            Case(f"three million, batches of {size:,}", 3 * many, size, 4, [p.SENDOFF, p.MQ_BRIDGE])
            for size in (1_000, 10_000, 250_000)
        ),
        Case("nested and unlike, batches of 10,000", many, 10_000, 4, [p.SENDOFF, p.MQ_BRIDGE], kind="nested"),
        Case("CSV, batches of 10,000", many, 10_000, 4, [p.SENDOFF], kind="csv"),
    ]


def _all(program: Program) -> Program:
    return replace(program, share=1.0)


def _some(program: Program) -> Program:
    return replace(program, share=0.1)


def measure(case: Case, home: Path, rounds: int) -> Measured:
    """Every program in turn, `rounds` times, after a short one that is not counted; medians."""
    found = Measured(case)
    for program in case.programs:
        if program.available:
            _once(replace(case, records=case.size), replace(program, share=1.0), home)
    results: dict[str, list[tuple[int, Result]]] = {}
    for _ in range(rounds):
        for program in case.programs:
            if program.available:
                results.setdefault(program.name, []).append(_once(case, program, home))
    for name, rounds_ in results.items():
        found.rate[name] = statistics.median(taken / result.seconds for taken, result in rounds_)
        found.cpu[name] = statistics.median(result.cpu / taken * 100_000 for taken, result in rounds_)
        found.peak[name] = statistics.median(result.peak for _, result in rounds_)
    return found


def _once(case: Case, program: Program, home: Path) -> tuple[int, Result]:
    """One program's run: the records that arrived, and what they took."""
    records = max(case.size, int(case.records * program.share))
    with Server(home, delay=case.delay, tls=case.tls) as server:
        job = Job(home, server.url, records, case.size, case.concurrency, "sqlite" if program is p.DRT else case.kind)
        if program.name == "drt":
            job = replace(job, kind="sqlite")
        command = program.command(job)
        _ = job.file
        until = (lambda: server.taken()[1] >= records) if program.endless else None
        result = run(command, home, until=until)
        requests, taken, steady = server.taken()
        if program is p.WRK:
            return requests, replace(result, seconds=3.0)  # it says so itself
        if taken < records:
            raise RuntimeError(f"{program.name}: {taken:,} of {records:,} records arrived in {case.title}")
        # How latency is hidden shows while requests travel: without the start.
        return records, replace(result, seconds=steady) if case.delay else result
