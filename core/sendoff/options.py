"""Options: what a setting is, its rules, and its help."""

from __future__ import annotations

from typing import Any


def option(text: str, **rules: object) -> dict[str, Any]:
    """Declare an option: Cerberus rules, and the sentence that `sendoff plugins` and the reference show."""
    return {**rules, "meta": {"help": text}}


def optional(text: str, **rules: object) -> dict[str, Any]:
    """Declare an option that may be left out, and has no default."""
    return option(text, required=False, **rules)
