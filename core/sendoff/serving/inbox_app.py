"""The inbound webhook that partners post to: authorisation, size limits, and the response once a post is stored.

``POST /inbox/NAME`` with ``Authorization: Bearer TOKEN`` and a body of JSON (an object or an array of them), JSON Lines or
CSV. 202 says that it is kept, durably. A post with an ``Idempotency-Key`` (or ``webhook-id``) that came before gets the same
response and is kept once; with another body under that key it gets a 422 (draft-ietf-httpapi-idempotency-key-header §2.7).
``GET /health`` responds 200. The token is looked at before the body is read.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping

from tornado.web import stream_request_body

from sendoff.components import InboxSource
from sendoff.ledger.inbox import InboxFull, KeyReused
from sendoff.serving.web import HEAD_SECONDS, MAX_CONNECTIONS, Handler, Listener

#: Characters of a key by which a sender knows its post.
MAX_KEY = 255
#: Bodies of the largest size that one inbox holds at once; a post for which there is no room gets a 503.
MAX_BODIES = 8

#: Bytes of a body that is read and thrown away, so that its sender gets the response that says why.
MAX_DISCARDED = 64 << 20
_LENGTH = re.compile(r"[0-9]{1,15}")

Response = tuple[int, dict[str, object], dict[str, str]]


def listen(
    inboxes: Mapping[str, InboxSource],
    host: str,
    port: int,
    on_post: Callable[[str], None] = lambda name: None,
    *,
    max_connections: int = MAX_CONNECTIONS,
    head_seconds: float = HEAD_SECONDS,
) -> Listener:
    """Serve inboxes at an address until closed. Raises `OSError` for an address that cannot be had."""
    return Listener(
        [(r".*", InboxHandler, {"inboxes": inboxes, "on_post": on_post})], host, port,
        max_connections=max_connections, head_seconds=head_seconds,
    )  # fmt: skip


@stream_request_body
class InboxHandler(Handler):
    """Takes the posts of some inboxes."""

    def initialize(self, inboxes: Mapping[str, InboxSource], on_post: Callable[[str], None]) -> None:
        self._inboxes, self._on_post = inboxes, on_post
        self._body = bytearray()
        self._rejection: Response | None = None

    def prepare(self) -> None:
        method, path = self.request.method, self.request.path
        if path == "/health" and method in ("GET", "HEAD"):
            return self.respond(200, {"ok": True})
        self._name = path.removeprefix("/inbox/")
        inbox = self._inboxes.get(self._name) if path.startswith("/inbox/") else None
        # An inbox that is not there and a token that is wrong look alike from outside.
        if not _allowed(inbox.token if inbox else "", self.request.headers.get("Authorization", "")) or inbox is None:
            return self._refuse((401, {"error": "no such inbox, or not its token"}, {"WWW-Authenticate": "Bearer"}))
        if method != "POST":
            return self._refuse((405, {"error": "records are posted here"}, {"Allow": "POST"}))
        text = self.request.headers.get("Content-Length", "")
        if _LENGTH.fullmatch(text) is None:
            return self._refuse((411, {"error": "a Content-Length is needed"}, {}))
        self._inbox, self._key = inbox, self._find_key()
        self._rejection = self._admit_or_refuse(int(text))
        return None if self._rejection is None else self._refuse(self._rejection)

    def _refuse(self, rejection: Response) -> None:
        """Respond to a request whose body is not kept: when it has come, if it is short, or its sender may not see why."""
        text = self.request.headers.get("Content-Length", "")
        length = int(text) if _LENGTH.fullmatch(text) else 0
        self._rejection = rejection
        if 0 < length <= MAX_DISCARDED and "Expect" not in self.request.headers:
            self.discard(length, lambda: self.respond(*rejection))
        else:
            self.respond(*rejection)

    def _find_key(self) -> str | None:
        headers = self.request.headers
        return headers.get("Idempotency-Key") or headers.get("Webhook-Id") or None

    def _admit_or_refuse(self, length: int) -> Response | None:
        """The response to a post that is not taken; None if its body is read."""
        if length > self._inbox.max_body:
            return 413, {"error": f"at most {self._inbox.max_body:,} bytes at once"}, {}
        if len(self._key or "") > MAX_KEY:
            return 400, {"error": f"a key has at most {MAX_KEY} characters"}, {}
        if not self.admit(self._name, length, MAX_BODIES * self._inbox.max_body):
            return 503, {"error": "too much is being posted here at the moment"}, {"Retry-After": "5"}
        return None

    def data_received(self, chunk: bytes) -> None:
        if self._rejection is None:
            self._body += chunk

    async def post(self) -> None:
        self.respond(*(await self.run_in_thread(self._keep) if self._rejection is None else self._rejection))

    # A request that is refused may be of any method; it is answered when its body has been thrown away.
    get = head = put = patch = delete = options = post

    def _keep(self) -> Response:
        try:
            new = self._inbox.accept(self.request.headers.get("Content-Type", ""), bytes(self._body), self._key)
        except LookupError as error:
            return 415, {"error": str(error.args[0])}, {}
        except ValueError as error:
            return 400, {"error": str(error)}, {}
        except KeyReused as error:
            return 422, {"error": str(error)}, {}
        except InboxFull as error:
            return 503, {"error": str(error)}, {"Retry-After": "60"}
        except Exception as error:  # whatever goes wrong, the post is not confirmed
            return 500, {"error": f"not kept: {type(error).__name__}"}, {}
        if new:
            self._on_post(self._name)
        return 202, {"kept": True, "new": new}, {}


def _allowed(token: str, authorization: str) -> bool:
    kind, _, given = authorization.partition(" ")
    # Compared in constant time, and whether or not there is such an inbox.
    return hmac.compare_digest(given.strip().encode(), token.encode()) and kind.lower() == "bearer" and bool(token)
