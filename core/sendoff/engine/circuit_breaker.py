"""A circuit breaker: whether the destination is unproven, up, or down, and how often to probe it.

Before the first success requests are sent one at a time. After ten transient failures in a row the destination
is down: one request at a time probes it, at growing intervals of at most ten seconds, so that an outage costs
few requests and its end is noticed soon. Failures during an outage count against no request.
"""

from __future__ import annotations

from random import Random

#: Transient failures in a row after which the destination is down.
FAILURES_TO_OPEN = 10
#: Seconds between the probes of a destination that is down: from, and at most.
FIRST_PROBE_DELAY, MAX_PROBE_DELAY = 1.0, 9.5


class CircuitBreaker:
    """Updated by every response, checked before every request."""

    def __init__(self, random: Random, *, was_down: bool = False) -> None:
        self._random = random
        #: Whether something has got through lately, so that requests may travel side by side.
        self.is_closed = False
        #: Whether something has got through at all, in this process.
        self.has_succeeded = False
        #: How many requests have been answered with a success.
        self.successes = 0
        #: Transient failures since the last success, and refusals before the first.
        self.consecutive_failures = 0
        self.rejections = 0
        #: When the first failure of the streak came.
        self.failing_since: float | None = None
        #: An earlier process left the destination down, and nothing has got through since.
        self.was_down = was_down

    @property
    def is_open(self) -> bool:
        return self.consecutive_failures >= FAILURES_TO_OPEN or self.was_down

    def on_success(self) -> bool:
        """A request succeeded. Returns whether that ends an outage."""
        over = self.is_open
        self.is_closed = self.has_succeeded = True
        self.successes += 1
        self.consecutive_failures = self.rejections = 0
        self.failing_since, self.was_down = None, False
        return over

    def on_failure(self, now: float) -> None:
        """A transient failure."""
        self.consecutive_failures += 1
        if self.failing_since is None:
            self.failing_since = now
        if self.is_open:
            self.is_closed, self.rejections = False, 0

    def on_rejection(self) -> None:
        """A definite rejection: the destination is up."""
        self.consecutive_failures, self.failing_since = 0, None
        if not self.is_closed:
            self.rejections += 1

    def probe_delay(self) -> float:
        """Seconds until a destination that is down is probed again."""
        ceiling = min(MAX_PROBE_DELAY, FIRST_PROBE_DELAY * 2.0 ** min(60, self.consecutive_failures - FAILURES_TO_OPEN))
        return ceiling * self._random.uniform(0.85, 1.0)

    def failing_for(self, now: float) -> float:
        return 0.0 if self.failing_since is None else now - self.failing_since
