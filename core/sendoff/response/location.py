"""Locations: where a value is in a response, or in one record's result. It is at a path in the body, or in a header."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from sendoff import jsonlib
from sendoff.jsonlib import jsonpath
from sendoff.jsonlib.jsonpath import MISSING, Path
from sendoff.options import option, optional


def location(text: str) -> dict[str, object]:
    """Declare an option that is a location: a path, or `{header: Name}`."""
    return optional(text, **LOCATION)


#: The rules of a location.
LOCATION: Mapping[str, object] = {
    "type": ["string", "dict"],
    "by_type": {
        "string": {"check_with": "path"},
        "dict": {"schema": {"header": option("The header whose value it is.", type="string", check_with="response_header")}},
    },
}


class Readable(Protocol):
    """What locations and conditions look at: a response, or one record's result in it."""

    @property
    def status(self) -> int:
        """The response's status, or the result's where it has one."""

    @property
    def count(self) -> int:
        """The number of records in the request."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The response's headers, by their names in lower case."""

    def body(self) -> object:
        """The body as JSON, or the result; `MISSING` where it is not JSON."""

    def text(self) -> str:
        """The same as text."""


@dataclass
class Result:
    """One record's result in a response."""

    item: object
    status: int
    count: int
    headers: Mapping[str, str]

    def body(self) -> object:
        return self.item

    def text(self) -> str:
        return self._text

    @cached_property
    def _text(self) -> str:
        return jsonlib.dumps(self.item)


@dataclass(frozen=True, slots=True)
class Location:
    """A path in the body, or the name of a header, as it was written."""

    path: Path | None = None
    header: str | None = None

    @classmethod
    def of(cls, rules: str | Mapping[str, str] | None) -> Location | None:
        """A location as it is declared, checked before; None if none is."""
        if not rules:
            return None
        return cls(path=jsonpath.parse(rules)) if isinstance(rules, str) else cls(header=rules["header"])

    def find(self, response: Readable) -> object:
        """The value that is there, or `MISSING`."""
        if self.header is not None:
            return response.headers.get(self.header.lower(), MISSING)
        assert self.path is not None
        body = response.body()
        return MISSING if body is MISSING else self.path.find(body)

    def __str__(self) -> str:
        return f"the header {self.header}" if self.path is None else self.path.text


Quote = Callable[[str], str]
"""Makes a text of a response fit to be shown."""
