"""Which source a run reads (the connector's, or its spool), and what is remembered when the run is over."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from sendoff import jsonlib
from sendoff.components import Source
from sendoff.config.connector import Connector
from sendoff.errors import ConfigError, Interrupted, LedgerError, SourceError
from sendoff.incremental import IncrementalRule, NewRowFilter, remember_delivered
from sendoff.intake import corrections, retries
from sendoff.intake.corrections import Corrections
from sendoff.intake.prefetch import prefetch
from sendoff.intake.reading import read_source, source_errors
from sendoff.ledger import Claim, Ledger, RecordKey, RunState, open_history, spool, state_dir
from sendoff.ledger.history import Failed
from sendoff.records import Page, pages
from sendoff.transport import rate_limit


class RunPreparer:
    """Starts and resumes a connector's runs, with the ledger of a state directory."""

    def __init__(
        self, ledger: Ledger, chosen: Connector, state: Path, *, interrupted: Callable[[], str | None] = lambda: None
    ) -> None:
        self._ledger, self._chosen, self._state = ledger, chosen, state
        self._history = open_history(state)
        self._interrupted = interrupted
        self._delivered_rows = ledger.delivered_rows(chosen.name)
        chosen.source.state = state

    def start(self, records: Any) -> tuple[RunState, Source]:
        """A new run, from the connector's source or from given records.

        What cannot be read twice, and what only new rows are taken from, is spooled before the run begins.
        """
        chosen = self._chosen
        if records is None:
            self._check_columns(chosen.source)
            if chosen.incremental is None:
                quick, fingerprint = self._fingerprints(chosen.source)
                if fingerprint is not None:
                    return self._ledger.begin(
                        chosen.name, config_digest=chosen.config_digest, fingerprint=fingerprint, quick_fingerprint=quick
                    ), chosen.source
        row_filter = self._row_filter()
        incoming = self.new_pages() if records is None else self._until_interrupted(self._pages(records))
        kept = self._spool(row_filter.new(prefetch(incoming)) if row_filter else incoming)
        self._check_columns(kept)
        reached = chosen.source.next_cursor if records is None else None
        state = self._ledger.begin(
            chosen.name, config_digest=chosen.config_digest, fingerprint=kept.fingerprint(), source="spool",
            cursor=None if reached is None else jsonlib.dumps(reached),
            filter_summary=row_filter.summary if row_filter else None,
        )  # fmt: skip
        return state, self._rename_spool(kept, state)

    def warnings(self, run: int) -> Iterator[str]:
        """A warning for a new run that delivers once more what another one has delivered."""
        before = self._history.repeated_run(run)
        if before is not None:
            once = ", `once: true` under `source` each file once" if "once" in self._chosen.source.options else ""
            yield (
                f"{self._chosen.name}: its source is byte for byte what run {before} delivered, and is sent again; "
                f"with `incremental` in the connector file only new rows are sent{once}"
            )

    def new_pages(self) -> Iterator[Page]:
        """The source's pages, from where the last run that counts has read it to."""
        self._chosen.source.next_cursor = None
        cursor = self._ledger.cursor(self._chosen.name)
        read = read_source(self._chosen.source, None if cursor is None else jsonlib.loads(cursor))
        return self._until_interrupted(read)

    def preview_pages(self) -> Iterator[Page]:
        """The pages that the next run would deliver."""
        row_filter = self._row_filter()
        return row_filter.new(self.new_pages()) if row_filter else self.new_pages()

    def match(self, run: int, given: object, only: Collection[str] | None = None) -> Corrections:
        """Corrections, matched with the failed records of a run that they name; nothing is claimed."""
        return corrections.match(self._pages(given), run, self._history, self._chosen.schema, only=only)

    def start_retry(
        self, run: int, given: object = None, *, only: Collection[str] | None = None, add_new: bool = False
    ) -> tuple[RunState, Source]:
        """A new run of another's failed records that are open: all, `only` some, or those that corrections name."""
        retries.refuse_void(self._history, run)
        row_filter = self._row_filter() if self._delivered_rows.known_by else None
        if given is None:
            names = None if only is None else retries.named_keys(self._history, run, only)
            failed = Failed(self._history, run, only=names)
            keys = failed.keys()
            if not keys:
                raise ConfigError(retries.why_nothing(self._history, run))
            if row_filter is None:
                state = self._begin_retry(run, failed.fingerprint() or b"", keys, source="retry")
                return state, Failed(self._history, run, retried_by=state.id)
            incoming, skipped = failed.read(None), 0
        else:
            matched = self.match(run, given, only)
            if not add_new:
                matched.refuse_unknown()
            keys, incoming, skipped = matched.keys, matched.pages(), len(matched.delivered)
            if not (keys or matched.new):
                raise ConfigError(retries.why_nothing(self._history, run, matched))
        kept = self._spool(row_filter.not_yet_delivered(incoming) if row_filter else incoming)
        state = self._begin_retry(run, kept.fingerprint(), keys, skipped=skipped, row_filter=row_filter)
        return state, self._rename_spool(kept, state)

    def _begin_retry(
        self, run: int, fingerprint: bytes, keys: Sequence[RecordKey], *, source: str = "spool", skipped: int = 0,
        row_filter: NewRowFilter | None = None,
    ) -> RunState:  # fmt: skip
        kept = range(len(keys)) if row_filter is None else row_filter.kept_rows
        rows = {at: row for row, at in enumerate(kept)}
        return self._ledger.begin(
            self._chosen.name, config_digest=self._chosen.config_digest, fingerprint=fingerprint, source=source, retry_of=run,
            claimed=[Claim(key, rows.get(at)) for at, key in enumerate(keys)], skipped=skipped,
            filter_summary=row_filter.summary if row_filter else None,
        )  # fmt: skip

    def resume(self, left: RunState, records: object) -> tuple[RunState, Source]:
        """The interrupted run, with the source it had."""
        source: Source = self._chosen.source
        if left.source == "retry" and left.retry_of is not None:
            source = Failed(self._history, left.retry_of, retried_by=left.id)
        elif left.source == "spool":
            source = spool.Spool(self._spool_file(left.id))
        if records is not None:
            self._same_records(left, source, records)
        if left.mark is not None:
            with source_errors(source):
                fingerprint = source.digest_to(jsonlib.loads(left.mark))
        else:
            fingerprint = self._fingerprint(source) or b""
        digest = self._chosen.config_digest
        return self._ledger.resume(left, config_digest=digest, fingerprint=fingerprint, what="its source"), source

    def discard(self, left: RunState | None) -> None:
        """Forget the outage of the destination, and discard the rest of an interrupted run, if there is one."""
        self._ledger.forget_outage(rate_limit.origin(self._chosen.destination.url))
        if left is not None:
            self._ledger.discard(left)
            self.finish(left.id)

    def choose_for_uncertain(self, left: RunState | None, outcome: Literal["delivered", "rejected"]) -> None:
        """Settle the records of an interrupted run that may have been applied as its user says, when they are read.

        Raises `ConfigError` if there are none.
        """
        if left is None or not left.uncertain:
            raise ConfigError(
                "no unfinished run has records that were sent and may have been applied; "
                "run it without --maybe-applied; nothing was sent"
            )
        left.maybe_applied_as = outcome

    def finish(self, run: int) -> None:
        """A run has ended: remember what it delivered, and delete its spool unless it can be resumed."""
        self.remember_finished_runs()
        left = self._ledger.unfinished(self._chosen.name)
        if left is None or left.id != run:
            self._spool_file(run).unlink(missing_ok=True)

    def remember_finished_runs(self) -> None:
        """Remember what the connector's runs delivered, also those whose process ended before it could."""
        for run, rule in self._delivered_rows.pending_runs():
            kept = spool.Spool(self._spool_file(run))
            if not kept.file.exists():
                raise LedgerError(f"{kept.file} is missing, and with it which rows run {run} of {self._chosen.name} delivered")
            remember_delivered(self._delivered_rows, run, IncrementalRule.read(rule), kept.read(None))

    def _pages(self, given: Any) -> Iterator[Page]:
        """Pages of rows that Python code gives."""
        return pages(given, max_columns=self._chosen.source.max_columns)

    def _row_filter(self) -> NewRowFilter | None:
        rule = self._chosen.incremental
        return None if rule is None else NewRowFilter(self._delivered_rows, rule)

    def _same_records(self, left: RunState, source: Source, records: Any) -> None:
        given = self._spool(self._pages(records))
        same = given.fingerprint() == source.fingerprint()
        given.file.unlink()
        if not same:
            name = self._chosen.name
            raise ConfigError(
                f"run {left.id} of {name} was interrupted, and these are not its records; "
                f"finish it with `sendoff run {name}`, or discard the rest of it and start over with --restart"
            )

    def _fingerprints(self, source: Source) -> tuple[bytes | None, bytes | None]:
        """Its quick fingerprint, and its fingerprint: empty where that need not be known before the run has read it all."""
        with source_errors(source):
            quick = source.quick_fingerprint()
        if quick is not None and not self._history.may_be_repeated(self._chosen.name, quick):
            return quick, b""
        return quick, self._fingerprint(source)

    def _fingerprint(self, source: Source) -> bytes | None:
        with source_errors(source):
            return source.fingerprint()

    def _check_columns(self, source: Source) -> None:
        """What can be known before anything is planned: that the columns are the schema's."""
        with source_errors(source):
            found = list(source.columns())
        for file, columns in found:
            self._chosen.schema.check_columns(file, columns)

    def sweep(self) -> None:
        """Delete what processes that died left half spooled. Nobody else spools for the connector: its lock is held."""
        for pattern in ("new", "draft"):
            for file in (self._state / "spool").glob(f"{self._chosen.name}.*.{pattern}"):
                file.unlink(missing_ok=True)

    def _spool(self, incoming: Iterable[Page]) -> spool.Spool:
        file = self._state / "spool" / f"{self._chosen.name}.{uuid.uuid4().hex}.new"
        return spool.write(file, incoming)

    def _until_interrupted(self, incoming: Iterable[Page]) -> Iterator[Page]:
        """The pages; raises `Interrupted` at the next one once the run is. A source that is cancelled may fail: that is why."""
        try:
            for page in incoming:
                self._refuse_interrupted()
                yield page
        except SourceError:
            self._refuse_interrupted()
            raise
        self._refuse_interrupted()

    def _refuse_interrupted(self) -> None:
        if (reason := self._interrupted()) is not None:
            raise Interrupted(f"interrupted {reason} while its source was read; nothing was sent")

    def _rename_spool(self, kept: spool.Spool, state: RunState) -> spool.Spool:
        """The spool under its run's number, by which it will be found again."""
        kept.file = kept.file.replace(self._spool_file(state.id))
        state_dir.sync_directory(kept.file.parent)
        return kept

    def _spool_file(self, run: int) -> Path:
        return self._state / "spool" / f"{run}.pages"
