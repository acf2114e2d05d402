"""Filters pages down to the rows that are new, changed, or removed since they were delivered."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import polars as pl

from sendoff import jsonlib
from sendoff.errors import SourceError
from sendoff.incremental.fingerprints import KEY_BYTES, STATE_BYTES, RowFingerprints, fingerprint_rows, key_cells
from sendoff.incremental.key_index import KeyIndex, frame
from sendoff.incremental.rule import IncrementalRule
from sendoff.ledger import DeliveredRow, DeliveredRows, FilterSummary
from sendoff.records import Page, pages_of_mappings


class NewRowFilter:
    """One pass over a source for one connector: `new` yields the rows to deliver.

    Of rows with the same key the first one counts. A row without a key is invalid. While a row cannot be parsed
    (ragged, not JSON), none is reported as removed: it may be that one. After the pass, `unchanged` is the number
    of unchanged rows, and `summary` has the rows to remember at once.
    """

    def __init__(self, delivered: DeliveredRows, rule: IncrementalRule) -> None:
        self._rule = rule
        self._delivered = delivered
        begun = self._delivered.known_by
        self._first = begun is None
        #: Whether the columns differ from before: then states cannot be compared, and those of now are stored.
        self._same_columns = begun is not None and rule.check(begun)
        #: Whether rows were stored without their key cells, as removed rows were not sent then.
        self._lacks_key_cells = rule.removed and self._delivered.lacks_key_cells()
        self._before = KeyIndex(self._delivered.rows())
        self._seen = KeyIndex()
        #: Whether a row could not be parsed: then it is not known which rows were removed.
        self._unread_rows = False
        self.unchanged = 0
        self.kept_rows: list[int] = []
        self._to_remember: list[tuple[bytes, bytes, list[str] | None]] = []

    @property
    def summary(self) -> FilterSummary:
        """What the ledger stores of the run, once the pass is over."""
        return self._rule.summarize(self.unchanged, self._remembered())

    def new(self, pages: Iterable[Page]) -> Iterator[Page]:
        """The rows to deliver; removed ones last."""
        for page in pages:
            yield from self._filter_page(page)
        if self._rule.removed and not (self._first or self._unread_rows):
            yield from self._removed()

    def not_yet_delivered(self, pages: Iterable[Page]) -> Iterator[Page]:
        """Of rows that failed before, those not delivered since; `kept_rows` are their numbers, from 0."""
        before = 0
        for page in pages:
            prints = fingerprint_rows(page, self._rule)
            states = self._before.find(frame([key or bytes(16) for key in prints.keys], prints.states))
            same = [
                (state is None)
                if page.change == "removed"
                else state is not None and (not self._rule.resend or state.to_bytes(8) == now)
                for state, now in zip(states, prints.states, strict=True)
            ]
            self.unchanged += sum(same)
            kept = [at for at, known in enumerate(same) if not known]
            self.kept_rows += [before + at for at in kept]
            before += len(same)
            yield from _only(page, kept)

    def _filter_page(self, page: Page) -> Iterator[Page]:
        prints = fingerprint_rows(page, self._rule)
        self._unread_rows = self._unread_rows or bool(page.row_errors)
        for at, key in enumerate(prints.keys):
            if key is None and at not in page.row_errors:
                named = ", ".join(self._rule.key)
                page = replace(
                    page, row_errors={**page.row_errors, at: f"{named}: incremental knows rows by it, and it is null"}
                )
        sound = [at for at in range(page.frame.height) if at not in page.row_errors]
        rows = self._first_of_each(sound, prints)
        before = self._before.find(rows)
        rows = rows.with_columns(before=before)
        new = rows.filter(pl.col("before").is_null())["at"].to_list()
        changed: list[int] = []
        if self._rule.resend and not self._same_columns:
            changed = rows.filter(pl.col("before") != pl.col("state"))["at"].to_list()
        if self._same_columns or self._lacks_key_cells:
            old = rows.filter(pl.col("before").is_not_null())
            self._note(page, old["at"].to_list(), prints, old["state" if self._same_columns else "before"])
        if self._first and self._rule.initial_load == "skip":
            self._note(page, new, prints)
            new = []
        self.unchanged += len(sound) - len(new) - len(changed)
        yield from _only(page, sorted([*new, *page.row_errors]))
        yield from _only(replace(page, change="changed"), changed)

    def _first_of_each(self, sound: Sequence[int], prints: RowFingerprints) -> pl.DataFrame:
        """The rows whose key was not seen in this pass."""
        keys = [prints.keys[at] or b"" for at in sound]
        rows = frame(keys, [prints.states[at] for at in sound]).with_columns(at=pl.Series(sound, dtype=pl.Int64))
        rows = rows.unique(["a", "b"], keep="first", maintain_order=True)
        rows = rows.filter(self._seen.find(rows).is_null())
        self._seen.add(rows.with_columns(state=pl.lit(0, dtype=pl.UInt8)))
        return rows

    def _note(self, page: Page, rows: Sequence[int], prints: RowFingerprints, states: pl.Series | None = None) -> None:
        texts = key_cells(page, self._rule) if self._rule.removed else None
        stored = [prints.states[at] for at in rows] if states is None else [state.to_bytes(8) for state in states]
        keys = b"".join(prints.keys[at] or b"" for at in rows)
        self._to_remember.append((keys, b"".join(stored), [texts[at] for at in rows] if texts else None))

    def _remembered(self) -> Iterator[DeliveredRow]:
        """The rows to remember at once. Kept as a few long strings, as they may be all rows of the source."""
        for keys, states, texts in self._to_remember:
            for at in range(len(states) // STATE_BYTES):
                key = keys[KEY_BYTES * at : KEY_BYTES * (at + 1)]
                yield DeliveredRow(key, states[STATE_BYTES * at : STATE_BYTES * (at + 1)], texts[at] if texts else None)

    def _removed(self) -> Iterator[Page]:
        gone: list[str] = []
        for some in self._delivered.key_cells():
            keys = frame([key for key, _ in some], [bytes(8)] * len(some))
            gone += [some[at][1] for at in self._seen.find(keys).is_null().arg_true()]
        known = len(self._before)
        if len(gone) > max(10, self._rule.max_removed_share * known):
            raise SourceError(
                f"{len(gone):,} of {known:,} known rows are no longer there, which is more than "
                f"incremental.on_removed.max_share allows ({self._rule.max_removed_share:g}); nothing was sent"
            )
        for mark in ("text", "typed"):
            rows = [jsonlib.loads(row) for row in gone if row.startswith(f'{{"{mark}"')]
            found = [row[mark] for row in rows]
            for page in pages_of_mappings(found, file="gone", lines=range(1, len(found) + 1), max_columns=sys.maxsize):
                cells = page.frame.cast(pl.String) if mark == "text" else page.frame
                yield replace(page, frame=cells, all_text=mark == "text", change="removed", missing_keys={})


def _only(page: Page, rows: Sequence[int]) -> Iterator[Page]:
    """These rows of a page, if there are any."""
    if not rows:
        return
    faults = {new: page.row_errors[old] for new, old in enumerate(rows) if old in page.row_errors}
    missing = {name: mask.gather(list(rows)) for name, mask in page.missing_keys.items()}
    lines = [int(page.lines[at]) for at in rows]
    yield replace(page, frame=page.frame[list(rows)], lines=lines, row_errors=faults, missing_keys=missing)
