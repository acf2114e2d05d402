"""Read JSON by msgspec wherever that is certain to be what `jsonlib.loads` reads.

msgspec has the grammar of RFC 8259, refuses what is not UTF-8 and half a surrogate pair, and gives the digits of numbers to
`Decimal`. What it does not refuse is a duplicate key: the last one would win. So what it read is written again, and the
colons are counted: one for each member, and those in strings.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from sendoff.jsonlib.text import DEPTH, loads

#: What msgspec raises for a text that is not of a type, not JSON, not UTF-8, or nested too deep.
REFUSALS = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError, InvalidOperation)
_DECODE = msgspec.json.Decoder(float_hook=Decimal).decode
_ENCODE = msgspec.json.Encoder().encode


def is_whole(text: bytes, value: object) -> bool:
    """Whether a value that msgspec read from a JSON text has all that is in the text, and is not nested too deep."""
    return (
        text.count(b":") == _ENCODE(value).count(b":")
        and b"\\u003" not in text  # a colon is 3A
        and text.count(b"[") + text.count(b"{") <= DEPTH
    )


def has_no_more(text: bytes, members: int) -> bool:
    """Whether JSON objects, of whose members so many were read and none is nested, surely have no others.

    A member has a colon, after a quote if white space is taken away; what strings hold of those is counted too. So as many of
    either as members were read means that each was read.
    """
    return text.count(b":") == members or text.translate(None, b" \t\r\n").count(b'":') == members


def loads_bytes(text: bytes) -> Any:
    """Read JSON as `jsonlib.loads` does, and raise the same; also ValueError for what is not UTF-8."""
    try:
        value = _DECODE(text)
        if is_whole(text, value):
            return value
    except REFUSALS:
        pass
    try:
        return loads(text.decode())
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start + 1}") from None


def loads_each(texts: Sequence[bytes]) -> list[Any]:
    """What `loads_bytes` reads of each text, or the ValueError that it raises. Flat objects are looked at all together."""
    try:
        values = [_DECODE(text) for text in texts]
        whole = b"\n".join(texts)
        if b"[" not in whole and whole.count(b"{") <= len(texts) and is_whole(whole.replace(b"{", b""), values):
            return values
    except REFUSALS:
        pass
    return [_read(text) for text in texts]


def _read(text: bytes) -> Any:
    try:
        return loads_bytes(text)
    except ValueError as error:
        return error
