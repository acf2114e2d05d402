"""The inbound webhook that partners post to: authorisation, size limits, and the response once a post is stored.

``POST /inbox/NAME`` with ``Authorization: Bearer TOKEN`` and a body of JSON (an object or an array of them), JSON Lines or
CSV. 202 says that it is kept, durably. A post with an ``Idempotency-Key`` (or ``webhook-id``) that came before gets the same
response and is kept once. ``GET /health`` responds 200.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sendoff.components import InboxSource
from sendoff.ledger.inbox import InboxFull

_REASONS = {
    200: "OK", 202: "Accepted", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 405: "Method Not Allowed",
    411: "Length Required", 413: "Content Too Large", 415: "Unsupported Media Type", 500: "Internal Server Error",
    503: "Service Unavailable",
}  # fmt: skip

Environ = Mapping[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]


class InboxApp:
    """A WSGI application over some inboxes."""

    def __init__(self, inboxes: Mapping[str, InboxSource], on_post: Callable[[str], None] = lambda name: None) -> None:
        self.inboxes = inboxes
        self._on_post = on_post

    def __call__(self, environ: Environ, start: StartResponse) -> Iterable[bytes]:
        try:
            status, content, more = self._respond(environ)
        except Exception as error:  # whatever goes wrong, the post is not confirmed
            status, content, more = 500, {"error": f"not kept: {type(error).__name__}"}, []
        body = json.dumps(content).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *more]
        start(f"{status} {_REASONS[status]}", headers)
        return [body]

    def _respond(self, environ: Environ) -> tuple[int, dict[str, object], list[tuple[str, str]]]:
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
        if path == "/health" and method == "GET":
            return 200, {"ok": True}, []
        name = path.removeprefix("/inbox/")
        inbox = self.inboxes.get(name) if path.startswith("/inbox/") else None
        # An inbox that is not there and a token that is wrong look alike from outside.
        if not _allowed(inbox.token if inbox else "", environ.get("HTTP_AUTHORIZATION", "")) or inbox is None:
            return 401, {"error": "no such inbox, or not its token"}, [("WWW-Authenticate", "Bearer")]
        if method != "POST":
            return 405, {"error": "records are posted here"}, [("Allow", "POST")]
        return self._take(name, inbox, environ)

    def _take(self, name: str, inbox: InboxSource, environ: Environ) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        length = environ.get("CONTENT_LENGTH") or ""
        if not length.isdigit():
            return 411, {"error": "a Content-Length is needed"}, []
        if int(length) > inbox.max_body:
            return 413, {"error": f"at most {inbox.max_body:,} bytes at once"}, []
        body = environ["wsgi.input"].read(int(length))
        if len(body) != int(length):
            return 400, {"error": "the body was cut off"}, []
        key = environ.get("HTTP_IDEMPOTENCY_KEY") or environ.get("HTTP_WEBHOOK_ID") or None
        try:
            new = inbox.accept(environ.get("CONTENT_TYPE", ""), body, key)
        except LookupError as error:
            return 415, {"error": str(error.args[0])}, []
        except ValueError as error:
            return 400, {"error": str(error)}, []
        except InboxFull as error:
            return 503, {"error": str(error)}, [("Retry-After", "60")]
        if new:
            self._on_post(name)
        return 202, {"kept": True, "new": new}, []


def _allowed(token: str, authorization: str) -> bool:
    kind, _, given = authorization.partition(" ")
    # Compared in constant time, and whether or not there is such an inbox.
    return hmac.compare_digest(given.strip().encode(), token.encode()) and kind.lower() == "bearer" and bool(token)
