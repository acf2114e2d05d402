"""`sendoff failed`: the records that were not delivered, and why."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

import click

from sendoff import jsonlib
from sendoff.cli.group import Project
from sendoff.cli.output import escape_formula, table
from sendoff.ledger import history
from sendoff.records import location

EXTRA = ("_reason", "_status", "_row")


@click.command("failed")
@click.argument("run", type=int)
@click.option("--csv", "form", flag_value="csv", help="As CSV: the original columns, and _reason, _status, _row.")
@click.option("--jsonl", "form", flag_value="jsonl", help="As JSON Lines, with the same fields.")
@click.option("--json", "form", flag_value="json", help="As one JSON array.")
@click.option("--dismiss", is_flag=True, help="Dismiss them: incremental counts them as delivered and sends them no more.")
@click.pass_obj
def command(project: Project, run: int, form: str | None, dismiss: bool) -> None:
    """Show the records of a run that were not delivered (its dead-letter queue), as in the source, with the reason."""
    if dismiss:
        count = project.runner.dismiss(run)
        click.echo(f"{count:,} records dismissed; they are not sent again")
        return
    rows = (_flat(row) for row in history.failures(project.runner.state, run))
    {"csv": _csv, "jsonl": _jsonl, "json": _json, None: _table}[form](rows)


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    where = location(row["file"], row["line"])
    return {**row["record"], "_reason": row["reason"], "_status": row["status"], "_row": where}


def _csv(rows: Iterable[Mapping[str, Any]]) -> None:
    kept = list(rows)
    names = {name: None for row in kept for name in row if name not in EXTRA}
    out = io.StringIO()
    writer = csv.DictWriter(out, [*names, *EXTRA], lineterminator="\n")
    writer.writeheader()
    for row in kept:
        writer.writerow({name: _cell(value) for name, value in row.items()} | {"_reason": escape_formula(row["_reason"])})
    click.echo(out.getvalue(), nl=False)


def _jsonl(rows: Iterable[Mapping[str, object]]) -> None:
    for row in rows:
        click.echo(jsonlib.dumps(row))


def _json(rows: Iterable[Mapping[str, object]]) -> None:
    click.echo(jsonlib.dumps(list(rows)))


def _table(rows: Iterable[Mapping[str, object]]) -> None:
    kept = list(rows)
    table(["row", "status", "reason"], [[row["_row"], row["_status"], row["_reason"]] for row in kept])


def _cell(value: object) -> Any:
    """A record's exact value, so that `sendoff retry` can read it back."""
    if value is None or isinstance(value, str):
        return value
    return jsonlib.dumps(value)
