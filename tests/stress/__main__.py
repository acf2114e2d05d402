"""``make stress MINUTES=60``: every promise is put to its stress test for its share of the time; ends 0 if all were kept.

Two promises at a time, each in a process of its own. What came of it is shown as a table, and written into
docs/guarantees.md; docs/faults.md is made anew beside it.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import subprocess
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests import catalogue
from tests.stress.promise import Budget, Promise, told

#: The order of the table. The longest goes first, so that none is left for the end.
NAMES = (
    "kills",
    "storm",
    "model",
    "people",
    "strangers",
    "fuzz",
    "cuts",
    "starts",
    "syscalls",
    "failpoints",
    "canaries",
    "load",
)
DOCS = Path(__file__).parents[2] / "docs"
BEGIN, END = "<!-- figures: made by `make stress` -->\n", "<!-- end of figures -->\n"
AT_ONCE = 2
Outcome = dict[str, Any]


def promise(name: str) -> Promise:
    """The promise of a module here."""
    found: Promise = importlib.import_module(f"tests.stress.{name}").PROMISE
    return found


def main() -> int:
    """Hold one promise and tell in JSON, or all of them and tell in a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress", description=__doc__)
    parser.add_argument("name", nargs="?", choices=NAMES, help="only this promise")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000, help="repeats what was done with it")
    given = parser.parse_args()
    if given.name:
        print(json.dumps(held(promise(given.name), given.minutes * 60, given.seed)))
        return 0
    outcomes = all_held(given.minutes, given.seed)
    print(table(outcomes))
    kept = all(outcome["kept"] for outcome in outcomes)
    write(outcomes, given.minutes)
    print(f"\n{'every promise was kept' if kept else 'A PROMISE WAS BROKEN'}; seed {given.seed}")
    return int(not kept)


def held(one: Promise, seconds: float, seed: int) -> Outcome:
    """What came of one promise: its figures, or why it was broken, or why it could not be put to the test."""
    begun = time.monotonic()
    reason = one.needs()
    if reason is not None:
        return {"name": one.name, "kept": True, "figures": f"not tried: {reason}", "seconds": 0}
    try:
        figures, kept = told(one.hold(Budget(one.full, seconds, seed))), True
    except Exception as error:
        # Hypothesis notes on its errors how to come by them again.
        figures, kept = " ".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())]), False
        traceback.print_exc()
    return {"name": one.name, "kept": kept, "figures": figures, "seconds": round(time.monotonic() - begun)}


def all_held(minutes: float, seed: int) -> list[Outcome]:
    """Every promise for its share of the minutes, two at a time."""
    weights = {name: promise(name).weight for name in NAMES}
    second = minutes * 60 * AT_ONCE / sum(weights.values())

    def one(name: str) -> Outcome:
        share = weights[name] * second / 60
        command = [sys.executable, "-m", "tests.stress", name, "--minutes", f"{share:.3f}", "--seed", str(seed)]
        done = subprocess.run(command, cwd=DOCS.parent, capture_output=True, text=True)
        try:
            outcome: Outcome = json.loads(done.stdout.splitlines()[-1])
        except (ValueError, IndexError):
            outcome = {
                "name": name,
                "kept": False,
                "figures": f"ended with {done.returncode}: {done.stderr[-500:]}",
                "seconds": 0,
            }
        print(
            f"{'kept  ' if outcome['kept'] else 'BROKEN'}  {name:10}  {outcome['seconds']:>5} s  {outcome['figures']}",
            flush=True,
        )
        return outcome

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, NAMES))


def table(outcomes: list[Outcome]) -> str:
    """The table of promises, in Markdown."""
    rows = ["| promise | rests on | last figures |", "| --- | --- | --- |"]
    for outcome in outcomes:
        one = promise(outcome["name"])
        rows.append(
            f"| {one.says} (`{one.name}`) | {one.rests_on} | {'' if outcome['kept'] else '**broken**: '}{outcome['figures']} |"
        )
    return "\n".join(rows)


def write(outcomes: list[Outcome], minutes: float) -> None:
    """Into the pages: the figures, and the table of faults."""
    page = DOCS / "guarantees.md"
    before, _, rest = page.read_text().partition(BEGIN)
    said = (
        f"`make stress MINUTES={minutes:g}`, two promises at a time, on {time.strftime('%Y-%m-%d')}, "
        f"Python {platform.python_version()}, {platform.system()}:\n"
    )
    page.write_text(before + BEGIN + f"\n{said}\n{table(outcomes)}\n\n" + END + rest.partition(END)[2])
    (DOCS / "faults.md").write_text(catalogue.page())


if __name__ == "__main__":
    sys.exit(main())
