"""Filters pages down to the rows that are new, changed, or removed since they were delivered."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import polars as pl

from sendoff import jsonlib
from sendoff.errors import SourceError
from sendoff.incremental.fingerprints import (
    KEY_BYTES,
    OLD_STATE_BYTES,
    STATE_BYTES,
    fingerprint_rows,
    key_cells,
    old_states,
    state_digests,
)
from sendoff.incremental.key_index import KeyIndex, frame, split
from sendoff.incremental.known_digests import KnownDigests
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
        self._other_columns = begun is not None and rule.check(begun)
        #: How many rows are known, where it matters how many were removed.
        self._known_rows, with_cells = delivered.counts() if rule.removed and not self._first else (0, 0)
        #: Whether rows were stored without their key cells, as removed rows were not sent then.
        self._lacks_key_cells = with_cells < self._known_rows
        #: The states of known rows, unless each of them has to be stored once more.
        self._known = KnownDigests(() if self._other_columns or self._lacks_key_cells else delivered.digests())
        #: The keys of the other rows in this pass.
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
            self._unread_rows = self._unread_rows or bool(page.row_errors)
            places = self._places(page)
            rest = places.is_null().arg_true().to_list()
            self.unchanged += page.frame.height - len(rest)
            for unknown in _only(page, rest):
                yield from self._filter_page(unknown, rest, places)
            self._known.see(places)
        if self._rule.removed and not (self._first or self._unread_rows):
            yield from self._removed()

    def not_yet_delivered(self, pages: Iterable[Page]) -> Iterator[Page]:
        """Of rows that failed before, those not delivered since; `kept_rows` are their numbers, from 0."""
        before = 0
        for page in pages:
            keys, states = fingerprint_rows(page, self._rule)
            stored = self._delivered.find([key for key in keys if key is not None])
            old = old_states(page, self._rule) if _any_old(stored) else states
            same = [
                (key not in stored)
                if page.change == "removed"
                else key in stored and (not self._rule.resend or stored[key] in now)
                for key, now in zip(keys, zip(states, old, strict=True), strict=True)
            ]
            self.unchanged += sum(same)
            kept = [at for at, known in enumerate(same) if not known]
            self.kept_rows += [before + at for at in kept]
            before += len(same)
            yield from _only(page, kept)

    def _places(self, page: Page) -> pl.Series:
        """Where among the known states that of each row is. Those rows are unchanged; null for the others."""
        if not len(self._known):
            return self._known.find(frame([bytes(STATE_BYTES)] * page.frame.height))
        places = self._known.find(split(state_digests(page, self._rule)))
        return places.scatter(list(page.row_errors), None) if page.row_errors else places

    def _filter_page(self, page: Page, numbers: Sequence[int], places: pl.Series) -> Iterator[Page]:
        """Of rows whose state is not known, those to deliver. `numbers` are theirs in a page that has these `places`."""
        keys, states = fingerprint_rows(page, self._rule)
        for at, key in enumerate(keys):
            if key is None and at not in page.row_errors:
                named = ", ".join(self._rule.key)
                page = replace(
                    page, row_errors={**page.row_errors, at: f"{named}: incremental knows rows by it, and it is null"}
                )
        first = self._first_of_each({at: key for at, key in enumerate(keys) if key is not None and at not in page.row_errors})
        stored = self._delivered.find([*first.values()])
        known = {at: stored[key] for at, key in first.items() if key in stored}
        stored_at = self._known.find(frame([state.rjust(STATE_BYTES, b"\0") for state in known.values()]))
        seen_at = {place: at for at, place in reversed([*enumerate(places)])} if known else {}
        again = [
            was_seen or (place is not None and seen_at.get(place, numbers[at]) < numbers[at])
            for at, place, was_seen in zip(known, stored_at, self._known.was_seen(stored_at), strict=True)
        ]
        self._known.see(stored_at)
        # What was seen before in the state that is stored is a row with the same key, and that one counts.
        known = {at: state for at, state, twice in zip(known, known.values(), again, strict=True) if not twice}
        old = old_states(page, self._rule) if _any_old(stored) else states
        compares = self._rule.resend and not self._other_columns
        changed = {at: state for at, state in known.items() if compares and state not in (states[at], old[at])}
        stale = {at: states[at] for at, state in known.items() if at not in changed and state != states[at]}
        self._note(page, keys, known | changed | stale if self._lacks_key_cells else stale)
        new = [at for at, key in first.items() if key not in stored]
        if self._first and self._rule.initial_load == "skip":
            self._note(page, keys, {at: states[at] for at in new})
            new = []
        self.unchanged += page.frame.height - len(page.row_errors) - len(new) - len(changed)
        yield from _only(page, sorted([*new, *page.row_errors]))
        yield from _only(replace(page, change="changed"), [*changed])

    def _first_of_each(self, keys: Mapping[int, bytes]) -> dict[int, bytes]:
        """The rows whose key was not among the unknown rows of this pass before."""
        rows = frame([*keys.values()]).with_columns(at=pl.Series([*keys], dtype=pl.Int64))
        rows = rows.unique(["a", "b"], keep="first", maintain_order=True)
        rows = rows.filter(~self._seen.has(rows))
        self._seen.add(rows)
        return {at: keys[at] for at in rows["at"]}

    def _note(self, page: Page, keys: Sequence[bytes | None], states: Mapping[int, bytes]) -> None:
        """Remember these rows at once, with these states."""
        texts = key_cells(page, self._rule) if self._rule.removed and states else []
        for size in (STATE_BYTES, OLD_STATE_BYTES):
            rows = [at for at, state in states.items() if len(state) == size]
            joined = b"".join(keys[at] or b"" for at in rows), b"".join(states[at] for at in rows)
            if rows:
                self._to_remember.append((*joined, [texts[at] for at in rows] if texts else None))

    def _remembered(self) -> Iterator[DeliveredRow]:
        """The rows to remember at once. Kept as a few long strings, as they may be all rows of the source."""
        for keys, states, texts in self._to_remember:
            size = len(states) * KEY_BYTES // len(keys)
            for at in range(len(keys) // KEY_BYTES):
                key = keys[KEY_BYTES * at : KEY_BYTES * (at + 1)]
                yield DeliveredRow(key, states[size * at : size * (at + 1)], texts[at] if texts else None)

    def _removed(self) -> Iterator[Page]:
        unseen = set(self._known.unseen())
        if len(self._known) == self._known_rows and not unseen:
            return
        gone: list[str] = []
        for some in self._delivered.key_cells():
            left = [row for row in some if not len(self._known) or row[1] in unseen or len(row[1]) != STATE_BYTES]
            gone += [left[at][2] for at in (~self._seen.has(frame([key for key, _, _ in left]))).arg_true()]
        known = self._known_rows
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


def _any_old(stored: Mapping[bytes, bytes]) -> bool:
    """Whether a row was stored by a version that had shorter states."""
    return any(len(state) == OLD_STATE_BYTES for state in stored.values())


def _only(page: Page, rows: Sequence[int]) -> Iterator[Page]:
    """These rows of a page, if there are any."""
    if len(rows) == page.frame.height:
        yield from [page] if len(rows) else []
        return
    if not rows:
        return
    faults = {new: page.row_errors[old] for new, old in enumerate(rows) if old in page.row_errors}
    missing = {name: mask.gather(list(rows)) for name, mask in page.missing_keys.items()}
    lines = [int(page.lines[at]) for at in rows]
    yield replace(page, frame=page.frame[list(rows)], lines=lines, row_errors=faults, missing_keys=missing)
