"""One record a request, as a form."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote_plus

import polars as pl

from sendoff.plugin import (
    KEY,
    MAX_BYTES,
    OMIT_NULL,
    WHOLE_RECORD,
    Block,
    Sender,
    TypedPage,
    encode_texts,
    form_of,
    hookimpl,
    option,
    placeholders,
    record_problem,
)


def check_form(field: str, value: Any, error: Callable[[str, str], None]) -> None:
    """Cerberus's `check_with` for a form's template."""
    if isinstance(value, Mapping):
        problem = f"{KEY} is for JSON bodies; let a header or the query carry it" if KEY in placeholders(value) else None
        if problem := problem or record_problem(value):
            error(field, problem)


class Form(Sender):
    """Send each record by itself, as a browser sends a form (`application/x-www-form-urlencoded`)."""

    name = "form"
    max_records = 1
    separator = b"\n"
    content_type = "application/x-www-form-urlencoded"
    options = {
        "max_bytes": MAX_BYTES,
        "record": option(
            "The form's names and values: `{From: shop, To: $phone, meta: {id: $id}}`, of which the last is named `meta[id]`.",
            type="dict", minlength=1, nullable=True, default=None, check_with=check_form,
        ),
        "lists": option(
            "How the values of a list in `record` are named: `a[0]`, `a[]`, or `a` each time.",
            type="string", allowed=["indexed", "brackets", "repeated"], default="indexed",
        ),
        "omit_null": OMIT_NULL,
    }  # fmt: skip

    lists: str

    def write(self, page: TypedPage) -> Block:
        """Write forms per WHATWG URL §5.2: text unchanged, everything else as its JSON, an empty text for a null."""
        named = list(self._named("", WHOLE_RECORD if self.record is None else self.record, page))
        if not named:
            return self.block([""] * page.frame.height)
        names = [quote_plus(name) for name, _ in named]
        return self.block(
            "&".join(
                f"{name}={quote_plus(value or '')}"
                for name, value in zip(names, row, strict=True)
                if value is not None or not self.omit_null
            )
            for row in zip(*(column.to_list() for _, column in named), strict=True)
        )

    def _named(self, name: str, template: Any, page: TypedPage) -> Iterator[tuple[str, pl.Series]]:
        """Each name of the form, with its text in every record."""
        if template == WHOLE_RECORD:
            texts = page.texts()
            yield from ((f"{name}[{column}]" if name else column, texts[column]) for column in texts.columns)
        elif isinstance(template, Mapping) and form_of(template) is None:
            for key, value in template.items():
                yield from self._named(f"{name}[{key}]" if name else str(key), value, page)
        elif isinstance(template, list):
            for at, value in enumerate(template):
                end = {"indexed": f"[{at}]", "brackets": "[]", "repeated": ""}[self.lists]
                yield from self._named(name + end, value, page)
        else:
            yield name, encode_texts(page, template)


@hookimpl
def sendoff_senders() -> list[type[Sender]]:
    return [Form]
