"""What the engine needs to know of a destination, and how a request to it looks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sendoff.components import Sender
from sendoff.encode import templates as shape
from sendoff.encode.idempotency import Key
from sendoff.records import Block, Route, Span
from sendoff.response import DEFAULT, Policy
from sendoff.transport.burst import Volley
from sendoff.transport.destination import Destination
from sendoff.transport.protocol import Request
from sendoff.transport.rate_limit import Pace


@dataclass(frozen=True, slots=True)
class Terms:
    """A destination, as the engine sees it. `key` makes the idempotency key of a span and its digest."""

    to: Destination
    #: All of a request's headers but the key's, the length's, and those made of its records.
    headers: Mapping[str, str]
    #: ``header``, ``query`` or ``body``; "" where requests carry no key.
    key_in: str
    key: Key
    policy: Policy = DEFAULT
    pace: Pace = field(default_factory=Pace)
    redact: Callable[[str], str] = str
    accept_refusals: bool = False

    def request(
        self,
        span: Span,
        parts: Sequence[memoryview | bytes],
        sender: Sender,
        proof: Callable[[], bytes],
        *,
        count: int,
        number: int = 0,
        attempt: int = 1,
        route: Route | None = None,
        renewed: bool = False,
    ) -> Request:
        """The request for the records of a span whose bytes are `parts`."""
        url, method, headers = self.to.url, self.to.method, self.headers
        if route is not None:
            url, method = route.url, route.method or method
            headers = {**headers, **dict(route.headers)}
        prefix, suffix, key = sender.prefix, sender.suffix, ""
        if self.key_in:
            key = self.key(*span, proof())
            name = self.to.idempotency["name"]
            if self.key_in == "header":
                headers = {**headers, name: f'"{key}"' if self.to.idempotency["quoted"] else key}
            elif self.key_in == "query":
                url += f"{'&' if '?' in url else '?'}{name}={key}"
            else:
                prefix, suffix = (shape.filled(part, key, self.to.idempotency["form"]) for part in (prefix, suffix))
        body = [part for part in (prefix, *parts, suffix) if part] if route is None or not route.bare else []
        if not body:
            headers = {name: value for name, value in headers.items() if name.lower() != "content-type"}
        length = sum(map(len, body))
        return Request(
            span, method, url, headers, body, length, self.to.timeout + length / self.to.floor_rate, attempt,
            count=count, number=number, key=key, renewed=renewed, answer_bytes=self.policy.max_bytes,
            gone=route is not None and route.gone,
        )  # fmt: skip

    def volley(self, block: Block, span: Span, sender: Sender) -> Volley:
        """The requests for single records of a block, which stand side by side and carry their keys in a header, if any."""
        around = (b"", b"")
        if self.key_in:
            quote = b'"' if self.to.idempotency["quoted"] else b""
            around = (self.to.idempotency["name"].encode() + b": " + quote, quote + b"\r\n")
        return Volley(
            self.to.method, self.to.url, self.headers, around, self.key,
            sender.prefix, sender.suffix, block, *span, self.to.timeout, self.to.floor_rate, self.policy.max_bytes,
        )  # fmt: skip
