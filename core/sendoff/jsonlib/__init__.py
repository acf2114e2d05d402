"""Exact JSON: nothing rounded, nothing guessed; and paths into it (`sendoff.jsonlib.jsonpath`)."""

from sendoff.jsonlib.text import (
    DEPTH,
    INTEGER,
    NUMBER,
    PLAIN,
    SPACE,
    TOO_DEEP,
    WRAPPED_DEPTH,
    UnfitValue,
    dumps,
    key_pattern,
    loads,
    replace_lone_surrogates,
    scan,
    too_deep,
)

__all__ = [
    "DEPTH",
    "INTEGER",
    "NUMBER",
    "PLAIN",
    "SPACE",
    "TOO_DEEP",
    "WRAPPED_DEPTH",
    "UnfitValue",
    "dumps",
    "key_pattern",
    "loads",
    "replace_lone_surrogates",
    "scan",
    "too_deep",
]
