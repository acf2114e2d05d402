"""Pages in, and of their rows only those that are new, that changed, or that went away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import polars as pl

from sendoff import jsonlib
from sendoff.errors import SourceError
from sendoff.incremental.fingerprints import KEY_BYTES, STATE_BYTES, Prints, held, prints_of
from sendoff.incremental.key_index import Known, frame
from sendoff.incremental.rule import Rule
from sendoff.ledger import Memory, Remembered, Sifted
from sendoff.records import PAGE_ROWS, Page, from_mappings


class Sift:
    """One walk over a source for one connector: `new` yields what is to be delivered.

    Of rows with the same key the first one counts. A row without a key is set aside as invalid. While there is a row
    that cannot be read (ragged, no JSON), none is taken for gone: it may be that one. When the walk is over, `known`
    says how many rows were known already, and `sifted` has what is to be remembered at once.
    """

    def __init__(self, memory: Memory, rule: Rule) -> None:
        self._rule = rule
        self._memory = memory
        begun = self._memory.begun
        self._first = begun is None
        #: Another set of columns than before: their states cannot be compared, and are taken as they are now.
        self._anew = begun is not None and rule.check(begun)
        #: Rows that were remembered while nobody asked for removed ones.
        self._unheld = rule.removed and self._memory.unheld()
        self._before = Known(self._memory.rows())
        self._seen = Known()
        #: Whether a row was there that nobody could read: then it cannot be told which rows are not.
        self._unread = False
        self.known = 0
        self._noted: list[tuple[bytes, bytes, list[str] | None]] = []

    @property
    def sifted(self) -> Sifted:
        """What the ledger notes of the run, once the walk is over."""
        return self._rule.sifted(self.known, self._remembered())

    def new(self, pages: Iterable[Page]) -> Iterator[Page]:
        """The rows to deliver. What is no longer there comes last."""
        for page in pages:
            yield from self._sifted(page.read())
        if self._rule.removed and not (self._first or self._unread):
            yield from self._removed()

    def again(self, pages: Iterable[Page]) -> Iterator[Page]:
        """Of rows that failed before, those that nobody has delivered since."""
        for page in map(Page.read, pages):
            prints = prints_of(page.plain(), self._rule)
            states = self._before.find(frame([key or bytes(16) for key in prints.keys], prints.states))
            same = [
                (state is None)
                if page.change == "removed"
                else state is not None and (not self._rule.resend or state.to_bytes(8) == now)
                for state, now in zip(states, prints.states, strict=True)
            ]
            self.known += sum(same)
            yield from _only(page, [at for at, known in enumerate(same) if not known])

    def _sifted(self, page: Page) -> Iterator[Page]:
        prints = prints_of(page.plain(), self._rule)
        self._unread = self._unread or bool(page.faults)
        for at, key in enumerate(prints.keys):
            if key is None and at not in page.faults:
                named = ", ".join(self._rule.key)
                page = replace(page, faults={**page.faults, at: f"{named}: only_new knows rows by it, and it is null"})
        sound = [at for at in range(page.frame.height) if at not in page.faults]
        rows = self._first_of_each(sound, prints)
        before = self._before.find(rows)
        rows = rows.with_columns(before=before)
        new = rows.filter(pl.col("before").is_null())["at"].to_list()
        changed: list[int] = []
        if self._rule.resend and not self._anew:
            changed = rows.filter(pl.col("before") != pl.col("state"))["at"].to_list()
        if self._anew or self._unheld:
            old = rows.filter(pl.col("before").is_not_null())
            self._note(page, old["at"].to_list(), prints, old["state" if self._anew else "before"])
        if self._first and self._rule.first_run == "skip":
            self._note(page, new, prints)
            new = []
        self.known += len(sound) - len(new) - len(changed)
        yield from _only(page, sorted([*new, *page.faults]))
        yield from _only(replace(page, change="changed"), changed)

    def _first_of_each(self, sound: Sequence[int], prints: Prints) -> pl.DataFrame:
        """The rows whose key has not been seen in this walk."""
        keys = [prints.keys[at] or b"" for at in sound]
        rows = frame(keys, [prints.states[at] for at in sound]).with_columns(at=pl.Series(sound, dtype=pl.Int64))
        rows = rows.unique(["a", "b"], keep="first", maintain_order=True)
        rows = rows.filter(self._seen.find(rows).is_null())
        self._seen.add(rows.with_columns(state=pl.lit(0, dtype=pl.UInt8)))
        return rows

    def _note(self, page: Page, rows: Sequence[int], prints: Prints, states: pl.Series | None = None) -> None:
        texts = held(page.plain(), self._rule) if self._rule.removed else None
        told = [prints.states[at] for at in rows] if states is None else [state.to_bytes(8) for state in states]
        keys = b"".join(prints.keys[at] or b"" for at in rows)
        self._noted.append((keys, b"".join(told), [texts[at] for at in rows] if texts else None))

    def _remembered(self) -> Iterator[Remembered]:
        """What is to be remembered at once: kept as few long strings, as it may be all rows of the source."""
        for keys, states, texts in self._noted:
            for at in range(len(states) // STATE_BYTES):
                key = keys[KEY_BYTES * at : KEY_BYTES * (at + 1)]
                yield Remembered(key, states[STATE_BYTES * at : STATE_BYTES * (at + 1)], texts[at] if texts else None)

    def _removed(self) -> Iterator[Page]:
        gone: list[str] = []
        for some in self._memory.held():
            keys = frame([key for key, _ in some], [bytes(8)] * len(some))
            gone += [some[at][1] for at in self._seen.find(keys).is_null().arg_true()]
        whole = len(self._before)
        if len(gone) > max(10, self._rule.most_removed * whole):
            raise SourceError(
                f"{len(gone):,} of {whole:,} known rows are no longer there, which is more than "
                f"only_new.on_removed.most allows ({self._rule.most_removed:g}); nothing was sent"
            )
        for mark in ("text", "typed"):
            rows = [jsonlib.loads(row) for row in gone if row.startswith(f'{{"{mark}"')]
            for at in range(0, len(rows), PAGE_ROWS):
                page = from_mappings([row[mark] for row in rows[at : at + PAGE_ROWS]])
                cells = page.frame.cast(pl.String) if mark == "text" else page.frame
                lines = range(at + 1, at + 1 + cells.height)
                yield Page(cells, "gone", lines, text=mark == "text", fixed=False, change="removed")


def _only(page: Page, rows: Sequence[int]) -> Iterator[Page]:
    """These rows of a page, if there are any."""
    if not rows:
        return
    faults = {new: page.faults[old] for new, old in enumerate(rows) if old in page.faults}
    absent = {name: mask.gather(list(rows)) for name, mask in page.absent.items()}
    lines = [int(page.lines[at]) for at in rows]
    yield replace(page, frame=page.frame[list(rows)], lines=lines, faults=faults, absent=absent, json=None, unread=None)
