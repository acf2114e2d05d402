"""Order by a key: what shares a key with an unsettled request waits for it; all else goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable

from sendoff.delivery.tasks import Task


class Order:
    """Holds back the tasks whose turn it is not. Without lanes it holds nothing back."""

    def __init__(self, lanes: Callable[[Task], frozenset[Hashable]]) -> None:
        self._lanes = lanes
        self._held: Counter[Hashable] = Counter()
        self._back: list[Task] = []

    def admit(self, task: Task) -> Task | None:
        """The task, if nothing before it shares a key; else it is held back, and None."""
        task.lanes = self._lanes(task)
        if any(self._held[lane] for lane in task.lanes) or any(task.lanes & other.lanes for other in self._back):
            self._back.append(task)
            return None
        self._hold(task)
        return task

    def inherit(self, parent: Task, heir: Task) -> None:
        """A part of a task: it has its turn because the whole had."""
        heir.lanes = self._lanes(heir) if parent.lanes else frozenset()
        self._hold(heir)

    def released(self, task: Task) -> None:
        """A task is settled: those who waited for it may go."""
        for lane in task.lanes:
            self._held[lane] -= 1
            if not self._held[lane]:
                del self._held[lane]

    def next(self) -> Task | None:
        """A task held back whose turn has come, in order."""
        before: set[Hashable] = set()
        for at, task in enumerate(self._back):
            if not before & task.lanes and not any(self._held[lane] for lane in task.lanes):
                self._hold(self._back.pop(at))
                return task
            before |= task.lanes
        return None

    def _hold(self, task: Task) -> None:
        for lane in task.lanes:
            self._held[lane] += 1

    def __len__(self) -> int:
        return len(self._back)
