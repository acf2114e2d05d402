"""The runner: which connector, which source, which run; then the run.

The file is long because all that a project can be asked for is asked here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Literal, NamedTuple

from sendoff.cleaning import clean
from sendoff.components import Observer, Source
from sendoff.config import connector as connectors
from sendoff.config.connector import Connector, Outline
from sendoff.config.discovery import Found, find
from sendoff.config.schedule import GRACE, due
from sendoff.errors import ConfigError, Locked, PluginCrash, Problem, SendoffError, SourceError
from sendoff.intake import dismissals, renaming
from sendoff.intake.corrections import Examination
from sendoff.intake.preparer import RunPreparer
from sendoff.intake.reading import read_rows, read_source
from sendoff.ledger import Failure, Ledger, RunState, open_history, open_ledger
from sendoff.monitoring.report import Report
from sendoff.options import find_timezone
from sendoff.registry import Registry
from sendoff.run import notifications
from sendoff.transport.file_access import FileAccess
from sendoff.transport.protocol import Request

if TYPE_CHECKING:
    from sendoff.run.probe import Step
    from sendoff.run.run import Run

_LOG = logging.getLogger("sendoff")


class _Decision(NamedTuple):
    """Whether a run is started by its schedule; up to when the schedule is obeyed by that; and why, in a sentence."""

    run: bool
    fired: float
    why: str


class Runner:
    """Runs the connectors of a directory.

    `state` is where the ledger lives (default: ``.sendoff`` beside the directory). `plugins` are modules or objects with
    sendoff hooks; files in ``plugins.d`` beside the directory are loaded too; `allow` names those that may be, if not all.
    With `egress="public"` no connector reaches anything but the open internet, whatever it says, and no file outside the
    project: for connectors written by untrusted users. `env` are the variables that connectors may name; by default those of
    the process, and none with `egress="public"`. Nothing is printed, no signal handler is set, nothing
    global is changed.
    Raises `ConfigError` for a directory or a plugin that is not valid.
    """

    def __init__(
        self,
        directory: str | Path = "connectors.d",
        *,
        state: str | Path | None = None,
        plugins: Iterable[object] = (),
        allow: Collection[str] | None = None,
        observers: Sequence[Observer] = (),
        clock: Callable[[], float] = time.time,
        random: Random | None = None,
        egress: Literal["configured", "public"] = "configured",
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = Path(directory)
        self.home = self.directory.absolute().parent
        self.state = Path(state) if state is not None else self.home / ".sendoff"
        #: What its ledger says of past runs.
        self.history = open_history(self.state)
        self.registry = Registry(files=sorted((self.home / "plugins.d").glob("*.py")), plugins=plugins, allow=allow)
        #: Observers of every run, besides the connector's own.
        self.observers: tuple[Observer, ...] = tuple(observers)
        self._access = FileAccess(self.home, self.state, self.directory, confined=egress == "public")
        self._env = {} if env is None and egress == "public" else env
        self._clock = clock
        self._random = random
        self._run: Run | None = None
        self._interrupted: str | None = None
        self._source: Source | None = None
        self._report: Report | None = None

    def found(self) -> Found:
        """The connector files there are. Raises `ConfigError` for names that are not valid."""
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
        loaded = connectors.load(file, self.registry, home=self.home, shown=_shown(file), access=self._access, env=self._env)
        loaded.source.state = self.state
        return loaded

    def check_offline(self, file: Path) -> list[Problem]:
        """Check a connector file without the secrets and files that it names, and return what may be a mistake.

        Raises `ConfigError` with all its mistakes.
        """
        return connectors.check_offline(file, self.registry, home=self.home, shown=_shown(file))

    def probe(self, name: str, on_step: Callable[[Step], None] | None = None) -> list[Step]:
        """Look at all that a run of a connector needs, step by step: secrets, source, address, TLS, credentials, and the API.

        No record is sent, and none is taken from the source. `on_step` has each step as it comes; one that is slow comes
        twice, first with `ok` None. Raises `ConfigError` for a connector that is not right.
        """
        from sendoff.run.probe import probe  # noqa: PLC0415  # as with `Run`

        return probe(self.connector(name), on_step or (lambda step: None))

    def outline(self, file: Path) -> Outline:
        """When a connector runs and which variables it names; its secrets need not be set. Raises `ConfigError`."""
        return connectors.outline(file, self.registry, home=self.home, shown=_shown(file))

    def run(
        self, name: str | Connector, *, records: object = None, restart: bool = False, early_stop: bool = True,
        maybe_applied: Literal["delivered", "rejected"] | None = None, limit: int | None = None,
    ) -> Report:  # fmt: skip
        """Run a connector, or resume its interrupted run, and return the report.

        `records` stand in for its source: any iterable of mappings, or anything Arrow. `restart`
        discards what an earlier run left. `early_stop=False` accepts rejections as final even while nothing
        has been delivered yet. `maybe_applied` says what those records of an interrupted run are which were sent and may
        have been applied; without it they are sent again. With a `limit` at most so many more records are read; when they are
        settled the run is `interrupted`, and the next one goes on with the rest. Raises `ConfigError`, `SourceError`,
        `LedgerError`, `Locked`; records that were not delivered are in the report, not in an exception.
        """
        chosen = self.connector(name) if isinstance(name, str) else name
        with self._cancelling(chosen), self._ledger() as ledger, self._notifying(ledger, chosen), ledger.lock(chosen.name):
            return self._run_locked(ledger, chosen, records, restart, early_stop, maybe_applied, limit)

    def run_due(self, chosen: Connector, *, grace: float = GRACE, early_stop: bool = True) -> Report | str:
        """Run a connector if its schedule says so, as `serve` does; or return why it is not run, in a sentence.

        What the schedule asks for is done once, also where several processes look at once: it counts as done when the run is
        in the ledger, or cannot begin until its source is fixed. Seen for the first time, a connector has missed nothing;
        what was due up to `grace` seconds ago is on time. Raises as `run` does.
        """
        assert chosen.schedule is not None
        with self._cancelling(chosen), self._ledger() as ledger:
            found = self._due(ledger, chosen, grace)
            if not found.run:
                return found.why
            try:
                with ledger.lock(chosen.name):
                    found = self._due(ledger, chosen, grace)  # another process may have obeyed it just now
                    if not found.run:
                        return found.why
                    with self._notifying(ledger, chosen):
                        try:
                            return self._run_locked(
                                ledger, chosen, None, False, early_stop, None,
                                began=lambda: ledger.mark_fired(chosen.name, found.fired),
                            )  # fmt: skip
                        except SourceError as error:
                            if error.exit_code == 2:
                                ledger.mark_fired(chosen.name, found.fired)
                            raise
            except Locked:
                newest = self.history.runs(chosen.name)[:1]
                if newest and newest[0]["state"] == "running" and newest[0]["started_at"] < found.fired:
                    ledger.mark_fired(chosen.name, found.fired)
                return "still running, and not started again"

    def _due(self, ledger: Ledger, chosen: Connector, grace: float) -> _Decision:
        """What a schedule asks for now. What it lets go is done with that."""
        assert chosen.schedule is not None
        now, fired = self._clock(), ledger.last_fired(chosen.name)
        found = due(chosen.schedule, now - grace if fired is None else fired, now, grace)
        if found is not None and found.run:
            return _Decision(True, found.fired, found.why)
        if fired is None or found is not None:
            ledger.mark_fired(chosen.name, now if found is None else found.fired)
        if found is None:
            return _Decision(False, now, "nothing is due")
        late = datetime.fromtimestamp(found.fired, find_timezone(chosen.schedule.timezone))
        return _Decision(False, found.fired, f"was due {late:%Y-%m-%d %H:%M %Z}, is late, and is skipped")

    def _run_locked(
        self, ledger: Ledger, chosen: Connector, records: object, restart: bool, early_stop: bool,
        maybe_applied: Literal["delivered", "rejected"] | None, limit: int | None = None,
        began: Callable[[], None] = lambda: None,
    ) -> Report:  # fmt: skip
        intake = RunPreparer(ledger, chosen, self.state, interrupted=lambda: self._interrupted)
        intake.sweep()
        intake.remember_finished_runs()
        left = ledger.unfinished(chosen.name)
        if maybe_applied is not None:
            intake.choose_for_uncertain(None if restart else left, maybe_applied)
        if restart:
            intake.discard(left)
            left = None
        state, source = intake.resume(left, records) if left else intake.start(records)
        began()
        if records is None and not state.resumed:
            self._warn(intake.warnings(state.id))
        return self._deliver(ledger, chosen, source, state, early_stop, limit)

    def retry(
        self, run: int, corrections: object = None, *, only: Collection[str] | None = None, add_new: bool = False,
        early_stop: bool = True,
    ) -> Report:  # fmt: skip
        """Deliver failed records of a run again, as a new run: all that are open, or those that `corrections` name.

        `corrections` are a file, or rows as for `run`. Each names its record in ``_record``, as `sendoff failed` does; a
        mapping may have only the fields that are corrected. Records that are not named stay open, and those that a
        retry has delivered are not sent again. `only` are the names of the records to send, of all or of those that
        are corrected. With `add_new`, rows that name no failed record are sent as new ones.
        Raises `ConfigError` for a run that is not there or left nothing to retry, for rows that name no failed record,
        and for a record that is named twice; then nothing was sent.
        """
        with self._ledger() as ledger:
            chosen = self.connector(self.history.run(run)["connector"])
            with self._cancelling(chosen), ledger.lock(chosen.name):
                intake = RunPreparer(ledger, chosen, self.state, interrupted=lambda: self._interrupted)
                intake.sweep()
                intake.remember_finished_runs()
                self._refuse_interrupted(ledger, chosen)
                given = read_rows(self.registry, corrections, chosen.source)
                state, source = intake.start_retry(run, given, only=only, add_new=add_new)
                with self._notifying(ledger, chosen):  # not of a mistake in the corrections: who made it sees it
                    return self._deliver(ledger, chosen, source, state, early_stop)

    def examine(self, run: int, corrections: object) -> Examination:
        """What `retry` would do with these corrections; nothing is sent or claimed. Raises `ConfigError` as it does."""
        from sendoff.run.preview import find_invalid  # noqa: PLC0415  # as with `Run`

        with self._ledger() as ledger:
            chosen = self.connector(self.history.run(run)["connector"])
            rows = read_rows(self.registry, corrections, chosen.source)
            matched = RunPreparer(ledger, chosen, self.state).match(run, rows)
            return matched.examine(find_invalid(chosen, matched.corrected_pages()))

    def interrupt(self, reason: str) -> None:
        """End the run under way after the requests in flight, or else the next one. Safe from a signal handler.

        While a source is read to disk before its run, `run` raises `Interrupted`.
        """
        self._interrupted = reason
        if self._run is not None:
            self._run.interrupt(reason)
        if self._source is not None:
            self._source.cancel()

    def preview(self, chosen: Connector, count: int) -> tuple[list[Request], list[Failure]]:
        """The first requests of the next run, for `count` records, and the invalid rows before them.

        Nothing is sent. Raises `SourceError` for a source that cannot be read.
        """
        from sendoff.run.preview import preview as previewed  # noqa: PLC0415  # as with `Run`

        chosen.source.state = self.state
        if chosen.incremental is None and not self.history.exists():
            return previewed(chosen, count, read_source(chosen.source))
        with self._ledger() as ledger:
            return previewed(chosen, count, RunPreparer(ledger, chosen, self.state).preview_pages())

    def reset(self, name: str) -> int:
        """Forget what a connector has delivered and how far its source was read; returns how many rows it had remembered.

        Its next run is like its first. Raises `ConfigError` if a run of it was interrupted, and `Locked`.
        """
        chosen = self.connector(name)
        with self._ledger() as ledger, ledger.lock(chosen.name):
            RunPreparer(ledger, chosen, self.state).remember_finished_runs()
            self._refuse_interrupted(ledger, chosen)
            ledger.forget_cursor(chosen.name)
            return ledger.delivered_rows(chosen.name).forget()

    def rename(self, old: str, new: str) -> int:
        """Give a connector's file and history another name, or its history alone if the file was renamed already.

        Returns how many runs it has. Raises `ConfigError` if the new name has a history of its own, and `Locked`.
        """
        with self._ledger() as ledger:
            return renaming.rename(ledger, old, new, self.found().files)

    def discard(self, name: str) -> int | None:
        """Discard the rest of a connector's interrupted run, also of a connector that is gone. Returns its number."""
        with self._ledger() as ledger, ledger.lock(name):
            left = ledger.unfinished(name)
            if left is not None:
                ledger.discard(left)
        return None if left is None else left.id

    def orphans(self) -> list[str]:
        """A sentence for each unfinished run whose connector is not there any more."""
        return renaming.orphans(self.history, self.found().files)

    def dismiss(self, run: int, *, only: Collection[str] | None = None) -> int:
        """Dismiss the open failed records of a run, or `only` those with these names: they are not counted as open any more.

        `retry` leaves them out, and `incremental` counts them as delivered. Returns how many there were. Raises
        `ConfigError` if there are none, for a name that is not one of an open record, and `Locked`.
        """
        with self._for_failed_of(run) as (ledger, chosen):
            return dismissals.dismiss(ledger, self.history, chosen, run, only)

    def reopen(self, run: int, *, only: Collection[str] | None = None) -> int:
        """Take `dismiss` back, for all of a run's dismissed records or `only` some. Returns how many there were.

        Raises `ConfigError` if there are none, for a name that is not one of a dismissed record, and `Locked`.
        """
        with self._for_failed_of(run) as (ledger, chosen):
            return dismissals.reopen(ledger, self.history, chosen, run, only)

    @contextmanager
    def _for_failed_of(self, run: int) -> Iterator[tuple[Ledger, Connector]]:
        """The ledger, and the connector of a run, which no other process runs meanwhile."""
        with self._ledger() as ledger:
            chosen = self.connector(self.history.run(run)["connector"])
            with ledger.lock(chosen.name):
                RunPreparer(ledger, chosen, self.state).remember_finished_runs()
                yield ledger, chosen

    def digest(self) -> dict[str, int]:
        """Send a digest of the runs since the last one to the notifiers that want it; return their number by connector."""
        sent = {}
        with self._ledger() as ledger:
            for name, file in self.found().files.items():
                chosen = self.load(file)
                if not any("digest" in notifier.on for notifier in chosen.notifiers):
                    continue
                since, now = ledger.last_digest(name), self._clock()
                runs = [run for run in self.history.runs(name) if run["started_at"] > since]
                self._warn(notifications.digest(chosen, [_brief(run) for run in runs]))
                ledger.mark_digest(name, now)
                sent[name] = len(runs)
        return sent

    def _deliver(
        self, ledger: Ledger, chosen: Connector, source: Source, state: RunState, early_stop: bool, limit: int | None = None
    ) -> Report:
        from sendoff.run.run import Run  # noqa: PLC0415  # most commands run nothing, and it brings the engine

        observers = (*self.observers, *chosen.observers)
        self._run = run = Run(
            ledger, chosen, source, state, observers=observers, random=self._random, early_stop=early_stop, limit=limit
        )
        try:
            if self._interrupted:
                run.interrupt(self._interrupted)
            report = run.deliver()
        finally:
            self._run = None
        RunPreparer(ledger, chosen, self.state).finish(state.id)
        self._report = report
        return report

    @contextmanager
    def _cancelling(self, chosen: Connector) -> Iterator[None]:
        """An interruption reaches the source too, and is over with the run."""
        self._source = chosen.source
        try:
            yield
        finally:
            self._source = self._interrupted = None

    @contextmanager
    def _notifying(self, ledger: Ledger, chosen: Connector) -> Iterator[None]:
        """Notify of how a run ended, also if it could not begin."""
        self._report = None
        try:
            yield
        except BaseException as error:
            known = error if isinstance(error, SendoffError) else PluginCrash.find(error)
            sentence = known or SendoffError(f"a fault of sendoff itself: {type(error).__name__}: {error}")
            self._warn([] if isinstance(error, KeyboardInterrupt) else notifications.notify_after(ledger, chosen, sentence))
            raise
        if self._report is not None:
            self._warn(notifications.notify_after(ledger, chosen, self._report))

    def _warn(self, troubles: Iterable[str]) -> None:
        for trouble in troubles:
            _LOG.warning("%s", clean(trouble))

    def _refuse_interrupted(self, ledger: Ledger, chosen: Connector) -> None:
        left = ledger.unfinished(chosen.name)
        if left is not None:
            raise ConfigError(f"run {left.id} of {chosen.name} was interrupted; resume it first: sendoff run {chosen.name}")

    def _ledger(self) -> closing[Ledger]:
        return closing(open_ledger(self.state, clock=self._clock))


def _shown(file: Path) -> str:
    whole = file.absolute()
    return str(whole.relative_to(Path.cwd()) if whole.is_relative_to(Path.cwd()) else file)


def _brief(run: Mapping[str, object]) -> dict[str, object]:
    counts = ("read", "delivered", "accepted", "rejected", "invalid", "pending")
    return {name: run[name] for name in ("id", "state", "stopped_because", *counts, "started_at", "seconds")}
