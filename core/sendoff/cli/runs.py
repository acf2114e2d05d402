"""`sendoff runs`: what was run, and what it came to."""

from __future__ import annotations

import time

import click

from sendoff.cli.group import Project
from sendoff.cli.output import as_json, json_option, table
from sendoff.ledger import history

_COUNTS = ("read", "delivered", "rejected", "invalid", "unsettled", "requests")
_SHOWN = (
    "id",
    "connector",
    "state",
    "stopped_because",
    "retry_of",
    "started",
    *_COUNTS,
    "retries",
    "bytes",
    "starts",
    "seconds",
)


@click.command("runs")
@click.argument("run", type=int, required=False)
@json_option
@click.pass_obj
def command(project: Project, run: int | None, to_json: bool) -> None:
    """List the runs in the ledger, or show one."""
    state = project.runner.state
    found = [history.run(state, run)] if run is not None else history.runs(state)
    for row in found:
        row["started"] = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row["started_at"]))
    if to_json:
        as_json([{name: row[name] for name in _SHOWN} for row in found])
    elif run is not None:
        for name in _SHOWN:
            click.echo(f"{name:16} {_shown(found[0][name])}")
        for reason in history.reasons(state, run):
            click.echo(f"{reason['count']:>8,}  {reason['kind']}  {reason['reason']}")
    else:
        heads = ["run", "connector", "started", *_COUNTS, "state"]
        table(
            heads,
            [[row["id"], row["connector"], row["started"], *(row[name] for name in _COUNTS), row["state"]] for row in found],
        )


def _shown(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else str(value)
