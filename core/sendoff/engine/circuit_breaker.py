"""A circuit breaker: whether the destination is unproven, up, or down, and how often to probe it.

Before the first success requests are sent one at a time. After ten transient failures in a row the destination
is down: one request at a time probes it, at growing intervals of at most ten seconds, so that an outage costs
few requests and its end is noticed soon. Failures during an outage count against no request.
"""

from __future__ import annotations

from random import Random

from sendoff.engine.states import DESTINATION_MOVES, CircuitState, check_move
from sendoff.engine.tasks import Task

#: Transient failures in a row after which the destination is down.
FAILURES_TO_OPEN = 10
#: Seconds between the probes of a destination that is down: from, and at most.
FIRST_PROBE_DELAY, MAX_PROBE_DELAY = 1.0, 9.5


class CircuitBreaker:
    """Updated by every response, checked before every request."""

    def __init__(self, random: Random, *, was_down: bool = False) -> None:
        self._random = random
        self.state = CircuitState.OPEN if was_down else CircuitState.UNPROVEN
        #: An earlier process left the destination down, and nothing else is known of it yet.
        self.was_down = was_down
        #: How many requests succeeded in this process.
        self.successes = 0
        #: How often a request failed for the first time, or succeeded after it had failed: signs that what fails is
        #: not the requests' own doing.
        self.load_signs = 0
        #: Transient failures since the last success, and rejections before the first.
        self.consecutive_failures = 0
        self.rejections = 0
        #: The first records of those that failed since the last success; whether one of them cannot have been received.
        self._failing: set[int] = set()
        self._unreachable = False
        #: When the first failure of the streak came.
        self.failing_since: float | None = None

    @property
    def is_closed(self) -> bool:
        """Whether requests may be sent side by side."""
        return self.state is CircuitState.CLOSED

    @property
    def is_open(self) -> bool:
        return self.state is CircuitState.OPEN

    @property
    def has_succeeded(self) -> bool:
        """Whether anything has succeeded in this process."""
        return self.successes > 0

    @property
    def is_outage(self) -> bool:
        """Whether what failed lately shows that the destination is down, and not one request that fails by itself."""
        return len(self._failing) > 1 or self._unreachable

    def on_success(self, *, recovered: bool = False) -> bool:
        """A request succeeded; `recovered` if it had failed before. Returns whether that ends an outage."""
        over = self.is_open
        self._move(CircuitState.CLOSED)
        self.successes += 1
        self.load_signs += recovered
        if self.consecutive_failures or self.rejections or over:
            self._forget_failures()
            self.rejections = 0
        return over

    def on_failure(self, task: Task, now: float, *, may_have_been_sent: bool = True) -> None:
        """A transient failure of a task."""
        self.consecutive_failures += 1
        self.load_signs += not task.failures
        self._failing.add(task.spans[0].lo)
        self._unreachable = self._unreachable or not may_have_been_sent
        if self.failing_since is None:
            self.failing_since = now
        if self.consecutive_failures >= FAILURES_TO_OPEN:
            self._move(CircuitState.OPEN)
            self.rejections = 0

    def on_rejection(self) -> None:
        """A definite rejection: the destination is up."""
        self._forget_failures()
        if self.is_open:
            self._move(CircuitState.UNPROVEN)
        if not self.is_closed:
            self.rejections += 1

    def probe_delay(self) -> float:
        """Seconds until a destination that is down is probed again."""
        beyond = max(0, min(60, self.consecutive_failures - FAILURES_TO_OPEN))
        return min(MAX_PROBE_DELAY, FIRST_PROBE_DELAY * 2.0**beyond) * self._random.uniform(0.85, 1.0)

    def failing_for(self, now: float) -> float:
        return 0.0 if self.failing_since is None else now - self.failing_since

    def _forget_failures(self) -> None:
        self.consecutive_failures, self.failing_since, self.was_down, self._unreachable = 0, None, False, False
        self._failing.clear()

    def _move(self, after: CircuitState) -> None:
        if after is not self.state:
            check_move(DESTINATION_MOVES, self.state, after)
            self.state = after
