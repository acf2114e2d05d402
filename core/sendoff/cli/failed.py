"""`sendoff failed`: the records that were not delivered, and why."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import click
from click.core import ParameterSource

from sendoff.cli.arguments import RUN
from sendoff.cli.group import Project
from sendoff.cli.output import as_csv, as_lines, say, table
from sendoff.components import CsvDialect
from sendoff.errors import SendoffError
from sendoff.intake.corrections import added_columns, cell, failed_fields
from sendoff.ledger.history import FailureRow
from sendoff.records import location


@click.command("failed")
@click.argument("run", type=RUN, default="latest")
@click.option(
    "--csv",
    "form",
    flag_value="csv",
    help="As CSV: the original columns, and _record, _reason, _status, _row. Delimiter and encoding are those of the "
    "connector's source. An apostrophe stands before what would be a formula; `retry --from` takes it away.",
)
@click.option("--jsonl", "form", flag_value="jsonl", help="As JSON Lines, with the same fields.")
@click.option("--json", "form", flag_value="json", help="As one JSON array.")
@click.option("--dismiss", is_flag=True, help="Give them up: neither counted nor retried; incremental sends them no more.")
@click.option("--reopen", is_flag=True, help="Take that back.")
@click.option("--record", "names", multiple=True, metavar="NAME", help="Dismiss or reopen only this record; may be repeated.")
@click.option("--dismissed", is_flag=True, help="Show those that are dismissed, and no others.")
@click.pass_obj
@click.pass_context
def command(
    ctx: click.Context, project: Project, run: int, form: str | None, dismiss: bool, reopen: bool, names: tuple[str, ...],
    dismissed: bool,
) -> None:  # fmt: skip
    """Show the records that a run did not deliver, and why.

    This is the run's dead-letter queue: the records as they are in the source, each with its reason. RUN is a number,
    `latest` (the default), or a connector's name for its newest run. A record's NAME is in the column `_record` of `--csv`.

    Example: `sendoff failed people --csv > fix.csv`
    """
    if dismiss and reopen:
        raise click.UsageError("--dismiss and --reopen are opposites; give one of them")
    if dismiss or reopen:
        if ctx.get_parameter_source("run") is ParameterSource.DEFAULT:
            raise click.UsageError(f"--{'dismiss' if dismiss else 'reopen'} needs the RUN whose records are meant")
        _mark(project, run, names or None, dismiss)
        return
    if names:
        raise click.UsageError("--record is for --dismiss and --reopen")
    history = project.runner.history
    found = (row for row in history.failures(run) if bool(row["dismissed"]) == dismissed)
    if form is None:
        table(
            ["row", "status", "reason"],
            [[location(row["file"], row["line"]), row["status"], row["reason"]] for row in found],
        )
        hidden = 0 if dismissed else history.run(run)["dismissed"]
        if hidden:
            say(f"{hidden:,} dismissed, not shown here; --dismissed shows them")
        return
    added = added_columns(failed_fields(history, run))
    rows = (_flat(row, added) for row in found)
    if form == "csv":
        _csv(rows, added, _dialect(project, run))
    elif form == "jsonl":
        as_lines(rows)
    else:
        as_lines([list(rows)])


def _mark(project: Project, run: int, names: Collection[str] | None, dismiss: bool) -> None:
    count = (project.runner.dismiss if dismiss else project.runner.reopen)(run, only=names)
    one = count == 1
    records = "1 record" if one else f"{count:,} records"
    if dismiss:
        say(f"{records} dismissed; {'it is' if one else 'they are'} not sent again")
    else:
        say(f"{records} reopened; sendoff retry {run} sends {'it' if one else 'them'}")


def _dialect(project: Project, run: int) -> CsvDialect:
    """How the connector's own tables are written; as is usual, where it is no longer there, or is not right."""
    try:
        return project.runner.connector(project.runner.history.run(run)["connector"]).source.csv_dialect
    except SendoffError:
        return CsvDialect()


def _flat(row: FailureRow, added: Mapping[str, str]) -> dict[str, Any]:
    values = (row["name"], row["reason"], row["status"], location(row["file"], row["line"]))
    return {**row["record"], **dict(zip(added.values(), values, strict=True))}


def _csv(rows: Iterable[Mapping[str, Any]], added: Mapping[str, str], dialect: CsvDialect) -> None:
    kept = list(rows)
    names = {name: None for row in kept for name in row if name not in added.values()}
    cells = ({name: cell(value) for name, value in row.items()} for row in kept)
    as_csv([*names, *added.values()], cells, dialect)
