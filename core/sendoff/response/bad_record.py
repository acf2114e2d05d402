# ruff: noqa: E501  # a row of the declarations reads best as a row
"""Where a rejection names the records that are bad."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sendoff.jsonlib import jsonpath
from sendoff.jsonlib.jsonpath import Path
from sendoff.options import Declared, optional
from sendoff.transport.protocol import Response

#: The options of `bad_record`.
BAD_RECORD = {
    "header": optional("The header that names the bad record: its value is the number, unless `text` says how it stands there.", type="string", check_with="response_header"),
    "path": optional("The place in the body that names it, or lists several; `[*]` goes through all members.", type="string", check_with="path"),
    "text": optional("The words around its number: `Row {row} has`. Looked for in the header, at the path, or in the body.", type="string", check_with="row_text"),
    "pointers": optional(
        "Whether the problem details of RFC 9457 point at it: the first number in each `errors[].pointer`.", type="boolean"
    ),
    "first": optional("The number of the first record.", type="integer", allowed=[0, 1], default=0),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class BadRecordLocator:
    """Where a rejection names the bad record."""

    header: str | None
    path: Path | None
    text: re.Pattern[str] | None
    pointers: bool
    first: int

    @classmethod
    def of(cls, rules: Declared | None) -> BadRecordLocator | None:
        if not rules:
            return None
        # Only `{row}` becomes a pattern; the user's text around it is matched literally.
        words = re.escape(rules["text"]).replace(re.escape("{row}"), r"(\d{1,9})") if rules.get("text") else None
        path = jsonpath.parse(rules["path"]) if rules.get("path") else None
        return cls(
            (rules.get("header") or "").lower() or None,
            path,
            re.compile(words) if words else None,
            bool(rules.get("pointers")),
            rules.get("first", 0),
        )

    def places(self, response: Response, body: object, raw: str) -> Iterator[int]:
        """The places in the request of the bad records that the response names."""
        if self.pointers:
            errors = body.get("errors") if isinstance(body, dict) else None
            for error in errors if isinstance(errors, list) else []:
                pointer = error.get("pointer") if isinstance(error, dict) else None
                number = re.search(r"/(\d{1,9})(?:/|$)", pointer) if isinstance(pointer, str) else None
                yield from self._numbers(number[1] if number else None)
            return
        if self.header is not None:
            found: Sequence[object] = [(response.headers or {}).get(self.header, "")]
        else:
            found = [raw] if self.path is None else self.path.find_all(body)
        for value in found:
            if self.text is None:
                yield from self._numbers(value)
            elif isinstance(value, str):
                for match in self.text.finditer(value):
                    yield from self._numbers(match[1])

    def _numbers(self, value: object) -> Iterator[int]:
        if isinstance(value, str) and re.fullmatch(r"\s*\d{1,9}\s*", value):
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            yield value - self.first
