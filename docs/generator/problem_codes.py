"""The page on the codes of problems."""

from __future__ import annotations

from collections.abc import Iterator

from sendoff.errors.codes import CODES

from .page import Page


def _codes() -> Iterator[str]:
    yield "What `sendoff check` reports has one of these codes, which stay as they are.\n"
    yield "| code | cause | what to do |\n| --- | --- | --- |"
    yield from (f"| `{code}` | {cause} | {fix} |" for code, (cause, fix) in CODES.items())


PAGES = [Page("problem-codes", "Problem codes", "What `sendoff check` reports, by its code, with cause and fix.", _codes)]
