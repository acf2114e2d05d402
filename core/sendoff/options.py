"""Options: what a setting is, its rules, and its help."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import SequenceMatcher, get_close_matches
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Declared = Mapping[str, Any]
"""The rules of options, or what options are set to: of what types that is, the rules say."""


def option(text: str, **rules: object) -> dict[str, Any]:
    """Declare an option: Cerberus rules, and the sentence that `sendoff plugins` and the reference show."""
    return {**rules, "meta": {"help": text}}


def optional(text: str, **rules: object) -> dict[str, Any]:
    """Declare an option that may be left out, and has no default."""
    return option(text, required=False, **rules)


def find_timezone(name: str) -> ZoneInfo:
    """The time zone of a name; raises ValueError with a sentence."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a valid time zone; use one like Europe/Berlin, or UTC") from None


def find_similar(name: str, known: Iterable[str]) -> str | None:
    """The name that is meant most likely; None rather than a wild guess."""
    for close in get_close_matches(name, list(known), 3):
        if close[:1] == name[:1] or SequenceMatcher(None, name, close).ratio() >= 0.75:
            return close
    return None


def check_timezone(field: str, value: object, error: Callable[[str, str], None]) -> None:
    """Cerberus's `check_with` for an option that is a time zone."""
    try:
        find_timezone(str(value))
    except ValueError as problem:
        error(field, str(problem))


def check_not_empty(field: str, value: object, error: Callable[[str, str], None]) -> None:
    """Cerberus's `check_with` for an option that is a secret: what it is read from may be there and hold nothing."""
    if isinstance(value, str) and not value.strip():
        error(field, "is empty: give it a value, or look whether the variable or file it is read from has one")
