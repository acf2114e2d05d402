"""After a run: what it delivered is remembered, by the ledger's own account of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sendoff.incremental.fingerprints import fingerprint_rows, key_cells
from sendoff.incremental.rule import IncrementalRule
from sendoff.ledger import DeliveredRow, DeliveredRows, Ranges
from sendoff.records import Page


def remember_delivered(delivered_rows: DeliveredRows, run: int, rule: IncrementalRule, pages: Iterable[Page]) -> None:
    """Remember the delivered rows of a run, and forget those it delivered as removed.

    `pages` are what the run read. May be done twice: the second time changes nothing.
    """
    invalid, delivered = delivered_rows.run_account(run)
    delivered_rows.record_run(run, _delivered_rows(rule, pages, invalid, delivered))


def _delivered_rows(
    rule: IncrementalRule, pages: Iterable[Page], invalid: set[int], delivered: Ranges
) -> Iterator[DeliveredRow]:
    row = ordinal = 0
    for page in map(Page.to_python, pages):
        rows = []
        for at in range(page.frame.height):
            if row not in invalid:
                if ordinal in delivered:
                    rows.append(at)
                ordinal += 1
            row += 1
        if not rows:
            continue
        prints = fingerprint_rows(page, rule)
        texts = key_cells(page, rule) if rule.removed else None
        for at in rows:
            key = prints.keys[at]
            if key is not None:
                yield DeliveredRow(key, prints.states[at], texts[at] if texts else None, is_removed=page.change == "removed")


def as_delivered(rule: IncrementalRule, pages: Iterable[Page]) -> Iterator[DeliveredRow]:
    """Rows to remember although nobody took them: their owner gave them up."""
    for page in map(Page.to_python, pages):
        prints = fingerprint_rows(page, rule)
        texts = key_cells(page, rule) if rule.removed else [None] * page.frame.height
        for key, state, text in zip(prints.keys, prints.states, texts, strict=True):
            if key is not None:
                yield DeliveredRow(key, state, text, is_removed=page.change == "removed")


def as_undelivered(rule: IncrementalRule, known: DeliveredRows, pages: Iterable[Page]) -> Iterator[DeliveredRow]:
    """What to store so that rows given up count as not delivered again; nothing for rows that were delivered since then.

    A new one is forgotten, one that had changed is known by a digest that no row has, and one removed is known again.
    """
    for page in pages:
        rows = list(as_delivered(rule, [page]))
        found = known.find([row.key for row in rows])
        for row in rows:
            if row.is_removed:
                if row.key not in found:
                    yield row._replace(is_removed=False)
            elif found.get(row.key) == row.state:
                changed = bytes(byte ^ 0xFF for byte in row.state)
                yield row._replace(state=changed) if page.change == "changed" else row._replace(is_removed=True)
