"""`sendoff plugins`: list and explain components."""

from __future__ import annotations

import inspect

import click

from sendoff.cli.group import Project
from sendoff.cli.output import as_json, json_option, say, table
from sendoff.components import KINDS
from sendoff.config.declarations import options_of
from sendoff.errors import ConfigError
from sendoff.registry import Offer, Registry
from sendoff.runner import Runner


@click.command("plugins")
@click.argument("name", required=False)
@json_option
@click.pass_obj
def command(project: Project, name: str | None, to_json: bool) -> None:
    """List the components that connectors may use, or explain one.

    Example: `sendoff plugins csv`
    """
    offers = _offers(project.runner, name)
    if to_json:
        as_json([_as_dict(kind, offer, project.runner.registry) for kind, offer in offers])
    elif name is None:
        table(["kind", "name", "what it does", "from"], [[kind, o.component.name, o.summary, o.provider] for kind, o in offers])
        if skipped := project.runner.registry.skipped:
            say(f"\nnot loaded, as they are not allowed: {', '.join(skipped)}")
    else:
        for kind, offer in offers:
            _explain(kind, offer, project.runner.registry)


def _offers(runner: Runner, name: str | None) -> list[tuple[str, Offer]]:
    registry: Registry = runner.registry
    found = [(kind, offer) for kind in KINDS for key, offer in registry.offers(kind).items() if name in (None, key)]
    if not found:
        raise ConfigError(f"no component is named {name!r}; `sendoff plugins` lists them")
    return found


def _explain(kind: str, offer: Offer, registry: Registry) -> None:
    say(f"{offer.component.name} ({kind}, from {offer.provider})\n\n{inspect.getdoc(offer.component)}\n")
    rows = list(options_of(offer.component.options, registry))
    if rows:
        table(["option", "type", "default", "what it is"], rows)


def _as_dict(kind: str, offer: Offer, registry: Registry) -> dict[str, object]:
    names = ("name", "type", "default", "help")
    options = [dict(zip(names, option, strict=True)) for option in options_of(offer.component.options, registry)]
    return {"kind": kind, "name": offer.component.name, "summary": offer.summary, "from": offer.provider, "options": options}
