"""Conditions on a response, or on one record's result."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sendoff.jsonlib import jsonpath
from sendoff.jsonlib.jsonpath import MISSING, Path
from sendoff.options import optional

#: The options of a condition.
WHEN = {
    "status": optional(
        "Only for these statuses: 400, 4xx, 400-499, or several with commas.", type="string", check_with="statuses", coerce=str
    ),
    "path": optional("The value at this path, like $.error.code.", type="string", check_with="path"),
    "equals": optional("It is this value.", nullable=True),
    "one_of": optional("It is one of these values.", type="list", minlength=1),
    "exists": optional(
        "Whether there is a value at the path. One that is null, false or empty is there as well.", type="boolean"
    ),
    "text": optional("The text at the path contains this; without a path, the body does.", type="string", empty=False),
}


def statuses(text: str) -> list[tuple[int, int]]:
    """Parse ``400, 5xx, 500-599`` to ranges of statuses; raises ValueError with a sentence."""
    found = []
    for part in text.replace(" ", "").split(","):
        match = re.fullmatch(r"([1-5])xx|([1-5]\d\d)(?:-([1-5]\d\d))?", part)
        if match is None or (match[3] and match[3] < match[2]):
            raise ValueError(f"{part!r} is not a valid status; use 404, 4xx or 500-599")
        if match[1]:
            found.append((int(match[1]) * 100, int(match[1]) * 100 + 99))
        else:
            found.append((int(match[2]), int(match[3] or match[2])))
    return found


def within(ranges: Sequence[tuple[int, int]], status: int) -> bool:
    """Whether a status lies in one of the ranges."""
    return any(lo <= status <= hi for lo, hi in ranges)


def condition_problem(rules: Mapping[str, object]) -> str | None:
    """What is wrong with a condition, and what to write instead, in a sentence; None if nothing is."""
    of_value = [name for name in ("equals", "one_of", "exists", "text") if name in rules]
    if not rules:
        return "is empty; give `status`, `text`, or `path` with `equals`, `one_of`, `exists` or `text`"
    if "path" not in rules:
        needing = next((name for name in of_value if name != "text"), None)
        return f"`{needing}` needs `path`: where in the response the value is, like $.status" if needing else None
    if not of_value:
        return "does not say what the value at `path` must be; add `equals`, `one_of`, `text`, or `exists: true`"
    if "equals" in rules and "one_of" in rules:
        return "has `equals` or `one_of`, not both; list all the values in `one_of`"
    if rules.get("exists") is False and len(of_value) > 1:
        return "`exists: false` goes with no other part on the value: what is not there cannot be compared"
    return None


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on a response, or on one record's result. All its parts must hold."""

    status: Sequence[tuple[int, int]] = ()
    path: Path | None = None
    values: Sequence[object] | None = None
    exists: bool | None = None
    text: str | None = None

    @classmethod
    def of(cls, rules: Mapping[str, Any] | None) -> Condition | None:
        if not rules:
            return None
        values = [rules["equals"]] if "equals" in rules else rules.get("one_of")
        return cls(
            statuses(rules["status"]) if rules.get("status") else (),
            jsonpath.parse(rules["path"]) if rules.get("path") else None,
            # A fraction in a response is exact, and 0.1 as YAML reads it is not.
            None if values is None else [Decimal(repr(v)) if isinstance(v, float) else v for v in values],
            rules.get("exists"),
            rules.get("text"),
        )

    def holds(self, status: int, body: object, raw: str) -> bool | None:
        """Whether it holds; None where it is unknown, as there is nothing at the path."""
        if self.status and not within(self.status, status):
            return False
        if self.path is None:
            return self.text is None or self.text in raw
        value = self.path.find(body)
        if value is MISSING:
            return None if self.exists is None else not self.exists
        if self.exists is False:
            return False
        if self.text is not None and not (isinstance(value, str) and self.text in value):
            return False
        return self.values is None or any(
            value == wanted and isinstance(value, bool) == isinstance(wanted, bool) for wanted in self.values
        )
