"""The account of some runs, and the commands that go on from it."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from sendoff.cli.group import Project
from sendoff.cli.output import count_delivered, exactly, room_for_lines, say, table
from sendoff.ledger.claims import UNFINISHED
from sendoff.ledger.history import is_void
from sendoff.monitoring.report import Report
from sendoff.records import location


def show_account(project: Project, reports: Sequence[Report]) -> None:
    """Print the summary of some runs, and the next command to try."""
    heads = ["connector", "run", "read", "delivered", "rejected", "invalid", "pending", "requests", "seconds", "state"]
    rows = [
        [
            r.connector,
            r.run,
            r.read,
            count_delivered(r.delivered, r.accepted),
            r.rejected,
            r.invalid,
            r.pending,
            r.requests,
            f"{r.seconds:.1f}",
            r.state,
        ]
        for r in reports
    ]
    table(heads, rows, optional=["seconds", "requests"])
    history = project.runner.history
    for report in reports:
        retry_of = history.run(report.run)["retry_of"]
        if report.unchanged:
            why = (
                "rows unchanged, not sent"
                if retry_of is None
                else f"record{'s' * (report.unchanged != 1)} delivered already, not sent again"
            )
            say(f"\n{report.connector}: {report.unchanged:,} {why}")
        if report.accepted:
            kept = next(history.results(report.run), None) is not None
            where = f"`{name_in_project(project)} results {report.run}` shows what was kept of its responses"
            say(
                f"\n{report.connector}: {report.accepted:,} accepted only: the API works on them still, and sendoff does not "
                f"ask it how that ends; {where if kept else 'response.capture keeps the ids that it gives'}"
            )
        if report.stopped_because:
            say(f"\n{report.connector} {report.state}: {report.stopped_because}")
        left = report.rejected + report.invalid
        if not left:
            continue
        say(f"\n{report.connector}: {left:,} not delivered")
        for reason in history.reasons(report.run):
            first = location(reason["file"], reason["line"])
            say(f"  {reason['count']:>7,}  {reason['kind']}  {reason['reason']}  (first: {first})", hang=11)
    _next_steps(project, reports)


def _next_steps(project: Project, reports: Sequence[Report]) -> None:
    steps = []
    me, history = name_in_project(project), project.runner.history
    rows = [history.run(report.run) for report in reports]
    for row in rows:
        is_open = history.open_failures(row["id"])
        if is_open.pop(row["id"], 0):
            steps.append((f"{me} failed {row['id']} --csv > fix.csv", "the records to correct"))
            steps.append((f"{me} retry {row['id']} --from fix.csv", "and deliver them again"))
        option = " --from FILE" if is_void(row) and row["source"] == "spool" else ""
        steps += [
            (f"{me} retry {run}{option}", f"open in run {run}: {count:,} failed record{'s' * (count != 1)}")
            for run, count in is_open.items()
        ]
        if steps:
            break
    unfinished = (row["connector"] for row in rows if row["state"] in UNFINISHED and not is_void(row))
    interrupted = next(unfinished, None)
    if interrupted is not None:
        fix_first = any(report.exit_code == 2 for report in reports if report.connector == interrupted)
        steps.append((f"{me} run {interrupted}", "resume it" + ", when that is fixed" * fix_first))
    crashed = next((report for report in reports if report.exit_code == 70), None)
    if crashed is not None:
        steps.append((f"{me} --debug run {crashed.connector}", "the same, with the traceback"))
    show_steps(steps)


def show_steps(steps: Sequence[tuple[str, str]]) -> None:
    """Print the commands to try next, each with what it is for; nothing if there are none.

    A command is one line, so that it can be pasted; what it is for stands above it where there is no room beside it.
    """
    if not steps:
        return
    say("\nNext:")
    width = max(len(step) for step, _ in steps)
    room = room_for_lines()
    if room is not None and max(2 + width + 4 + len(why) for _, why in steps) > room:
        exactly("\n".join(f"  # {why}\n  {step}" for step, why in steps))
    else:
        exactly("\n".join(f"  {step.ljust(width)}  # {why}" for step, why in steps))


def program_name() -> str:
    """How to call this program again: its name if it is on the PATH, else its path."""
    name = Path(sys.argv[0])
    if shutil.which(name.name) or not name.exists():
        return name.name
    return str(name.relative_to(Path.cwd())) if name.is_relative_to(Path.cwd()) else str(name)


def name_in_project(project: Project) -> str:
    """How to call this program again for the same project."""
    words = [program_name()]
    if project.given != Path("connectors.d"):
        words += ["-d", str(project.given)]
    if project.state is not None and os.environ.get("SENDOFF_STATE") != str(project.state):
        words += ["--state", str(project.state)]
    return shlex.join(words)
