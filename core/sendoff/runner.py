"""The runner: which connector, which source, which run; then the run."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, Literal

from sendoff import jsontext, notices
from sendoff.components import Observer, Source
from sendoff.config import connector as connectors
from sendoff.config.connector import Connector
from sendoff.config.discovery import Found, find
from sendoff.delivery.run import Run, yielded
from sendoff.errors import ConfigError, LedgerError, SendoffError
from sendoff.ledger import Ledger, RunState, history, spool
from sendoff.memory import Rule, Sift, passed_over, settle
from sendoff.records import Page, pages
from sendoff.registry import Registry
from sendoff.report import Report

_LOG = logging.getLogger("sendoff")


class Runner:
    """Runs the connectors of a directory.

    `state` is where the ledger lives (default: ``.sendoff`` beside the directory). `plugins` are
    modules or objects with sendoff hooks; files in ``plugins.d`` beside the directory are loaded
    too. With `egress="public"` no connector reaches anything but the open internet, whatever it says:
    for those who let others write connectors. Nothing is printed, no signal handler is set, nothing
    global is changed.
    Raises `ConfigError` for a directory or a plugin that will not do.
    """

    def __init__(
        self,
        directory: str | Path = "connectors.d",
        *,
        state: str | Path | None = None,
        plugins: Iterable[Any] = (),
        observers: Sequence[Observer] = (),
        clock: Callable[[], float] = time.time,
        random: Random | None = None,
        egress: Literal["configured", "public"] = "configured",
    ) -> None:
        self.directory = Path(directory)
        self.home = self.directory.absolute().parent
        self.state = Path(state) if state is not None else self.home / ".sendoff"
        self.registry = Registry(files=sorted((self.home / "plugins.d").glob("*.py")), plugins=plugins)
        #: Who watches every run, besides the connector's own.
        self.observers: tuple[Observer, ...] = tuple(observers)
        self._egress = egress
        self._clock = clock
        self._random = random
        self._run: Run | None = None
        self._interrupted: str | None = None
        self._report: Report | None = None

    def found(self) -> Found:
        """The connector files there are. Raises `ConfigError` for names that will not do."""
        return find(self.directory)

    def connector(self, name: str) -> Connector:
        """A connector by name. Raises `ConfigError` for one that is not there or not right."""
        files = self.found().files
        if name not in files:
            known = ", ".join(files) or "none"
            raise ConfigError(f"no connector is named {name!r}; there are: {known}")
        return self.load(files[name])

    def load(self, file: Path) -> Connector:
        """A connector file, checked. Raises `ConfigError` with all its mistakes."""
        whole = file.absolute()
        shown = whole.relative_to(Path.cwd()) if whole.is_relative_to(Path.cwd()) else file
        loaded = connectors.load(file, self.registry, home=self.home, shown=str(shown), egress_at_least=self._egress)
        loaded.source.state = self.state
        return loaded

    def run(
        self, name: str | Connector, *, records: Any = None, restart: bool = False, accept_refusals: bool = False
    ) -> Report:
        """Run a connector, or go on with its run that was cut short, and say what it came to.

        `records` stand in for its source: any iterable of mappings, or anything Arrow. `restart`
        gives up what an earlier run left. `accept_refusals` believes refusals even while nothing
        has been delivered yet. Raises `ConfigError`, `SourceError`, `LedgerError`, `Locked`;
        records that were not delivered are in the report, not in an exception.
        """
        chosen = self.connector(name) if isinstance(name, str) else name
        with self._ledger() as ledger, self._told(ledger, chosen), ledger.lock(chosen.name):
            self._settle(ledger, chosen)
            left = ledger.unfinished(chosen.name)
            if left is not None and restart:
                ledger.abandon(left)
                self._settle(ledger, chosen)
                self._spool(left.id).unlink(missing_ok=True)
                left = None
            state, source = self._go_on(ledger, chosen, left, records) if left else self._begin(ledger, chosen, records)
            return self._deliver(ledger, chosen, source, state, accept_refusals)

    def retry(self, run: int, *, records: Any = None, accept_refusals: bool = False) -> Report:
        """Deliver the failed records of a run again, as a new run; `records` are their corrected selves.

        Raises `ConfigError` for a run that is not there or left nothing to retry.
        """
        with self._ledger() as ledger:
            chosen = self.connector(history.run(self.state, run)["connector"])
            with ledger.lock(chosen.name):
                self._settle(ledger, chosen)
                self._none_cut_short(ledger, chosen)
                state, source = self._begin_retry(ledger, chosen, run, records)
                return self._deliver(ledger, chosen, source, state, accept_refusals)

    def interrupt(self, reason: str) -> None:
        """End the run under way after the requests that have left. Safe from a signal handler."""
        self._interrupted = reason
        if self._run is not None:
            self._run.interrupt(reason)

    def forget(self, name: str) -> int:
        """Forget what a connector has delivered and how far its source was read; answers with how many rows it knew.

        Its next run is as its first. Raises `ConfigError` if a run of it was cut short, and `Locked`.
        """
        chosen = self.connector(name)
        with self._ledger() as ledger, ledger.lock(chosen.name):
            self._settle(ledger, chosen)
            self._none_cut_short(ledger, chosen)
            ledger.forget_cursor(chosen.name)
            return ledger.memory(chosen.name).forget()

    def forgo(self, run: int) -> int:
        """Take the failed records of a run for delivered, so that `only_new` does not send them again.

        Answers with how many there were. Raises `ConfigError` for a connector without `only_new`.
        """
        with self._ledger() as ledger:
            chosen = self.connector(history.run(self.state, run)["connector"])
            if chosen.only_new is None:
                raise ConfigError(
                    f"{chosen.name} has no only_new: its records are not remembered, so there is nothing to forgo"
                )
            with ledger.lock(chosen.name):
                rows = list(passed_over(chosen.only_new, pages(history.Failed(self.state, run).read(None))))
                ledger.memory(chosen.name).remember(rows)
        return len(rows)

    def _begin(self, ledger: Ledger, chosen: Connector, records: Any) -> tuple[RunState, Source]:
        """A new run, from the connector's source or from given records."""
        source, kind, cursor, sifted = chosen.source, "connector", None, None
        fingerprint = source.fingerprint() if records is None and chosen.only_new is None else None
        if records is None:
            self._check_columns(chosen, source)
        if fingerprint is None:
            incoming = pages(self._from_where_it_was(ledger, chosen) if records is None else records)
            sift = Sift(ledger, chosen.name, chosen.only_new) if chosen.only_new else None
            source, kind = self._spooled(sift.new(incoming) if sift else incoming), "spool"
            if records is None and chosen.source.reached is not None:
                cursor = jsontext.dumps(chosen.source.reached)
            if sift and chosen.only_new:
                sifted = chosen.only_new.sifted(sift.known, sift.noted)
            fingerprint = source.fingerprint()
            self._check_columns(chosen, source)
        state = ledger.begin(
            chosen.name, shape=chosen.shape, fingerprint=fingerprint or b"", source=kind, cursor=cursor, sifted=sifted
        )
        return state, self._kept(source, state)

    def _from_where_it_was(self, ledger: Ledger, chosen: Connector) -> Iterator[Any]:
        chosen.source.reached = None
        cursor = ledger.cursor(chosen.name)
        return yielded(chosen.source, None if cursor is None else jsontext.loads(cursor))

    def _begin_retry(self, ledger: Ledger, chosen: Connector, run: int, records: Any) -> tuple[RunState, Source]:
        """A new run of another's failed records, or of what they were corrected to."""
        fingerprint = history.Failed(self.state, run).fingerprint()
        if fingerprint is None:
            raise ConfigError(f"run {run} has no failed records that were not retried already")
        sift = Sift(ledger, chosen.name, chosen.only_new) if chosen.only_new and ledger.memory(chosen.name).begun else None
        if records is None and sift is None:
            state = ledger.begin(chosen.name, shape=chosen.shape, fingerprint=fingerprint, source="retry", retry_of=run)
            return state, history.Failed(self.state, run, retried_by=state.id)
        given = pages(history.Failed(self.state, run).read(None) if records is None else records)
        fixed = self._spooled(sift.again(given) if sift else given)
        self._check_columns(chosen, fixed)
        state = ledger.begin(
            chosen.name, shape=chosen.shape, fingerprint=fixed.fingerprint(), source="spool", retry_of=run,
            sifted=chosen.only_new.sifted(sift.known, ()) if sift and chosen.only_new else None,
        )  # fmt: skip
        return state, self._kept(fixed, state)

    def _go_on(self, ledger: Ledger, chosen: Connector, left: RunState, records: Any) -> tuple[RunState, Source]:
        """The run that was cut short, from the source it had."""
        source: Source = chosen.source
        if left.source == "retry" and left.retry_of is not None:
            source = history.Failed(self.state, left.retry_of, retried_by=left.id)
        elif left.source == "spool":
            source = spool.Spool(self._spool(left.id))
        if records is not None:
            self._same_records(chosen, left, source, records)
        fingerprint = source.fingerprint() or b""
        return ledger.resume(left, shape=chosen.shape, fingerprint=fingerprint, what="its source"), source

    def _same_records(self, chosen: Connector, left: RunState, source: Source, records: Any) -> None:
        given = self._spooled(pages(records))
        same = given.fingerprint() == source.fingerprint()
        given.file.unlink()
        if not same:
            raise ConfigError(
                f"run {left.id} of {chosen.name} was cut short, and these are not its records; "
                f"finish it with `sendoff run {chosen.name}`, or give up what is left of it with --restart"
            )

    def _deliver(self, ledger: Ledger, chosen: Connector, source: Source, state: RunState, accept_refusals: bool) -> Report:
        observers = (*self.observers, *chosen.observers)
        self._run = run = Run(
            ledger, chosen, source, state, observers=observers, random=self._random, accept_refusals=accept_refusals
        )
        try:
            if self._interrupted:
                run.interrupt(self._interrupted)
            report = run.deliver()
        finally:
            self._run = None
        self._settle(ledger, chosen)
        self._report = report
        left = ledger.unfinished(chosen.name)
        if left is None or left.id != state.id:
            self._spool(state.id).unlink(missing_ok=True)
        return report

    @contextmanager
    def _told(self, ledger: Ledger, chosen: Connector) -> Iterator[None]:
        """Tell those who are to know what a run came to, also if it could not even begin."""
        self._report = None
        try:
            yield
        except SendoffError as error:
            self._warn(notices.after(ledger, chosen, error))
            raise
        if self._report is not None:
            self._warn(notices.after(ledger, chosen, self._report))

    def _warn(self, troubles: Iterable[str]) -> None:
        for trouble in troubles:
            _LOG.warning(trouble)

    def digest(self) -> dict[str, int]:
        """Tell everybody who wants a digest of the runs since the last one; answers with how many there were, by connector."""
        told = {}
        with self._ledger() as ledger:
            for name, file in self.found().files.items():
                chosen = self.load(file)
                if not any("digest" in notifier.when for notifier in chosen.notifiers):
                    continue
                since, now = ledger.digested(name), self._clock()
                runs = [run for run in history.runs(self.state, name) if run["started_at"] > since]
                self._warn(notices.digest(chosen, [_brief(run) for run in runs]))
                ledger.note_digest(name, now)
                told[name] = len(runs)
        return told

    def _settle(self, ledger: Ledger, chosen: Connector) -> None:
        """Remember what the connector's runs delivered, also those whose process ended before it could."""
        memory = ledger.memory(chosen.name)
        for run, rule in memory.owed():
            kept = spool.Spool(self._spool(run))
            if not kept.file.exists():
                raise LedgerError(f"{kept.file} is missing, and with it which rows run {run} of {chosen.name} delivered")
            settle(memory, run, Rule.read(rule), kept.read(None))

    def _none_cut_short(self, ledger: Ledger, chosen: Connector) -> None:
        left = ledger.unfinished(chosen.name)
        if left is not None:
            raise ConfigError(f"run {left.id} of {chosen.name} was cut short; go on with it first: sendoff run {chosen.name}")

    def _check_columns(self, chosen: Connector, source: Source) -> None:
        """What can be known before anything is planned: that the columns are the schema's."""
        for file, columns in source.columns():
            chosen.schema.check_columns(file, columns)

    @contextmanager
    def _ledger(self) -> Iterator[Ledger]:
        ledger = Ledger(self.state, clock=self._clock)
        try:
            yield ledger
        finally:
            ledger.close()

    def _spooled(self, incoming: Iterable[Page]) -> spool.Spool:
        return spool.write(self.state / "spool" / f"{uuid.uuid4().hex}.new", incoming)

    def _kept(self, source: Source, state: RunState) -> Source:
        """The source; a spool is renamed to its run, by which it will be found again."""
        if isinstance(source, spool.Spool):
            source.file = source.file.replace(self._spool(state.id))
        return source

    def _spool(self, run: int) -> Path:
        return self.state / "spool" / f"{run}.pages"


def _brief(run: dict[str, Any]) -> dict[str, Any]:
    names = ("id", "state", "stopped_because", "read", "delivered", "rejected", "invalid", "unsettled", "started_at", "seconds")
    return {name: run[name] for name in names}
