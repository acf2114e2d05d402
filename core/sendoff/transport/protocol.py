"""What passes between the engine and a transport: requests, responses, and how to connect."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import polars as pl

from sendoff.records import Span
from sendoff.transport.burst import RequestBurst

__all__ = [
    "TLS",
    "Completion",
    "ConnectionSettings",
    "Request",
    "RequestBurst",
    "RequestQueue",
    "Response",
    "SendOne",
    "SingleRequest",
    "Wait",
]


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready for the wire. `body` is a sequence of buffers, never to be joined."""

    span: Span
    method: str
    url: str
    headers: Mapping[str, str]
    body: Sequence[memoryview | bytes]
    body_length: int
    #: Seconds the whole attempt may take, to the last byte of the response.
    deadline: float
    attempt: int = 1
    #: How many records it carries; `span` may hold others, which are settled or travel apart.
    record_count: int = 1
    #: Its own number within the run, from 1, and its idempotency key ("" if it carries none).
    request_id: int = 0
    key: str = ""
    #: It is sent again because the credentials were renewed.
    is_reauth: bool = False
    #: How much of the response is read at most, in bytes after decoding.
    max_response_bytes: int = 1 << 20
    #: It deletes a record: its response is read by its status alone, and 404 and 410 mean that it is gone already.
    is_delete: bool = False
    #: What results name its records by, in parts, where `response.records` says so.
    ids: Sequence[pl.Series] = ()


@dataclass(frozen=True, slots=True)
class Response:
    """What came back: a status with its headers and body, or the error that stood in its way.

    `sent` is False only when not one byte of the request can have reached the destination.
    """

    status: int | None = None
    headers: Mapping[str, str] | None = None
    body: bytes = b""
    error: str = ""
    may_have_been_sent: bool = True
    #: A retry cannot help: TLS verification failed, say.
    permanent: bool = False
    seconds: float = 0.0
    #: The body was longer than asked for, and the remainder was not read.
    truncated: bool = False
    #: The credentials were renewed since: the same request may pass now.
    credentials_renewed: bool = False
    #: It failed on a connection that had carried another request, before a byte came back: closed meanwhile, most likely.
    connection_lost: bool = False


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
    passphrase: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """Where a transport connects to, and how."""

    url: str
    concurrency: int = 1
    tls: TLS = field(default_factory=TLS)
    #: The URL of an HTTP proxy; None for none. The environment is never asked.
    proxy: str | None = None
    #: Why an address must not be dialled, in a sentence; None if it may be. Asked after DNS, for every address.
    address_filter: Callable[[str], str | None] = lambda address: None


Completion = tuple[int, Response, float]
"""One response to a burst: the record's ordinal, the response, and the seconds it took."""


class RequestQueue(Protocol):
    """What a transport works on: it pulls requests and completes them with responses. Safe from any thread."""

    def next_request(self) -> Request | Wait | Literal["done"]:
        """The next request that should travel now, or how long to wait, or ``"done"``."""

    def next_requests(self, ahead: int) -> Request | RequestBurst | Wait | Literal["done"]:
        """The same, or where they are uniform a burst: of up to `ahead` requests for each that may be in flight."""

    def complete(self, request: Request, response: Response) -> None:
        """What came back for a request that `next` gave."""

    def complete_many(self, burst: RequestBurst, completions: Sequence[Completion]) -> None:
        """Complete requests of a burst, in any order. Once one of the responses is not a success, no more may be sent of it."""

    def is_cancelled(self, burst: RequestBurst) -> bool:
        """Whether no more of a burst may be sent, as the run stops, say. To be asked while it is sent, whenever it is cheap."""

    def return_unsent(self, burst: RequestBurst, unsent: Span) -> None:
        """Give back requests of a burst that were not sent and will not be. Each is either completed or given back, once."""

    def wait(self, seconds: float) -> None:
        """Block until something changed, or the seconds have passed."""

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back, from any thread, whenever `next` may have something new to say."""


class SingleRequest:
    """An exchange of a single request."""

    def __init__(self, request: Request) -> None:
        self._requests = [request]
        self.response = Response(error="not sent", may_have_been_sent=False)

    def next_request(self) -> Request | Wait | Literal["done"]:
        return self._requests.pop() if self._requests else "done"

    def next_requests(self, ahead: int) -> Request | RequestBurst | Wait | Literal["done"]:
        return self.next_request()

    def complete(self, request: Request, response: Response) -> None:
        self.response = response

    def complete_many(self, burst: RequestBurst, completions: Sequence[Completion]) -> None:
        """There are no bursts."""

    def is_cancelled(self, burst: RequestBurst) -> bool:
        return True

    def return_unsent(self, burst: RequestBurst, unsent: Span) -> None:
        """There are no bursts."""

    def wait(self, seconds: float) -> None:
        """There is nothing to wait for."""

    def on_change(self, callback: Callable[[], None]) -> None:
        """Nothing ever changes."""


SendOne = Callable[[Request], Response]
"""Sends one request by itself, and returns its response."""
