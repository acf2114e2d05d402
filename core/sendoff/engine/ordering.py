"""Order by a key: what shares a key with an earlier pending record waits for it; all else goes on."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from sendoff.engine.tasks import Task


class KeyOrdering:
    """Holds back the tasks whose turn it is not. Where records have no lanes it holds nothing back."""

    def __init__(self, lanes: Callable[[Task], frozenset[Hashable]]) -> None:
        self._keys_of = lanes
        #: Every pending task that has lanes, and those of them whose turn it was not.
        self._known: list[Task] = []
        self._held: list[Task] = []

    def register(self, task: Task) -> None:
        """A task there is from now on, until it is settled."""
        if not task.ordering_keys:
            task.ordering_keys = self._keys_of(task)
            if task.ordering_keys:
                self._known.append(task)

    def release_or_hold(self, task: Task) -> Task | None:
        """The task, if it is its turn; else it is held back, and None."""
        self.register(task)
        if self._may_go(task):
            return task
        self._held.append(task)
        return None

    def next_released(self) -> Task | None:
        """A task held back whose turn has come."""
        for at, task in enumerate(self._held):
            if self._may_go(task):
                return self._held.pop(at)
        return None

    def settle(self, task: Task) -> None:
        """Those who waited for this task may go."""
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
