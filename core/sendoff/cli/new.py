"""`sendoff new`: a commented connector file with every default, or one of the cookbook."""

from __future__ import annotations

from pathlib import Path

import click

from sendoff import jsonlib
from sendoff.cli import cookbook
from sendoff.cli.files import file_source, infer_schema, reading_options
from sendoff.cli.group import Project
from sendoff.cli.output import say, table
from sendoff.cli.schema import as_scalar, as_yaml
from sendoff.config.declarations import default_component
from sendoff.config.discovery import check_name
from sendoff.config.spec import CONNECTOR
from sendoff.editors.project import with_modeline
from sendoff.errors import ConfigError
from sendoff.registry import Registry
from sendoff.schema.infer import Inferred

TEMPLATE = """\
# {name}: describe here what it delivers, to which API, and who maintains it.
# `sendoff plugins` lists what there is to `use`, and `sendoff plugins NAME` explains the options of one.

{source}
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

#: What is read without a sample, and where it goes.
ENDING = ".csv"
URL = "https://api.example.com/v1/records"
SCHEMA = """\
schema:
  id:    {type: integer}
  email: {type: string}
"""


def _list_apis(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Print the APIs of the cookbook, and end."""
    if wanted:
        table(["api", "what it does"], [[name, cookbook.recipe(name).title] for name in cookbook.names()])
        context.exit()


@click.command("new")
@click.argument("name")
@click.option(
    "--from",
    "sample",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file to read from and to infer the schema from.",
)
@reading_options
@click.option("--url", help="Where records go.")
@click.option("--api", help="The API it is for, one of the cookbook: begin with what is known of it.")
@click.option(
    "--list-apis", is_flag=True, is_eager=True, expose_value=False, callback=_list_apis, help="List the APIs of the cookbook."
)
@click.pass_obj
def command(
    project: Project, /, name: str, sample: Path | None, url: str | None, api: str | None, **given: str | None
) -> None:  # fmt: skip
    """Write a connector file with all defaults, each with a comment.

    Or one for an API of the cookbook, with --api.

    Example: `sendoff new people --from people.csv --api hubspot`
    """
    file = new_connector_path(project, name)
    recipe = cookbook.recipe(api) if api is not None else None
    source, schema = _read(project, sample, given)
    if recipe is not None:
        text, left = _from_cookbook(recipe, source, schema, url)
    else:
        texts = {"url": as_scalar(url or URL), **_choices(project.runner.registry)}
        text, left = TEMPLATE.format(name=name, source=source, schema=as_yaml(schema) if schema else SCHEMA, **texts), ""
    file.write_text(with_modeline(text, file, project.directory), encoding="utf-8")
    say(f"{file} written; edit it, then: sendoff check, sendoff preview {name}, sendoff run {name}{left}")


def _read(project: Project, sample: Path | None, given: dict[str, str | None]) -> tuple[str, Inferred | None]:
    """The source that a sample is read with, as a line of the file, and the schema that is inferred from it."""
    path, inferred = f"inbox/*{ENDING}", None
    source, options = file_source(project, sample or Path(path), given)
    if sample is not None:
        inside = sample.absolute().is_relative_to(project.runner.home)
        path = str(sample.absolute().relative_to(project.runner.home) if inside else sample.absolute())
        inferred = infer_schema(source, sample)
    shown = "".join(f", {option}: {jsonlib.dumps(value)}" for option, value in options.items())
    return f"source: {{use: {source.name}, path: {as_scalar(path)}{shown}}}", inferred


def _from_cookbook(recipe: cookbook.Recipe, source: str, schema: Inferred | None, url: str | None) -> tuple[str, str]:
    """An API's connector file, with the fields of the sample if there is one; and what is left to say of it."""
    left = f"\nIt needs: {recipe.facts['needs']}"
    if schema is not None:
        missing = recipe.missing(list(schema.fields))
        recipe = recipe.reading(source, dict(zip(schema.fields, as_yaml(schema).splitlines()[1:], strict=False)))
        if missing:
            names = " or ".join(missing)
            left = f"\nThe file has no column named {names}: say in the connector's schema which one that is{left}"
    return (recipe if url is None else recipe.to(url)).text, left


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
