"""Match a field's `regex` in linear time, wherever that gives the same result.

Cerberus matches by Python's `re`, whose backtracking can take exponential time on a few dozen characters (``(a+)+$``).
Rust's regular expressions take linear time, and give the same result unless the pattern or the text is one the two differ on.
"""

from __future__ import annotations

import re
from functools import lru_cache

import polars as pl

#: Patterns whose meaning could differ between Python's `re` and Rust's regex, even on plain text.
_DIFFERING = re.compile(r"&&|--|~~|\[\[|\[\^\[|\[\]|\[\^\]|\{,|\(\?(?!:)|\\[^dDwWsSbB.\\^$*+?()|{}\[\]/@\-]")
#: Classes that contain different characters in the two, where text is not ASCII.
_CLASSES = re.compile(r"\\[dDwWsSbB]")
_PLAIN_TEXT = r"\A[\x20-\x7e]*\z"


def compile_match(pattern: str, v: pl.Expr) -> pl.Expr | None:
    """An expression that matches a column as Cerberus would, true only for plain ASCII text; None where the two may differ."""
    whole = _anchor(pattern)
    return None if whole is None else v.str.contains(_PLAIN_TEXT) & v.str.contains(whole)


def match_text(pattern: str, text: str) -> bool | None:
    """Match one text as Cerberus would, in linear time; None where only Python's `re` can decide."""
    whole = _anchor(pattern)
    if whole is None or "\n" in text or not ((text.isascii() and text.isprintable()) or _CLASSES.search(pattern) is None):
        return None
    return bool(pl.Series([text]).str.contains(whole)[0])


@lru_cache(maxsize=256)
def _anchor(pattern: str) -> str | None:
    """Anchor the pattern at both ends, as Cerberus does; None if Rust's regular expressions differ on it."""
    if _DIFFERING.search(pattern) or not pattern.isascii():
        return None
    whole = rf"\A(?:{pattern if pattern.endswith('$') else pattern + '$'})"
    try:
        pl.Series(["x"]).str.contains(whole)
    except pl.exceptions.PolarsError:
        return None
    return whole
