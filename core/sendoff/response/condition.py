"""Conditions on a response, or on one record's result: one grammar, wherever a connector file has a condition."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sendoff.jsonlib.jsonpath import MISSING
from sendoff.options import Declared, optional
from sendoff.response.location import Location, Readable

#: Stands for the number of records in the request, where a condition has a value.
COUNT = "$count"

#: The parts of a condition. All that are there must hold.
PARTS: dict[str, object] = {
    "status": optional(
        "Only for these statuses: 400, 4xx, 400-499, or several with commas.", type="string", check_with="statuses", coerce=str
    ),
    "path": optional("The value at this path, like $.error.code.", type="string", check_with="path"),
    "header": optional("The value of this header of the response. It is text.", type="string", check_with="response_header"),
    "equals": optional("It is this value. `$count` stands for the number of records in the request.", nullable=True),
    "one_of": optional("It is one of these values.", type="list", minlength=1),
    "exists": optional("Whether there is a value. One that is null, false or empty is there as well.", type="boolean"),
    "text": optional("The text there contains this; without `path` or `header`, the body does.", type="string", empty=False),
}


def condition(text: str) -> dict[str, object]:
    """Declare an option that is a condition: a mapping of parts, or a list of such mappings, one of which must hold."""
    parts = {"type": "dict", "schema": PARTS, "check_with": "condition"}
    return optional(text, type=["dict", "list"], by_type={"dict": parts, "list": {"minlength": 1, "schema": parts}})


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
    ways = [name for name in ("path", "header") if name in rules]
    if not rules:
        return "is empty; give `status`, `text`, or `path` or `header` with `equals`, `one_of`, `exists` or `text`"
    if not ways:
        needing = next((name for name in of_value if name != "text"), None)
        return f"`{needing}` needs `path` or `header`: where in the response the value is, like $.status" if needing else None
    if len(ways) > 1:
        return "has `path` or `header`, not both: a condition is on one value"
    if not of_value:
        return f"does not say what the value at `{ways[0]}` must be; add `equals`, `one_of`, `text`, or `exists: true`"
    if "equals" in rules and "one_of" in rules:
        return "has `equals` or `one_of`, not both; list all the values in `one_of`"
    if rules.get("exists") is False and len(of_value) > 1:
        return "`exists: false` goes with no other part on the value: what is not there cannot be compared"
    problems = (_value_problem(value, ways[0]) for value in _wanted(rules))
    return next((problem for problem in problems if problem), None)


def _wanted(rules: Mapping[str, object]) -> Sequence[object]:
    several = rules.get("one_of")
    return [rules["equals"]] if "equals" in rules else several if isinstance(several, list) else []


def _value_problem(value: object, way: str) -> str | None:
    """What is wrong with a value that another is compared with."""
    if isinstance(value, str) and re.fullmatch(r"\$[A-Za-z_]\w*", value) and value != COUNT:
        return (
            f"{value!r} stands for nothing here; `{COUNT}` does, for the number of records in the request (for this text write "
            f"{'$$$' + value!r})"
        )
    if way == "header" and (isinstance(value, bool) or not isinstance(value, str | int)):
        return "a header's value is text: compare it with one in quotes, written as the API sends it"
    return None


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a condition. All that are there must hold."""

    status: Sequence[tuple[int, int]] = ()
    location: Location | None = None
    values: Sequence[object] | None = None
    exists: bool | None = None
    text: str | None = None

    @classmethod
    def of(cls, rules: Declared, usual: str) -> Parts:
        values = list(_wanted(rules)) if "equals" in rules or "one_of" in rules else None
        return cls(
            statuses(status) if (status := str(rules.get("status") or usual)) else (),
            Location.of({"header": rules["header"]} if "header" in rules else rules.get("path")),
            # A fraction in a response is exact, and 0.1 as YAML reads it is not.
            None if values is None else [Decimal(repr(v)) if isinstance(v, float) else v for v in values],
            rules.get("exists"),
            rules.get("text"),
        )

    def holds(self, response: Readable) -> bool | None:
        if self.status and not within(self.status, response.status):
            return False
        if self.location is None:
            return self.text is None or self.text in response.text()
        if self.location.path is not None and response.body() is MISSING:
            return None
        value = self.location.find(response)
        if value is MISSING:
            return None if self.exists is None else not self.exists
        if self.exists is False:
            return False
        if self.text is not None and not (isinstance(value, str) and self.text in value):
            return False
        return self.values is None or any(self._equals(value, wanted, response.count) for wanted in self.values)

    def _equals(self, value: object, wanted: object, count: int) -> bool:
        if wanted == COUNT:
            wanted = str(count) if isinstance(value, str) else count
        elif isinstance(wanted, str) and wanted.startswith("$$"):
            wanted = wanted[1:]
        if self.location is not None and self.location.header is not None:
            return str(value).strip() == str(wanted)
        return value == wanted and isinstance(value, bool) == isinstance(wanted, bool)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on a response, or on one record's result: it holds if one of its alternatives does."""

    alternatives: Sequence[Parts]

    @classmethod
    def of(cls, rules: Declared | Sequence[Declared] | None, usual: str = "") -> Condition | None:
        """A condition as it is declared, checked before; None if none is. `usual` are its statuses where it names none."""
        if not rules:
            return None
        return cls([Parts.of(each, usual) for each in ([rules] if isinstance(rules, Mapping) else rules)])

    def holds(self, response: Readable) -> bool | None:
        """Whether it holds; None where it is unknown, as there is nothing at a location, or the body cannot be read."""
        unknown = False
        for parts in self.alternatives:
            found = parts.holds(response)
            if found:
                return True
            unknown = unknown or found is None
        return None if unknown else False

    @property
    def reads_body(self) -> bool:
        """Whether it looks at a path."""
        return len(self.without_paths().alternatives) < len(self.alternatives)

    def without_paths(self) -> Condition:
        """Those of its alternatives that can be known where the body cannot be read."""
        return Condition([parts for parts in self.alternatives if parts.location is None or parts.location.path is None])

    def locations(self) -> Iterator[Location]:
        """The locations it looks at."""
        yield from (parts.location for parts in self.alternatives if parts.location is not None)
