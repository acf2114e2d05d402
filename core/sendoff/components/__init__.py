"""Components: what a plugin offers, one abstract base per kind.

A component is a class with a `name`, an `options` schema (Cerberus rules, each with
``meta.help``), a docstring, and one or two methods. Its options arrive as attributes. The file is long because
it has all nine kinds in it, so that a plugin's author can read the whole contract from top to bottom.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import polars as pl

from sendoff import jsonlib
from sendoff.errors import PluginCrash
from sendoff.jsonlib import jsonpath
from sendoff.records import Span
from sendoff.transport.egress import Mode
from sendoff.transport.protocol import ConnectionSettings, Request, RequestQueue, Response, SendOne, SingleRequest

__all__ = [
    "Authenticator",
    "Component",
    "Decision",
    "Fail",
    "FailureStrategy",
    "InboxSource",
    "Notification",
    "Notifier",
    "Observer",
    "RecordValidator",
    "Refusal",
    "Retry",
    "ScheduledJob",
    "Scheduler",
    "Sender",
    "Source",
    "Split",
    "StandIn",
    "Stop",
    "Transport",
    "Validator",
]


class Component:
    """The whole contract of a plugin's class: a name, options, a docstring."""

    #: The name that `use:` selects it by.
    name: ClassVar[str]
    #: Its options: Cerberus rules by name. A rule without ``default`` makes the option required.
    options: ClassVar[Mapping[str, Any]] = {}
    #: ``sources``, ``senders`` and so on; each kind sets its own.
    kind: ClassVar[str]
    #: Why it cannot be restricted ("runs programs"), or "". Such a component is forbidden where egress is `public`.
    privileged: ClassVar[str] = ""
    #: What it is used for where none is named. Sources: endings of files, like ``.csv``. Senders and transports: ``one`` or
    #: ``many`` records a request; transports also ``tls_proxy``, a proxy that is reached by TLS. Failure strategies:
    #: ``rejection``. Observers: ``terminal``, where progress is shown.
    default_for: ClassVar[Sequence[str]] = ()

    def __init__(self, *, home: Path | None = None, **options: Any) -> None:
        #: The directory that relative paths in the connector file start from.
        self.home = home or Path()
        defaults = {name: deepcopy(rule["default"]) for name, rule in self.options.items() if "default" in rule}
        for name, value in {**defaults, **options}.items():
            setattr(self, name, value)


#: A local stand-in: from a request's method, path, headers and body to a response's status, body and headers, or None where it
#: is not for the stand-in. The names of headers are in lower case.
StandIn = Callable[[str, str, Mapping[str, str], bytes], tuple[int, bytes, Mapping[str, str]] | None]


class Source(Component, ABC):
    """Where records come from."""

    kind = "sources"
    #: The options that point it at its stand-in's URL; none if it has no stand-in.
    stand_in_options: ClassVar[Sequence[str]] = ()
    #: Where the next run resumes, set when `read` ends: any JSON value; None: at the beginning.
    next_cursor: Any = None
    #: Which addresses it may connect to, if any: see `sendoff.transport.egress` for the rules.
    egress: Mode = "configured"
    #: The file that is read now, where it reads files: for messages.
    current_file: str = ""
    #: The name of its connector, and the state directory, where it may keep files of its own.
    connector: str = ""
    state: Path | None = None

    @abstractmethod
    def read(self, cursor: Any) -> Iterable[Any]:
        """Yield records: mappings, lists of mappings, polars frames, Arrow streams, or `Page`s.

        `cursor` is what `next_cursor` was at the end of the last run that counts, or None. It is used only for
        sources without a fingerprint. Raise `SourceError` for what cannot be read.
        """

    def fingerprint(self) -> bytes | None:
        """What must be equal for the source to read the same again; None if it reads only once.

        A source without a fingerprint is spooled to disk before anything of it is sent, so that a
        interrupted run can be resumed.
        """
        return None

    def change_token(self) -> Any:
        """A value that differs whenever there is something else to read; None if that is unknown.

        Under ``watch: true`` it is called every second, and must be quick.
        """
        return None

    def cancel(self) -> None:
        """The run is interrupted: end what `read` waits for, such as a program. Called from anywhere, also a signal handler."""

    def columns(self) -> Iterable[tuple[str, Sequence[str]]]:
        """Each file (or table) and its columns, where they are known before reading."""
        return ()

    @classmethod
    def stand_in(cls, file: Path) -> StandIn:
        """A local stand-in for what it reads from, which serves a file's records; `sendoff sandbox --stand-in` runs it."""
        raise NotImplementedError


class InboxSource(Source):
    """A source whose records partners post to `sendoff serve`, at ``/inbox/NAME``."""

    #: The token that allows posting, and the maximum bytes of one post.
    token: str
    max_body: int

    @abstractmethod
    def accept(self, content_type: str, body: bytes, key: str | None) -> bool:
        """Keep a post, durably; False if one with its key is kept already.

        Raises `LookupError` for a content type it does not know, `ValueError` for a body that is not what it says, and
        `sendoff.ledger.inbox.InboxFull`; each with a sentence for the sender.
        """

    def close(self) -> None:
        """No more posts will come."""


class Validator(Component, ABC):
    """Marks rows of a frame invalid that passed the schema."""

    kind = "validators"

    def start(self) -> None:
        """A pass over the source begins; forget what earlier passes have seen."""

    @abstractmethod
    def validate(self, frame: pl.DataFrame) -> Iterable[tuple[int, str]]:
        """Yield the invalid rows: index and reason. Frames come in order, each once."""


class RecordValidator(Validator):
    """A validator that looks at one record at a time: easy to write, slower to run."""

    def validate(self, frame: pl.DataFrame) -> Iterable[tuple[int, str]]:
        for index, record in enumerate(frame.iter_rows(named=True)):
            try:
                reason = self.check(record)
            except Exception as error:
                raise PluginCrash.of(error, self, row=index) from error
            if reason is not None:
                yield index, reason

    @abstractmethod
    def check(self, record: Mapping[str, Any]) -> str | None:
        """Return None for a good record, else the reason it is invalid."""


class Sender(Component, ABC):
    """How records become requests: how many are sent together, and what surrounds them."""

    kind = "senders"
    #: Bytes before the first record, between two, and after the last. `separator` is one byte.
    prefix: bytes = b""
    separator: bytes = b","
    suffix: bytes = b""
    content_type: str = "application/json"
    #: The maximum records of one request, and the maximum bytes of its body (None: unlimited).
    max_records: int = 1
    max_bytes: int | None = None
    #: How a record is written: ``json``, or ``form`` (``application/x-www-form-urlencoded``).
    encoding: ClassVar[str] = "json"
    #: The template of a record (see `sendoff.encode.templates`), and of a line before each; None: the record itself, no line.
    record: Any = None
    before: Any = None
    #: Whether members that are null are left out.
    omit_null: bool = False

    def values(self, request: Request, field: str) -> Sequence[Any]:
        """The values that a field has in the records of a request, as they were sent."""
        body = b"".join(request.body if request.uncompressed is None else request.uncompressed)
        return self.values_in(body[len(self.prefix) : len(body) - len(self.suffix)], field)

    def values_in(self, data: bytes, field: str) -> Sequence[Any]:
        """The values that a field has in records as they are sent, joined by the separator."""
        inside = data.decode()
        if self.separator == b"\n":
            lines = inside.split("\n")
            records = [
                jsonlib.loads(line, depth=jsonlib.WRAPPED_DEPTH) for line in (lines if self.before is None else lines[1::2])
            ]
        else:
            records = jsonlib.loads(f"[{inside}]", depth=jsonlib.WRAPPED_DEPTH)
        path = jsonpath.parse(field if field.startswith("$") else f"$['{field}']")
        return [path.find(record) for record in records]


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


class Transport(Component, ABC):
    """How requests are sent: it pulls requests from a queue and returns their responses to it."""

    kind = "transports"

    @abstractmethod
    def run(self, queue: RequestQueue, settings: ConnectionSettings) -> None:
        """Send requests, at most ``settings.concurrency`` at once, until the queue says ``"done"``.

        Every request pulled must be completed, whatever happens to it. Redirects are not followed;
        nothing is retried; no cookie is kept; the request's deadline is total; no more of a response is
        read than the request says; no connection is made to an address that ``settings.address_filter`` forbids.
        """

    def send_one(self, request: Request, settings: ConnectionSettings) -> Response:
        """Send one request by itself; authenticators fetch tokens with it."""
        exchange = SingleRequest(request)
        self.run(exchange, replace(settings, url=request.url, concurrency=1))
        return exchange.response


class Authenticator(Component, ABC):
    """How requests are authenticated. Its methods are called from several threads at once."""

    kind = "authenticators"
    #: The headers it adds, for `sendoff preview`.
    headers: ClassVar[Sequence[str]] = ("Authorization",)

    def start(self, send: SendOne) -> None:
        """A run begins; `send` sends a request of the authenticator's own, by the destination's transport and filter."""

    @abstractmethod
    def sign(self, request: Request) -> Mapping[str, str]:
        """The headers to add to a request that is about to leave. Raises `AuthError` if there are no credentials."""

    def renew(self, request: Request) -> bool:
        """The API responded 401 to this request: whether to try again with what `sign` returns now."""
        return False

    def secrets(self) -> Iterable[str]:
        """The secrets known so far, which must never be shown."""
        return ()


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification: of a failure, of a recovery, or a digest (summary) of all runs since the last one."""

    event: Literal["failure", "recovery", "digest"]
    #: The connector, and the summary in one sentence.
    connector: str
    sentence: str
    #: The runs it is about, as ``sendoff run --json`` shows them.
    runs: Sequence[Mapping[str, Any]]


class Notifier(Component, ABC):
    """Notifies somebody of how runs went. An error in notifying does not change the run."""

    kind = "notifiers"
    options = {
        "on": {
            "type": "list", "schema": {"type": "string", "allowed": ["failure", "recovery", "digest"]},
            "default": ["failure", "recovery"],
            "meta": {"help": "Of what: `failure`, `recovery` (the first good run after one), `digest` (by `sendoff digest`)."},
        }
    }  # fmt: skip
    on: Sequence[str]
    #: Which addresses it may dial, if it dials any.
    egress: Mode = "configured"

    @abstractmethod
    def notify(self, notification: Notification) -> None:
        """Send it. Raise any exception if it could not be sent: a warning is shown, and the run is not affected."""


class Observer(Component):
    """Watches a run: progress, logs, metrics. Its methods do nothing unless overridden."""

    kind = "observers"

    def started(self, connector: str, run: int, facts: Mapping[str, Any]) -> None:
        """A run begins or is resumed; `facts` say what it resumes, if anything."""

    def progressed(self, connector: str, counts: Mapping[str, int], seconds: float) -> None:
        """The counts of `Report` changed, as committed."""

    def event(self, connector: str, name: str, facts: Mapping[str, Any]) -> None:
        """An event worth logging: a retry, a split, a pause, a stop."""

    def ended(self, connector: str, report: Any) -> None:
        """The run is over; `report` is its `sendoff.Report`."""


@dataclass(frozen=True, slots=True)
class ScheduledJob:
    """What another scheduler is to start: a connector's run, by its cron expression in its time zone."""

    connector: str
    cron: str
    timezone: str
    #: ``run_once`` or ``skip``: what happens to missed runs.
    missed: str
    #: The project's directory, and the command that starts sendoff.
    home: Path
    program: str


class Scheduler(Component, ABC):
    """Another program that starts runs on a schedule: what `sendoff schedule export` writes for it."""

    kind = "schedulers"

    @abstractmethod
    def export(self, job: ScheduledJob) -> Mapping[str, str]:
        """The files, by name, that make it run a connector when its schedule says so."""


KINDS: dict[str, type[Component]] = {
    base.kind: base
    for base in (Source, Validator, Sender, FailureStrategy, Transport, Authenticator, Observer, Notifier, Scheduler)
}
