"""Texts for polars, which unpacks on its own what begins like gzip, zlib or zstd."""

from __future__ import annotations

_PACKED = (b"\x1f\x8b", b"x\x01", b"x^", b"x\x9c", b"x\xda", b"\x28\xb5\x2f\xfd")


def not_packed(text: bytes) -> tuple[bytes, int]:
    """The text so that polars does not unpack it, and how many lines of that to skip.

    A line may begin with `x^`, which is also how zlib begins (RFC 1950, 2.2). polars 2.1 then fails with
    an `OSError`, and would unpack without a bound what does unpack. Compressed files are unpacked before.
    """
    return (b"\n" + text, 1) if text.startswith(_PACKED) else (text, 0)
