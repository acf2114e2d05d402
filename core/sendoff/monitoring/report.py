"""What a run came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from sendoff.errors import Incomplete, SendoffError

State = Literal["complete", "incomplete", "stopped", "interrupted"]


@dataclass(frozen=True, slots=True)
class Report:
    """The account of a run. ``read == delivered + invalid + rejected + pending``, always.

    The counts are the whole run's, with what it did before it was interrupted and resumed.
    `pending` records were not delivered yet; the next run of the connector goes on with them.
    """

    #: What is shown of it where it is read by programs.
    FIELDS: ClassVar = (
        "connector", "run", "state", "read", "delivered", "accepted", "invalid", "rejected", "pending", "requests", "retries",
        "bytes", "seconds", "unchanged", "stopped_because",
    )  # fmt: skip

    connector: str
    run: int
    state: State
    read: int
    delivered: int
    invalid: int
    rejected: int
    requests: int
    retries: int
    bytes: int
    seconds: float
    stopped_because: str | None = None
    #: How many of the delivered ones the API has only accepted, as `response.accepted_when` says: it works on them still.
    accepted: int = 0
    #: Rows of the source that were known, and so not part of the run, where `incremental` is asked.
    unchanged: int = 0
    #: What the command ends with, of a run that was interrupted: 130 for SIGINT and 143 for SIGTERM; by a limit of records,
    #: 0 or, if one of them was not delivered, 1.
    interrupted_by: int | None = None
    #: What stopped the run may pass by itself: the next run goes on without anything being fixed.
    transient: bool = False
    #: What stopped the run, where it was an exception: of the source, of credentials, of a plugin.
    error: SendoffError | None = field(default=None, repr=False, compare=False)

    @property
    def pending(self) -> int:
        return self.read - self.delivered - self.invalid - self.rejected

    @property
    def exit_code(self) -> int:
        """What the command ends with: 0 complete, 1 incomplete, `interrupted_by`; stopped: 2, 3 or 70, by its cause."""
        stopped = self.error.exit_code if self.error is not None else 3 if self.transient else 2
        interrupted = 130 if self.interrupted_by is None else self.interrupted_by
        codes = {"complete": 0, "incomplete": 1, "stopped": stopped, "interrupted": interrupted}
        return codes[self.state]

    def as_dict(self) -> dict[str, Any]:
        """What ``sendoff run --json`` prints for the run."""
        return {name: getattr(self, name) for name in self.FIELDS}

    def sentence(self) -> str:
        """The account in one sentence."""
        only = f" ({self.accepted:,} accepted only)" if self.accepted else ""
        parts = [f"{self.delivered:,} of {self.read:,} records delivered{only}"]
        parts += [f"{count:,} {name}" for name in ("rejected", "invalid", "pending") if (count := getattr(self, name))]
        account = ", ".join(parts)
        return f"{account}; {self.state}: {self.stopped_because}" if self.stopped_because else account

    def raise_if_incomplete(self) -> None:
        """Raise `Incomplete` unless every record was delivered."""
        if self.state != "complete":
            raise Incomplete(f"{self.connector}: {self.sentence()}", self)
