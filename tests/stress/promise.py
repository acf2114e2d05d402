"""A promise that can be held: what it says, what it rests on, and the stress test that tries to break it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Figures = dict[str, Any]


@dataclass
class Budget:
    """How long to go on: so many rounds, or until the time is over, whichever comes first."""

    rounds: int
    seconds: float = float("inf")
    seed: int = 0
    _begun: float = field(default_factory=time.monotonic)

    def left(self, done: int) -> bool:
        """Whether another round may begin."""
        return done < self.rounds and time.monotonic() - self._begun < self.seconds


@dataclass(frozen=True)
class Promise:
    """One line of the table of promises.

    `stress` tries to break it, within a budget, and returns what it counted; it raises `AssertionError` if
    it succeeds. `zero` names the figures that must be 0, and `proof` the one that says how much was tried.
    """

    name: str
    says: str
    rests_on: str
    stress: Callable[[Budget], Figures]
    #: How much is tried in `make test`, and in `make stress`.
    ci: int
    full: int
    proof: str
    zero: tuple[str, ...] = ()
    #: Its share of the minutes, beside the others.
    weight: float = 1.0
    needs: Callable[[], str | None] = lambda: None

    def hold(self, budget: Budget) -> Figures:
        """Run the stress test, and look at the figures. Raises `AssertionError` with them if the promise was broken."""
        figures = self.stress(budget)
        broken = {name: figures[name] for name in self.zero if figures[name]}
        assert not broken, f"{self.says}: broken, {told(broken)} ({told(figures)})"
        return figures


def told(figures: Mapping[str, Any]) -> str:
    """Figures in a line."""
    return ", ".join(f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}" for name, value in figures.items())
