"""A page for each kind of components, with every built-in one and its options."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from sendoff.components import KINDS
from sendoff.registry import Registry

from .page import Page, inside, options


def _page(kind: str) -> Page:
    def lines() -> Iterator[str]:
        for name, offer in Registry().offers(kind).items():
            yield f"\n## {name}\n\n{inspect.getdoc(offer.component)}\n"
            if kind == "sources":
                yield f"[An example](../sources/{name}.md)\n"
            if offer.component.options:
                yield from options(offer.component.options)
                yield from inside(name, offer.component.options, "###")

    summary = (inspect.getdoc(KINDS[kind]) or "").partition("\n\n")[0].replace("\n", " ")
    return Page(kind.replace("_", "-"), kind.replace("_", " ").capitalize(), summary, lines)


PAGES = [_page(kind) for kind in KINDS]
