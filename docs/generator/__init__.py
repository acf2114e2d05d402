"""Writes the generated pages of the documentation: the reference, the cookbook, the faults, and the states of a delivery.

A page of the reference is a `Page` in the `PAGES` of a module here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests import catalogue

from . import (
    apis,
    commands,
    comparison,
    components,
    connectors,
    delivery,
    monitoring,
    outputs,
    problem_codes,
    python,
    way,
)
from .page import DOCS, REFERENCE, Page, tidy

#: The reference in the order of its list.
GROUPS: dict[str, list[Page]] = {
    "Connector files": connectors.PAGES,
    "Components": components.PAGES,
    "Command line": [*commands.PAGES, *outputs.PAGES, *problem_codes.PAGES],
    "Monitoring": monitoring.PAGES,
    "Python": python.PAGES,
}


def pages() -> dict[Path, str]:
    """Every generated page, by its file, as it should be."""
    written = {page.file: page.text() for group in GROUPS.values() for page in group}
    return {
        REFERENCE / "README.md": tidy(_list()),
        **written,
        **apis.pages(),
        DOCS / "faults.md": catalogue.page(),
        comparison.PAGE: comparison.text(),
        delivery.PAGE: delivery.text(),
        **delivery.pictures(),
        **way.pictures(),
    }


def _list() -> Iterator[str]:
    yield "# Reference\n\nGenerated from the code by `make docs`; a test holds it to it."
    for title, group in GROUPS.items():
        yield f"\n## {title}\n"
        yield from (f"- [{page.title}]({page.name}.md): {page.summary}" for page in group)


def stale() -> list[Path]:
    """Pages that were generated once, and are not any more."""
    made = {file for folder in (REFERENCE, apis.APIS, DOCS / "states") for file in folder.iterdir()}
    return sorted(made - set(pages()))
