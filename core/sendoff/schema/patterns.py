"""A field's `regex`, matched in linear time wherever that means the same.

Cerberus matches by Python's `re`, which can take for ever over a few dozen characters (``(a+)+$``). Rust's regular
expressions cannot, and mean the same where neither the pattern nor the text is one the two differ on.
"""

from __future__ import annotations

import re
from functools import lru_cache

import polars as pl

#: Patterns whose meaning could differ between Python's `re` and Rust's regex, even on plain text.
_FOREIGN = re.compile(r"&&|--|~~|\[\[|\[\^\[|\[\]|\[\^\]|\{,|\(\?(?!:)|\\[^dDwWsSbB.\\^$*+?()|{}\[\]/@\-]")
#: What means other characters to each of them, once text is not plain.
_CLASSES = re.compile(r"\\[dDwWsSbB]")
_PLAIN_TEXT = r"\A[\x20-\x7e]*\z"


def expression(pattern: str, v: pl.Expr) -> pl.Expr | None:
    """Cerberus's match over a column, true only for plain ASCII text; None for a pattern on which the two may differ."""
    whole = _whole(pattern)
    return None if whole is None else v.str.contains(_PLAIN_TEXT) & v.str.contains(whole)


def matches(pattern: str, text: str) -> bool | None:
    """Cerberus's match of one text, in linear time; None where only Python can say."""
    whole = _whole(pattern)
    if whole is None or "\n" in text or not ((text.isascii() and text.isprintable()) or _CLASSES.search(pattern) is None):
        return None
    return bool(pl.Series([text]).str.contains(whole)[0])


@lru_cache(maxsize=256)
def _whole(pattern: str) -> str | None:
    """The pattern from the start, and to the end as Cerberus adds ``$``; None if it is foreign to Rust."""
    if _FOREIGN.search(pattern) or not pattern.isascii():
        return None
    whole = rf"\A(?:{pattern if pattern.endswith('$') else pattern + '$'})"
    try:
        pl.Series(["x"]).str.contains(whole)
    except pl.exceptions.PolarsError:
        return None
    return whole
