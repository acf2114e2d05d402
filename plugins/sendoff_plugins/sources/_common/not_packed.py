"""Keep polars from decompressing a text, as it does with whatever begins like gzip, zlib or zstd."""

from __future__ import annotations

_PACKED = (b"\x1f\x8b", b"x\x01", b"x^", b"x\x9c", b"x\xda", b"\x28\xb5\x2f\xfd")


def not_packed(text: bytes) -> tuple[bytes, int]:
    """Change the text so that polars does not decompress it; also return how many lines of the result to skip.

    A line may begin with `x^`, which is also how zlib begins (RFC 1950, 2.2). polars 2.1 then fails with
    an `OSError`, and would unpack without a bound what does unpack. Compressed files are unpacked before.
    """
    return (b"\n" + text, 1) if text.startswith(_PACKED) else (text, 0)
