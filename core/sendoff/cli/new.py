"""`sendoff new`: a commented connector file with every default."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import click

from sendoff import jsonlib
from sendoff.cli.files import file_source, reading_options
from sendoff.cli.group import Project
from sendoff.cli.output import say
from sendoff.cli.schema import SAMPLE_PAGES, as_scalar, as_yaml
from sendoff.config.declarations import default_component
from sendoff.config.discovery import check_name
from sendoff.config.spec import CONNECTOR
from sendoff.errors import ConfigError
from sendoff.records import pages
from sendoff.registry import Registry
from sendoff.schema.infer import infer

TEMPLATE = """\
# {name}: describe here what it delivers, to which API, and who maintains it.
# `sendoff plugins` lists what there is to `use`, and `sendoff plugins NAME` explains the options of one.

source: {{use: {use}, path: {path}{options}}}
# incremental: {{key: [id], initial_load: skip}}          # deliver only rows that were not delivered before
# schedule: {{cron: "0 7 * * *", timezone: Europe/Berlin}}   # see `sendoff schedule`, `sendoff serve`
# notify: [{{use: NAME}}]    # who is notified of how it went: {notifiers}

# The fields, in the order they are sent. Types: string, integer, float, number, decimal, boolean,
# date, datetime, time, duration, dict, list. A field is not nullable unless it says so.
{schema}unknown: drop                # columns not named above: drop, keep or forbid
on_invalid: skip        # or stop: send nothing if any record is invalid

destination:
  url: {url}
  method: POST
  # headers: {{Authorization: "Bearer ${{env:API_TOKEN}}"}}
  # auth: {{use: NAME}}        # {authenticators}
  # rate_limit: 10/s         # maximum; Retry-After is obeyed in any case
  # response: {{delivered_when: {{path: $.ok, equals: true}}}}   # if a 200 can mean an error; see docs/how-to
  # atomic: true             # a rejected request leaves nothing behind, so it may be split
  concurrency: auto          # requests in flight at once: what the API can handle, or at most a number
  timeout: 60                # seconds for one attempt

send: {send}   # or {senders}
on_failure: {on_failure}             # or {failure_strategies}
"""

#: What is read without a sample.
ENDING = ".csv"
SCHEMA = """\
schema:
  id:    {type: integer}
  email: {type: string}
"""


@click.command("new")
@click.argument("name")
@click.option(
    "--from",
    "sample",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file to read from and to infer the schema from.",
)
@reading_options
@click.option("--url", default="https://api.example.com/v1/records", help="Where records go.")
@click.pass_obj
def command(project: Project, /, name: str, sample: Path | None, url: str, **given: str | None) -> None:
    """Write a connector file with all defaults, each with a comment.

    Example: `sendoff new people --from people.csv --url https://api.example.com/people`
    """
    file = new_connector_path(project, name)
    path = f"inbox/*{ENDING}"
    source, options = file_source(project, Path(path), given)
    schema, use = SCHEMA, source.name
    if sample is not None:
        source, options = file_source(project, sample, given)
        inside = sample.absolute().is_relative_to(project.runner.home)
        use, path = source.name, str(sample.absolute().relative_to(project.runner.home) if inside else sample.absolute())
        schema = as_yaml(infer(islice(pages(source.read(None)), SAMPLE_PAGES), source.notation))
    shown = "".join(f", {option}: {jsonlib.dumps(value)}" for option, value in options.items())
    texts = {"path": as_scalar(path), "url": as_scalar(url), **_choices(project.runner.registry)}
    file.write_text(TEMPLATE.format(name=name, use=use, options=shown, schema=schema, **texts), encoding="utf-8")
    say(f"{file} written; edit it, then: sendoff check, sendoff preview {name}, sendoff run {name}")


def _choices(registry: Registry) -> dict[str, str]:
    """What the template says of components: the default ones with their options, and the names of the others."""
    text: dict[str, str] = {}
    for key in ("send", "on_failure"):
        kind = str(CONNECTOR[key]["component"])
        chosen = default_component(CONNECTOR[key], registry)
        component = registry.find(kind, chosen or "")
        options = {name: rule.get("default") for name, rule in component.options.items()} if component else {}
        shown = [f"{name}: {value}" for name, value in options.items() if value]
        text[key] = f"{{{', '.join([f'use: {chosen}', *shown])}}}" if shown else str(chosen)
        text[kind] = ", ".join(name for name in registry.names(kind) if name != chosen)
    return text | {kind: ", ".join(registry.names(kind)) for kind in ("notifiers", "authenticators")}


def new_connector_path(project: Project, name: str) -> Path:
    """The path of a new connector; raises `ConfigError` if it exists."""
    problem = check_name(name)
    if problem:
        raise ConfigError(problem)
    if name in project.runner.found().files:
        raise ConfigError(f"{project.runner.found().files[name]} exists already; choose another name")
    return project.directory / f"{name}.yaml"
