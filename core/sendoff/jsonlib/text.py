"""JSON as sendoff writes and reads it: nothing rounded, nothing guessed.

Numbers keep all their digits both ways (`decimal.Decimal`, integers of any size); NaN and infinity
are refused, as RFC 8259 §6 has no such numbers; a duplicate key is refused.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from json.encoder import encode_basestring
from typing import Any
from uuid import UUID

#: RFC 8259 as regular expressions, for looking at many texts at once: spaces, a string's inside that has no
#: escapes, an integer, a number.
SPACE = r"[ \t]*"
PLAIN = r'[^"\\\x00-\x1f]*'
INTEGER = r"-?(?:0|[1-9][0-9]*)"
NUMBER = INTEGER + r"(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"

_BEYOND = "a number with an exponent beyond all bounds"


def key_pattern(key: str) -> str:
    """What knows a member's key, with the colon after it; for keys of printable ASCII without quotes and backslashes."""
    literal = "".join(char if char.isalnum() or char == "_" else f"\\x{{{ord(char):x}}}" for char in key)
    return f'"{literal}"{SPACE}:{SPACE}'


def loads(text: str) -> Any:
    """Read JSON; raises ValueError with a short sentence for anything RFC 8259 does not allow."""
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON at column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise ValueError("nested too deep") from None
    except InvalidOperation:
        raise ValueError(_BEYOND) from None


def scan(text: str, at: int) -> tuple[Any, int]:
    """Read the JSON value that begins at a place, and say where it ends; raises `json.JSONDecodeError` where it is none."""
    try:
        return _DECODER.raw_decode(text, at)
    except InvalidOperation:
        raise json.JSONDecodeError(_BEYOND, text, at) from None


def dumps(value: object) -> str:  # noqa: PLR0912  # one branch for each type of JSON
    """Write a value as JSON; raises ValueError for what JSON cannot hold."""
    match value:
        case str():
            _check_unicode(value)
            return encode_basestring(value)
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return int.__repr__(value)
        case float():
            if not math.isfinite(value):
                raise ValueError(f"{value} is not a number JSON can hold")
            return float.__repr__(value)
        case Decimal():
            if not value.is_finite():
                raise ValueError(f"{value} is not a number JSON can hold")
            return str(value).replace("E+", "E")
        case datetime() | date() | time():
            return f'"{value.isoformat()}"'
        case UUID():
            return f'"{value}"'
        case Mapping():
            return "{" + ",".join(f"{_key(key)}:{dumps(item)}" for key, item in value.items()) + "}"
        case bytes() | bytearray():
            raise ValueError("bytes cannot be written as JSON; decode them to text first")
        case Sequence() | set() | frozenset():
            return "[" + ",".join(map(dumps, value)) + "]"
    raise ValueError(f"a {type(value).__name__} cannot be written as JSON")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise ValueError(f"a key in JSON is text; this one is {key!r}")  # noqa: TRY004  # what cannot be written is a ValueError, whatever is wrong with it
    return dumps(key)


def _check_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"not valid Unicode: a lone surrogate at character {error.start + 1}") from None


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number JSON can hold")


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        ((twice, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {twice!r} is duplicated")
    return data


# Made once: `json.loads` with these settings would make a decoder for every line.
_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_constant, object_pairs_hook=_pairs)
