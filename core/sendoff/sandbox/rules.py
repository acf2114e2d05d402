"""How the sandbox should misbehave: ``[PATH] OUTCOME if CONDITION``.

The outcome is a status (``400``), ``slow SECONDS``, ``cut`` (the connection, after the records were
stored), ``drop`` (the connection, before), ``no`` (a 200 whose body says ``{"ok": false}``), ``job`` (a 202 that names
a job) or ``each`` (a 200 with a status for each record; those that meet the condition are rejected). The condition is one of::

    FIELD = VALUE    FIELD ~ REGEX    FIELD < NUMBER    FIELD > NUMBER      any record of the request
    records > N      bytes > N        header NAME != VALUE                  the request
    first N          every N          always                                how many came before

A 429 or 503 may carry a Retry-After: ``429 after 2``. For example::

    400 if email ~ @invalid
    /picky 422 if age < 0
    503 if first 2
    413 if bytes > 1000000
    each if email ~ @invalid
    401 if header authorization != Bearer s3cret
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sendoff.sandbox.server import Received

_RULE = re.compile(
    r"(?:(?P<path>/\S*)\s+)?(?P<outcome>\d{3}|slow|cut|drop|no|job|each)(?:\s+(?:after\s+)?(?P<seconds>\d+(?:\.\d+)?))?\s+if\s+(?P<condition>.+)"
)
_Test = Callable[[Received, Sequence[Any], int], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """When a request gets which response."""

    path: str
    outcome: str
    seconds: float
    condition: str
    applies: _Test


def parse(text: str) -> Rule:
    """A rule from its text; raises ValueError with a sentence for one that is none."""
    match = _RULE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a valid rule; use for example '400 if email ~ @invalid'")
    condition = match["condition"].strip()
    return Rule(match["path"] or "/", match["outcome"], float(match["seconds"] or 0), condition, _test(condition))


def _test(condition: str) -> _Test:
    words = condition.split()
    match words:
        case ["always"]:
            return lambda request, records, met: True
        case ["first", number] if _is_number(number):
            return lambda request, records, met: met <= int(number)
        case ["every", number] if _is_number(number) and int(number):
            return lambda request, records, met: met % int(number) == 0
        case ["records", ">", number] if _is_number(number):
            return lambda request, records, met: len(records) > int(number)
        case ["bytes", ">", number] if _is_number(number):
            return lambda request, records, met: len(request.body) > int(number)
        case ["header", name, "!=", *value]:
            return lambda request, records, met: request.headers.get(name.lower(), "") != " ".join(value)
    compared = re.fullmatch(r"(\S+)\s*([=~<>])\s*(.*)", condition)
    if compared is None:
        raise ValueError(f"{condition!r} is not a valid condition; use for example 'email ~ @invalid', 'first 2' or 'always'")
    field, holds = compared[1], _comparison(compared[2], compared[3])
    return lambda request, records, met: any(isinstance(r, dict) and holds(r.get(field)) for r in records)


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) < 10


def _comparison(sign: str, value: str) -> Callable[[Any], bool]:
    if sign == "~":
        try:
            pattern = re.compile(value)
        except re.error as error:
            raise ValueError(f"{value!r} is not a regular expression: {error}") from None
        return lambda found: found is not None and bool(pattern.search(str(found)))
    if sign == "=":
        return lambda found: str(found) == value
    bound = float(value)
    return lambda found: isinstance(found, int | float) and (found < bound if sign == "<" else found > bound)
