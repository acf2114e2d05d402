"""The headers and settings that all requests of a connector share."""

from __future__ import annotations

from importlib.metadata import version

from sendoff.config.connector import Connector
from sendoff.encode.idempotency import Key
from sendoff.engine.requests import RequestBuilder
from sendoff.transport.rate_limit import RateLimiter

#: What every request carries unless the connector says otherwise. Compressed responses are not asked
#: for: a small one can unpack to a very large one.
BASE_HEADERS = {
    "User-Agent": f"sendoff/{version('sendoff')}",
    "Accept": "application/json, */*;q=0.5",
    "Accept-Encoding": "identity",
}


def build_request_builder(
    chosen: Connector, key: Key, *, rate_limiter: RateLimiter | None = None, early_stop: bool = True
) -> RequestBuilder:
    """The `RequestBuilder` of a connector's destination."""
    to = chosen.destination
    key_location = to.idempotency.location if to.idempotency.enabled else ""
    key_header = to.idempotency.name.lower() if key_location == "header" else ""
    templated = {name.lower() for name in chosen.router.headers} if chosen.router else set()
    named = {name.lower() for name in to.headers}
    base = {**BASE_HEADERS, "Content-Type": chosen.sender.content_type}
    own = {name: value for name, value in to.headers.items() if name.lower() not in {key_header, *templated}}
    return RequestBuilder(
        to,
        {**{name: value for name, value in base.items() if name.lower() not in named}, **own},
        key_location,
        key,
        rate_limiter=rate_limiter or RateLimiter(),
        redact=chosen.secrets.redact,
        redact_value=chosen.secrets.redact_value,
        early_stop=early_stop,
    )
