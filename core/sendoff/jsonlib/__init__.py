"""Exact JSON: nothing rounded, nothing guessed; and paths into it (`sendoff.jsonlib.jsonpath`)."""

from sendoff.jsonlib.text import (
    DEPTH,
    TOO_DEEP,
    WRAPPED_DEPTH,
    UnfitValue,
    dumps,
    find_unfit,
    loads,
    loads_leniently,
    replace_lone_surrogates,
    scan,
    too_deep,
)

__all__ = [
    "DEPTH",
    "TOO_DEEP",
    "WRAPPED_DEPTH",
    "UnfitValue",
    "dumps",
    "find_unfit",
    "loads",
    "loads_leniently",
    "replace_lone_surrogates",
    "scan",
    "too_deep",
]
