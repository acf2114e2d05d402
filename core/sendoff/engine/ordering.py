"""Ordering keys: a task waits for earlier pending tasks that share a key with it."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from sendoff.engine.tasks import Task


class KeyOrdering:
    """Makes tasks wait until earlier ones with a shared key are settled. Without keys none waits."""

    def __init__(self, keys: Callable[[Task], frozenset[Hashable]]) -> None:
        self._keys_of = keys
        #: Every pending task that has keys, and those of them that wait for an earlier one.
        self._known: list[Task] = []
        self._waiting: list[Task] = []

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
        self._waiting.append(task)
        return None

    def next_released(self) -> Task | None:
        """A held task that may be sent now; None if there is none."""
        for at, task in enumerate(self._waiting):
            if self._may_go(task):
                return self._waiting.pop(at)
        return None

    def settle(self, task: Task) -> None:
        """The task is settled: those that waited for it may be sent."""
        if task.ordering_keys:
            self._known.remove(task)

    def _may_go(self, task: Task) -> bool:
        first = task.spans[0].lo
        return not task.ordering_keys or not any(
            other.spans[0].lo < first and other.ordering_keys & task.ordering_keys for other in self._known
        )

    def __len__(self) -> int:
        return len(self._waiting)
