"""Order by a key: what shares a key with an earlier unsettled record waits for it; all else goes on."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from sendoff.engine.tasks import Task


class Order:
    """Holds back the tasks whose turn it is not. Where records have no lanes it holds nothing back."""

    def __init__(self, lanes: Callable[[Task], frozenset[Hashable]]) -> None:
        self._lanes = lanes
        #: Every unsettled task that has lanes, and those of them whose turn it was not.
        self._known: list[Task] = []
        self._back: list[Task] = []

    def know(self, task: Task) -> None:
        """A task there is from now on, until it is settled."""
        if not task.lanes:
            task.lanes = self._lanes(task)
            if task.lanes:
                self._known.append(task)

    def admit(self, task: Task) -> Task | None:
        """The task, if it is its turn; else it is held back, and None."""
        self.know(task)
        if self._may_go(task):
            return task
        self._back.append(task)
        return None

    def next(self) -> Task | None:
        """A task held back whose turn has come."""
        for at, task in enumerate(self._back):
            if self._may_go(task):
                return self._back.pop(at)
        return None

    def settled(self, task: Task) -> None:
        """Those who waited for this task may go."""
        if task.lanes:
            self._known.remove(task)

    def _may_go(self, task: Task) -> bool:
        first = task.spans[0].lo
        return not any(other.spans[0].lo < first and other.lanes & task.lanes for other in self._known) if task.lanes else True

    def __len__(self) -> int:
        return len(self._back)
