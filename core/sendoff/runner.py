"""The runner: a connector end to end, and the account of it."""

from __future__ import annotations

import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

from sendoff.components import Observer, Source
from sendoff.config import connector as connectors
from sendoff.config.connector import Connector
from sendoff.config.discovery import Found, find
from sendoff.config.documents import Document
from sendoff.delivery.desk import Desk
from sendoff.delivery.engine import Engine
from sendoff.delivery.keys import keymaker
from sendoff.delivery.reader import Read, read
from sendoff.delivery.terms import terms
from sendoff.errors import ConfigError, SendoffError, SourceError
from sendoff.hookspecs import hookimpl
from sendoff.ledger import Changes, Ledger, RunState, history, spool
from sendoff.records import pages
from sendoff.registry import Registry
from sendoff.report import Report


class Runner:
    """Runs the connectors of a directory.

    `state` is where the ledger lives (default: ``.sendoff`` beside the directory). `plugins` are
    modules or objects with sendoff hooks; files in ``plugins.d`` beside the directory are loaded
    too. Nothing is printed, no signal handler is set, nothing global is changed.
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
    ) -> None:
        self.directory = Path(directory)
        self.home = self.directory.absolute().parent
        self.state = Path(state) if state is not None else self.home / ".sendoff"
        self.registry = Registry(files=sorted((self.home / "plugins.d").glob("*.py")), plugins=plugins)
        #: Who watches every run, besides the connector's own.
        self.observers: tuple[Observer, ...] = tuple(observers)
        self._clock = clock
        self._random = random
        self._desk: Desk | None = None
        self._interrupted: str | None = None

    def found(self) -> Found:
        """The connector files there are. Raises `ConfigError` as `discovery.find` does."""
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
        shown = file.absolute()
        return connectors.load(
            file,
            self.registry,
            home=self.home,
            shown=str(shown.relative_to(Path.cwd()) if shown.is_relative_to(Path.cwd()) else file),
        )

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
        ledger = Ledger(self.state, clock=self._clock)
        try:
            with ledger.lock(chosen.name):
                left = ledger.unfinished(chosen.name)
                if left is not None and restart:
                    ledger.abandon(left)
                    left = None
                state, source = self._resumed(ledger, chosen, left, records) if left else self._begun(ledger, chosen, records)
                return self._deliver(ledger, chosen, source, state, accept_refusals)
        finally:
            ledger.close()

    def retry(self, run: int, *, records: Any = None, accept_refusals: bool = False) -> Report:
        """Deliver the failed records of a run again, as a new run; `records` are their corrected selves.

        Raises `ConfigError` for a run that is not there or left nothing to retry.
        """
        ledger = Ledger(self.state, clock=self._clock)
        try:
            past = history.run(self.state, run)
            chosen = self.connector(past["connector"])
            with ledger.lock(chosen.name):
                left = ledger.unfinished(chosen.name)
                if left is not None:
                    raise ConfigError(
                        f"run {left.id} of {chosen.name} was cut short; go on with it first: sendoff run {chosen.name}"
                    )
                failed = history.Failed(self.state, run)
                fingerprint = failed.fingerprint()
                if fingerprint is None:
                    raise ConfigError(f"run {run} has no failed records that were not retried already")
                fixed = self._spooled(pages(records)) if records is not None else None
                if fixed is not None:
                    self._check(chosen, fixed)
                    fingerprint = fixed.fingerprint()
                kind = "retry" if fixed is None else "spool"
                state = ledger.begin(chosen.name, shape=chosen.shape, fingerprint=fingerprint, source=kind, retry_of=run)
                # From here on the failed records are this run's: nobody else will retry them.
                source: Source = fixed or history.Failed(self.state, run, retried_by=state.id)
                self._keep_spool(source, state)
                return self._deliver(ledger, chosen, source, state, accept_refusals)
        finally:
            ledger.close()

    def interrupt(self, reason: str) -> None:
        """End the run under way after the requests that have left. Safe from a signal handler's thread."""
        self._interrupted = reason
        desk = self._desk
        if desk is not None:
            desk.stop(reason, interrupted=True)

    def _begun(self, ledger: Ledger, chosen: Connector, records: Any) -> tuple[RunState, Source]:
        source = chosen.source
        kind = "connector"
        self._check(chosen, source if records is None else None)
        fingerprint = None if records is not None else source.fingerprint()
        if fingerprint is None:
            source = self._spooled(pages(records) if records is not None else pages(_told(source)))
            fingerprint, kind = source.fingerprint() or b"", "spool"
        state = ledger.begin(chosen.name, shape=chosen.shape, fingerprint=fingerprint, source=kind)
        self._keep_spool(source, state)
        return state, source

    def _resumed(self, ledger: Ledger, chosen: Connector, left: RunState, records: Any) -> tuple[RunState, Source]:
        source: Source = chosen.source
        what = "its source"
        if left.source == "retry":
            assert left.retry_of is not None
            source = history.Failed(self.state, left.retry_of, retried_by=left.id)
        elif left.source == "spool":
            source = spool.Spool(self._spool(left.id))
            if records is not None:
                given = self._spooled(pages(records))
                same = given.fingerprint() == source.fingerprint()
                given.file.unlink()
                if not same:
                    raise ConfigError(
                        f"run {left.id} of {chosen.name} was cut short, and these are not its records; "
                        f"finish it with `sendoff run {chosen.name}`, or give up what is left of it with --restart"
                    )
        return ledger.resume(left, shape=chosen.shape, fingerprint=source.fingerprint() or b"", what=what), source

    def _check(self, chosen: Connector, source: Source | None) -> None:
        """What can be known before the first byte is sent: that the columns are the schema's."""
        for file, columns in source.columns() if source is not None else ():
            chosen.schema.check_columns(file, columns)

    def _spooled(self, incoming: Iterable[Any]) -> spool.Spool:
        return spool.write(self.state / "spool" / f"{uuid.uuid4().hex}.new", incoming)

    def _keep_spool(self, source: Source, state: RunState) -> None:
        if isinstance(source, spool.Spool):
            source.file = source.file.replace(self._spool(state.id))

    def _spool(self, run: int) -> Path:
        return self.state / "spool" / f"{run}.pages"

    def _reads(self, chosen: Connector, source: Source) -> Iterable[Read]:
        return read(pages(_told(source)), chosen.schema, chosen.validators, chosen.sender)

    def _deliver(self, ledger: Ledger, chosen: Connector, source: Source, state: RunState, accept_refusals: bool) -> Report:
        begun = time.monotonic()
        observers = (*self.observers, *chosen.observers)
        engine = Engine(
            terms(chosen, keymaker(ledger.key_secret, chosen.name, state.generation), accept_refusals=accept_refusals),
            chosen.sender, chosen.strategy, state, random=self._random,
        )  # fmt: skip
        for observer in observers:
            observer.started(chosen.name, state.id, {"resumed": state.resumed, "delivered": engine.counts["delivered"]})
        refused = (
            self._refused_at_once(ledger, chosen, source, state) if chosen.on_invalid == "stop" and not state.resumed else None
        )
        if refused is not None:
            engine.counts.update(refused)
            engine.stop(f"{refused['invalid']:,} invalid records, and on_invalid is stop: nothing was sent")
        else:
            self._desk = desk = Desk(
                engine, lambda changes: ledger.commit(state, changes), connector=chosen.name, observers=observers
            )
            if self._interrupted:
                desk.stop(self._interrupted, interrupted=True)
            try:
                desk.run(
                    self._reads(chosen, source),
                    lambda: chosen.transport.carry(
                        desk, url=chosen.destination.url, concurrency=chosen.destination.concurrency
                    ),
                )
            except KeyboardInterrupt:
                engine.stopped = None
                engine.stop("interrupted", interrupted=True)
                self._ended(ledger, chosen, engine, state, time.monotonic() - begun)
                raise
            except SourceError as error:
                # What was delivered stays so; the report says the rest.
                engine.stop(str(error))
            except BaseException:
                with suppress(Exception):
                    self._ended(ledger, chosen, engine, state, time.monotonic() - begun)
                raise
            finally:
                self._desk = None
        report = self._ended(ledger, chosen, engine, state, time.monotonic() - begun)
        for observer in observers:
            observer.ended(chosen.name, report)
        return report

    def _refused_at_once(self, ledger: Ledger, chosen: Connector, source: Source, state: RunState) -> dict[str, int] | None:
        """A first walk over the source that sends nothing; None if every record is valid."""
        rows, invalid = 0, 0
        for page in self._reads(chosen, source):
            rows, invalid = page.rows, invalid + len(page.invalid)
            if page.invalid:
                ledger.commit(state, Changes(failed=list(page.invalid), read=rows))
        return {"read": rows, "invalid": invalid} if invalid else None

    def _ended(self, ledger: Ledger, chosen: Connector, engine: Engine, state: RunState, seconds: float) -> Report:
        counts = engine.counts
        stopped = engine.stopped
        whole = counts["read"] == counts["delivered"] + counts["invalid"] + counts["rejected"]
        outcome = stopped.state if stopped else "complete" if counts["delivered"] == counts["read"] else "incomplete"
        because = chosen.secrets.redact(stopped.reason) if stopped else None
        assert stopped or whole, counts
        ledger.end(state, outcome, read=counts["read"], seconds=seconds, because=because)
        if not stopped:
            self._spool(state.id).unlink(missing_ok=True)
        return Report(
            connector=chosen.name, run=state.id, state=outcome, seconds=round(seconds, 3), stopped_because=because,
            **{name: counts[name] for name in ("read", "delivered", "invalid", "rejected", "requests", "retries", "bytes")},
        )  # fmt: skip


def _told(source: Source) -> Iterator[Any]:
    """What a source yields; what goes wrong inside it becomes a `SourceError` that names it."""
    try:
        yield from source.read(None)
    except (SendoffError, KeyboardInterrupt, SystemExit):
        raise
    except Exception as error:
        raise SourceError(f"{source.name}: {type(error).__name__}: {error}") from error


def send(
    rows: Any,
    *,
    url: str,
    headers: Mapping[str, str] | None = None,
    method: str = "POST",
    batch: int | None = None,
    name: str = "send",
    state: str | Path | None = None,
    **settings: Any,
) -> Report:
    """Send rows to a URL, one a request or `batch` together, and say what became of them.

    `rows` is any iterable of mappings, or anything Arrow. `settings` are the other keys of a
    connector file (``schema``, ``on_failure`` and so on). Without a `state` directory the ledger
    lives only as long as the call; with one, a call that was cut short is resumed by the next call
    with the same rows. Raises `ConfigError` for settings that are not right.
    """
    sender: dict[str, Any] = {"use": "batch", "max_records": batch} if batch else {"use": "single"}
    destination = {"url": url, "method": method, "headers": dict(headers or {})}
    document = Document(
        "send()",
        {"source": "rows", "send": sender, **settings, "destination": {**destination, **settings.get("destination", {})}},
    )
    with tempfile.TemporaryDirectory(prefix="sendoff-") as temporary:
        runner = Runner(Path.cwd() / "connectors.d", state=state or temporary, plugins=[_RowsPlugin])
        return runner.run(connectors.build(document, name, runner.registry, home=Path.cwd()), records=rows)


class _RowsPlugin:
    """The source of a connector that has none: its records are given."""

    @staticmethod
    @hookimpl
    def sendoff_sources() -> list[type[Source]]:
        return [_Rows]


class _Rows(Source):
    """Records given from Python."""

    name = "rows"

    def read(self, cursor: Any) -> Iterable[Any]:
        raise SourceError("this connector's records are given from Python: Runner.run(name, records=…)")
