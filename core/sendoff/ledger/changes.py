"""The values that one ledger transaction writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from sendoff.records import Span, Spans


@dataclass(frozen=True, slots=True)
class Chunk:
    """A planned span of records that is not settled yet, sent in requests of `records_per_request` records each.

    A batch is one request. Single records are planned many to a chunk, so that the ledger needs no row for each.
    """

    lo: int
    hi: int
    records_per_request: int
    #: SHA-256 of the records' bytes: a resumed run checks with it that it sends the same.
    digest: bytes = b""
    #: Its spans, where its records are not contiguous between `lo` and `hi`.
    scattered: Spans = ()

    @property
    def spans(self) -> Spans:
        return self.scattered or (Span(self.lo, self.hi),)


@dataclass(frozen=True, slots=True)
class Failure:
    """One record that was not delivered, and why.

    `position` is a rejected record's ordinal, or an invalid one's row number from 0. `record` is
    the source row as JSON. `maybe_applied` says that the API may have applied it nevertheless.
    """

    kind: Literal["invalid", "rejected"]
    position: int
    file: str
    line: int
    reason: str
    record: str
    status: int | None = None
    attempts: int = 0
    maybe_applied: bool = False
    #: Whether the record's values are text still to be parsed, as those of a CSV file.
    text: bool = False
    #: What `incremental` says of the row: ``changed`` or ``removed``; "" for any other.
    change: str = ""


class RequestRecord(NamedTuple):
    """A request and its outcome: what `sendoff runs ID --requests` shows."""

    number: int
    lo: int
    hi: int
    records: int
    attempt: int
    method: str
    url: str
    key: str
    bytes: int
    status: int | None
    verdict: str
    reason: str
    seconds: float
    #: It was not simply delivered, and the API may have applied it all the same.
    maybe_applied: bool = False


@dataclass(frozen=True, slots=True)
class CapturedResult:
    """What was captured from a response for the records ``[lo, hi)``: names to values."""

    lo: int
    hi: int
    file: str
    line: int
    values: Mapping[str, object]


class StoredMark(NamedTuple):
    """A position in a source, as JSON, and the digest of all before it."""

    position: str
    digest: bytes


@dataclass(slots=True)
class Changes:
    """One group commit: chunks closed and opened, records delivered and failed, and counts."""

    closed: list[int] = field(default_factory=list)
    opened: list[Chunk] = field(default_factory=list)
    delivered: list[Span] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    sent: list[RequestRecord] = field(default_factory=list)
    captured: list[CapturedResult] = field(default_factory=list)
    requests: int = 0
    retries: int = 0
    bytes: int = 0
    #: Ordinals below this are planned; None if nothing was.
    planned: int | None = None
    #: Source rows read so far.
    read: int | None = None
    #: How far the source was read for them, where it has marks.
    mark: StoredMark | None = None
    #: How many of the delivered records are accepted only.
    accepted: int = 0

    def __bool__(self) -> bool:
        moved = self.closed or self.opened or self.delivered or self.failed
        return bool(moved or self.sent or self.requests or self.planned is not None)
