"""Idempotency keys that survive anything: the same records in the same bytes have the same key.

A key is made of the ledger's secret, the connector, its delivery, the span and the bytes' digest.
After a restart it comes out the same with nothing stored; a part of a span has a key of its own;
changed bytes never reuse one; two equal rows at different places have different ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from sendoff.records import Span

LENGTH = 32


def keymaker(secret: bytes, connector: str, generation: int) -> Callable[[Span, bytes], str]:
    """A function from a span and its bytes' SHA-256 to the key: 128 bits in hexadecimal."""
    root = hashlib.sha256(secret + f"\0{connector}\0{generation}\0".encode())

    def key(span: Span, digest: bytes) -> str:
        made = root.copy()
        made.update(b"%d\0%d\0" % span + digest)
        return made.hexdigest()[:LENGTH]

    return key
