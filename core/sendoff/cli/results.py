"""`sendoff results`: show what was kept of the API's responses."""

from __future__ import annotations

import click

from sendoff import jsonlib
from sendoff.cli.arguments import RUN
from sendoff.cli.group import Project
from sendoff.cli.output import as_csv, as_lines, table
from sendoff.records import location
from sendoff.response import RESULT_COLUMNS


@click.command("results")
@click.argument("run", type=RUN, default="latest")
@click.option("--csv", "form", flag_value="csv", help="As CSV; an apostrophe stands before what would be a formula.")
@click.option("--jsonl", "form", flag_value="jsonl", help="As JSON Lines.")
@click.pass_obj
def command(project: Project, run: int, form: str | None) -> None:
    """Show what was captured of a run's responses.

    It is what `destination.response.capture` names, with the rows it belongs to.

    Where a response is for several records, the row is that of the first.

    Example: `sendoff results latest --jsonl`
    """
    rows = [
        {**dict(zip(RESULT_COLUMNS, (location(row["file"], row["line"]), row["records"]), strict=True)), **row["captured"]}
        for row in project.runner.history.results(run)
    ]
    names = list({name: None for row in rows for name in row}) or list(RESULT_COLUMNS)
    if form == "jsonl":
        as_lines(rows)
    elif form == "csv":
        as_csv(names, ({name: _cell(value) for name, value in row.items()} for row in rows))
    else:
        table([name.removeprefix("_") for name in names], [[_cell(row.get(name)) for name in names] for row in rows])


def _cell(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else jsonlib.dumps(value)
