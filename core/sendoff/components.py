"""Components: what a plugin offers, one abstract base per kind.

A component is a class with a `name`, an `options` schema (Cerberus rules, each with
``meta.help``), a docstring, and one or two verbs. Its options arrive as attributes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import polars as pl

from sendoff import jsonpath, jsontext
from sendoff.records import Span

__all__ = [
    "TLS",
    "Answer",
    "Ask",
    "Authenticator",
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
    "Wire",
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
    #: How a record is written: ``json``, or ``form`` (``application/x-www-form-urlencoded``).
    encoding: ClassVar[str] = "json"
    #: What a record is made into (see `sendoff.shape`), and what stands before each; None: itself, nothing.
    record: Any = None
    before: Any = None
    #: Whether members that are null are left out.
    omit_null: bool = False

    def values(self, request: Request, field: str) -> Sequence[Any]:
        """The values that a field has in the records of a request, as they were sent."""
        body = b"".join(request.body)
        inside = body[len(self.prefix) : len(body) - len(self.suffix)].decode()
        if self.separator == b"\n":
            lines = inside.split("\n")
            records = [jsontext.loads(line) for line in (lines if self.before is None else lines[1::2])]
        else:
            records = jsontext.loads(f"[{inside}]")
        path = jsonpath.parse(field if field.startswith("$") else f"$['{field}']")
        return [path.find(record) for record in records]


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
    #: What splitting may cost: requests (None: 2,000, and 40 for every 1,000 records), and the share of
    #: records refused above which it may not be the records.
    max_requests: int | None = None
    max_failed_ratio: float = 0.5

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
    #: How many records it carries; `span` may hold others, which are settled or travel apart.
    count: int = 1
    #: Its own number within the run, from 1, and its idempotency key ("" if it carries none).
    number: int = 0
    key: str = ""
    #: It is sent again because the credentials were renewed.
    renewed: bool = False
    #: How much of the answer is to be read, in bytes after decoding.
    answer_bytes: int = 1 << 20


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
    #: The body was longer than asked for, and its rest was not read.
    truncated: bool = False
    #: The credentials were renewed since: the same request may pass now.
    renewed: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing should travel for this many seconds, or until `Exchange.changed` says so."""

    seconds: float


@dataclass(frozen=True, slots=True)
class TLS:
    """How a destination is known, and how sendoff makes itself known to it: PEM files."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    verify: bool = True


@dataclass(frozen=True, slots=True)
class Wire:
    """Where a transport connects to, and how."""

    url: str
    concurrency: int = 1
    tls: TLS = field(default_factory=TLS)
    #: The URL of an HTTP proxy; None for none. The environment is never asked.
    proxy: str | None = None
    #: Why an address must not be dialled, in a sentence; None if it may be. Asked after DNS, for every address.
    guard: Callable[[str], str | None] = lambda address: None


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
    def carry(self, exchange: Exchange, wire: Wire) -> None:
        """Carry requests, at most ``wire.concurrency`` at once, until the exchange says ``"done"``.

        Every request pulled must be answered, whatever happens to it. Redirects are not followed;
        nothing is retried; no cookie is kept; the request's deadline is total; no more of an answer is
        read than the request says; no address is dialled that ``wire.guard`` refuses.
        """

    def ask(self, request: Request, wire: Wire) -> Answer:
        """One request by itself: what an authenticator fetches a token with."""
        exchange = _One(request)
        self.carry(exchange, replace(wire, url=request.url, concurrency=1))
        return exchange.found


class _One:
    """An exchange of a single request."""

    def __init__(self, request: Request) -> None:
        self._requests = [request]
        self.found = Answer(error="not sent", sent=False)

    def next(self) -> Request | Wait | Literal["done"]:
        return self._requests.pop() if self._requests else "done"

    def answer(self, request: Request, answer: Answer) -> None:
        self.found = answer

    def wait(self, seconds: float) -> None:
        """There is nothing to wait for."""

    def changed(self, callback: Callable[[], None]) -> None:
        """Nothing ever changes."""


Ask = Callable[[Request], Answer]


class Authenticator(Component, ABC):
    """How requests prove who sends them. Its verbs are called from several threads at once."""

    kind = "authenticators"
    #: The headers it adds, for `sendoff preview`.
    headers: ClassVar[Sequence[str]] = ("Authorization",)

    def start(self, ask: Ask) -> None:
        """A run begins; `ask` sends a request of the authenticator's own, by the destination's transport and guard."""

    @abstractmethod
    def sign(self, request: Request) -> Mapping[str, str]:
        """The headers to add to a request that is about to leave. Raises `AuthError` if there is no proof to be had."""

    def renew(self, request: Request) -> bool:
        """The API answered 401 to this request: whether it may pass with what `sign` would answer now."""
        return False

    def secrets(self) -> Iterable[str]:
        """What must never be shown, as far as it is known now."""
        return ()


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
    base.kind: base for base in (Source, Validator, Sender, FailureStrategy, Transport, Authenticator, Observer)
}
