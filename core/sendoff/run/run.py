"""One run: a source delivered by an engine, from its first read to its report."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from random import Random

from sendoff.components import Observer, Source
from sendoff.config.connector import Connector
from sendoff.encode.idempotency import keymaker
from sendoff.engine.engine import Engine
from sendoff.errors import SourceError
from sendoff.intake.pipeline import Read, Reader
from sendoff.intake.reading import yielded
from sendoff.ledger import Changes, Ledger, RunState
from sendoff.records import pages
from sendoff.run.dispatcher import Desk
from sendoff.run.observers import Audience
from sendoff.run.prepare import Finish, wire
from sendoff.run.report import Report
from sendoff.run.request_template import terms
from sendoff.transport import rate_limit


class Run:
    """A run that is ready to begin, or to go on: the ledger knows it, and its lock is held."""

    def __init__(
        self,
        ledger: Ledger,
        connector: Connector,
        source: Source,
        state: RunState,
        *,
        observers: Iterable[Observer],
        random: Random | None,
        accept_refusals: bool,
    ) -> None:
        self._ledger, self._connector, self._source, self._state = ledger, connector, source, state
        self._audience = Audience(connector.name, observers)
        self._accept = accept_refusals
        to = connector.destination
        key = keymaker(ledger.key_secret, connector.name, state.generation, to.idempotency["form"])
        self._reader = Reader(connector, key)
        self._origin = rate_limit.origin(to.url)
        state.was_down, self._rest = ledger.remembered(self._origin)
        self._noted = state.was_down
        told = terms(connector, key, pace=rate_limit.shared(to.url, to.pace), accept_refusals=accept_refusals)
        self._engine = Engine(told, connector.sender, connector.strategy, state, random=random)
        self._wire = wire(connector)
        self._finish = Finish(connector, lambda request: connector.transport.ask(request, self._wire))
        self._desk = Desk(self._engine, self._commit, audience=self._audience, finish=self._finish)
        self._begun = time.monotonic()

    def interrupt(self, reason: str) -> None:
        """End after the requests that have left. Safe from a signal handler."""
        self._desk.stop(reason, interrupted=True)

    def deliver(self) -> Report:
        """Deliver, and say what it came to. A source that breaks on the way stops the run; a ledger raises."""
        counts = self._engine.counts
        self._audience.started(self._state.id, {"resumed": self._state.resumed, "delivered": counts["delivered"]})
        if not self._connector.destination.tls.verify:
            self._audience.event("unverified", {"reason": "tls.verify is false: whoever answers is believed to be the API"})
        if self._connector.on_invalid == "stop" and not self._state.resumed and (invalid := self._invalid()):
            self._engine.stop(f"{invalid:,} invalid records, and on_invalid is stop: nothing was sent")
        elif self._rest > 0 and not self._accept:
            back = time.strftime("%H:%M:%S", time.localtime(time.time() + self._rest))
            self._engine.stop(f"the API asked to be left alone until {back}; run with --accept-refusals to ask it all the same")
        else:
            self._send()
        report = self._ended()
        self._audience.ended(report)
        return report

    def _send(self) -> None:
        try:
            self._desk.run(self._reads(), lambda: self._connector.transport.carry(self._desk, self._wire))
        except SourceError as error:
            self._engine.stop(str(error))
        except KeyboardInterrupt:
            # The engine was stopped by this very exception, and named it as a fault.
            self._engine.stop("by KeyboardInterrupt", interrupted=True, instead=True)
            self._ended()
            raise
        except BaseException:
            with suppress(Exception):  # the ledger itself may be what failed
                self._ended()
            raise

    def _invalid(self) -> int:
        """A first walk over the source that sends nothing: how many records are invalid."""
        invalid = rows = 0
        for found in self._reads():
            rows, invalid = found.rows, invalid + len(found.invalid)
            self._commit(Changes(failed=list(found.invalid), read=rows))
        if invalid:
            self._engine.counts.update(read=rows, invalid=invalid)
        return invalid

    def _reads(self) -> Iterator[Read]:
        return self._reader.read(pages(yielded(self._source), unread=True))

    def _commit(self, changes: Changes) -> None:
        self._ledger.commit(self._state, changes)
        down = self._engine.health.down
        if down != self._noted:
            self._noted = down
            self._ledger.remember(self._origin, down=down, rest=None)

    def _ended(self) -> Report:
        """Close the run in the ledger, and account for it."""
        counts, stopped = self._engine.counts, self._engine.stopped
        report = Report(
            connector=self._connector.name,
            run=self._state.id,
            state=stopped.state if stopped else "complete" if counts["delivered"] == counts["read"] else "incomplete",
            seconds=round(time.monotonic() - self._begun, 3),
            stopped_because=stopped.reason if stopped else None,
            known=self._state.known,
            **counts,
        )
        assert stopped or report.unsettled == 0, report
        health, rest = self._engine.health, self._engine.rest
        down = health.down or (health.streak > 0 and not health.ever)
        if down != self._noted or rest is not None or (self._rest > 0 and health.ever):
            self._ledger.remember(self._origin, down=down, rest=rest)
        self._ledger.end(self._state, report.state, read=report.read, seconds=report.seconds, because=report.stopped_because)
        return report
