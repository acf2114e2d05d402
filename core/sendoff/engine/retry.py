"""Whether what failed is tried again: told by whether others get through.

A request that fails while others pass is at fault itself. When nothing passes, the destination is, and its
failures count against no request (docs/decisions/0012).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from sendoff.engine.circuit_breaker import Health
from sendoff.engine.tasks import Task
from sendoff.response import Verdict


@dataclass(frozen=True, slots=True)
class Again:
    """Try it again."""


@dataclass(frozen=True, slots=True)
class Lost:
    """It cannot succeed while others do."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """It has used up its tries, and it is not known whether others would get through: let another one show."""


@dataclass(frozen=True, slots=True)
class Over:
    """The destination is at fault: the run ends."""

    reason: str


def failed(task: Task, verdict: Verdict, health: Health, now: float) -> None:
    """Note a transient failure: against the destination, and against the request if others got through meanwhile."""
    health.failure(now)
    if verdict.wait is not None:
        task.spared += 1  # the API said when to come back, so this counts against nobody
    elif health.passed > task.passed:
        task.alone += 1
        task.alone_since = now if task.alone_since is None else task.alone_since
    task.passed = health.passed


def too_long(verdict: Verdict, retry: Mapping[str, Any]) -> Over | None:
    """The end of a run that would have to wait longer than its owner allows."""
    if verdict.wait is None or verdict.wait <= retry["retry_after_max"]:
        return None
    return Over(f"{verdict.reason}; the API asks for {verdict.wait:.0f} seconds of rest, more than retry_after_max allows")


def decide(
    task: Task, verdict: Verdict, health: Health, retry: Mapping[str, Any], now: float, *, another_in_doubt: bool
) -> Again | Lost | Doubt | Over:
    """What becomes of a request that failed. Pure: it only looks."""
    attempts, patience = retry["attempts"], retry["give_up_after"]
    if over := too_long(verdict, retry):
        return over
    if task.alone and (task.alone >= attempts or now - (task.alone_since or now) >= patience):
        return Lost()
    if health.ever and health.down_for(now) >= patience:
        return Over(f"{verdict.reason}; nothing has got through for {health.down_for(now):.0f} seconds")
    if health.was_down:
        return Over(f"{verdict.reason}; it was so when the last run stopped, and is so still")
    if another_in_doubt and not health.ever:
        return Over(f"{verdict.reason}; nothing has got through at all")
    tried_for = now - (now if task.first_tried is None else task.first_tried)
    if task.attempts - task.spared < attempts and tried_for < patience:
        return Again()
    if not health.ever and not (verdict.maybe_applied or verdict.status):
        return Over(
            f"{verdict.reason}; given up after {task.attempts} attempts"
        )  # what was never sent is not the request's fault
    return Again() if task.doubted else Doubt()


def backoff(attempt: int, retry: Mapping[str, float], random: Random) -> float:
    """Seconds to wait after the attempt-th failure, counted from 1.

    Full jitter, ``uniform(0, min(cap, base * 2**n))``, measured best in the AWS builders' library, "Timeouts, retries
    and backoff with jitter".
    """
    ceiling = min(retry["cap"], retry["base"] * 2.0 ** min(attempt, 60))
    return random.uniform(0, ceiling)
