"""Reading the ledger: past runs, their requests, and the records they did not deliver."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby, islice
from typing import Any, TypedDict

import polars as pl

from sendoff.components import Source
from sendoff.ledger.claims import UNFINISHED, Fate, RecordKey, parse_name
from sendoff.records import PAGE_ROWS, Page, pages_of_mappings


class RunRow(TypedDict):
    """A run with the counts of `Report`."""

    id: int
    connector: str
    #: The connector's how-manieth delivery it is.
    generation: int
    #: One of running, complete, incomplete, stopped, interrupted and discarded.
    state: str
    stopped_because: str | None
    retry_of: int | None
    #: One of connector, spool and retry.
    source: str
    planned: int
    read: int
    delivered: int
    #: How many of the delivered ones the API has only accepted.
    accepted: int
    invalid: int
    rejected: int
    #: How many of the invalid and rejected ones are dismissed.
    dismissed: int
    pending: int
    #: Rows that were left out.
    unchanged: int
    requests: int
    retries: int
    bytes: int
    #: 1, and one more each time it was resumed.
    starts: int
    started_at: float
    ended_at: float | None
    seconds: float


class FailureRow(TypedDict):
    """A record that was not delivered, as its source had it, and why; see `Failure`."""

    run: int
    kind: str
    position: int
    file: str
    line: int
    status: int | None
    reason: str
    record: dict[str, Any]
    #: The run that claims it; the claim may not hold.
    retried_by: int | None
    attempts: int
    maybe_applied: int
    #: Whether its values are text still to be parsed.
    text: int
    change: str
    #: Whether it is dismissed.
    dismissed: int
    #: What it is called through all its retries; "" if it has failed just now.
    name: str


class ReasonRow(TypedDict):
    """A reason why records of a run were not delivered, how often it is theirs, and where first."""

    kind: str
    reason: str
    count: int
    file: str
    line: int


class DestinationRow(TypedDict):
    """An API that is down or asked for a pause, as the ledger remembers it: Unix times."""

    origin: str
    down_since: float | None
    rest_until: float | None


class RequestRow(TypedDict):
    """A logged request and its outcome; see `RequestRecord`."""

    run: int
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
    at: float
    maybe_applied: int


class ResultRow(TypedDict):
    """What was captured from a response, for how many records, and where the first of them was."""

    file: str
    line: int
    records: int
    captured: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FailedRecord:
    """A failed record as its source had it, and where it was there."""

    key: RecordKey
    file: str
    line: int
    record: Mapping[str, object]
    #: Whether its values are text still to be parsed.
    text: bool
    change: str


class History(ABC):
    """What a ledger says of past runs. Each call reads what is committed when it is made, also while a run is under way.

    It needs no lock and changes nothing. Raises `ConfigError` where there is no ledger yet, and `LedgerError` for one that
    cannot be read. An iterator reads on while it is consumed.
    """

    @abstractmethod
    def exists(self) -> bool:
        """Whether there is a ledger."""

    @abstractmethod
    def runs(self, connector: str | None = None) -> list[RunRow]:
        """All runs, or those of a connector, newest first."""

    @abstractmethod
    def run(self, number: int) -> RunRow:
        """One run. Raises `ConfigError` if no run has that number."""

    @abstractmethod
    def unfinished_runs(self) -> list[tuple[int, str]]:
        """The runs that can be resumed and are not running, each with its connector; none where there is no ledger yet."""

    @abstractmethod
    def may_be_repeated(self, connector: str, quick_fingerprint: bytes) -> bool:
        """Whether a finished run of a connector may have read the very same: its names and sizes were, or are not known."""

    @abstractmethod
    def repeated_run(self, number: int) -> int | None:
        """The last run of the same connector that delivered something and read, byte for byte, what this one reads.

        None also where each run reads only what is new: by a cursor, or as `incremental` says.
        """

    @abstractmethod
    def root_run(self, number: int) -> int:
        """The run that a retry goes back to, through retries of retries; a run that is no retry goes back to itself."""

    @abstractmethod
    def failures(self, number: int) -> Iterator[FailureRow]:
        """The records of a run that were not delivered, in the order of the source."""

    @abstractmethod
    def failed_keys(
        self, number: int, *, retried_by: int | None = None, dismissed: bool = False,
        only: Collection[RecordKey] | None = None,
    ) -> list[RecordKey]:  # fmt: skip
        """The keys of a run's failed records, in order: those that are open, or that a retry claimed, or that are dismissed.

        Of these, `only` some.
        """

    @abstractmethod
    def failed_records(
        self, number: int, *, retried_by: int | None = None, dismissed: bool = False,
        only: Collection[RecordKey] | None = None,
    ) -> Iterator[FailedRecord]:  # fmt: skip
        """The records of `failed_keys`, in the same order."""

    @abstractmethod
    def fates(self, number: int) -> dict[RecordKey, Fate]:
        """What has become of each failed record of a run, through all its retries."""

    @abstractmethod
    def open_failures(self, number: int | None = None) -> dict[int, int]:
        """How many failed records are open, by run, of all runs that have any.

        With a number, only in the run that this one goes back to, and in all retries of that.
        """

    @abstractmethod
    def destinations(self) -> list[DestinationRow]:
        """The APIs that are down, or that asked for a pause which is not over; by origin."""

    @abstractmethod
    def reasons(self, number: int, most: int = 5) -> list[ReasonRow]:
        """Why records of a run were not delivered: the commonest reasons first."""

    @abstractmethod
    def requests(self, number: int) -> Iterator[RequestRow]:
        """The logged requests of a run, in order."""

    @abstractmethod
    def results(self, number: int) -> Iterator[ResultRow]:
        """What was captured from a run's responses, in the order of the records."""


def is_void(row: RunRow) -> bool:
    """Whether a run is a retry that sent nothing and is never resumed, so that its claims do not hold."""
    return row["retry_of"] is not None and row["planned"] == 0 and row["state"] in UNFINISHED


class Resolver:
    """Says what has become of a failed record, by its name; None for one that neither the run nor a related one has."""

    def __init__(self, history: History, number: int) -> None:
        self._history, self._root_run = history, history.root_run(number)
        self._fates: dict[int, dict[RecordKey, Fate]] = {}

    def __call__(self, name: str) -> Fate | None:
        key = parse_name(name)
        if key is None:
            return None
        if key.run not in self._fates:
            related = self._history.root_run(key.run) == self._root_run
            self._fates[key.run] = self._history.fates(key.run) if related else {}
        return self._fates[key.run].get(key)


def pages_of(records: Iterable[FailedRecord]) -> Iterator[Page]:
    """Failed records as pages, in their order, each with its own file and line."""
    for (file, text, change), group in groupby(records, lambda found: (found.file, found.text, found.change)):
        while batch := list(islice(group, PAGE_ROWS)):
            lines = [found.line for found in batch]
            for page in pages_of_mappings([found.record for found in batch], file=file, lines=lines, max_columns=sys.maxsize):
                frame = page.frame.cast(pl.String) if text else page.frame
                yield replace(page, frame=frame, all_text=text, change=change)


class Failed(Source):
    """The failed records of a run, as a source: those that are open, or `only` some, or those that a retry claimed."""

    name = "failed"

    def __init__(
        self, history: History, number: int, *, retried_by: int | None = None, only: Collection[RecordKey] | None = None
    ) -> None:
        super().__init__(max_columns=sys.maxsize)
        self._history, self._run, self._retried_by, self._only = history, number, retried_by, only

    def fingerprint(self) -> bytes | None:
        """The run's number and how many records there are: the ledger's copies of them do not change."""
        count = len(self.keys())
        return f"retry:{self._run}:{count}".encode() if count else None

    def keys(self) -> list[RecordKey]:
        """The keys of the records, in order."""
        return self._history.failed_keys(self._run, retried_by=self._retried_by, only=self._only)

    def read(self, cursor: object) -> Iterator[Page]:
        return pages_of(self._history.failed_records(self._run, retried_by=self._retried_by, only=self._only))
