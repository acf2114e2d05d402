"""What an answer means for the records it answers.

One table. A refusal is *definite* (400, 422, 413) only where the API has said so itself; whatever
may have been applied (a timeout, a 500) is retried as it was and never split. The statuses follow
RFC 9110 §15 and, for 425 and 429, RFC 8470 and RFC 6585.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Any

from sendoff.components import Answer
from sendoff.delivery.backoff import retry_after

REASON_LENGTH = 300


class Kind(Enum):
    """The verdicts."""

    DELIVERED = "delivered"
    RETRY = "retry"
    REJECTED = "rejected"
    TOO_LARGE = "too_large"
    FATAL = "fatal"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A verdict and its reason. `wait` is the API's own wish; `maybe_applied`, that it may have acted."""

    kind: Kind
    reason: str = ""
    status: int | None = None
    wait: float | None = None
    maybe_applied: bool = False


_REJECTED = frozenset({400, 409, 422})
_TRANSIENT = frozenset({408, 425, 429})
_NEVER_BETTER = frozenset({501, 505})

_ADVICE = {
    401: "the API does not accept the credentials; check the token or key under destination.headers",
    403: "the API does not allow these credentials to do this; check their permissions",
    404: "there is nothing at this URL; check destination.url",
    405: "this URL does not take this method; check destination.method",
    406: "the API cannot answer in an accepted form",
    407: "a proxy asks for credentials",
    410: "what was at this URL is gone; check destination.url",
    411: "the API asks for a length, which sendoff always sends; something stands between",
    415: "the API does not take this content type; check destination.headers",
}


def judge(answer: Answer, *, repeated: bool = False) -> Verdict:
    """The verdict on an answer. Pure; the tables above are all it knows.

    A 409 to a `repeated` request may mean that the first is still being worked on (the
    Idempotency-Key draft, §2.6), so it is tried again; to a first request it is a refusal.
    """
    status = answer.status
    if status is None:
        kind = Kind.FATAL if answer.fatal else Kind.RETRY
        return Verdict(kind, clean(answer.error), maybe_applied=answer.sent)
    if status == 207:
        return Verdict(
            Kind.FATAL,
            "207: each record has a verdict of its own, and the connector does not say where",
            status,
            maybe_applied=True,
        )
    if 200 <= status < 300:
        return Verdict(Kind.DELIVERED, status=status)
    wait = retry_after(answer.headers or {})
    reason = said(answer)
    if status == 413 and wait is None:
        return Verdict(Kind.TOO_LARGE, reason, status)
    if status in _REJECTED and not (status == 409 and repeated):
        return Verdict(Kind.REJECTED, reason, status)
    if status in _TRANSIENT or status in (409, 413):
        return Verdict(Kind.RETRY, reason, status, wait)
    if status >= 500 and status not in _NEVER_BETTER:
        return Verdict(Kind.RETRY, reason, status, wait, maybe_applied=status != 503)
    if 300 <= status < 400:
        location = clean((answer.headers or {}).get("location", ""))
        moved = f" to {location.partition('?')[0]}" if location else ""
        return Verdict(
            Kind.FATAL, f"{status}: the API has moved{moved}; sendoff follows no redirects, so change destination.url", status
        )
    advice = _ADVICE.get(status)
    return Verdict(Kind.FATAL, f"{reason}; {advice}" if advice else reason, status)


def said(answer: Answer) -> str:
    """The status and what the API said about it, in one bounded line (RFC 9457 and the usual shapes)."""
    status = answer.status or 0
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    body = answer.body[:65536].decode("utf-8", "replace")
    detail = _detail(body) or _plain(body)
    return clean(f"{status}: {detail or phrase}")


def _detail(body: str) -> str:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    return _told(found) or body


def _told(found: Any) -> str:
    if isinstance(found, str):
        return found
    if isinstance(found, list):
        return "; ".join(filter(None, map(_told, found[:3])))
    if isinstance(found, Mapping):
        for key in ("detail", "message", "error_description", "error", "errors", "title", "reason"):
            told = _told(found.get(key))
            if told:
                return told
    return ""


def _plain(body: str) -> str:
    if re.match(r"\s*<", body):  # a page for people; its text would tell nothing
        title = re.search(r"<title>([^<]*)</title>", body, re.IGNORECASE)
        return title[1] if title else ""
    return body


def clean(text: str) -> str:
    """Text from outside made safe to show and store: one line, no controls, no overrides, bounded."""
    kept = "".join(" " if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp", "Cs") else char for char in text[:4096])
    line = " ".join(kept.split())
    return line if len(line) <= REASON_LENGTH else line[: REASON_LENGTH - 1] + "…"
