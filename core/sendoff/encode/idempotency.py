"""Idempotency keys: the same records in the same bytes always have the same key.

A key is derived from the ledger's secret, the connector, the run's generation, the span and the digest of
its bytes. It is the same after a restart, though no key is stored; a part of a span has a key of its own;
changed bytes have another key, and so have two equal rows at different places.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

Key = Callable[[int, int, bytes], str]
"""Makes the key of some records from their span, as two ordinals, and the digest of their bytes."""


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
    # Always 18 digits, so that a body's length does not depend on its key.
    return str(10**17 + int.from_bytes(raw[:8], "big") % (9 * 10**17))


#: The formats of keys; `sendoff.encode.templates.KEY_SIZES` has their lengths.
KEY_FORMATS = {"text": _text, "uuid": _uuid, "int64": _int64}


def make_key_function(secret: bytes, connector: str, generation: int, form: str = "text") -> Key:
    """Make the function from a span and its digest to its key. A single record's bytes are their own digest."""
    root = hashlib.sha256(secret + f"\0{connector}\0{generation}\0".encode())
    format_key = KEY_FORMATS[form]

    def key(lo: int, hi: int, digest: bytes) -> str:
        derived = root.copy()
        derived.update(b"%d\0%d\0%b" % (lo, hi, digest))
        return format_key(derived.digest())

    return key
