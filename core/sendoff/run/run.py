"""One run: delivers a source, from its first read to its report."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from random import Random

from sendoff import jsonlib
from sendoff.components import Observer, ReadMark, Source
from sendoff.config.connector import Connector
from sendoff.encode.idempotency import make_key_function
from sendoff.engine.engine import Engine
from sendoff.errors import PluginCrash, SendoffError, SourceError
from sendoff.intake.pipeline import EncodedPage, Pipeline
from sendoff.intake.reading import read_lazily
from sendoff.lazy import import_postponed
from sendoff.ledger import Changes, Ledger, RunState, StoredMark
from sendoff.monitoring.events import RunAborted, RunEnded, RunInfo, RunStarted, TlsUnverified
from sendoff.monitoring.report import Report
from sendoff.records import Lines, Page
from sendoff.response import unread_failure
from sendoff.run.dispatcher import Dispatcher
from sendoff.run.observers import ObserverGroup
from sendoff.run.prepare import RequestPreparer, connection_settings
from sendoff.run.request_template import build_request_builder
from sendoff.transport import rate_limit

#: Seconds: how often it is stored what counts against long rates. A process that is killed loses that much of it at most.
SAVE_USAGE_EVERY = 1.0


class Run:
    """A run ready to start or resume: the ledger knows it, and its lock is held."""

    def __init__(
        self,
        ledger: Ledger,
        connector: Connector,
        source: Source,
        state: RunState,
        *,
        observers: Iterable[Observer],
        random: Random | None,
        early_stop: bool,
        limit: int | None = None,
    ) -> None:
        self._ledger, self._connector, self._source, self._state = ledger, connector, source, state
        to = connector.destination
        about = RunInfo(connector=connector.name, run=state.id, method=to.method, url=to.url)
        self._observers = ObserverGroup(about, observers, connector.secrets.redact)
        self._early_stop = early_stop
        key = make_key_function(ledger.key_secret, state.key_name or connector.name, state.generation, to.idempotency.form)
        self._reader = Pipeline(connector, key)
        self._origin = rate_limit.origin(to.url)
        self._recorded_down, self._pause_left = ledger.destination_health(self._origin)
        state.was_down = self._recorded_down and early_stop
        self._rate_limiter = rate_limit.for_origin(to.url, to.rate_limit)
        if self._rate_limiter.is_lasting:
            self._rate_limiter.restore(time.monotonic(), ledger.rate_usage(self._origin))
        self._usage_saved_at = time.monotonic()
        builder = build_request_builder(connector, key, rate_limiter=self._rate_limiter, early_stop=early_stop)
        self._engine = Engine(builder, connector.sender, connector.strategy, state, random=random)
        self._connection = connection_settings(connector)
        self._preparer = RequestPreparer(connector, lambda request: connector.transport.send_one(request, self._connection))
        self._dispatcher = Dispatcher(
            self._engine, self._commit, observers=self._observers, preparer=self._preparer,
            warning=lambda response: unread_failure(response, to.response), expected=lambda: source.expected_rows,
        )  # fmt: skip
        #: How far the source was read when so many rows were, where a resumed run knows by it that it reads the same again;
        #: and when it was read to its end.
        self._marks: deque[tuple[int, ReadMark]] = deque()
        self._last_mark: ReadMark | None = None
        #: How many rows of the source are read at most, and whether there are more.
        self._most_rows = math.inf if limit is None else state.read + limit
        self._is_limited = False
        self._started = time.monotonic()
        #: Records that an earlier process planned, and may have sent.
        self._may_be_repeated = sum(span.size for chunk in state.chunks for span in chunk.spans)
        #: What ended the run, if an exception did.
        self._error: SendoffError | None = None

    def interrupt(self, reason: str) -> None:
        """End after the requests that have left. Safe from a signal handler."""
        self._dispatcher.stop(reason, interrupted=True)

    def deliver(self) -> Report:
        """Deliver, and say what it came to. A source that breaks on the way stops the run; a ledger raises."""
        import_postponed()
        try:
            return self._deliver()
        except BaseException as error:
            self._observers.notify([*self._dispatcher.drain_events(), RunAborted(reason=str(error) or type(error).__name__)])
            raise

    def _deliver(self) -> Report:
        counts = self._engine.counts
        started = RunStarted(
            resumed=self._state.resumed,
            delivered=counts["delivered"],
            rejected=counts["rejected"],
            invalid=counts["invalid"],
            retries=counts["retries"],
            may_be_repeated=self._may_be_repeated,
            uncertain=sum(request.records for request in self._state.uncertain),
            sends=max((request.sends for request in self._state.uncertain), default=0),
            maybe_applied_as=self._state.maybe_applied_as,
        )
        self._observers.notify([started] if self._connector.destination.tls.verify else [started, TlsUnverified()])
        if self._connector.on_invalid == "stop" and not self._state.resumed and (invalid := self._count_invalid()):
            self._engine.stop(f"{invalid:,} invalid records, and on_invalid is stop: nothing was sent")
        elif self._pause_left > 0 and self._early_stop:
            back = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() + self._pause_left))
            self._engine.stop(
                f"the API asked for a pause until {back}; run with --no-early-stop to ask it all the same", transient=True
            )
        else:
            self._send()
        report = self._close()
        self._observers.notify([*self._dispatcher.drain_events(), RunEnded(report=report)])
        return report

    def _send(self) -> None:
        try:
            self._dispatcher.run(
                self._encoded_pages(), lambda: self._connector.transport.run(self._dispatcher, self._connection)
            )
        except SourceError as error:
            self._error = error
            self._engine.stop(str(error))
        except KeyboardInterrupt:
            # The engine was stopped by this very exception, and named it as a fault.
            self._engine.stop("by KeyboardInterrupt", interrupted=True, instead=True)
            self._close()
            raise
        except BaseException as error:
            crash = error if isinstance(error, PluginCrash) else PluginCrash.find(error)
            if crash is not None:
                self._error = crash
                self._engine.stop(str(crash), instead=True)
                return
            with suppress(Exception):  # the ledger itself may be what failed
                self._close()
            raise

    def _count_invalid(self) -> int:
        """A first pass over the source that sends nothing. Returns how many records are invalid."""
        invalid = rows = 0
        for found in self._encoded_pages():
            rows, invalid = found.rows, invalid + len(found.invalid)
            self._commit(Changes(failed=list(found.invalid), read=rows))
        if invalid:
            self._engine.counts.update(read=rows, invalid=invalid)
        return invalid

    def _encoded_pages(self) -> Iterator[EncodedPage]:
        return self._reader.read(self._marked(read_lazily(self._source)))

    def _marked(self, pages: Iterator[Page | Lines]) -> Iterator[Page | Lines]:
        rows = 0
        for page in pages:
            room = self._most_rows - rows
            self._is_limited = len(page) > room
            some = page.first(int(room)) if self._is_limited else page
            rows += len(some)
            if (mark := self._source.mark()) is not None:
                self._marks.append((rows, mark))
            if room:
                yield some
            if self._is_limited:
                return
        self._last_mark = self._source.mark()

    def _commit(self, changes: Changes) -> None:
        if changes.read is not None:
            while self._marks and self._marks[0][0] < changes.read:
                self._marks.popleft()
            if self._marks:
                position, digest = self._marks[0][1]
                changes.mark = StoredMark(jsonlib.dumps(position), digest)
        self._ledger.commit(self._state, changes)
        down = self._engine.breaker.is_open and self._engine.breaker.is_outage
        if down != self._recorded_down:
            self._recorded_down = down
            self._ledger.save_destination_health(self._origin, down=down, rest=None)
        if time.monotonic() - self._usage_saved_at >= SAVE_USAGE_EVERY:
            self._save_usage()

    def _save_usage(self) -> None:
        """Store what counts against rates of a minute or longer, for the processes after this one."""
        now = self._usage_saved_at = time.monotonic()
        if self._rate_limiter.is_lasting:
            self._ledger.save_rate_usage(self._origin, self._rate_limiter.usage(now))

    def _close(self) -> Report:
        """Store the run's end in the ledger, and make its report."""
        if self._is_limited and self._engine.stopped is None:
            self._engine.stop("as the limit of records was reached", interrupted=True)
        counts, stopped = self._engine.counts, self._engine.stopped
        done = self._is_limited and counts["read"] == counts["delivered"]
        report = Report(
            connector=self._connector.name,
            run=self._state.id,
            state=stopped.state if stopped else "complete" if counts["delivered"] == counts["read"] else "incomplete",
            seconds=round(time.monotonic() - self._started, 3),
            stopped_because=stopped.reason if stopped else None,
            transient=stopped is not None and stopped.transient,
            unchanged=self._state.unchanged,
            interrupted_by=(0 if done else 1) if self._is_limited else None,
            error=(self._error or self._preparer.error) if stopped and stopped.state == "stopped" else None,
            **counts,
        )
        if report.pending and not stopped:
            raise RuntimeError(f"the run ended with records unaccounted for: {report}")
        health, rest = self._engine.breaker, self._engine.requested_pause
        # What one request shows is no outage, nor is that a person, or a deadline, ended the run while it failed.
        down = health.was_down or (health.is_outage and (health.is_open or not health.has_succeeded))
        if down != self._recorded_down or rest is not None or (self._pause_left > 0 and health.has_succeeded):
            self._ledger.save_destination_health(self._origin, down=down, rest=rest)
        self._save_usage()
        self._ledger.end(
            self._state, report.state, read=report.read, seconds=report.seconds, because=report.stopped_because,
            fingerprint=self._last_mark.digest if self._last_mark else None,
        )  # fmt: skip
        return report
