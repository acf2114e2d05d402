"""Speed, beside that of others, in one run: ``python -m tests.bench [--quick] [--rounds 5] [--only WORDS]``.

Every program delivers the same records to the same near-free server, in turn (A B A B), and what arrives is counted
there. The figures are medians; look at the ratios, as how fast the machine is falls out of them. A full run writes
`docs/performance.md` and its picture; `--quick` only prints.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from compileall import compile_dir
from dataclasses import replace
from pathlib import Path

from tests.bench import floors, growth, incremental, report, sources, start
from tests.bench import programs as p
from tests.bench.cases import Measured, cases, measure
from tests.bench.programs import Job, sendoff
from tests.bench.report import Bar

ROOT = Path(__file__).parents[2]
QUICK = {
    "one by one, 64 at once", "one by one, 20 ms, 256 at once", "batches of 1,000", "nested and unlike, batches of 10,000",
    "CSV, batches of 10,000",
}  # fmt: skip
QUICK_PROGRAMS = {p.SENDOFF.name, p.WRK.name, p.MQ_BRIDGE.name, p.PLAIN.name, p.URLLIB3.name}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few cases, once, in two minutes; writes nothing")
    parser.add_argument("--rounds", type=int, help="how often each program runs (default 5, quick 1)")
    parser.add_argument(
        "--only",
        default="",
        help="only the cases whose title has these words, writes nothing; or `sources`, how fast they read; `growth`, of hostile "
        "input; or `incremental`, of many remembered rows",
    )
    chosen = parser.parse_args()
    if shutil.which("gcc") is None:
        sys.exit("the benchmark's server is written in C: install gcc and libssl-dev")
    rounds = chosen.rounds or (1 if chosen.quick else 5)
    compile_dir(ROOT / "core", quiet=1)
    compile_dir(ROOT / "plugins", quiet=1)
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        home.chmod(0o755)  # databases run as users of their own
        found: list[Measured] = []
        for case in cases(0.3 if chosen.quick else 1.0):
            if chosen.only not in case.title or (chosen.quick and case.title not in QUICK):
                continue
            programs = [program for program in case.programs if not chosen.quick or program.name in QUICK_PROGRAMS]
            found.append(measure(replace(case, programs=programs), home, rounds))
            print(report.text(found[-1:], [], rounds).partition("### What must hold")[0].partition("\n\n")[2], flush=True)
        if chosen.only == "sources" or not (chosen.quick or chosen.only):
            read = [*sources.bars(home, rounds)]
            report.write_read(read)
            print(report.table(read), flush=True)
        parts = [] if chosen.only else _floors(home, found, rounds, quick=chosen.quick)
    if chosen.only == "growth":
        print(report.table(growth.bars(Path(tempfile.mkdtemp()), rounds)))
    if chosen.only == "incremental":
        print(report.table(incremental.bars(Path(tempfile.mkdtemp()), 200_000 if chosen.quick else 10_000_000, rounds)))
    if chosen.only in ("sources", "growth", "incremental"):
        return
    made = report.bars(found, parts)
    print(report.text([], made, rounds))
    if not chosen.quick and not chosen.only:
        report.write(report.text(found, made, rounds), found)


def _floors(home: Path, found: list[Measured], rounds: int, *, quick: bool) -> list[Bar]:
    made = [Bar("25 MB bodies: http1 transport / bare sendall", floors.transport(home, rounds), 0.95)]
    for measured in found:
        if measured.case.kind == "csv":
            alone = measured.case.records / floors.csv(home, measured.case.records, rounds)
            made.append(Bar("CSV, batches of 10,000: sendoff / polars alone", measured.rate["sendoff"] / alone, 0.75))
    times, same = floors.schema(home, rounds)
    made.append(Bar(f"schema check / Cerberus alone ({'the same' if same else 'NOT THE SAME'} rows refused)", times, 300))
    made += start.bars(home, max(rounds, 3))
    made += incremental.bars(home, 200_000 if quick else 10_000_000, rounds)
    if not quick:
        made += growth.bars(home, rounds)
        records = 10_000_000
        peak, moves = floors.memory(home, records, lambda url: sendoff(Job(home, url, records, 10_000, 4)))
        made += [
            Bar("10,000,000 records: peak MiB", peak, 600, least=False),
            Bar("10,000,000 records: what the second half adds to the peak", moves, 0.02, least=False),
        ]
    return made


if __name__ == "__main__":
    main()
