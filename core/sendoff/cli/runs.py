"""`sendoff runs`: list runs, or show one."""

from __future__ import annotations

import time
from collections.abc import Iterator

import click

from sendoff.cli.arguments import RUN
from sendoff.cli.group import Project
from sendoff.cli.output import as_json, count_delivered, json_option, say, table
from sendoff.cli.run import warn_of_orphans
from sendoff.errors import ConfigError
from sendoff.ledger import History
from sendoff.ledger.history import RunRow

_COUNTS = ("read", "delivered", "rejected", "invalid", "pending", "requests")
_SHOWN = (
    "id",
    "connector",
    "state",
    "stopped_because",
    "retry_of",
    "started",
    *_COUNTS,
    "accepted",
    "dismissed",
    "retries",
    "bytes",
    "starts",
    "seconds",
)


@click.command("runs")
@click.argument("run", type=RUN, required=False)
@click.option("--requests", "requests", is_flag=True, help="The requests of a run: status, size, time, key.")
@json_option
@click.pass_obj
def command(project: Project, run: int | None, requests: bool, to_json: bool) -> None:
    """List the runs in the ledger, or show one.

    The first 10,000 requests of a run are logged, and after that those that did not simply deliver.

    Example: `sendoff runs 12 --requests`
    """
    history = project.runner.history
    if requests:
        if run is None:
            raise ConfigError("--requests needs the ID of a run: sendoff runs ID --requests")
        _requests(history, run, to_json)
        return
    if project.directory.is_dir():
        warn_of_orphans(project)
    rows = [history.run(run)] if run is not None else history.runs()
    found = [{**row, "started": _started(row)} for row in rows]
    if to_json:
        as_json([{name: row[name] for name in _SHOWN} for row in found])
    elif run is not None:
        for name in _SHOWN:
            say(f"{name:16} {_shown(found[0][name])}", hang=17)
        for reason in history.reasons(run):
            say(f"{reason['count']:>8,}  {reason['kind']}  {reason['reason']}", hang=10)
    else:
        heads = ["run", "connector", "started", *_COUNTS, "state"]
        shown = [[row["id"], row["connector"], _started(row), *_counted(row), row["state"]] for row in rows]
        table(heads, shown, optional=["requests", "read", "pending", "started"])


def _started(row: RunRow) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row["started_at"]))


def _counted(row: RunRow) -> Iterator[object]:
    counts = {**row, "delivered": count_delivered(row["delivered"], row["accepted"])}
    return (counts[name] for name in _COUNTS)


def _requests(history: History, run: int, to_json: bool) -> None:
    found = list(history.requests(run))
    if to_json:
        as_json(found)
        return
    heads = ["request", "records", "attempt", "bytes", "status", "verdict", "seconds", "key", "reason"]
    rows = ({**row, "request": row["number"], "seconds": f"{row['seconds']:.3f}"} for row in found)
    table(heads, [[row[head] for head in heads] for row in rows], optional=["key", "bytes"])
    total = history.run(run)["requests"]
    if total > len(found):
        say(f"{len(found):,} of {total:,} requests were logged: the first, and those that did not simply deliver")


def _shown(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else str(value)
