"""The desk: the engine behind a lock, and the two threads that feed it and write for it.

The reader thread offers blocks while the engine is hungry. The ledger thread commits what the
engine proposes: while one commit is under way the next one gathers, so commits group themselves.
The transport is whoever calls `next` and `answer`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from sendoff.engine.engine import Engine
from sendoff.errors import SendoffError
from sendoff.intake.pipeline import Read
from sendoff.ledger import Changes
from sendoff.run.observers import Audience
from sendoff.run.prepare import Finish
from sendoff.transport.protocol import Answer, Landed, Request, Volley, Wait

#: Seconds that changes gather before they are committed, while nobody waits for the commit.
GATHER = 0.03


class Desk:
    """An `Exchange` over an engine. Everything that touches the engine happens under one lock."""

    def __init__(
        self,
        engine: Engine,
        commit: Callable[[Changes], None],
        *,
        audience: Audience,
        finish: Finish | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._finish = finish
        self._engine = engine
        self._commit = commit
        self._audience = audience
        self._clock = clock
        self._begun = clock()
        # One lock, re-entrant as a failure is noted from within a step, and three who wait under it:
        # waking only who has something new to look at keeps a request cheap.
        lock = threading.RLock()
        self._travel = threading.Condition(lock)
        self._write_down = threading.Condition(lock)
        self._read_on = threading.Condition(lock)
        self._version = 0
        self._seen = threading.local()
        self._callbacks: list[Callable[[], None]] = []
        #: Whether someone waits for the next commit; whether the ledger's hand has nothing to do; when it last wrote.
        self._wanted = self._idle = False
        self._written_at = -GATHER
        self._over = False
        self.error: BaseException | None = None

    # The transport's side: an Exchange.

    def next(self) -> Request | Wait | Literal["done"]:
        found = self.next_many(0)
        assert not isinstance(found, Volley)
        return found

    def next_many(self, most: int) -> Request | Volley | Wait | Literal["done"]:
        """The next request, compressed and signed: that takes time, and is done without the lock."""
        if self._finish is not None and not self._finish.idle:
            most = 0
        while True:
            found = self._next(most)
            if self._finish is None or not isinstance(found, Request):
                return found
            try:
                finished = self._finish(found)
            except Exception as error:
                self._failed(error)
                return "done"
            if isinstance(finished, Request):
                return finished
            self.answer(found, finished)

    def _next(self, most: int) -> Request | Volley | Wait | Literal["done"]:
        with self._travel:
            self._seen.version = self._version
            try:
                found = self._engine.next(self._clock(), most)
            except Exception as error:
                self._failed(error)
                return "done"
            if isinstance(found, Wait) and self._engine.pressing():
                self._wanted = True  # whoever is turned away may have something to carry after the next commit
                self._write_down.notify()
            if found == "done":
                self._changed()
            return found

    def answer(self, request: Request, answer: Answer) -> None:
        try:
            if self._finish is not None:
                answer = self._finish.answered(request, answer)
            verdict = self._engine.judge(request, answer)
        except Exception as error:
            self._failed(error)
            return
        with self._travel:
            try:
                self._engine.answer(request, answer, self._clock(), verdict)
            except Exception as error:
                self._failed(error)
            self._changed()

    def landed(self, volley: Volley, found: Sequence[Landed]) -> None:
        with self._travel:
            try:
                rest = self._engine.landed(volley, found, self._clock())
            except Exception as error:
                self._failed(error)
                return
            self._changed()
        for request, answer in rest:
            self.answer(request, answer)

    def wait(self, seconds: float) -> None:
        with self._travel:
            if self._seen.version == self._version:
                self._travel.wait(seconds)

    def changed(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    # The owner's side.

    def run(self, reads: Iterable[Read], carry: Callable[[], None]) -> None:
        """Deliver what is read until the engine is done, then wait for the last commit.

        Raises what the source or the ledger raised; the engine has been stopped by then, and what
        was in flight has been accounted for as far as the ledger allowed.
        """
        hands = [
            threading.Thread(target=self._hand, args=(self._read, reads), name="sendoff-reader", daemon=True),
            threading.Thread(target=self._hand, args=(self._write,), name="sendoff-ledger", daemon=True),
        ]
        for hand in hands:
            hand.start()
        try:
            carry()
        except BaseException as error:
            self._failed(error)
        with self._travel:
            self._over = True
            self._changed()
            self._read_on.notify()
        for hand in reversed(hands):
            hand.join()
        if self.error is not None:
            raise self.error

    def stop(self, reason: str, *, interrupted: bool = False) -> None:
        """End the run after the requests under way."""
        with self._travel:
            self._engine.stop(reason, interrupted=interrupted)
            self._changed()
            self._read_on.notify()

    def _read(self, reads: Iterable[Read]) -> None:
        for read in reads:
            with self._read_on:
                self._engine.offer(read.block, read.invalid, read.rows)
                self._changed()
                while not self._engine.hungry():
                    if self._over or self._engine.stopped:
                        return
                    self._read_on.wait()
        with self._read_on:
            self._engine.end()
            self._changed()

    def _write(self) -> None:
        while True:
            with self._write_down:
                while (changes := self._proposed()) is None:
                    if self._over and self._engine.quiet():
                        return
                self._read_on.notify()
            self._commit(changes)
            with self._travel:
                self._engine.confirm(changes)
                counts = {**self._engine.counts, "whole": int(self._engine.plan.ended)}
                events = self._engine.events()
                self._changed()
            for name, facts in events:
                self._audience.event(name, facts)
            self._audience.moved(counts, self._clock() - self._begun)

    def _proposed(self) -> Changes | None:
        """What to commit now, or None after a wait: at once for who wants it, else what gathers in a while."""
        rest = self._written_at + GATHER - self._clock()
        if rest > 0 and not (self._wanted or self._over):
            self._write_down.wait(rest)
            return None
        changes = self._engine.propose()
        if changes is None:
            if not (self._over and self._engine.quiet()):
                self._idle = True
                self._write_down.wait()
                self._idle = False
        else:
            self._wanted, self._written_at = False, self._clock()
        return changes

    def _hand(self, work: Callable[..., None], *args: Any) -> None:
        try:
            work(*args)
        except BaseException as error:
            self._failed(error)

    def _failed(self, error: BaseException) -> None:
        with self._travel:
            self.error = self.error or error
            said = str(error) if isinstance(error, SendoffError) else f"{type(error).__name__}: {error}"
            self._engine.stop(said)
            self._changed()
            self._read_on.notify()

    def _changed(self) -> None:
        """Called under the lock after every step: who carries and who writes looks again."""
        self._version += 1
        self._travel.notify_all()
        if self._idle or self._wanted or self._over:
            self._write_down.notify()
        for callback in self._callbacks:
            callback()
