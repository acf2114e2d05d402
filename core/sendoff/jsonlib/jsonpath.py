"""Paths into a JSON document: ``$.error.message``, ``$.rows[0].id``, ``$['odd name']``.

These are the singular queries of RFC 9535 (§2.3.5.1): names and indexes, and so at most one value.
One thing is added: ``*`` selects the only member of an object or a list, whatever its name,
as some APIs wrap each result in an object with one key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

#: What `Path.find` returns where the path leads to nothing; a null is a value.
MISSING: Any = type("Missing", (), {"__repr__": lambda self: "nothing", "__bool__": lambda self: False})()

_STEP = re.compile(
    r"\.(?P<name>[A-Za-z_][\w-]*)|(?P<only>\.\*|\[\*\])|\[(?P<index>-?\d+)\]|\['(?P<single>[^']*)'\]|\[\"(?P<double>[^\"]*)\"\]"
)


@dataclass(frozen=True, slots=True)
class Path:
    """A parsed path; `text` is how it was written."""

    text: str
    steps: tuple[str | int | None, ...]

    def find(self, value: object) -> Any:
        """The value at the path, or `MISSING`."""
        for step in self.steps:
            if step is None:
                members = list(value.values()) if isinstance(value, dict) else value
                if not isinstance(members, list) or len(members) != 1:
                    return MISSING
                value = members[0]
            elif isinstance(step, int):
                if not isinstance(value, list) or not -len(value) <= step < len(value):
                    return MISSING
                value = value[step]
            elif isinstance(value, dict) and step in value:
                value = value[step]
            else:
                return MISSING
        return value

    def find_all(self, value: object) -> list[object]:
        """Every value at the path: ``*`` selects all members, and of a list at its end the items are returned.

        `MISSING` is among them for each member that lacks what the path names.
        """
        found: list[object] = [value]
        for step in self.steps:
            if step is not None:
                found = [Path("", (step,)).find(each) for each in found]
            else:
                found = [member for each in found for member in _members(each)]
        return [member for each in found for member in (each if isinstance(each, list) else [each])]


def _members(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else [MISSING]


def parse(text: str) -> Path:
    """Parse a path; raises ValueError with a sentence for a text that is not a valid one."""
    if not text.startswith("$"):
        raise ValueError(f"{text!r} is not a valid path; a path begins with $, like $.error.message")
    steps: list[str | int | None] = []
    at = 1
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None:
            raise ValueError(f"{text!r} is not a valid path from {text[at:]!r} on; use names and indexes, like $.rows[0].id")
        if step["index"] is not None:
            steps.append(int(step["index"]))
        elif step["only"]:
            steps.append(None)
        else:
            steps.append(next(name for name in (step["name"], step["single"], step["double"]) if name is not None))
        at = step.end()
    return Path(text, tuple(steps))
