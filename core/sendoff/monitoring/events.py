"""Events, of a run and of `sendoff serve`: each with its fields, its level and its sentence.

Logs, metrics, traces and the progress on a terminal are all made of these.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Literal

import msgspec

from sendoff.monitoring.report import Report

Level = Literal["debug", "info", "warning", "error"]


class RunInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Which run an event is of: its connector, its number, and where it delivers to."""

    connector: str
    run: int
    method: str = ""
    url: str = ""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened. Its name is that of its class, in small letters: `run_started`."""

    name: ClassVar[str] = "event"
    level: ClassVar[Level] = "info"

    def __init_subclass__(cls) -> None:
        cls.name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    @classmethod
    def field_names(cls) -> Sequence[str]:
        """The names of its fields."""
        return cls.__struct_fields__

    def fields(self) -> dict[str, object]:
        """Its fields and their values."""
        return {name: getattr(self, name) for name in self.field_names()}

    def severity(self) -> Level:
        """Its level; that of a run's end depends on how it ended."""
        return self.level

    def sentence(self) -> str:
        """What happened, for people."""
        raise NotImplementedError  # each event has its own; a msgspec.Struct cannot be abstract


class RunStarted(Event, frozen=True, kw_only=True):
    """A run begins, or an interrupted one is resumed."""

    resumed: bool
    #: Of a resumed run: what was counted before; and records that may have been sent before and are sent again.
    delivered: int = 0
    rejected: int = 0
    invalid: int = 0
    retries: int = 0
    may_be_repeated: int = 0
    #: Of these, records that were sent `sends` times at most without a response; what they count as, if that was chosen.
    uncertain: int = 0
    sends: int = 0
    maybe_applied_as: str | None = None

    def sentence(self) -> str:
        return f"the run is resumed, {self.delivered:,} delivered before" if self.resumed else "the run begins"


class RunProgressed(Event, frozen=True, kw_only=True):
    """The counts of the run, as committed to the ledger; `seconds` since it began, or was resumed."""

    level = "debug"
    seconds: float
    read: int
    delivered: int
    accepted: int
    invalid: int
    rejected: int
    requests: int
    retries: int
    bytes: int
    #: Seconds in which nothing could be sent because of a rate limit, the API's quota or a pause that it asked for.
    limited_seconds: float
    #: Whether all of the source has been read, so that `read` grows no more.
    source_read: bool
    #: How many records the source has in all, about; None if it does not say.
    expected: int | None = None

    def sentence(self) -> str:
        return f"{self.delivered:,} of {self.read:,} records delivered"


class RequestCompleted(Event, frozen=True, kw_only=True):
    """A request came to its end. Only observers with `per_request` get these."""

    level = "debug"
    method: str
    url: str
    #: The response's status; None if there was no response.
    status: int | None
    #: What the response means: delivered, retry, rejected, too_large, partial or stop; and why, if it is not delivered.
    verdict: str
    reason: str
    seconds: float
    #: Bytes of the request's body, before compression; and records in it.
    bytes: int
    records: int
    attempt: int
    #: When it ended, in seconds since 1970.
    ended_at: float

    def sentence(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        return f"{self.method} {self.url} {self.status or 'no response'} in {self.seconds:.3f} s, {self.verdict}{why}"


class RetryScheduled(Event, frozen=True, kw_only=True):
    """A request failed, and is sent again after some seconds."""

    level = "warning"
    reason: str
    records: int
    seconds: float
    #: How often it was sent so far.
    attempt: int

    def sentence(self) -> str:
        return f"{self.reason}; trying again in {self.seconds:.1f} s"


class RequestSplit(Event, frozen=True, kw_only=True):
    """A rejected request is sent again in parts, to find the records at fault."""

    reason: str
    records: int
    parts: int

    def sentence(self) -> str:
        return f"{self.reason}; {self.records:,} records are sent again in {self.parts:,} parts"


class LimitLowered(Event, frozen=True, kw_only=True):
    """A request was too large for the API: from now on requests have at most so many `bytes` or `records`."""

    bytes: int
    records: int
    at_most: int
    of: Literal["bytes", "records"]

    def sentence(self) -> str:
        return f"{self.records:,} records of {self.bytes:,} bytes are too large; from now on at most {self.at_most:,} {self.of}"


class CredentialsRenewed(Event, frozen=True, kw_only=True):
    """The API refused the credentials, and they were renewed."""

    def sentence(self) -> str:
        return "the credentials were renewed"


class DestinationRecovered(Event, frozen=True, kw_only=True):
    """The API takes requests again after an outage."""

    def sentence(self) -> str:
        return "the API takes requests again"


class SendingPaused(Event, frozen=True, kw_only=True):
    """Nothing is sent for two seconds or more: a rate limit, the API's quota, a Retry-After, an outage."""

    level = "warning"
    reason: str
    seconds: float

    def sentence(self) -> str:
        return f"{self.reason}; nothing is sent for {self.seconds:.0f} s"


class TlsUnverified(Event, frozen=True, kw_only=True):
    """The connector's `tls.verify` is false."""

    level = "warning"

    def sentence(self) -> str:
        return "tls.verify is false: any server is accepted as the API"


class FailureUnread(Event, frozen=True, kw_only=True):
    """A success has in it what may be a failure, and nothing in the connector reads it. Reported once a run."""

    level = "warning"
    reason: str
    #: The lines under `destination` that would have it read.
    add: Sequence[str]

    def sentence(self) -> str:
        return f"{self.reason}: {' '.join(line.strip() for line in self.add)}"


class RunStopping(Event, frozen=True, kw_only=True):
    """The run ends before its source does; requests in flight are still accounted for."""

    level = "warning"
    reason: str

    def sentence(self) -> str:
        return f"the run stops: {self.reason}"


class RunEnded(Event, frozen=True, kw_only=True):
    """The run is over. Its fields are the report's. It is a warning if not all was delivered, and an error if it stopped."""

    report: Report

    def severity(self) -> Level:
        return "info" if self.report.state == "complete" else "error" if self.report.state == "stopped" else "warning"

    @classmethod
    def field_names(cls) -> Sequence[str]:
        return [*(name for name in Report.FIELDS if name not in ("connector", "run")), "exit_code"]

    def fields(self) -> dict[str, object]:
        return {name: getattr(self.report, name) for name in self.field_names()}

    def sentence(self) -> str:
        return f"run {self.report.run}: {self.report.sentence()}"


class RunDue(Event, frozen=True, kw_only=True):
    """`sendoff serve` begins a run, for a reason: it is due, it was missed, something has arrived, it is resumed."""

    reason: str

    def sentence(self) -> str:
        return self.reason


class RunSkipped(Event, frozen=True, kw_only=True):
    """`sendoff serve` begins no run at a time that is due: the time has passed, or the connector runs still."""

    level = "warning"
    reason: str

    def sentence(self) -> str:
        return self.reason


class RunFailed(Event, frozen=True, kw_only=True):
    """`sendoff serve` could not begin a run, or it broke; it is tried again where that may help."""

    level = "error"
    reason: str

    def sentence(self) -> str:
        return self.reason


class RunAborted(Event, frozen=True, kw_only=True):
    """The run is over without a report: its ledger failed, or Python ends."""

    level = "error"
    reason: str

    def sentence(self) -> str:
        return f"the run ended at once: {self.reason}"


#: All of them, first those of a run, in the order in which it may have them.
EVENTS: tuple[type[Event], ...] = tuple(Event.__subclasses__())
