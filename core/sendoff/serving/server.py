"""The server: checks once a second what is due, and runs it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from sendoff.components import InboxSource, Observer, Source
from sendoff.config.connector import Connector
from sendoff.config.schedule import Due
from sendoff.errors import ConfigError, Locked, PluginCrash, SendoffError, SourceError
from sendoff.ledger import open_ledger
from sendoff.monitoring.events import Event, RunDue, RunEnded, RunFailed, RunInfo, RunSkipped
from sendoff.runner import Runner
from sendoff.serving.schedule import Debouncer, Schedule

#: Runs under way at once; more wait for their turn.
AT_ONCE = 8
#: Seconds after which a run that stopped early is resumed, where arriving data begins runs: the first time, and at most.
RESUME_DELAYS = (60.0, 900.0)
#: Seconds after which a run that was due is tried again, if it could not begin: the first time, within the grace of a schedule.
RETRY_DELAY = 10.0


class _Began(Observer):
    """Notes that a run is in the ledger."""

    name = "began"

    def __init__(self, mark: Callable[[], None]) -> None:
        super().__init__()
        self._mark, self.yes = mark, False

    def on_event(self, run: RunInfo, event: Event) -> None:
        if not self.yes:
            self.mark()

    def mark(self) -> None:
        """It is in the ledger, or counts as if it were."""
        self.yes = True
        self._mark()


class Server:
    """Runs the connectors of a project that have a schedule, a watch or an inbox.

    `runner` makes a runner for one run; `notify` is called with a connector and what happens to it. Connector files are read
    again when a run begins, so a change counts from the next run on; a new schedule or watch needs the server to be
    started again.
    Raises `ConfigError` for connectors that are not valid.
    """

    def __init__(
        self, runner: Callable[[], Runner], notify: Callable[[str, Event], None], *, clock: Callable[[], float] = time.time
    ) -> None:
        self._runner, self._notify, self._clock = runner, notify, clock
        first = runner()
        found = {name: first.load(file) for name, file in first.found().files.items()}
        self.connectors: Mapping[str, Connector] = {
            name: chosen
            for name, chosen in found.items()
            if chosen.schedule or chosen.watch or isinstance(chosen.source, InboxSource)
        }
        if not self.connectors:
            raise ConfigError(
                f"no connector in {first.directory} has a schedule, a watch or an inbox; there is nothing to serve"
            )
        for chosen in self.connectors.values():
            if chosen.watch and not _change_token(chosen.source):
                raise ConfigError(
                    f"{chosen.file}: watch: the source {chosen.source.name} cannot detect new data; use a schedule"
                )
        self._state = first.state
        self._debouncers = {name: Debouncer() for name, chosen in self.connectors.items() if chosen.watch}
        self._schedule = self._load_schedule()
        self._under_way: dict[str, Runner] = {}
        #: When a run that stopped is resumed, and after how many seconds.
        self._again: dict[str, tuple[float, float]] = {}
        #: The same of a run that was due, and did not come as far as the ledger.
        self._later: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="sendoff-run")
        self._stopped = threading.Event()
        self._looked_at = time.monotonic()
        self.inboxes: Mapping[str, InboxSource] = {
            name: chosen.source for name, chosen in self.connectors.items() if isinstance(chosen.source, InboxSource)
        }

    def _load_schedule(self) -> Schedule:
        schedules = {name: chosen.schedule for name, chosen in self.connectors.items() if chosen.schedule}
        ledger = open_ledger(self._state, clock=self._clock)
        try:
            last_fired = {}
            for name in schedules:
                known = ledger.last_fired(name)
                if known is None:  # the first time it is seen: nothing was missed
                    known = self._clock()
                    ledger.mark_fired(name, known)
                last_fired[name] = known
        finally:
            ledger.close()
        return Schedule(schedules, last_fired)

    def tick(self) -> None:
        """One look at the clock and at what has landed; what is due is begun. The trouble of one connector stays its own."""
        self._looked_at, now = time.monotonic(), self._clock()
        for name, found in self._schedule.due(now).items():
            if self._later.get(name, (0.0, 0.0))[0] <= now:
                self._try(name, partial(self._obey, name, found), self._later)
        for name in self._debouncers:
            if name not in self._under_way:
                self._try(name, partial(self._watch, name, now), self._again)

    def _try(self, name: str, step: Callable[[], None], again: dict[str, tuple[float, float]]) -> None:
        """Do something for a connector; if it fails, say so, and do it again later."""
        try:
            step()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._notify(name, RunFailed(reason=self._sentence(name, error)))
            self._wait(again, name)

    def _obey(self, name: str, found: Due) -> None:
        """Do what a schedule says. It counts as obeyed, durably, once the run is in the ledger."""
        if not found.run:
            self._mark_fired(name, found.fired)
            at = time.strftime("%H:%M", time.localtime(found.fired))
            self._notify(name, RunSkipped(reason=f"was due {at}, is late, and is skipped"))
        elif name in self._under_way:
            self._mark_fired(name, found.fired)
            self._notify(name, RunSkipped(reason="due, and still running; it is not started again"))
        else:
            self._begin(name, "due" if found.why == "on time" else "missed, and run now", found.fired)

    def _mark_fired(self, name: str, fired: float) -> None:
        ledger = open_ledger(self._state, clock=self._clock)
        try:
            ledger.mark_fired(name, fired)
        finally:
            ledger.close()
        self._schedule.mark_obeyed(name, fired)

    def _watch(self, name: str, now: float) -> None:
        if self._debouncers[name].settled(self._files_settled(name), now):
            self._begin(name, "something has arrived")
        elif name in self._again and self._again[name][0] <= now:
            self._begin(name, "resumes where it stopped")

    def _files_settled(self, name: str) -> Any:
        try:
            return self.connectors[name].source.change_token()
        except SendoffError:
            return None  # there is no file yet

    def _begin(self, name: str, why: str, fired: float | None = None) -> None:
        runner = self._runner()
        began = _Began(partial(self._mark_fired, name, fired) if fired is not None else lambda: None)
        runner.observers = (*runner.observers, began)
        before = self._schedule.mark_obeyed(name, fired) if fired is not None else None
        with self._lock:
            self._under_way[name] = runner
        self._notify(name, RunDue(reason=why))
        self._pool.submit(self._run, name, began, before)

    def _run(self, name: str, began: _Began, before: float | None) -> None:
        """Run a connector; `before` is up to when its schedule was obeyed, if that is why."""
        try:
            report = self._under_way[name].run(name)
            self._notify(name, RunEnded(report=report))
            self._note(name, whole=report.pending == 0)
        except BaseException as error:  # whatever it is, what has landed is tried again
            self._notify(name, RunFailed(reason=self._sentence(name, error)))
            self._note(name, whole=False)
            if before is not None and not began.yes:
                self._decide_again(name, began, error, before)
        finally:
            if began.yes:
                self._later.pop(name, None)
            with self._lock:
                del self._under_way[name]

    def _decide_again(self, name: str, began: _Began, error: BaseException, before: float) -> None:
        """A run that was due did not begin: it is tried again, unless it runs elsewhere, or its source must be fixed first."""
        if isinstance(error, Locked) or (isinstance(error, SourceError) and error.exit_code == 2):
            self._try(name, began.mark, self._later)
        else:
            self._schedule.mark_obeyed(name, before)
            self._wait(self._later, name)

    def _sentence(self, name: str, error: BaseException) -> str:
        known = error if isinstance(error, SendoffError) else PluginCrash.find(error)
        return self.connectors[name].secrets.redact(str(known or f"{type(error).__name__}: {error}"))

    def _note(self, name: str, *, whole: bool) -> None:
        if whole:
            self._again.pop(name, None)
        else:
            self._wait(self._again, name)

    def _wait(self, waits: dict[str, tuple[float, float]], name: str) -> None:
        """Try again later, and each time after twice as long."""
        first = RESUME_DELAYS[0] if waits is self._again else RETRY_DELAY
        wait = min(2 * waits[name][1] if name in waits else first, RESUME_DELAYS[1])
        waits[name] = (self._clock() + wait, wait)

    @property
    def busy(self) -> bool:
        """Whether a run is under way."""
        return bool(self._under_way)

    @property
    def under_way(self) -> frozenset[str]:
        """The connectors that run now."""
        with self._lock:
            return frozenset(self._under_way)

    @property
    def idle_seconds(self) -> float:
        """Seconds since it last looked at what is due."""
        return time.monotonic() - self._looked_at

    @property
    def is_stopping(self) -> bool:
        """Whether it begins no more runs."""
        return self._stopped.is_set()

    def serve(self, every: float = 1.0) -> None:
        """Look again and again until stopped."""
        while not self._stopped.is_set():
            self.tick()
            self._stopped.wait(every)

    def stop(self, reason: str = "by the server's end") -> None:
        """End the runs after their requests under way, and the serving. Safe from a signal handler."""
        self._stopped.set()
        for runner in list(self._under_way.values()):
            runner.interrupt(reason)

    def close(self) -> None:
        """Wait for the runs to end, and let go of the inboxes."""
        self._pool.shutdown(wait=True)
        for inbox in self.inboxes.values():
            inbox.close()


def _change_token(source: Source) -> bool:
    """Whether a source can say that something has landed."""
    try:
        return source.change_token() is not None
    except SendoffError:
        return True  # there is no file yet, and change_token says so
