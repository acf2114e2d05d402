"""`sendoff check`: report every mistake with its place; nothing is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sendoff.cli import check_again
from sendoff.cli.arguments import CONNECTOR
from sendoff.cli.check_formats import FORMATS, Checked
from sendoff.cli.group import Project
from sendoff.cli.output import json_option, say
from sendoff.config.connector import Connector
from sendoff.config.discovery import EMPTY, Found
from sendoff.config.file_warnings import find_warnings
from sendoff.errors import ConfigError, PluginCrash, PluginError, Problem, SourceError
from sendoff.errors.codes import Code
from sendoff.intake.reading import source_errors

if TYPE_CHECKING:
    from sendoff.run.probe import Step
    from sendoff.runner import Runner


@click.command("check")
@click.argument("names", nargs=-1, type=CONNECTOR)
@click.option(
    "-v",
    "--verbose",
    is_flag=True,
    help="Also show what was skipped, which transport is used, and which rules run row by row.",
)
@click.option(
    "--offline", is_flag=True, help="Look at the connector files alone: no secret needs to be set, and no data to be there."
)
@click.option(
    "--connect",
    is_flag=True,
    help="Also open each source and read a page, and connect to the API: its address, certificate, credentials, and its probe.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice([*FORMATS]),
    default="text",
    help="How it is reported: `github` as annotations of a workflow, `sarif` for code scanning.",
)
@click.option("--watch", is_flag=True, help="Check again whenever a connector, a plugin or a file of a source has changed.")
@json_option
@click.pass_obj
def command(
    project: Project, names: Sequence[str], verbose: bool, offline: bool, connect: bool, form: str, watch: bool, to_json: bool
) -> None:
    """Check connector files; report every mistake with its place.

    All connectors, or those that are given by name or file.

    Ends with 2 if there is a mistake, or no connector at all.

    Example: `sendoff check --offline`
    """
    if offline and connect:
        raise click.UsageError("--offline and --connect exclude each other")
    form = "json" if to_json else form
    if watch:
        if connect or form != "text":
            raise click.UsageError("--watch goes with text, and without --connect")
        check_again.forever(project, lambda now: check(now, names, offline=offline), verbose)
    checked = check(project, names, offline=offline)
    if connect:
        probe_all(project, checked, say_step if form == "text" else lambda name, step: None)
    FORMATS[form](checked, verbose)
    if checked.problems:
        raise SystemExit(2)


def check(project: Project, names: Sequence[str], *, offline: bool) -> Checked:
    """Check the connectors of these names or files, or all."""
    checked = Checked()
    try:
        _check_all(project, names, checked, offline=offline)
    except ConfigError as error:
        checked.problems += _placed(error, project.directory)
    return checked


def probe_all(project: Project, checked: Checked, on_step: Callable[[str, Step], None]) -> None:
    """Probe the connectors that are right; a step that fails is a problem."""
    from sendoff.run.probe import probe  # noqa: PLC0415  # it imports nearly everything

    for connector in checked.connectors:
        steps = probe(connector, partial(on_step, connector.name))
        checked.steps[connector.name] = steps
        reported = {problem.code for problem in checked.problems if problem.file == connector.file}
        for step in steps:
            if step.ok is False and step.code not in reported:
                checked.problems.append(connector.problem(step.path, step.sentence, step.code))


def say_step(name: str, step: Step) -> None:
    """A line for a step as it comes."""
    mark = {True: "ok", False: "!!", None: ".."}[step.ok]
    say(f"{mark}  {name}: {step.name}: {step.sentence} ({step.seconds:.1f} s)")


def _check_all(project: Project, names: Sequence[str], checked: Checked, *, offline: bool) -> None:
    runner = project.runner
    found = Found() if names else runner.found()
    files = [_file(project, name) for name in names] or list(found.files.values())
    for path, reason in found.skipped:
        checked.notes.append(f"{path}: skipped: {reason}")
        if reason == EMPTY:
            checked.problems.append(Problem(str(path), 1, 1, "", _EMPTY, Code.EMPTY))
    if not files and not checked.problems:
        sentence = (
            f"no connectors in {project.directory}; `sendoff new NAME` creates one, and `sendoff -d` names another project"
        )
        checked.problems.append(Problem(str(project.directory), 0, 0, "", sentence, Code.PROJECT))
    for sentence in runner.registry.warnings:
        plugin, _, rest = sentence.partition(": ")
        checked.warnings.append(Problem(plugin, 0, 0, "", rest, Code.PLUGIN))
    if not names and not offline:
        checked.warnings += [Problem(str(runner.state), 0, 0, "", sentence, Code.ORPHANED_RUN) for sentence in runner.orphans()]
    for file in files:
        checked.files.append(str(file))
        try:
            if offline:
                checked.warnings += runner.check_offline(file)
            else:
                _check_file(runner, file, checked)
        except ConfigError as error:
            checked.problems += _placed(error, file)


_EMPTY = "is empty: restore it; to disable a connector, let its file end in .disabled"


def _check_file(runner: Runner, file: Path, checked: Checked) -> None:
    connector = runner.load(file)
    checked.connectors.append(connector)
    checked.warnings += find_warnings(connector)
    checked.notes += _notes(connector)
    checked.problems += _source_problems(connector)


def _placed(error: ConfigError, file: Path) -> Iterator[Problem]:
    """The problems of an error; one without a place is the file's."""
    code = Code.PLUGIN if isinstance(error, PluginError) else Code.PROJECT
    for problem in error.problems:
        yield Problem(str(file), 0, 0, "", problem, code) if isinstance(problem, str) else problem


def _file(project: Project, name: str) -> Path:
    """A connector's file, by the connector's name or any path. A bare name is the connector's where there is one."""
    path = Path(name)
    is_bare = path.name == name and not path.suffix
    return path if path.is_file() and not (is_bare and name in project.runner.found().files) else project.file(name)


def _notes(connector: Connector) -> Iterator[str]:
    yield f"{connector.file}: destination.transport: {connector.transport.name}, {connector.transport_because}"
    for field, rules in connector.schema.slow.items():
        yield f"{connector.file}: schema.{field}: {', '.join(rules)} run row by row, in Cerberus"


def _source_problems(connector: Connector) -> Iterator[Problem]:
    """What is wrong with the source's columns, as far as they are known before it is read."""
    try:
        with source_errors(connector.source):
            files = list(connector.source.columns())
        for name, columns in files:
            connector.schema.check_columns(name, columns)
    except (SourceError, PluginCrash) as error:
        yield connector.problem("source", str(error), error.code)
