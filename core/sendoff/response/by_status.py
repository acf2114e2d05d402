"""What a status means, where nothing that is declared says more: the owner's table, then the usual one.

The usual one follows RFC 9110 §15 and, for 425 and 429, RFC 8470 and RFC 6585.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sendoff.cleaning import excerpt
from sendoff.response.messages import describe, status_phrase
from sendoff.response.outcome import Verdict, VerdictKind
from sendoff.response.policy import Policy
from sendoff.response.rate_headers import quota_reset_delay
from sendoff.transport.protocol import Response

_REJECTED = frozenset({400, 409, 422})
_TRANSIENT = frozenset({408, 425, 429})
_PERMANENT = frozenset({501, 505})

#: What nginx writes in a 400 that is about the connection and not about a record; and what to change.
_PROXY_FAULTS = {
    "No required SSL certificate was sent": "name a client certificate in destination.tls.cert",
    "The SSL certificate error": "the server does not accept the client certificate in destination.tls.cert",
    "The plain HTTP request was sent to HTTPS port": "destination.url begins with https:// there",
}

_ADVICE = {
    401: "the API does not accept the credentials; check the token or key under destination.headers or destination.auth",
    403: "the API does not allow these credentials to do this; check their permissions",
    404: "there is nothing at this URL; check destination.url",
    405: "this URL does not take this method; check destination.method",
    406: "the API cannot respond in an accepted format",
    407: "a proxy asks for credentials",
    410: "what was at this URL is gone; check destination.url",
    411: "the API asks for a length, which sendoff always sends; check for a proxy in between",
    415: "the API does not take this content type; check destination.headers",
}


def by_result_status(status: int, policy: Policy) -> Verdict | None:
    """The verdict by the status of one record's result; None for a status that cannot be one record's, such as 302.

    What the owner's table for results says comes first. What would stop the run as a response to a whole request (401, 404,
    501) is this record's rejection here, unless a table says `stop`.
    """
    own = policy.of_result_status(status)
    if own is VerdictKind.STOP:
        return Verdict(own, status=status)
    verdict = by_status(Response(status), policy, repeated=False) if own is None else Verdict(own, maybe_applied=status >= 500)
    if verdict.kind is not VerdictKind.STOP:
        return verdict
    return Verdict(VerdictKind.REJECTED, status=status) if status >= 400 else None


def by_status(
    response: Response, policy: Policy, *, repeated: bool, redact: Callable[[str], str] = str, delay: float | None = None
) -> Verdict:
    """The verdict by the table of statuses: the owner's, then the usual one. `delay` is what the API asked for."""
    status = response.status or 0
    own = policy.of_status(status)
    if own is not None:
        pause = delay if delay is not None else quota_reset_delay(response.headers or {})
        return Verdict(
            own, describe(response, redact), status, pause if own is VerdictKind.RETRY else None, maybe_applied=status >= 500
        )
    if status == 207:
        return Verdict(
            VerdictKind.STOP,
            "207: each record has a verdict of its own, and the connector does not say where (response.records)",
            status,
            maybe_applied=True,
        )
    if 200 <= status < 300:
        return Verdict(VerdictKind.DELIVERED, status=status)
    reason = describe(response, redact)
    if status == 413 and delay is None:
        return Verdict(VerdictKind.TOO_LARGE, reason, status)
    if status == 422 and re.search(r"idempotency[- _]?key", reason, re.IGNORECASE):
        return Verdict(
            VerdictKind.STOP, f"{reason}; a key came with other bytes, which must never happen: please report it", status
        )
    if status == 400 and (advice := next((hint for words, hint in _PROXY_FAULTS.items() if words in reason), None)):
        return Verdict(VerdictKind.STOP, f"{reason}; {advice}", status)
    if status in _REJECTED and not (status == 409 and repeated):
        return Verdict(VerdictKind.REJECTED, reason, status)
    if status in _TRANSIENT or status in (409, 413):
        if status == 429 and delay is None:
            delay = quota_reset_delay(response.headers or {})
        return Verdict(VerdictKind.RETRY, reason, status, delay)
    if status >= 500 and status not in _PERMANENT:
        return Verdict(VerdictKind.RETRY, reason, status, delay, maybe_applied=status != 503)
    if 300 <= status < 400:
        location = excerpt((response.headers or {}).get("location", ""), redact=redact)
        moved = f" to {location.partition('?')[0]}" if location else ""
        return Verdict(
            VerdictKind.STOP,
            f"{status}: the API has moved{moved}; sendoff follows no redirects, so change destination.url",
            status,
        )
    advice = _ADVICE.get(status)
    return Verdict(VerdictKind.STOP, f"{reason or status_phrase(status)}; {advice}" if advice else reason, status)
