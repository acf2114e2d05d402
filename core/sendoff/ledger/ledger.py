"""What a ledger promises to the rest of sendoff, whatever keeps it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager

from sendoff.ledger.changes import Changes
from sendoff.ledger.claims import Claim, RecordKey
from sendoff.ledger.delivered_rows import DeliveredRow, FilterSummary
from sendoff.ledger.ranges import Ranges
from sendoff.ledger.state import RunState
from sendoff.transport.rate_limit import Usage


class DeliveredRows(ABC):
    """The rows that one connector has delivered in all its runs, which `incremental` compares the source with.

    They change only under the connector's lock; each change is one transaction, as in `Ledger`.
    """

    @property
    @abstractmethod
    def known_by(self) -> tuple[str, str] | None:
        """The key columns and the compared columns, as JSON; None before the first run."""

    @abstractmethod
    def digests(self) -> Iterator[bytes]:
        """The states of 16 bytes of all rows, sorted and one after the other, in blocks."""

    @abstractmethod
    def find(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The states of those of the keys that are known."""

    @abstractmethod
    def key_cells(self) -> Iterator[list[tuple[bytes, bytes, str]]]:
        """The rows whose key cells were kept, each with its key, its state and these cells as JSON, in batches."""

    @abstractmethod
    def counts(self) -> tuple[int, int]:
        """How many rows there are, and of how many the key cells were kept."""

    @abstractmethod
    def pending_runs(self) -> list[tuple[int, str]]:
        """The runs that have ended and whose delivered rows are not stored yet, each with its rule, oldest first."""

    @abstractmethod
    def run_account(self, run: int) -> tuple[set[int], Ranges]:
        """The row numbers of a run (from 0) that were invalid, and the ordinals that were delivered."""

    @abstractmethod
    def record_run(self, run: int, rows: Iterable[DeliveredRow]) -> None:
        """Store what a run delivered, and in the same transaction that this is done: the run is pending no more."""

    @abstractmethod
    def remember(self, rows: Iterable[DeliveredRow]) -> None:
        """Store rows as if they had been delivered."""

    @abstractmethod
    def forget(self) -> int:
        """Delete all rows, as if the connector had never run. Returns how many there were."""


class Ledger(ABC):
    """The durable record of every run, open for reading and writing.

    What changes it is one transaction: all of it or nothing, and when the call returns, it survives a power cut. If that
    cannot be promised, it raises `LedgerError`, and nothing is changed. A ledger is used by the process that opened it, not
    by one forked from it. Other processes may have it open too; `lock` keeps them from running the same connector.
    """

    #: What idempotency keys are derived from: 32 bytes, made with the ledger and never changed.
    key_secret: bytes

    @abstractmethod
    def close(self) -> None:
        """Close it; nothing else may be called then."""

    @abstractmethod
    def lock(self, connector: str) -> AbstractContextManager[object]:
        """The connector's run lock. Entering it raises `Locked` if another process holds it.

        It is free when its process has ended, in whatever way. The methods that need it are those by which a run
        advances: `unfinished`, `begin`, `resume`, `commit`, `end` and `discard`, and `rename` and `forget_cursor`.
        """

    # Runs.

    @abstractmethod
    def unfinished(self, connector: str) -> RunState | None:
        """The connector's newest run that was cut short and planned something, to be resumed; None if there is none.

        One that planned nothing sent nothing, so there is nothing to resume. Needs the connector's lock.
        """

    @abstractmethod
    def begin(
        self,
        connector: str,
        *,
        config_digest: bytes,
        fingerprint: bytes,
        quick_fingerprint: bytes | None = None,
        source: str = "connector",
        retry_of: int | None = None,
        claimed: Iterable[Claim] = (),
        skipped: int = 0,
        cursor: str | None = None,
        filter_summary: FilterSummary | None = None,
    ) -> RunState:
        """Add a run. In the same transaction: its claims on the records it retries, and how its rows were chosen.

        Its generation is one that the connector never had, nor one that had its name in idempotency keys. `skipped` are
        the rows of a corrected file that are not part of it. `cursor` is where the next run starts reading the source,
        as JSON. An empty `fingerprint` is not known yet: the run has marks, and `end` stores it. Needs the connector's lock.
        """

    @abstractmethod
    def resume(self, state: RunState, *, config_digest: bytes, fingerprint: bytes, what: str) -> RunState:
        """Mark an interrupted run as running again, if it still sends the same bytes. Needs the connector's lock.

        Raises `ConfigError` if what decides its records changed since it began, in the connector file or by another
        version of sendoff, and `SourceChanged` if its source did, which the sentence calls `what`: `fingerprint` is that of
        the source, or the digest of it as far as the run's mark says, if there is one.
        """

    @abstractmethod
    def commit(self, state: RunState, changes: Changes) -> None:
        """Write a group of changes of a run: nothing of a plan is sent before its commit returns, nor forgotten after.

        Of a record that failed twice the first failure counts; a request or a captured result may be written again.
        `state.delivered` grows with it. Needs the connector's lock.
        """

    @abstractmethod
    def end(
        self, state: RunState, outcome: str, *, read: int, seconds: float, because: str | None, fingerprint: bytes | None = None
    ) -> None:
        """Store how a run ended: its state, counts, and why it stopped, if it did. Seconds add up over its starts.

        `fingerprint` is that of its source, where it is known only now.

        Needs the connector's lock.
        """

    @abstractmethod
    def discard(self, state: RunState) -> None:
        """Discard the rest of a run, and release the failed records that it claimed and did not settle.

        What it delivered stays delivered. Needs the connector's lock.
        """

    @abstractmethod
    def dismiss(self, connector: str, keys: Iterable[RecordKey], remembered: Iterable[DeliveredRow] = ()) -> None:
        """Mark open failed records of a connector as dismissed, and store rows as if they had been delivered.

        Needs the connector's lock.
        """

    @abstractmethod
    def reopen(self, connector: str, keys: Iterable[RecordKey], remembered: Iterable[DeliveredRow] = ()) -> None:
        """Take a dismissal back, and store rows as they were before it. Needs the connector's lock."""

    # Connectors.

    @abstractmethod
    def has_history(self, connector: str) -> bool:
        """Whether a connector of this name has run or remembers rows."""

    @abstractmethod
    def rename(self, old: str, new: str) -> int:
        """Move a connector's history to another name, which has none; returns the number of runs.

        Runs keep the name in their idempotency keys, so that what they sent is known again. The posts that wait in its
        inbox are moved too, before that; doing it twice does no harm. Needs the locks of both.
        """

    @abstractmethod
    def cursor(self, connector: str) -> str | None:
        """The cursor of the last run that ended or sent something; None to read the source from its start.

        Runs that were discarded do not count, nor do retries, which read no source.
        """

    @abstractmethod
    def forget_cursor(self, connector: str) -> None:
        """Make the next run read the connector's source from its start. Needs the connector's lock."""

    @abstractmethod
    def delivered_rows(self, connector: str) -> DeliveredRows:
        """The rows that a connector has delivered."""

    # Destinations, which connectors share: of two processes, the last one's word counts.

    @abstractmethod
    def destination_health(self, origin: str) -> tuple[bool, float]:
        """Whether a destination was down when last seen, and the seconds left of its pause."""

    @abstractmethod
    def save_destination_health(self, origin: str, *, down: bool, rest: float | None) -> None:
        """Store whether a destination is down, and for how many seconds it asked not to be called (`rest`)."""

    @abstractmethod
    def forget_outage(self, origin: str) -> None:
        """Forget that a destination was down; a pause it asked for is kept."""

    @abstractmethod
    def rate_usage(self, origin: str) -> Usage:
        """What was sent to a destination in each window of its rates, as it was last stored; nothing if it never was."""

    @abstractmethod
    def save_rate_usage(self, origin: str, usage: Usage) -> None:
        """Store what was sent to a destination in each window of its rates."""

    # Schedules and notifications.

    @abstractmethod
    def last_fired(self, connector: str) -> float | None:
        """The last time of the connector's schedule that was dealt with; None if none was."""

    @abstractmethod
    def mark_fired(self, connector: str, due: float) -> None:
        """Store that the connector's schedule is dealt with up to this time."""

    @abstractmethod
    def is_failing(self, connector: str) -> bool:
        """Whether a failure of the connector was notified, and no recovery since."""

    @abstractmethod
    def set_failing(self, connector: str, *, failing: bool) -> None:
        """Store that a failure was notified, or a recovery."""

    @abstractmethod
    def last_digest(self, connector: str) -> float:
        """When the connector's last digest was sent; 0 if none was."""

    @abstractmethod
    def mark_digest(self, connector: str, at: float) -> None:
        """Store when a digest was sent."""
