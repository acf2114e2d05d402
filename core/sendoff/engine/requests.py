"""Builds the requests to a destination."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from sendoff.components import Sender
from sendoff.encode import templates
from sendoff.encode.idempotency import Key
from sendoff.engine.destination import Destination
from sendoff.records import Block, Route, Span
from sendoff.transport.burst import RequestBurst
from sendoff.transport.protocol import Request
from sendoff.transport.rate_limit import RateLimiter


@dataclass(frozen=True, slots=True)
class RequestBuilder:
    """A destination, as the engine sees it. `key` makes the idempotency key of a span and its digest."""

    destination: Destination
    #: All of a request's headers but the key's, the length's, and those made of its records.
    headers: Mapping[str, str]
    #: ``header``, ``query`` or ``body``; "" where requests carry no key.
    key_location: str
    key: Key
    rate_limiter: RateLimiter = field(default_factory=RateLimiter)
    redact: Callable[[str], str] = str
    #: The same for any JSON value.
    redact_value: Callable[[object], object] = lambda value: value
    early_stop: bool = True

    def request(
        self,
        span: Span,
        parts: Sequence[memoryview | bytes],
        sender: Sender,
        content_digest: Callable[[], bytes],
        *,
        record_count: int,
        request_id: int = 0,
        attempt: int = 1,
        route: Route | None = None,
        is_reauth: bool = False,
        ids: Sequence[pl.Series] = (),
    ) -> Request:
        """The request for the records of a span whose bytes are `parts`."""
        url, method, headers = self.destination.url, self.destination.method, self.headers
        if route is not None:
            url, method = route.url, route.method or method
            headers = {**headers, **dict(route.headers)}
        prefix, suffix, key = sender.prefix, sender.suffix, ""
        if self.key_location:
            key = self.key(*span, content_digest())
            name = self.destination.idempotency.name
            if self.key_location == "header":
                headers = {**headers, name: f'"{key}"' if self.destination.idempotency.quoted else key}
            elif self.key_location == "query":
                url += f"{'&' if '?' in url else '?'}{name}={key}"
            else:
                prefix, suffix = (
                    templates.insert_key(part, key, self.destination.idempotency.form) for part in (prefix, suffix)
                )
        body = [part for part in (prefix, *parts, suffix) if part] if route is None or not route.without_body else []
        if not body:
            headers = {name: value for name, value in headers.items() if name.lower() != "content-type"}
        length = sum(map(len, body))
        to = self.destination
        return Request(
            span, method, url, headers, body, length, to.timeout + length / to.min_upload_rate, attempt,
            record_count=record_count, request_id=request_id, key=key, is_reauth=is_reauth,
            max_response_bytes=to.response.max_bytes, is_delete=route is not None and route.is_delete,
            ids=ids,
        )  # fmt: skip

    def burst(self, block: Block, span: Span, sender: Sender, concurrency: int) -> RequestBurst:
        """The requests for single records of a block, which stand side by side and carry their keys in a header, if any."""
        to, key_header = self.destination, (b"", b"")
        if self.key_location:
            quote = b'"' if to.idempotency.quoted else b""
            key_header = (to.idempotency.name.encode() + b": " + quote, quote + b"\r\n")
        return RequestBurst(
            to.method, to.url, self.headers, key_header, self.key, sender.prefix, sender.suffix, block, span,
            concurrency, to.timeout, to.min_upload_rate, to.response.max_bytes,
        )  # fmt: skip
