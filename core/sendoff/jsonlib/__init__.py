"""Exact JSON: nothing rounded, nothing guessed; and paths into it (`sendoff.jsonlib.jsonpath`)."""

from sendoff.jsonlib.text import INTEGER, NUMBER, PLAIN, SPACE, dumps, key_pattern, loads, scan

__all__ = ["INTEGER", "NUMBER", "PLAIN", "SPACE", "dumps", "key_pattern", "loads", "scan"]
