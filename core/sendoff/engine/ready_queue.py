"""The queue of tasks and chunks that are ready to be sent."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from itertools import count

from sendoff.engine.states import TaskState
from sendoff.engine.tasks import OpenChunk, Task
from sendoff.ledger import Chunk
from sendoff.records import Span


class ReadyQueue:
    """Tasks in source order, the parts of a split request before later ones, and retries when due."""

    def __init__(self) -> None:
        self._ready: deque[Task] = deque()
        self._chunks: deque[OpenChunk] = deque()
        self._later: list[tuple[float, int, Task]] = []
        self._sequence = count()
        self._children: dict[int, Task] = {}

    def append(self, chunks: Iterable[OpenChunk]) -> None:
        """Add planned chunks at the end."""
        self._chunks.extend(chunks)

    def push_front(self, task: Task) -> None:
        """Add a task before all others."""
        self._ready.appendleft(task)

    def schedule(self, when: float, task: Task) -> None:
        """Retry a task, not before `when`."""
        heappush(self._later, (when, next(self._sequence), task))

    def await_commit(self, child: Task) -> None:
        """Hold a child task of a split request until its chunk is durable."""
        self._children[child.chunk.lo] = child

    def commit_children(self, opened: Iterable[Chunk], open_: dict[int, OpenChunk]) -> None:
        """These chunks are durable: queue their child tasks first, in order; of each group only the first."""
        fresh: list[Task] = []
        for chunk in opened:
            child = self._children.pop(chunk.lo, None)
            if child is None:
                self._chunks.append(open_[chunk.lo])
                continue
            child.move(TaskState.READY)
            if child.due is not None:
                self.schedule(child.due, child)
            elif child.group is None:
                fresh.append(child)
            elif not child.group.started:
                child.group.started = True
                fresh.append(child.group.waiting.popleft())
        self._ready.extendleft(reversed(fresh))

    def pop_retry(self, now: float) -> Task | None:
        """A task whose retry is due, or None."""
        return heappop(self._later)[2] if self._later and self._later[0][0] <= now else None

    def retry_now(self, now: float) -> None:
        """Make all scheduled retries due now."""
        self._later = [(min(when, now), ticket, task) for when, ticket, task in self._later]
        heapify(self._later)

    @property
    def retries(self) -> int:
        """How many retries are scheduled."""
        return len(self._later)

    def seconds_until_retry(self, now: float) -> float | None:
        """Seconds until the next retry; None if none is scheduled."""
        return self._later[0][0] - now if self._later else None

    def pop(self) -> Task | None:
        """The next task that was not tried yet, or None."""
        if self._ready:
            return self._ready.popleft()
        while self._chunks:
            open_chunk = self._chunks[0]
            if open_chunk.remaining:
                task = Task(open_chunk.take(), open_chunk.chunk, repeats=open_chunk.repeats)
                task.earlier_sends = open_chunk.earlier_sends(task.spans)
                return task
            self._chunks.popleft()
        return None

    def peek_single(self) -> OpenChunk | None:
        """The chunk that `pop` would take from, if nothing goes before it."""
        while self._chunks and not self._chunks[0].remaining:
            self._chunks.popleft()
        return self._chunks[0] if self._chunks and not self._ready else None

    def return_unsent(self, chunk: OpenChunk, span: Span) -> None:
        """Put records back that were taken from a chunk and not sent."""
        chunk.remaining.appendleft(span)
        if not self._chunks or self._chunks[0] is not chunk:
            self._chunks.appendleft(chunk)

    def has_untried(self) -> bool:
        """Whether there are tasks besides those to be retried."""
        return bool(self._ready or self._children or any(open_chunk.remaining for open_chunk in self._chunks))

    def __bool__(self) -> bool:
        return bool(self._later) or self.has_untried()
