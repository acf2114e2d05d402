"""The dispatcher: the engine behind a lock, and the threads that read for it and commit for it.

The reader thread offers blocks while the engine wants input. The commit thread commits what the engine
proposes: changes collect while a commit is under way, so commits are grouped. The transport's threads call
`next_request` and `complete`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from sendoff.engine.engine import Engine
from sendoff.errors import SendoffError
from sendoff.intake.pipeline import EncodedPage
from sendoff.ledger import Changes
from sendoff.monitoring.events import Event, FailureUnread, RunProgressed
from sendoff.records import Span
from sendoff.response import UnreadFailure
from sendoff.run.observers import ObserverGroup, burst_events, request_event
from sendoff.run.prepare import RequestPreparer
from sendoff.transport.protocol import Completion, Request, RequestBurst, Response, Wait

#: Seconds that changes gather before they are committed, while nobody waits for the commit.
GATHER = 0.03


class Dispatcher:
    """An `Exchange` over an engine. Everything that touches the engine happens under one lock."""

    def __init__(
        self,
        engine: Engine,
        commit: Callable[[Changes], None],
        *,
        observers: ObserverGroup,
        preparer: RequestPreparer | None = None,
        clock: Callable[[], float] = time.monotonic,
        warning: Callable[[Response], UnreadFailure | None] | None = None,
        expected: Callable[[], int | None] = lambda: None,
    ) -> None:
        #: Says what is doubtful about a success: it is warned of once a run.
        self._warning = warning
        #: What happened beside the engine, reported with its next events.
        self._events: list[Event] = []
        self._expected = expected
        self._preparer = preparer
        self._engine = engine
        self._commit = commit
        self._observers = observers
        self._clock = clock
        self._started = clock()
        # One lock, re-entrant as a failure is noted from within a step, and three who wait under it:
        # waking only who has something new to look at keeps a request cheap.
        lock = threading.RLock()
        self._can_send = threading.Condition(lock)
        self._can_commit = threading.Condition(lock)
        self._can_read = threading.Condition(lock)
        self._version = 0
        self._seen_version = threading.local()
        self._callbacks: list[Callable[[], None]] = []
        #: Whether someone waits for the next commit; whether the ledger's hand has nothing to do; when it last wrote.
        self._commit_requested = self._committer_idle = False
        self._committed_at = -GATHER
        self._closing = False
        self.error: BaseException | None = None

    # The transport's side: an Exchange.

    def next_request(self) -> Request | Wait | Literal["done"]:
        found = self.next_requests(0)
        assert not isinstance(found, RequestBurst)
        return found

    def next_requests(self, ahead: int) -> Request | RequestBurst | Wait | Literal["done"]:
        """The next request, compressed and signed: that takes time, and is done without the lock."""
        if self._preparer is not None and not self._preparer.has_nothing_to_do:
            ahead = 0
        while True:
            found = self._next(ahead)
            if self._preparer is None or not isinstance(found, Request):
                return found
            try:
                finished = self._preparer(found)
            except BaseException as error:
                self._fail(error)
                return "done"
            if isinstance(finished, Request):
                return finished
            self.complete(found, finished)

    def _next(self, ahead: int) -> Request | RequestBurst | Wait | Literal["done"]:
        with self._can_send:
            self._seen_version.version = self._version
            try:
                found = self._engine.next_request(self._clock(), ahead)
            except BaseException as error:
                self._fail(error)
                return "done"
            if isinstance(found, Wait) and self._engine.has_urgent_changes():
                self._commit_requested = True  # what waits may have something to send after the next commit
                self._can_commit.notify()
            elif self._engine.has_events():
                self._can_commit.notify()
            if found == "done":
                self._changed()
            return found

    def complete(self, request: Request, response: Response) -> None:
        try:
            if self._preparer is not None:
                response = self._preparer.on_response(request, response)
            verdict = self._engine.classify(request, response)
            self._warn_of((response,))
        except BaseException as error:
            self._fail(error)
            return
        with self._can_send:
            if self._observers.per_request:
                self._events.append(request_event(request, response, verdict))
            try:
                self._engine.complete(request, response, self._clock(), verdict)
            except BaseException as error:
                self._fail(error)
            self._changed()

    def complete_many(self, burst: RequestBurst, completions: Sequence[Completion]) -> None:
        self._warn_of([response for _, response, _ in completions])
        events = list(burst_events(burst, completions)) if self._observers.per_request else []
        with self._can_send:
            try:
                others = self._engine.complete_many(burst, completions, self._clock())
            except BaseException as error:
                self._fail(error)
                return
            if others:  # each of these is reported when it is completed by itself
                failed = {request.span.lo for request, _ in others}
                events = [event for event, done in zip(events, completions, strict=False) if done[0] not in failed]
            self._events += events
            self._changed()
        for request, response in others:
            self.complete(request, response)

    def is_cancelled(self, burst: RequestBurst) -> bool:
        return self._engine.is_cancelled(burst)

    def return_unsent(self, burst: RequestBurst, unsent: Span) -> None:
        with self._can_send:
            try:
                self._engine.return_unsent(burst, unsent)
            except BaseException as error:
                self._fail(error)
            self._changed()

    def _warn_of(self, responses: Iterable[Response]) -> None:
        known: Response | None = None  # a transport gives equal responses as one object
        for response in responses:
            if self._warning is None:
                return
            if response is not known and (found := self._warning(response)):
                self._warning = None
                with self._can_send:
                    self._events.append(FailureUnread(reason=found.reason, add=found.add))
            known = response

    def wait(self, seconds: float) -> None:
        with self._can_send:
            if self._seen_version.version == self._version:
                self._can_send.wait(seconds)

    def on_change(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    # The owner's side.

    def run(self, encoded_pages: Iterable[EncodedPage], send: Callable[[], None]) -> None:
        """Deliver what is read until the engine is done, then wait for the last commit.

        Raises what the source or the ledger raised; the engine has been stopped by then, and what
        was in flight has been accounted for as far as the ledger allowed.
        """
        hands = [
            threading.Thread(
                target=self._run_thread, args=(self._read_loop, encoded_pages), name="sendoff-reader", daemon=True
            ),
            threading.Thread(target=self._run_thread, args=(self._commit_loop,), name="sendoff-ledger", daemon=True),
        ]
        for hand in hands:
            hand.start()
        try:
            send()
        except BaseException as error:
            self._fail(error)
        with self._can_send:
            self._closing = True
            self._changed()
            self._can_read.notify()
        for hand in reversed(hands):
            hand.join()
        if self.error is not None:
            raise self.error

    def stop(self, reason: str, *, interrupted: bool = False) -> None:
        """End the run after the requests under way."""
        with self._can_send:
            self._engine.stop(reason, interrupted=interrupted)
            self._changed()
            self._can_read.notify()

    def _read_loop(self, reads: Iterable[EncodedPage]) -> None:
        for read in reads:
            with self._can_read:
                self._engine.offer(read.block, read.invalid, read.rows)
                self._changed()
                while not self._engine.wants_input():
                    if self._closing or self._engine.stopped:
                        return
                    self._can_read.wait()
        with self._can_read:
            self._engine.end_of_input()
            self._changed()

    def _commit_loop(self) -> None:
        while True:
            with self._can_commit:
                changes = self._next_commit()
                events = self.drain_events()
                if changes is not None:
                    self._can_read.notify()
                done = changes is None and self._closing and self._engine.is_drained()
            self._observers.notify(events)
            if done:
                return
            if changes is None:
                continue
            self._commit(changes)
            with self._can_send:
                self._engine.confirm(changes)
                progress = RunProgressed(
                    seconds=self._clock() - self._started, limited_seconds=self._engine.limited_seconds,
                    source_read=self._engine.planner.ended, expected=self._expected(), **self._engine.counts,
                )  # fmt: skip
                self._changed()
            self._observers.notify((progress,))

    def drain_events(self) -> list[Event]:
        """What happened since the last call."""
        events, self._events = self._events, []
        return [*self._engine.events(), *events]

    def _next_commit(self) -> Changes | None:
        """Commit now if a sender waits for it, else after GATHER seconds; None after a wait."""
        wait = self._committed_at + GATHER - self._clock()
        if wait > 0 and not (self._commit_requested or self._closing):
            self._can_commit.wait(wait)
            return None
        changes = self._engine.propose()
        if changes is None:
            if not self._engine.has_events() and not (self._closing and self._engine.is_drained()):
                self._committer_idle = True
                self._can_commit.wait()
                self._committer_idle = False
        else:
            self._commit_requested, self._committed_at = False, self._clock()
        return changes

    def _run_thread(self, work: Callable[..., None], *args: object) -> None:
        try:
            work(*args)
        except BaseException as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        with self._can_send:
            self.error = self.error or error
            said = str(error) if isinstance(error, SendoffError) else f"{type(error).__name__}: {error}"
            self._engine.stop(said)
            self._changed()
            self._can_read.notify()

    def _changed(self) -> None:
        """Called under the lock after every step: wake senders and the committer."""
        self._version += 1
        self._can_send.notify_all()
        if self._committer_idle or self._commit_requested or self._closing:
            self._can_commit.notify()
        for callback in self._callbacks:
            callback()
