"""What may become of a request that was not simply delivered: what `decide` returns and `OutcomeHandler` carries out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sendoff.records import Spans
from sendoff.response import Verdict


@dataclass(frozen=True, slots=True)
class RetryLater:
    """Send it again: after so many seconds, or by the retry policy."""

    verdict: Verdict
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class HoldBack:
    """Wait until it is known whether others succeed; then `verdict` is decided on again."""

    verdict: Verdict


@dataclass(frozen=True, slots=True)
class FailAll:
    """All its records are rejected."""

    verdict: Verdict


@dataclass(frozen=True, slots=True)
class FailNamed:
    """The records that the API named are rejected, and the others are sent again without them."""

    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Divide:
    """Send it in these parts. With a verdict, at least one part has a bad record; `at_fault` passes the blame on to each."""

    parts: Sequence[Spans]
    verdict: Verdict | None = None
    at_fault: bool = False


@dataclass(frozen=True, slots=True)
class LowerLimit:
    """It is too large, in bytes or in records: send it and all later ones in smaller parts."""

    verdict: Verdict
    in_bytes: bool


@dataclass(frozen=True, slots=True)
class StopRun:
    """Send nothing more; what is not settled stays pending.

    `transient` where the next run may go on without anything being fixed. `pause` is for how long the API asked not to be
    called.
    """

    reason: str
    transient: bool = False
    pause: float | None = None


Action = RetryLater | HoldBack | FailAll | FailNamed | Divide | LowerLimit | StopRun
