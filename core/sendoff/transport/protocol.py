"""What travels between the engine and a transport: requests, answers, and what there is to connect with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from sendoff.records import Span
from sendoff.transport.burst import Volley

__all__ = ["TLS", "Answer", "Ask", "Exchange", "Landed", "One", "Request", "Volley", "Wait", "Wire"]


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
    #: It takes a record away: its answer is read by its status alone, and 404 and 410 say that it is gone already.
    gone: bool = False


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


Landed = tuple[int, Answer, float]
"""One answer to a volley: the record's ordinal, what came back, and the seconds it took."""


class Exchange(Protocol):
    """What a transport talks to: it pulls requests and pushes answers. Safe from any thread."""

    def next(self) -> Request | Wait | Literal["done"]:
        """The next request that should travel now, or how long to wait, or ``"done"``."""

    def next_many(self, most: int) -> Request | Volley | Wait | Literal["done"]:
        """The same, or a volley of up to so many requests where they are all alike."""

    def answer(self, request: Request, answer: Answer) -> None:
        """What came back for a request that `next` gave."""

    def landed(self, volley: Volley, found: Sequence[Landed]) -> None:
        """What came back for requests taken from a volley. If one of the answers is no success, no more is to be taken."""

    def wait(self, seconds: float) -> None:
        """Block until something changed, or the seconds have passed."""

    def changed(self, callback: Callable[[], None]) -> None:
        """Call back, from any thread, whenever `next` may have something new to say."""


class One:
    """An exchange of a single request."""

    def __init__(self, request: Request) -> None:
        self._requests = [request]
        self.found = Answer(error="not sent", sent=False)

    def next(self) -> Request | Wait | Literal["done"]:
        return self._requests.pop() if self._requests else "done"

    def next_many(self, most: int) -> Request | Volley | Wait | Literal["done"]:
        return self.next()

    def answer(self, request: Request, answer: Answer) -> None:
        self.found = answer

    def landed(self, volley: Volley, found: Sequence[Landed]) -> None:
        """There are no volleys."""

    def wait(self, seconds: float) -> None:
        """There is nothing to wait for."""

    def changed(self, callback: Callable[[], None]) -> None:
        """Nothing ever changes."""


Ask = Callable[[Request], Answer]
"""Sends one request by itself, and answers with what came back."""
