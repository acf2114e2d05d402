"""What a response means for its records: the verdict, and its kinds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class VerdictKind(Enum):
    """What happens to the records of a request; the values are those of `destination.response`."""

    DELIVERED = "delivered"
    RETRY = "retry"
    REJECTED = "rejected"
    TOO_LARGE = "too_large"
    STOP = "stop"
    #: Each record has a verdict of its own: see `Verdict.per_record`.
    PARTIAL = "partial"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A verdict and its reason.

    `retry_after` is the delay the API asked for; `maybe_applied`, that it may have applied the request all the same.
    """

    kind: VerdictKind
    reason: str = ""
    status: int | None = None
    retry_after: float | None = None
    maybe_applied: bool = False
    #: The verdicts of single records, by their place in the request. Of a partial one those that
    #: are not here are delivered; of a rejection those that are here are the bad records.
    per_record: Mapping[int, Verdict] = field(default_factory=dict)
    #: The values captured from the response, for each record by its place; -1 is the whole request.
    captured: Mapping[int, Mapping[str, object]] = field(default_factory=dict)
    #: Not attempted, because another record of the request failed.
    collateral: bool = False
    #: How many of the records that it says are delivered the API has only accepted, and works on still.
    accepted: int = 0
