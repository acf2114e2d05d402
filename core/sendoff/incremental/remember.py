"""After a run: what it delivered is remembered, by the ledger's own account of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sendoff.incremental.fingerprints import held, prints_of
from sendoff.incremental.rule import Rule
from sendoff.ledger import Memory, Ranges, Remembered
from sendoff.records import Page


def settle(memory: Memory, run: int, rule: Rule, pages: Iterable[Page]) -> None:
    """Remember the delivered rows of a run, and forget those it delivered as removed.

    `pages` are what the run read. May be done twice: the second time changes nothing.
    """
    invalid, delivered = memory.account(run)
    memory.settle(run, _told(rule, pages, invalid, delivered))


def _told(rule: Rule, pages: Iterable[Page], invalid: set[int], delivered: Ranges) -> Iterator[Remembered]:
    row = ordinal = 0
    for page in map(Page.plain, pages):
        rows = []
        for at in range(page.frame.height):
            if row not in invalid:
                if ordinal in delivered:
                    rows.append(at)
                ordinal += 1
            row += 1
        if not rows:
            continue
        prints = prints_of(page, rule)
        texts = held(page, rule) if rule.removed else None
        for at in rows:
            key = prints.keys[at]
            if key is not None:
                yield Remembered(key, prints.states[at], texts[at] if texts else None, gone=page.change == "removed")


def passed_over(rule: Rule, pages: Iterable[Page]) -> Iterator[Remembered]:
    """Rows to remember although nobody took them: their owner gave them up."""
    for page in map(Page.plain, pages):
        prints = prints_of(page, rule)
        texts = held(page, rule) if rule.removed else [None] * page.frame.height
        for key, state, text in zip(prints.keys, prints.states, texts, strict=True):
            if key is not None:
                yield Remembered(key, state, text, gone=page.change == "removed")
