"""The retry policy: whether a failed request is retried, given up on, deferred, or stops the run.

A request that fails while others succeed is at fault itself. When none succeeds, the destination is, and its
failures count against no request (docs/decisions/0012).
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from sendoff.engine.circuit_breaker import CircuitBreaker
from sendoff.engine.tasks import Task
from sendoff.response import Verdict


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How transient failures are retried, as `destination.retry` says it; times are in seconds."""

    #: How often one request is tried while others get through.
    max_attempts: int
    #: The most before the first retry; doubled for each next.
    initial_backoff: float
    #: The most between two tries.
    max_backoff: float
    #: The longest Retry-After that is obeyed.
    max_retry_after: float
    #: How long a request, or an API that is down, may fail before it is given up.
    max_elapsed: float


@dataclass(frozen=True, slots=True)
class Retry:
    """Try it again."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """It fails while others succeed."""


@dataclass(frozen=True, slots=True)
class Defer:
    """It has used up its attempts: wait until another request has succeeded or failed."""


@dataclass(frozen=True, slots=True)
class StopRun:
    """The destination is at fault: stop the run."""

    reason: str


def note_failure(task: Task, verdict: Verdict, breaker: CircuitBreaker, now: float) -> None:
    """Count a transient failure: against the destination, and against the request if others succeeded meanwhile."""
    breaker.on_failure(now)
    if verdict.retry_after is not None:
        task.uncounted_attempts += 1  # the API said when to come back, so this counts against nobody
    elif breaker.successes > task.successes_seen:
        task.isolated_failures += 1
        task.isolated_since = now if task.isolated_since is None else task.isolated_since
    task.successes_seen = breaker.successes


def exceeds_retry_after(verdict: Verdict, retry: RetryPolicy) -> StopRun | None:
    """`StopRun` if the Retry-After is longer than `max_retry_after` allows; else None."""
    if verdict.retry_after is None or verdict.retry_after <= retry.max_retry_after:
        return None
    return StopRun(
        f"{verdict.reason}; the API asks for {verdict.retry_after:.0f} seconds (Retry-After), more than max_retry_after allows"
    )


def decide(
    task: Task, verdict: Verdict, breaker: CircuitBreaker, retry: RetryPolicy, now: float, *, another_deferred: bool
) -> Retry | GiveUp | Defer | StopRun:
    """What becomes of a request that failed. Pure."""
    attempts, max_elapsed = retry.max_attempts, retry.max_elapsed
    if over := exceeds_retry_after(verdict, retry):
        return over
    if task.isolated_failures and (task.isolated_failures >= attempts or now - (task.isolated_since or now) >= max_elapsed):
        return GiveUp()
    if breaker.has_succeeded and breaker.failing_for(now) >= max_elapsed:
        return StopRun(f"{verdict.reason}; nothing has got through for {breaker.failing_for(now):.0f} seconds")
    if breaker.was_down:
        return StopRun(f"{verdict.reason}; it was so when the last run stopped, and is so still")
    if another_deferred and not breaker.has_succeeded:
        return StopRun(f"{verdict.reason}; nothing has got through at all")
    tried_for = now - (now if task.first_tried is None else task.first_tried)
    if task.attempts - task.uncounted_attempts < attempts and tried_for < max_elapsed:
        return Retry()
    if not breaker.has_succeeded and not (verdict.maybe_applied or verdict.status):
        return StopRun(
            f"{verdict.reason}; given up after {task.attempts} attempts"
        )  # what was never sent is not the request's fault
    return Retry() if task.deferred_once else Defer()


def backoff(attempt: int, retry: RetryPolicy, random: Random) -> float:
    """Seconds to wait after the attempt-th failure, counted from 1.

    Full jitter, ``uniform(0, min(cap, base * 2**n))``, measured best in the AWS builders' library, "Timeouts, retries
    and backoff with jitter".
    """
    ceiling = min(retry.max_backoff, retry.initial_backoff * 2.0 ** min(attempt, 60))
    return random.uniform(0, ceiling)
