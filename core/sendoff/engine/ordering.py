"""Ordering keys: a task waits for earlier pending tasks that share a key with it."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from sendoff.engine.tasks import Task


class KeyOrdering:
    """Holds back tasks until earlier ones with a shared key are settled. Without keys it holds back none."""

    def __init__(self, keys: Callable[[Task], frozenset[Hashable]]) -> None:
        self._keys_of = keys
        #: Every pending task that has lanes, and those of them whose turn it was not.
        self._known: list[Task] = []
        self._held: list[Task] = []

    def register(self, task: Task) -> None:
        """Track a task until it is settled."""
        if not task.ordering_keys:
            task.ordering_keys = self._keys_of(task)
            if task.ordering_keys:
                self._known.append(task)

    def release_or_hold(self, task: Task) -> Task | None:
        """The task if it may be sent now; else hold it and return None."""
        self.register(task)
        if self._may_go(task):
            return task
        self._held.append(task)
        return None

    def next_released(self) -> Task | None:
        """A held task that may be sent now; None if there is none."""
        for at, task in enumerate(self._held):
            if self._may_go(task):
                return self._held.pop(at)
        return None

    def settle(self, task: Task) -> None:
        """The task is settled: those that waited for it may be sent."""
        if task.ordering_keys:
            self._known.remove(task)

    def _may_go(self, task: Task) -> bool:
        first = task.spans[0].lo
        return (
            not any(other.spans[0].lo < first and other.ordering_keys & task.ordering_keys for other in self._known)
            if task.ordering_keys
            else True
        )

    def __len__(self) -> int:
        return len(self._held)
