"""`sendoff status`: what is open, and the commands that go on from it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TypedDict

import click

from sendoff.cli.account import name_in_project, show_steps
from sendoff.cli.group import Project
from sendoff.cli.output import as_json, json_option, say, table
from sendoff.cli.run import warn_of_orphans
from sendoff.ledger.claims import UNFINISHED
from sendoff.ledger.history import DestinationRow, RunRow, is_void

#: For so many runs of a connector, the newest, the commands that retry what failed are shown.
MAX_SHOWN_RUNS = 3


class Status(TypedDict):
    """A connector, its newest run (None if it has none), and what is open in all its runs."""

    connector: str
    run: int | None
    state: str | None
    started: str | None
    pending: int
    #: An unfinished run that the next one resumes.
    unfinished: int | None
    #: How many failed records were neither delivered by a retry nor claimed by one that is under way, by run.
    failed: dict[int, int]


@click.command("status")
@json_option
@click.pass_obj
def command(project: Project, to_json: bool) -> None:
    """Show what is open: pending, failed, interrupted, down.

    One line for each connector: its newest run, and how many failed records of all its runs were not retried. Then the APIs
    that are down or asked for a pause, and the commands that go on.

    Example: `sendoff status`
    """
    history = project.runner.history
    runs = history.runs() if history.exists() else []
    still_open = history.open_failures() if runs else {}
    names = dict.fromkeys([*project.runner.found().files, *(run["connector"] for run in runs)])
    found = [_status(name, [run for run in runs if run["connector"] == name], still_open) for name in names]
    destinations = history.destinations() if runs else []
    if to_json:
        as_json({"connectors": found, "destinations": destinations})
        return
    if not found:
        say(f"no connectors in {project.directory}; `sendoff new NAME` creates one")
        return
    warn_of_orphans(project)
    table(
        ["connector", "run", "started", "pending", "failed, not retried", "state"],
        [
            [one["connector"], one["run"], one["started"], one["pending"], sum(one["failed"].values()), one["state"] or "new"]
            for one in found
        ],
        optional=["started"],
    )
    for destination in destinations:
        say(f"\n{destination['origin']}: {_trouble(destination)}")
    show_steps([step for one in found for step in _steps(one, name_in_project(project))])


def _status(name: str, runs: Sequence[RunRow], still_open: dict[int, int]) -> Status:
    newest = runs[0] if runs else None
    unfinished = newest is not None and newest["state"] in UNFINISHED and not is_void(newest)
    return {
        "connector": name,
        "run": newest and newest["id"],
        "state": newest and newest["state"],
        "started": newest and _time(newest["started_at"]),
        "pending": newest["pending"] if newest is not None and unfinished else 0,
        "unfinished": newest["id"] if newest is not None and unfinished else None,
        "failed": {run["id"]: still_open[run["id"]] for run in runs if run["id"] in still_open},
    }


def _trouble(destination: DestinationRow) -> str:
    said = []
    if destination["down_since"] is not None:
        said.append(f"down since {_time(destination['down_since'])}")
    if destination["rest_until"] is not None:
        said.append(f"it asked for a pause until {_time(destination['rest_until'])}")
    return "; ".join(said)


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def _steps(one: Status, me: str) -> Iterator[tuple[str, str]]:
    if one["unfinished"] is not None:
        yield f"{me} run {one['connector']}", f"resume run {one['unfinished']}"
    for run, count in list(one["failed"].items())[:MAX_SHOWN_RUNS]:
        yield f"{me} failed {run}", f"{count:,} failed record{'s' * (count != 1)} of {one['connector']}"
        yield f"{me} retry {run}", "deliver them again"
