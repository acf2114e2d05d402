"""What the engine believes of a destination: unproven, well, or down; and how long to leave it alone.

It is a circuit breaker. Before anything has got through, requests travel alone. After ten transient
failures in a row the destination is down: one request at a time probes it, at growing intervals
of at most ten seconds, so that an outage costs few requests and its end is noticed soon. Failures
during an outage count against no request.
"""

from __future__ import annotations

from random import Random

#: Transient failures in a row after which the destination is down.
STREAK = 10
#: Seconds between the probes of a destination that is down: from, and at most.
PROBE_FIRST, PROBE_LAST = 1.0, 9.5


class Health:
    """Told of every answer; asked before every request."""

    def __init__(self, random: Random, *, was_down: bool = False) -> None:
        self._random = random
        #: Whether something has got through lately, so that requests may travel side by side.
        self.proven = False
        #: Whether something has got through at all, in this process.
        self.ever = False
        #: How many requests have been answered with a success.
        self.passed = 0
        #: Transient failures since the last success, and refusals before the first.
        self.streak = 0
        self.refusals = 0
        #: When the first failure of the streak came.
        self.ailing_since: float | None = None
        #: An earlier process left the destination down, and nothing has got through since.
        self.was_down = was_down

    @property
    def down(self) -> bool:
        return self.streak >= STREAK or self.was_down

    def success(self) -> bool:
        """Something got through; answers whether an outage is over by that."""
        over = self.down
        self.proven = self.ever = True
        self.passed += 1
        self.streak = self.refusals = 0
        self.ailing_since, self.was_down = None, False
        return over

    def failure(self, now: float) -> None:
        """A transient failure."""
        self.streak += 1
        if self.ailing_since is None:
            self.ailing_since = now
        if self.down:
            self.proven, self.refusals = False, 0

    def refusal(self) -> None:
        """A definite refusal: the destination is there, and speaks."""
        self.streak, self.ailing_since = 0, None
        if not self.proven:
            self.refusals += 1

    def probe_after(self) -> float:
        """Seconds until a destination that is down is probed again."""
        ceiling = min(PROBE_LAST, PROBE_FIRST * 2.0 ** min(60, self.streak - STREAK))
        return ceiling * self._random.uniform(0.85, 1.0)

    def down_for(self, now: float) -> float:
        return 0.0 if self.ailing_since is None else now - self.ailing_since
