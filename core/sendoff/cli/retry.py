"""`sendoff retry`: deliver failed records again."""

from __future__ import annotations

from pathlib import Path

import click

from sendoff.cli.arguments import RUN
from sendoff.cli.files import chosen as chosen_options
from sendoff.cli.files import file_source, reading_options
from sendoff.cli.group import Project
from sendoff.cli.output import NO_EARLY_STOP, json_option
from sendoff.cli.run import add_progress, load, run_all
from sendoff.config.connector import Connector
from sendoff.intake import reading
from sendoff.monitoring.report import Report


@click.command("retry")
@click.argument("run", type=RUN)
@click.option(
    "--from",
    "fixed",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with corrected records, as `sendoff failed` exports them. The others stay open.",
)
@reading_options
@click.option("--all", "add_new", is_flag=True, help="Send rows of the file that name no failed record too, as new ones.")
@click.option("--no-early-stop", "early_stop", flag_value=False, default=True, type=bool, help=NO_EARLY_STOP)
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@json_option
@click.pass_obj
def command(
    project: Project, /, run: int, fixed: Path | None, add_new: bool, early_stop: bool, quiet: bool, to_json: bool,
    **given: str | None,
) -> None:  # fmt: skip
    """Deliver failed records of a run again, as a new run.

    All that are open, or those that a file corrects. RUN is a number, `latest`, or a connector's name.

    The file names each record in a column `_record`. Those it does not name stay open, and those that a retry has
    delivered are not sent again.

    Example: `sendoff retry 12 --from fix.csv`
    """
    if add_new and fixed is None:
        raise click.UsageError("--all is for --from FILE")
    options = chosen_options(given)
    if options and fixed is None:
        raise click.UsageError(f"--{next(iter(options))} is for --from FILE")
    runner = project.runner
    chosen = load(project, [runner.history.run(run)["connector"]])
    add_progress(runner, quiet)

    def deliver(connector: Connector) -> Report:
        rows: object = fixed
        if fixed is not None and options:
            rows = reading.read_source(file_source(project, fixed, given, connector.source.csv_dialect)[0])
        return runner.retry(run, rows, add_new=add_new, early_stop=early_stop)

    run_all(project, chosen, deliver, to_json)
