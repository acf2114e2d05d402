"""The server: checks once a second what is due, and runs it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sendoff.components import InboxSource, Source
from sendoff.config.connector import Connector
from sendoff.errors import ConfigError, SendoffError
from sendoff.ledger import Ledger
from sendoff.runner import Runner
from sendoff.serving.inbox_app import InboxApp
from sendoff.serving.schedule import Debouncer, Schedule

#: Runs under way at once; more wait for their turn.
AT_ONCE = 8
#: Seconds after which a run that stopped early is resumed, where arriving data begins runs: the first time, and at most.
RESUME_DELAYS = (60.0, 900.0)


class Server:
    """Runs the connectors of a project that have a schedule, a watch or an inbox.

    `runner` makes a runner for one run; `say` is told what happens, a line at a time. Connector files are read again when a
    run begins, so a change counts from the next run on; a new schedule or watch needs the server to be started again.
    Raises `ConfigError` for connectors that are not valid.
    """

    def __init__(
        self, runner: Callable[[], Runner], say: Callable[[str], None], *, clock: Callable[[], float] = time.time
    ) -> None:
        self._runner, self._say, self._clock = runner, say, clock
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
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="sendoff-run")
        self._stopped = threading.Event()
        inboxes = {name: chosen.source for name, chosen in self.connectors.items() if isinstance(chosen.source, InboxSource)}
        self.inbox_app = InboxApp(inboxes) if inboxes else None

    def _load_schedule(self) -> Schedule:
        schedules = {name: chosen.schedule for name, chosen in self.connectors.items() if chosen.schedule}
        ledger = Ledger(self._state, clock=self._clock)
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
        """One look at the clock and at what has landed; what is due is begun."""
        now = self._clock()
        for name, found in self._schedule.due(now).items():
            ledger = Ledger(self._state, clock=self._clock)
            try:
                ledger.mark_fired(name, found.fired)
            finally:
                ledger.close()
            if found.run:
                self._begin(name, "due" if found.why == "on time" else "missed, and run now")
            else:
                self._say(f"{name}: was due while the server was down, and is skipped")
        for name, debouncer in self._debouncers.items():
            if name in self._under_way:
                continue
            if debouncer.settled(self._files_settled(name), now):
                self._begin(name, "something has arrived")
            elif name in self._again and self._again[name][0] <= now:
                self._begin(name, "resumes where it stopped")

    def _files_settled(self, name: str) -> Any:
        try:
            return self.connectors[name].source.change_token()
        except SendoffError:
            return None  # there is no file yet

    def _begin(self, name: str, why: str) -> None:
        with self._lock:
            if name in self._under_way:
                self._say(f"{name}: {why}, and still running; it is not started again")
                return
            self._under_way[name] = self._runner()
        self._say(f"{name}: {why}")
        self._pool.submit(self._run, name)

    def _run(self, name: str) -> None:
        try:
            report = self._under_way[name].run(name)
            self._say(f"{name}: run {report.run}: {report.sentence()}")
            self._note(name, whole=report.pending == 0)
        except Exception as error:  # whatever it is, what has landed is tried again
            kind = "" if isinstance(error, SendoffError) else f"{type(error).__name__}: "
            self._say(f"{name}: {kind}{self.connectors[name].secrets.redact(str(error))}")
            self._note(name, whole=False)
        finally:
            with self._lock:
                del self._under_way[name]

    def _note(self, name: str, *, whole: bool) -> None:
        _, before = self._again.pop(name, (0.0, RESUME_DELAYS[0] / 2))
        if not whole:
            wait = min(2 * before, RESUME_DELAYS[1])
            self._again[name] = (self._clock() + wait, wait)

    @property
    def busy(self) -> bool:
        """Whether a run is under way."""
        return bool(self._under_way)

    def serve(self, every: float = 1.0) -> None:
        """Look again and again until stopped, then wait for the requests under way."""
        while not self._stopped.is_set():
            try:
                self.tick()
            except SendoffError as error:  # a plugin or a ledger that cannot be read now may be fixed while it serves
                self._say(str(error))
            self._stopped.wait(every)
        self.close()

    def stop(self, reason: str = "by the server's end") -> None:
        """End the runs after their requests under way, and the serving. Safe from a signal handler."""
        self._stopped.set()
        for runner in list(self._under_way.values()):
            runner.interrupt(reason)

    def close(self) -> None:
        """Wait for the runs to end, and let go of the inboxes."""
        self._pool.shutdown(wait=True)
        for chosen in self.connectors.values():
            if isinstance(chosen.source, InboxSource):
                chosen.source.close()


def _change_token(source: Source) -> bool:
    """Whether a source can say that something has landed."""
    try:
        return source.change_token() is not None
    except SendoffError:
        return True  # there is no file yet, and that it can tell
