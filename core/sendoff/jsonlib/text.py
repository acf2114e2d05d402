"""JSON as sendoff writes and reads it: nothing rounded, nothing guessed.

Numbers keep all their digits both ways (`decimal.Decimal`, integers of any size); NaN and infinity
are refused, as RFC 8259 §6 has no such numbers; a duplicate key is refused, and so is half a surrogate
pair. Nothing nested deeper than `DEPTH` is read, so that recursion over a value cannot exhaust the stack: whatever
`loads` returns, `dumps` can write.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from json.encoder import encode_basestring
from typing import Any
from uuid import UUID

#: Maximum levels of arrays and objects in JSON that is read.
DEPTH = 100
#: More of them in JSON that is written, as a record wraps its values, and in requests that sendoff reads back.
_WRITTEN_DEPTH, WRAPPED_DEPTH = DEPTH + 20, 4 * DEPTH
_CONTAINERS = (dict, list, tuple, Mapping, set, frozenset)
TOO_DEEP = f"nested deeper than {DEPTH} levels"
_SURROGATE = "\\ud"
#: An escape in a JSON text; the group is set for half a surrogate pair.
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|u[0-9a-fA-F]{4}|.)"
)
_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_HUGE_EXPONENT = "a number whose exponent is out of range"


def loads(text: str, *, depth: int = DEPTH) -> Any:
    """Read JSON; raises ValueError with a short sentence for anything RFC 8259 does not allow."""
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON at column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
    except InvalidOperation:
        raise ValueError(_HUGE_EXPONENT) from None
    if problem := _find_problem(value, text, 0, len(text), depth):
        raise ValueError(problem)
    return value


class UnfitValue(ValueError):
    """A JSON value that is refused, though its end is known; its text is the sentence to show."""

    def __init__(self, sentence: str, end: int) -> None:
        super().__init__(sentence)
        self.end = end

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UnfitValue) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


def loads_leniently(text: str) -> Any:
    """Read JSON, with an `UnfitValue` where an object has a key twice, or a number is one that JSON or Python cannot hold.

    Nested values, and strings, are whatever they are. Raises ValueError for what is not JSON.
    """
    try:
        return _LENIENT.decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON at column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise ValueError(TOO_DEEP) from None


def find_unfit(value: object) -> str | None:
    """Why a value that was read leniently cannot be a record's, in a sentence."""
    try:
        return TOO_DEEP if too_deep(value) else dumps(value) and None
    except ValueError as error:
        return str(error)


def scan(text: str, at: int) -> tuple[Any, int]:
    """Read the JSON value that begins at an offset; also return the offset at which it ends.

    Raises `json.JSONDecodeError` where there is none, `UnfitValue` for one nested too deep or with half a surrogate pair,
    and for an array or object that has a key twice or a number that JSON or a decimal cannot hold.
    """
    try:
        value, end = _DECODER.raw_decode(text, at)
    except json.JSONDecodeError:
        raise
    except (ValueError, InvalidOperation) as error:
        sentence = _HUGE_EXPONENT if isinstance(error, InvalidOperation) else str(error)
        if text[at] not in "[{":
            raise ValueError(sentence) from None
        raise UnfitValue(sentence, _find_end(text, at)) from None
    except RecursionError:
        raise UnfitValue(TOO_DEEP, _find_end(text, at)) from None
    if problem := _find_problem(value, text, at, end, DEPTH):
        raise UnfitValue(problem, end)
    return value, end


def replace_lone_surrogates(text: str) -> str:
    """Replace each half of a surrogate pair in a JSON text by U+FFFD; text that was cut off may end in one."""
    return _ESCAPE.sub(lambda found: r"\ufffd" if found[1] else found[0], text) if _SURROGATE in text.lower() else text


def _find_problem(value: object, text: str, at: int, end: int, depth: int) -> str | None:
    """Why a value that was read is refused, in a sentence."""
    if text.count("[", at, end) + text.count("{", at, end) > depth and too_deep(value, depth):
        return TOO_DEEP
    if text.find("\\u", at, end) >= 0 and _SURROGATE in text[at:end].lower():
        lone = next((found for found in _ESCAPE.finditer(text, at, end) if found[1]), None)
        return lone and f"not valid Unicode: a lone surrogate at column {lone.start() + 1}"
    return None


def too_deep(value: object, depth: int = DEPTH) -> bool:
    """Whether arrays and objects are nested deeper than so many levels. Goes level by level, without recursion."""
    level: list[Any] = [value] if isinstance(value, _CONTAINERS) else []
    for _ in range(depth):
        members = (each.values() if isinstance(each, Mapping) else each for each in level)
        level = [member for some in members for member in some if isinstance(member, _CONTAINERS)]
        if not level:
            return False
    return True


def _find_end(text: str, at: int) -> int:
    """The offset at which an array or object ends. Raises `json.JSONDecodeError` if its brackets do not all close."""
    still_open = 0
    for found in _BRACKET.finditer(text, at):
        still_open += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found[0], 0)
        if not still_open:
            return found.end()
    raise json.JSONDecodeError(TOO_DEEP, text, at)


def dumps(value: object, depth: int = _WRITTEN_DEPTH) -> str:  # noqa: PLR0912  # one branch for each type of JSON
    """Write a value as JSON; raises ValueError for what JSON cannot hold."""
    if not depth:
        raise ValueError("nested too deep to be written as JSON")
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
            return "{" + ",".join(f"{_dump_key(key)}:{dumps(item, depth - 1)}" for key, item in value.items()) + "}"
        case UnfitValue():
            raise ValueError(str(value))
        case bytes() | bytearray():
            raise ValueError("bytes cannot be written as JSON; decode them to text first")
        case Sequence() | set() | frozenset():
            return "[" + ",".join([dumps(item, depth - 1) for item in value]) + "]"
    raise ValueError(f"a {type(value).__name__} cannot be written as JSON")


def _dump_key(key: object) -> str:
    if not isinstance(key, str):
        raise ValueError(f"a key in JSON is text; this one is {key!r}")  # noqa: TRY004  # `dumps` raises ValueError for whatever cannot be written
    return dumps(key)


def _check_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"not valid Unicode: a lone surrogate at character {error.start + 1}") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number JSON can hold")


def _to_object(pairs: list[tuple[str, object]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        ((twice, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {twice!r} is duplicated")
    return data


def _or_unfit(read: Callable[..., object]) -> Callable[..., object]:
    """The same function of a token of JSON, which returns what it would raise as an `UnfitValue`."""

    def found(token: object) -> object:
        try:
            return read(token)
        except InvalidOperation:
            return UnfitValue(_HUGE_EXPONENT, 0)
        except ValueError as error:
            return UnfitValue(str(error), 0)

    return found


# Made once, as `json.loads` with these settings would make a decoder for every line.
_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_to_object)
_LENIENT = json.JSONDecoder(
    parse_float=_or_unfit(Decimal),
    parse_int=_or_unfit(int),
    parse_constant=_or_unfit(_refuse_constant),
    object_pairs_hook=_or_unfit(_to_object),
)
