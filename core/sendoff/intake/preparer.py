"""What a run reads: its connector's source, or what was spooled of it; and what is remembered when it is over."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sendoff import jsonlib
from sendoff.components import Source
from sendoff.config.connector import Connector
from sendoff.errors import ConfigError, LedgerError
from sendoff.incremental import Rule, Sift, settle
from sendoff.intake.reading import yielded
from sendoff.ledger import Ledger, RunState, history, spool, state_dir
from sendoff.records import Page, pages


class Intake:
    """Begins a connector's runs, and goes on with them, by the ledger of a state directory."""

    def __init__(self, ledger: Ledger, chosen: Connector, state: Path) -> None:
        self._ledger, self._chosen, self._state = ledger, chosen, state
        self._memory = ledger.memory(chosen.name)
        chosen.source.state = state

    def begin(self, records: Any) -> tuple[RunState, Source]:
        """A new run, from the connector's source or from given records.

        What cannot be read twice, and what only new rows are taken from, is spooled before the run begins.
        """
        chosen = self._chosen
        if records is None:
            self._check_columns(chosen.source)
            if chosen.only_new is None and (fingerprint := chosen.source.fingerprint()) is not None:
                return self._ledger.begin(chosen.name, shape=chosen.shape, fingerprint=fingerprint), chosen.source
        sift = self._sift()
        incoming = self.incoming() if records is None else pages(records)
        kept = self._spooled(sift.new(incoming) if sift else incoming)
        self._check_columns(kept)
        reached = chosen.source.reached if records is None else None
        state = self._ledger.begin(
            chosen.name, shape=chosen.shape, fingerprint=kept.fingerprint(), source="spool",
            cursor=None if reached is None else jsonlib.dumps(reached), sifted=sift.sifted if sift else None,
        )  # fmt: skip
        return state, self._named(kept, state)

    def incoming(self) -> Iterator[Page]:
        """The source's pages, from where the last run that counts has read it to."""
        self._chosen.source.reached = None
        cursor = self._ledger.cursor(self._chosen.name)
        return pages(yielded(self._chosen.source, None if cursor is None else jsonlib.loads(cursor)))

    def coming(self) -> Iterator[Page]:
        """The pages that the next run would deliver."""
        sift = self._sift()
        return sift.new(self.incoming()) if sift else self.incoming()

    def begin_retry(self, run: int, records: Any) -> tuple[RunState, Source]:
        """A new run of another's failed records, or of what they were corrected to."""
        chosen = self._chosen
        fingerprint = history.Failed(self._state, run).fingerprint()
        if fingerprint is None:
            raise ConfigError(f"run {run} has no failed records that were not retried already")
        sift = self._sift() if self._memory.begun else None
        if records is None and sift is None:
            state = self._ledger.begin(chosen.name, shape=chosen.shape, fingerprint=fingerprint, source="retry", retry_of=run)
            return state, history.Failed(self._state, run, retried_by=state.id)
        given = pages(history.Failed(self._state, run).read(None) if records is None else records)
        kept = self._spooled(sift.again(given) if sift else given)
        self._check_columns(kept)
        state = self._ledger.begin(
            chosen.name, shape=chosen.shape, fingerprint=kept.fingerprint(), source="spool", retry_of=run,
            sifted=sift.sifted if sift else None,
        )  # fmt: skip
        return state, self._named(kept, state)

    def go_on(self, left: RunState, records: Any) -> tuple[RunState, Source]:
        """The run that was cut short, from the source it had."""
        source: Source = self._chosen.source
        if left.source == "retry" and left.retry_of is not None:
            source = history.Failed(self._state, left.retry_of, retried_by=left.id)
        elif left.source == "spool":
            source = spool.Spool(self._spool(left.id))
        if records is not None:
            self._same_records(left, source, records)
        shape, fingerprint = self._chosen.shape, source.fingerprint() or b""
        return self._ledger.resume(left, shape=shape, fingerprint=fingerprint, what="its source"), source

    def end(self, run: int) -> None:
        """A run is over, for now or for good: what it delivered is remembered, and what is not needed any more let go."""
        self.settle()
        left = self._ledger.unfinished(self._chosen.name)
        if left is None or left.id != run:
            self._spool(run).unlink(missing_ok=True)

    def settle(self) -> None:
        """Remember what the connector's runs delivered, also those whose process ended before it could."""
        for run, rule in self._memory.owed():
            kept = spool.Spool(self._spool(run))
            if not kept.file.exists():
                raise LedgerError(f"{kept.file} is missing, and with it which rows run {run} of {self._chosen.name} delivered")
            settle(self._memory, run, Rule.read(rule), kept.read(None))

    def _sift(self) -> Sift | None:
        rule = self._chosen.only_new
        return None if rule is None else Sift(self._memory, rule)

    def _same_records(self, left: RunState, source: Source, records: Any) -> None:
        given = self._spooled(pages(records))
        same = given.fingerprint() == source.fingerprint()
        given.file.unlink()
        if not same:
            name = self._chosen.name
            raise ConfigError(
                f"run {left.id} of {name} was cut short, and these are not its records; "
                f"finish it with `sendoff run {name}`, or give up what is left of it with --restart"
            )

    def _check_columns(self, source: Source) -> None:
        """What can be known before anything is planned: that the columns are the schema's."""
        for file, columns in source.columns():
            self._chosen.schema.check_columns(file, columns)

    def _spooled(self, incoming: Iterable[Page]) -> spool.Spool:
        return spool.write(self._state / "spool" / f"{uuid.uuid4().hex}.new", incoming)

    def _named(self, kept: spool.Spool, state: RunState) -> spool.Spool:
        """The spool under its run's number, by which it will be found again."""
        kept.file = kept.file.replace(self._spool(state.id))
        state_dir.sync_directory(kept.file.parent)
        return kept

    def _spool(self, run: int) -> Path:
        return self._state / "spool" / f"{run}.pages"
