"""Failure strategies: what to do with a rejected request."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from sendoff.components.component import Component
from sendoff.records import Span


@dataclass(frozen=True, slots=True)
class Refusal:
    """A rejected request, as a failure strategy sees it: its span, and the API's reason."""

    span: Span
    status: int | None
    reason: str
    #: How often it was sent, and the response: its headers, in small letters, and the beginning of its body.
    attempts: int = 1
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Fail:
    """Mark every record of the span failed."""


@dataclass(frozen=True, slots=True)
class Split:
    """Send these parts of the span by themselves; together they are the whole of it."""

    spans: Sequence[Span]


@dataclass(frozen=True, slots=True)
class Retry:
    """Send it again after so many seconds (None: as `destination.retry` has it), while it has attempts left; then fail."""

    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop the run: nothing more is sent, and what is not settled is pending. `reason` is for people."""

    reason: str


Decision = Fail | Split | Retry | Stop


class FailureStrategy(Component, ABC):
    """What to do with a rejected request. Pure: no clock, no I/O, no state."""

    kind = "failure_strategies"
    #: Whether it may send parts of a request by themselves.
    splits: ClassVar[bool] = False
    #: What splitting may cost: requests (None: 2,000, and 40 for every 1,000 records), and the share of
    #: records rejected above which the cause may not be the records.
    max_requests: int | None = None
    max_failed_ratio: float = 0.5

    @abstractmethod
    def decide(self, refusal: Refusal) -> Decision:
        """Return `Fail()`, `Retry()`, `Stop(reason)`, or `Split(spans)` for a span of more than one record."""
