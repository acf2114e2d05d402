"""What waits to travel, in the order it should."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from itertools import count

from sendoff.engine.tasks import Strip, Task
from sendoff.ledger import Piece
from sendoff.records import Span


class Queue:
    """Tasks in source order, the parts of a split request before what comes after it, and retries in their time."""

    def __init__(self) -> None:
        self._ready: deque[Task] = deque()
        self._strips: deque[Strip] = deque()
        self._later: list[tuple[float, int, Task]] = []
        self._tickets = count()
        self._heirs: dict[int, Task] = {}

    def extend(self, strips: Iterable[Strip]) -> None:
        """Planned pieces whose requests may be made, at the end."""
        self._strips.extend(strips)

    def first(self, task: Task) -> None:
        """A task that goes before all that is ready."""
        self._ready.appendleft(task)

    def at(self, when: float, task: Task) -> None:
        """A task to be tried again, not before a time."""
        heappush(self._later, (when, next(self._tickets), task))

    def expect(self, heir: Task) -> None:
        """A part of a split request, to be adopted when its piece is durable."""
        self._heirs[heir.piece.lo] = heir

    def adopt(self, opened: Iterable[Piece], open_: dict[int, Strip]) -> None:
        """These pieces are durable now: parts go first, in order, and of each family only the first."""
        fresh: list[Task] = []
        for piece in opened:
            heir = self._heirs.pop(piece.lo, None)
            if heir is None:
                self._strips.append(open_[piece.lo])
            elif heir.due is not None:
                self.at(heir.due, heir)
            elif heir.family is None:
                fresh.append(heir)
            elif not heir.family.started:
                heir.family.started = True
                fresh.append(heir.family.waiting.popleft())
        self._ready.extendleft(reversed(fresh))

    def retry(self, now: float) -> Task | None:
        """A task whose time to be tried again has come."""
        return heappop(self._later)[2] if self._later and self._later[0][0] <= now else None

    def hurry(self, now: float) -> None:
        """Whatever waits to be tried again may be tried from now on."""
        self._later = [(min(when, now), ticket, task) for when, ticket, task in self._later]
        heapify(self._later)

    def until_retry(self, now: float) -> float | None:
        """Seconds until the next retry; None if there is none to come."""
        return self._later[0][0] - now if self._later else None

    def take(self) -> Task | None:
        """The next task that was not tried yet."""
        if self._ready:
            return self._ready.popleft()
        while self._strips:
            strip = self._strips[0]
            if strip.left:
                return Task(strip.take(), strip.piece, attempts=int(strip.repeats))
            self._strips.popleft()
        return None

    def strip(self) -> Strip | None:
        """The strip that `take` would take from, if nothing goes before it."""
        while self._strips and not self._strips[0].left:
            self._strips.popleft()
        return self._strips[0] if self._strips and not self._ready else None

    def put_back(self, strip: Strip, span: Span) -> None:
        """Records taken from a strip and not sent: they are its next again."""
        strip.left.appendleft(span)
        if not self._strips or self._strips[0] is not strip:
            self._strips.appendleft(strip)

    def __bool__(self) -> bool:
        return bool(self._ready or self._later or self._heirs or any(strip.left for strip in self._strips))
