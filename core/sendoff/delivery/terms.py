"""What the engine needs to know of a destination, and how a request to it looks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from sendoff.components import Request, Sender
from sendoff.config.connector import Connector, Destination
from sendoff.records import Span

#: What every request carries unless the connector says otherwise. Compressed answers are not asked
#: for: a small one can unpack to a very large one.
BASE_HEADERS = {
    "User-Agent": f"sendoff/{version('sendoff')}",
    "Accept": "application/json, */*;q=0.5",
    "Accept-Encoding": "identity",
}


@dataclass(frozen=True, slots=True)
class Terms:
    """A destination, as the engine sees it. `key` makes the idempotency key of a span and its digest."""

    to: Destination
    #: All of a request's headers but the key's and the length's.
    headers: Mapping[str, str]
    key_header: str | None
    key: Callable[[Span, bytes], str]
    redact: Callable[[str], str] = str
    accept_refusals: bool = False

    def request(
        self, span: Span, parts: Sequence[memoryview | bytes], sender: Sender, digest: Callable[[], bytes], attempt: int = 1
    ) -> Request:
        """The request for a span whose records' bytes are `parts`."""
        headers = self.headers
        if self.key_header:
            headers = {**headers, self.key_header: self.key(span, digest())}
        body = [part for part in (sender.prefix, *parts, sender.suffix) if part]
        length = sum(map(len, body))
        return Request(span, self.to.method, self.to.url, headers, body, length, self.to.timeout, attempt)


def terms(chosen: Connector, key: Callable[[Span, bytes], str], *, accept_refusals: bool = False) -> Terms:
    """The terms of a connector's destination."""
    to = chosen.destination
    key_header = to.idempotency["header"] if to.idempotency["enabled"] else None
    named = {name.lower() for name in to.headers}
    base = {**BASE_HEADERS, "Content-Type": chosen.sender.content_type}
    own = {name: value for name, value in to.headers.items() if name.lower() != (key_header or "").lower()}
    return Terms(
        to,
        {**{name: value for name, value in base.items() if name.lower() not in named}, **own},
        key_header,
        key,
        redact=chosen.secrets.redact,
        accept_refusals=accept_refusals,
    )
