"""Components: what a plugin offers, one abstract base per kind.

A component is a class with a `name`, an `options` schema (Cerberus rules, each with
``meta.help``), a docstring, and one or two verbs. Its options arrive as attributes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import polars as pl

from sendoff.records import Span

__all__ = [
    "Answer",
    "Component",
    "Decision",
    "Exchange",
    "Fail",
    "FailureStrategy",
    "Observer",
    "RecordValidator",
    "Refusal",
    "Request",
    "Sender",
    "Source",
    "Split",
    "Transport",
    "Validator",
    "Wait",
]


class Component:
    """The whole contract of a plugin's class: a name, options, a docstring."""

    #: The word `use:` chooses it by.
    name: ClassVar[str]
    #: Its options: Cerberus rules by name. A rule without ``default`` makes the option required.
    options: ClassVar[Mapping[str, Any]] = {}
    #: ``sources``, ``senders`` and so on; each kind sets its own.
    kind: ClassVar[str]

    def __init__(self, *, home: Path | None = None, **options: Any) -> None:
        #: The directory that relative paths in the connector file start from.
        self.home = home or Path()
        for name, value in options.items():
            setattr(self, name, value)


class Source(Component, ABC):
    """Where records come from."""

    kind = "sources"

    @abstractmethod
    def read(self, cursor: Any) -> Iterable[Any]:
        """Yield records: mappings, lists of mappings, polars frames, Arrow streams, or `Page`s.

        `cursor` is None: a delivery reads from the beginning. Raise `SourceError` for what cannot
        be read.
        """

    def fingerprint(self) -> bytes | None:
        """What must be equal for the source to read the same again; None if it reads only once.

        A source without a fingerprint is spooled to disk before anything of it is sent, so that a
        run cut short can be resumed.
        """
        return None

    def columns(self) -> Iterable[tuple[str, Sequence[str]]]:
        """Each file (or table) and its columns, where they are known before reading."""
        return ()


class Validator(Component, ABC):
    """Refuses rows of a frame that the schema let through."""

    kind = "validators"

    def start(self) -> None:
        """A walk over the source begins; forget what was seen on earlier ones."""

    @abstractmethod
    def validate(self, frame: pl.DataFrame) -> Iterable[tuple[int, str]]:
        """Answer with the rows refused: index and reason. Frames come in order, each once."""


class RecordValidator(Validator):
    """A validator that looks at one record at a time: easy to write, slower to run."""

    def validate(self, frame: pl.DataFrame) -> Iterable[tuple[int, str]]:
        for index, record in enumerate(frame.iter_rows(named=True)):
            reason = self.check(record)
            if reason is not None:
                yield index, reason

    @abstractmethod
    def check(self, record: Mapping[str, Any]) -> str | None:
        """Return None for a good record, else the reason it is refused."""


class Sender(Component, ABC):
    """How records become requests: how many travel together, and what surrounds them."""

    kind = "senders"
    #: Bytes before the first record, between two, and after the last. `separator` is one byte.
    prefix: bytes = b""
    separator: bytes = b","
    suffix: bytes = b""
    content_type: str = "application/json"
    #: The most records one request may carry, and the most bytes its body may have (None: any).
    max_records: int = 1
    max_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused request, as a failure strategy sees it: its span, and what the API said."""

    span: Span
    status: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Fail:
    """Mark every record of the span failed."""


@dataclass(frozen=True, slots=True)
class Split:
    """Send these parts of the span by themselves; together they are the whole of it."""

    spans: Sequence[Span]


Decision = Fail | Split


class FailureStrategy(Component, ABC):
    """What to do with a refused request. Pure: no clock, no I/O, no memory."""

    kind = "failure_strategies"
    #: Whether it may send parts of a request by themselves.
    splits: ClassVar[bool] = False

    @abstractmethod
    def decide(self, refusal: Refusal) -> Decision:
        """Answer `Fail()`, or `Split(spans)` for a span of more than one record."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready for the wire. `body` is a sequence of buffers, never to be joined."""

    span: Span
    method: str
    url: str
    headers: Mapping[str, str]
    body: Sequence[memoryview | bytes]
    length: int
    #: Seconds the whole attempt may take, to the last byte of the answer.
    deadline: float
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a status with its headers and body, or the error that stood in its way.

    `sent` is False only when not one byte of the request can have reached the destination.
    """

    status: int | None = None
    headers: Mapping[str, str] | None = None
    body: bytes = b""
    error: str = ""
    sent: bool = True
    #: A retry cannot help: TLS verification failed, say.
    fatal: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing should travel for this many seconds, or until `Exchange.changed` says so."""

    seconds: float


class Exchange(Protocol):
    """What a transport talks to: it pulls requests and pushes answers. Safe from any thread."""

    def next(self) -> Request | Wait | Literal["done"]:
        """The next request that should travel now, or how long to wait, or ``"done"``."""

    def answer(self, request: Request, answer: Answer) -> None:
        """What came back for a request that `next` gave."""

    def wait(self, seconds: float) -> None:
        """Block until something changed, or the seconds have passed."""

    def changed(self, callback: Callable[[], None]) -> None:
        """Call back, from any thread, whenever `next` may have something new to say."""


class Transport(Component, ABC):
    """How requests' bytes travel: it pulls requests from an exchange and pushes answers to it."""

    kind = "transports"

    @abstractmethod
    def carry(self, exchange: Exchange, *, url: str, concurrency: int) -> None:
        """Carry requests, at most `concurrency` at once, until the exchange says ``"done"``.

        Every request pulled must be answered, whatever happens to it. Redirects are not followed;
        nothing is retried; the request's deadline is total; an answer's body is capped.
        """


class Observer(Component):
    """Watches a run: progress, logs, metrics. Its verbs do nothing unless overridden."""

    kind = "observers"

    def started(self, connector: str, run: int, facts: Mapping[str, Any]) -> None:
        """A run begins, or goes on; `facts` say what it resumes, if anything."""

    def moved(self, connector: str, counts: Mapping[str, int], seconds: float) -> None:
        """The account changed: the counts of `Report`, as committed."""

    def event(self, connector: str, name: str, facts: Mapping[str, Any]) -> None:
        """Something worth a line happened: a retry, a split, a pause, a stop."""

    def ended(self, connector: str, report: Any) -> None:
        """The run is over; `report` is its `sendoff.Report`."""


KINDS: dict[str, type[Component]] = {
    base.kind: base for base in (Source, Validator, Sender, FailureStrategy, Transport, Observer)
}
