"""`sendoff retry`: deliver failed records again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import click

from sendoff.cli.failed import EXTRA
from sendoff.cli.group import Project
from sendoff.cli.output import NO_EARLY_STOP, json_option
from sendoff.cli.run import add_progress, load, run_all
from sendoff.components import Source
from sendoff.config.connector import Connector
from sendoff.errors import ConfigError
from sendoff.ledger import history
from sendoff.records import Page, pages
from sendoff.run.report import Report


@click.command("retry")
@click.argument("run", type=int)
@click.option(
    "--from",
    "fixed",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with the corrected records, CSV or JSON Lines.",
)
@click.option("--no-early-stop", "early_stop", flag_value=False, default=True, type=bool, help=NO_EARLY_STOP)
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@json_option
@click.pass_obj
def command(project: Project, run: int, fixed: Path | None, early_stop: bool, quiet: bool, to_json: bool) -> None:
    """Deliver the failed records of a run again, as they were or corrected, as a new run."""
    runner = project.runner
    chosen = load(project, [history.run(runner.state, run)["connector"]])
    records = _corrected(project, fixed) if fixed else None
    add_progress(runner, quiet)

    def deliver(connector: Connector) -> Report:
        return runner.retry(run, records=records, early_stop=early_stop)

    run_all(project, chosen, deliver, to_json)


def _corrected(project: Project, file: Path) -> Iterator[Page]:
    """The pages of a corrected file, without the columns that `sendoff failed` added."""
    for page in map(Page.to_python, pages(file_source(project, file).read(None))):
        extra = [name for name in EXTRA if name in page.frame.columns]
        yield Page(
            page.frame.drop(extra),
            page.file,
            page.lines,
            page.row_errors,
            all_text=page.all_text,
            uniform=page.uniform,
            missing_keys=page.missing_keys,
        )


#: The endings of compressed files, which say nothing about what is in them.
COMPRESSED = (".gz", ".zst")


def file_source(project: Project, file: Path) -> Source:
    """A source for a file, by its extension."""
    ending = next((each for each in reversed(file.suffixes) if each.lower() not in COMPRESSED), "").lower()
    registry = project.runner.registry
    found = registry.default("sources", ending)
    if found is None:
        known = sorted({each for offer in registry.offers("sources").values() for each in offer.component.default_for})
        raise ConfigError(f"{file}: unknown file type; the extension must be one of {', '.join(known)}")
    return cast("type[Source]", found)(home=Path.cwd(), path=str(file))
