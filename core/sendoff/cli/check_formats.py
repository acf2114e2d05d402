"""How `sendoff check` reports: text, JSON, a GitHub workflow's annotations, SARIF."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from sendoff import __version__
from sendoff.cleaning import clean
from sendoff.cli.output import as_json, say
from sendoff.config.connector import Connector
from sendoff.errors import Problem
from sendoff.errors.codes import CODES

if TYPE_CHECKING:
    from sendoff.run.probe import Step

_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


@dataclass
class Checked:
    """What was checked, and what was found: mistakes, what may be one, and what only `--verbose` shows."""

    files: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    #: The connectors that can be loaded, and the steps of those that were probed, by name.
    connectors: list[Connector] = field(default_factory=list)
    steps: dict[str, list[Step]] = field(default_factory=dict)


def as_text(checked: Checked, verbose: bool) -> None:
    """A line for each; in the end how many connectors there are, if none has a mistake."""
    found = [*((each, "warning: ") for each in checked.warnings), *((each, "") for each in checked.problems)]
    lines = [*(checked.notes if verbose else ()), *(f"{level}{each} [{each.code}]" for each, level in found)]
    for line in lines:
        say(line.replace("\n", " "))
    if not checked.problems:
        warned = f"{len(checked.warnings)} warning{'s' * (len(checked.warnings) != 1)}" if checked.warnings else "nothing wrong"
        say(f"{len(checked.files)} connector{'s' * (len(checked.files) != 1)}: {warned}")


def as_one_json(checked: Checked, verbose: bool) -> None:
    """One JSON object."""
    found = {"problems": [*map(asdict, checked.problems)], "warnings": [*map(asdict, checked.warnings)]}
    steps = {name: [*map(asdict, steps)] for name, steps in checked.steps.items()}
    as_json({"checked": checked.files, **found, "notes": checked.notes, **({"steps": steps} if steps else {})})


def as_github(checked: Checked, verbose: bool) -> None:
    """Workflow commands, which GitHub shows as annotations beside the lines."""
    for level, problems in (("warning", checked.warnings), ("error", checked.problems)):
        for problem in problems:
            at = {"line": problem.line, "col": max(problem.column, 1)} if problem.line else {}
            place = {"file": problem.file, **at, "title": problem.code}
            properties = ",".join(f"{name}={_escape(clean(str(value)), properties=True)}" for name, value in place.items())
            click.echo(f"::{level} {properties}::{_escape(clean(_message(problem)))}")


def _escape(text: str, *, properties: bool = False) -> str:
    """A line as GitHub's workflow commands want it; a property may have neither colon nor comma."""
    signs = {"%": "%25", **({":": "%3A", ",": "%2C"} if properties else {})}
    return "".join(signs.get(sign, sign) for sign in text)


def as_sarif(checked: Checked, verbose: bool) -> None:
    """SARIF 2.1.0, for code scanning."""
    codes = [*CODES]
    results = [
        {
            "ruleId": problem.code,
            "ruleIndex": codes.index(problem.code),
            "level": level,
            "message": {"text": clean(_message(problem))},
            "locations": [{"physicalLocation": _location(problem)}],
        }
        for level, problems in (("error", checked.problems), ("warning", checked.warnings))
        for problem in problems
    ]
    rules = [{"id": code, "shortDescription": {"text": cause}, "help": {"text": fix}} for code, (cause, fix) in CODES.items()]
    driver = {"name": "sendoff check", "version": __version__, "rules": rules}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    click.echo(json.dumps({"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2))


def _location(problem: Problem) -> dict[str, object]:
    path = Path(problem.file)
    artifact = {"uri": path.as_uri()} if path.is_absolute() else {"uri": quote(path.as_posix()), "uriBaseId": "%SRCROOT%"}
    region = {"startLine": problem.line, "startColumn": max(problem.column, 1)}
    return {"artifactLocation": artifact, **({"region": region} if problem.line else {})}


def _message(problem: Problem) -> str:
    return f"{problem.path}: {problem.sentence}" if problem.path else problem.sentence


FORMATS: Mapping[str, Callable[[Checked, bool], None]] = {
    "text": as_text, "json": as_one_json, "github": as_github, "sarif": as_sarif,
}  # fmt: skip
