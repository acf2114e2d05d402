"""Signatures by the Standard Webhooks specification: the receiver of a request can verify who sent it."""

from __future__ import annotations

import binascii
import hashlib
import hmac
import time
from base64 import b64decode, b64encode
from collections.abc import Mapping
from pathlib import Path

from sendoff.plugin import Authenticator, AuthError, Request, check_not_empty, hookimpl


class StandardWebhooks(Authenticator):
    """Sign every request with HMAC-SHA256, per https://www.standardwebhooks.com.

    ``webhook-id`` is the idempotency key, so that a repeat is known as one. The body is signed as it
    travels: compressed, if `compress` says so.
    """

    name = "standard_webhooks"
    headers = ("webhook-id", "webhook-timestamp", "webhook-signature")
    options = {
        "secret": {
            "type": "string", "check_with": check_not_empty,
            "meta": {"help": "What requests are signed with: `whsec_` and base64.", "secret": True},
        },
    }  # fmt: skip

    secret: str

    def __init__(self, *, home: Path | None = None, **options: str) -> None:
        super().__init__(home=home, **options)
        self.clock = time.time

    def sign(self, request: Request) -> Mapping[str, str]:
        try:
            key = b64decode(self.secret.removeprefix("whsec_"), validate=True)
        except (binascii.Error, ValueError):
            raise AuthError("standard_webhooks: the secret is not base64 after `whsec_`") from None
        ident = f"msg_{request.key or f'{request.span.lo}_{request.span.hi}'}"
        stamp = str(int(self.clock()))
        signed = hmac.new(key, f"{ident}.{stamp}.".encode(), hashlib.sha256)
        for part in request.body:
            signed.update(part)
        signature = b64encode(signed.digest()).decode()
        return {"webhook-id": ident, "webhook-timestamp": stamp, "webhook-signature": f"v1,{signature}"}


@hookimpl
def sendoff_authenticators() -> list[type[Authenticator]]:
    return [StandardWebhooks]
