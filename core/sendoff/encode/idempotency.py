"""Idempotency keys that survive anything: the same records in the same bytes have the same key.

A key is made of the ledger's secret, the connector, its delivery, the span and the bytes' digest.
After a restart it comes out the same with nothing stored; a part of a span has a key of its own;
changed bytes never reuse one; two equal rows at different places have different ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

Key = Callable[[int, int, bytes], str]
"""From the span of some records, as two ordinals, and what proves their bytes, to their key."""


@dataclass(frozen=True, slots=True)
class IdempotencyPolicy:
    """Whether requests carry a key, and how, as `destination.idempotency` says it."""

    enabled: bool = True
    location: Literal["header", "query", "body"] = "header"
    #: The name of the header or parameter.
    name: str = "Idempotency-Key"
    #: What a key looks like: one of `KEY_FORMATS`.
    form: str = "text"
    #: Whether a header's value is in double quotes.
    quoted: bool = False


def _text(raw: bytes) -> str:
    return raw[:16].hex()


def _uuid(raw: bytes) -> str:
    return str(UUID(bytes=raw[:16], version=4))


def _int64(raw: bytes) -> str:
    # Always 18 digits, so that a body's length does not hang on its key.
    return str(10**17 + int.from_bytes(raw[:8], "big") % (9 * 10**17))


#: What a key may look like (how long each is, `sendoff.encode.templates.KEY_SIZES` says).
KEY_FORMATS = {"text": _text, "uuid": _uuid, "int64": _int64}


def make_key_function(secret: bytes, connector: str, generation: int, form: str = "text") -> Key:
    """A function from a span and its bytes' SHA-256 (of a single record's: the bytes themselves) to the key."""
    root = hashlib.sha256(secret + f"\0{connector}\0{generation}\0".encode())
    shaped = KEY_FORMATS[form]

    def key(lo: int, hi: int, proof: bytes) -> str:
        made = root.copy()
        made.update(b"%d\0%d\0%b" % (lo, hi, proof))
        return shaped(made.digest())

    return key
