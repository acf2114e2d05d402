# ruff: noqa: E501  # a row of the declarations reads best as a row
"""A destination's policy: its table of statuses, its conditions, and where to find the verdicts of single records."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sendoff.jsonlib import jsonpath
from sendoff.jsonlib.jsonpath import MISSING, Path
from sendoff.options import optional
from sendoff.response.outcome import VerdictKind
from sendoff.transport.protocol import Response

OUTCOMES = ("delivered", "retry", "rejected", "too_large", "stop")


WHEN = {
    "status": optional(
        "Only for these statuses: 400, 4xx, 400-499, or several with commas.", type="string", check_with="statuses", coerce=str
    ),
    "path": optional("The value at this path, like $.error.code.", type="string", check_with="path"),
    "equals": optional("It is this value.", nullable=True),
    "one_of": optional("It is one of these values.", type="list"),
    "text": optional("The body, or the text at the path, contains this.", type="string", empty=False),
}

RECORDS = {
    "at": optional("The list with a result for each record.", type="string", check_with="path", default="$"),
    "on": optional("The statuses whose bodies hold results.", type="string", check_with="statuses", coerce=str, default="2xx"),
    "index": optional("In a result: its record's number. Without `index` or `id` results are in the request's order.", type="string", check_with="path"),
    "first": optional("The number of the first record, for `index`.", type="integer", allowed=[0, 1], default=0),
    "id": optional("In a result: its record's id.", type="string", check_with="path"),
    "field": optional("The field of the record as sent that holds the id.", type="string", empty=False),
    "unlisted": optional(
        "What a record without a result is, by `index` or `id`. Default: delivered where results are failures, else stop.",
        type="string", allowed=["delivered", "retry", "rejected", "stop"],
    ),
    "status": optional("In a result: its status, read by the table.", type="string", check_with="path"),
    "delivered_when": optional("A result that says delivered; any other says rejected.", type="dict", schema=WHEN),
    "rejected_when": optional("A result that says rejected.", type="dict", schema=WHEN),
    "retry_when": optional("A result that says: retry this record later.", type="dict", schema=WHEN),
    "not_attempted_when": optional("A result that says: this record is not wrong, but was not attempted.", type="dict", schema=WHEN),
    "reason": optional("In a result: what is wrong.", type="string", check_with="path"),
}  # fmt: skip

BAD_RECORD = {
    "header": optional("The header that names the bad record.", type="string"),
    "path": optional("The place in the body that names it, or lists several.", type="string", check_with="path"),
    "text": optional("The words around its number: `Row {row} has`.", type="string", check_with="row_text"),
    "pointers": optional(
        "Whether the problem details of RFC 9457 point at it: the first number in each `errors[].pointer`.", type="boolean"
    ),
    "first": optional("The number of the first record.", type="integer", allowed=[0, 1], default=0),
}

#: What may stand under `destination.response`.
RULES: dict[str, Any] = {
    "statuses": optional(
        "What a status means: 404, 4xx or 500-599, to delivered, retry, rejected, too_large or stop.",
        type="dict", keysrules={"type": "string", "check_with": "statuses"}, valuesrules={"type": "string", "allowed": list(OUTCOMES)}, default={},
    ),
    "content_type": optional("What the content type of a success begins with. Declared paths need JSON unless this says otherwise.", type="string"),
    "stop_when": optional("Stop the run.", type="dict", schema=WHEN),
    "too_large_when": optional("The request has too many records or bytes: smaller ones from now on.", type="dict", schema=WHEN),
    "retry_when": optional("Retry the request.", type="dict", schema=WHEN),
    "rejected_when": optional("A rejection, whatever the status.", type="dict", schema=WHEN),
    "delivered_when": optional("A 2xx delivers only when this holds; else it is a rejection.", type="dict", schema=WHEN),
    "records": optional("Where to find each record's own verdict.", type="dict", schema=RECORDS, check_with="records"),
    "bad_record": optional("Where a rejection names the bad record, so that splitting need not search.", type="dict", schema=BAD_RECORD, check_with="bad_record"),
    "reason": optional("Where a rejection says what is wrong.", type="string", check_with="path"),
    "capture": optional(
        "What to keep of a response (or of each record's result), by name; `sendoff results` shows it.",
        type="dict", keysrules={"type": "string", "empty": False}, valuesrules={"type": "string", "check_with": "path"}, default={},
    ),
    "max_bytes": optional("Maximum bytes of a response that are read. Default 1 MiB; 64 MiB where `records` is declared.", type="integer", min=1024),
}  # fmt: skip


def statuses(text: str) -> list[tuple[int, int]]:
    """The ranges that ``400, 5xx, 500-599`` names; raises ValueError with a sentence."""
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


def _within(ranges: Sequence[tuple[int, int]], status: int) -> bool:
    return any(lo <= status <= hi for lo, hi in ranges)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on a response, or on one record's result. All its parts must hold."""

    status: Sequence[tuple[int, int]] = ()
    path: Path | None = None
    values: Sequence[object] | None = None
    text: str | None = None

    @classmethod
    def of(cls, rules: Mapping[str, Any] | None) -> Condition | None:
        if not rules:
            return None
        values = [rules["equals"]] if "equals" in rules else rules.get("one_of")
        path = jsonpath.parse(rules["path"]) if rules.get("path") else None
        return cls(statuses(rules["status"]) if rules.get("status") else (), path, values, rules.get("text"))

    def holds(self, status: int, body: object, raw: str) -> bool | None:
        """Whether it holds; None where it is unknown, as there is nothing at the path."""
        if self.status and not _within(self.status, status):
            return False
        if self.path is None:
            return self.text is None or self.text in raw
        value = self.path.find(body)
        if value is MISSING:
            return None
        if self.text is not None:
            return isinstance(value, str) and self.text in value
        if self.values is not None:
            return any(value == wanted and isinstance(value, bool) == isinstance(wanted, bool) for wanted in self.values)
        return bool(value)


@dataclass(frozen=True, slots=True)
class PerRecordResults:
    """Where the results of single records stand, and how to read one."""

    at: Path
    on: Sequence[tuple[int, int]]
    index: Path | None
    first: int
    id: Path | None
    field: str | None
    unlisted: str
    status: Path | None
    delivered_when: Condition | None
    rejected_when: Condition | None
    retry_when: Condition | None
    not_attempted_when: Condition | None
    reason: Path | None

    @classmethod
    def of(cls, rules: Mapping[str, Any]) -> PerRecordResults:
        def path(name: str) -> Path | None:
            return jsonpath.parse(rules[name]) if rules.get(name) else None

        says_yes = "status" in rules or "delivered_when" in rules
        return cls(
            at=jsonpath.parse(rules.get("at", "$")),
            on=statuses(rules.get("on", "2xx")),
            index=path("index"),
            first=rules.get("first", 0),
            id=path("id"),
            field=rules.get("field"),
            unlisted=rules.get("unlisted") or ("stop" if says_yes else "delivered"),
            status=path("status"),
            **{
                name: Condition.of(rules.get(name))
                for name in ("delivered_when", "rejected_when", "retry_when", "not_attempted_when")
            },
            reason=path("reason"),
        )


@dataclass(frozen=True, slots=True)
class BadRecordLocator:
    """Where a rejection names the bad record."""

    header: str | None
    path: Path | None
    text: re.Pattern[str] | None
    pointers: bool
    first: int

    @classmethod
    def of(cls, rules: Mapping[str, Any] | None) -> BadRecordLocator | None:
        if not rules:
            return None
        # Not the user's pattern: only the number is one, and the rest is taken literally.
        words = re.escape(rules["text"]).replace(re.escape("{row}"), r"(\d{1,9})") if rules.get("text") else None
        path = jsonpath.parse(rules["path"]) if rules.get("path") else None
        return cls(
            (rules.get("header") or "").lower() or None,
            path,
            re.compile(words) if words else None,
            bool(rules.get("pointers")),
            rules.get("first", 0),
        )

    def places(self, answer: Response, body: object, raw: str) -> Iterator[int]:
        """The bad records' places in the request, as far as they are named."""
        if self.header is not None:
            yield from self._numbers((answer.headers or {}).get(self.header, ""))
        if self.path is not None:
            found = self.path.find(body)
            for value in found if isinstance(found, list) else [found]:
                yield from self._numbers(value)
        if self.text is not None:
            for match in self.text.finditer(raw):
                yield from self._numbers(match[1])
        if self.pointers:
            errors = body.get("errors") if isinstance(body, dict) else None
            for error in errors if isinstance(errors, list) else []:
                pointer = error.get("pointer") if isinstance(error, dict) else None
                number = re.search(r"/(\d{1,9})(?:/|$)", pointer) if isinstance(pointer, str) else None
                yield from self._numbers(number[1] if number else None)

    def _numbers(self, value: object) -> Iterator[int]:
        if isinstance(value, str) and re.fullmatch(r"\s*\d{1,9}\s*", value):
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            yield value - self.first


@dataclass(frozen=True)
class Policy:
    """How a destination's responses are read. Without rules, as `classify` does."""

    statuses: Sequence[tuple[int, int, VerdictKind]] = ()
    content_type: str | None = None
    conditions: Sequence[tuple[VerdictKind, Condition]] = ()
    delivered_when: Condition | None = None
    records: PerRecordResults | None = None
    bad_record: BadRecordLocator | None = None
    reason: Path | None = None
    capture: Mapping[str, Path] = field(default_factory=dict)
    max_bytes: int = 1 << 20

    @classmethod
    def of(cls, rules: Mapping[str, Any]) -> Policy:
        """The policy that `destination.response` declares, checked before."""
        conditions = [
            (kind, Condition.of(rules.get(f"{kind.value}_when")))
            for kind in (VerdictKind.STOP, VerdictKind.TOO_LARGE, VerdictKind.RETRY, VerdictKind.REJECTED)
        ]
        return cls(
            statuses=[
                (lo, hi, VerdictKind(kind)) for text, kind in rules.get("statuses", {}).items() for lo, hi in statuses(text)
            ],
            content_type=rules.get("content_type"),
            conditions=[(kind, when) for kind, when in conditions if when is not None],
            delivered_when=Condition.of(rules.get("delivered_when")),
            records=PerRecordResults.of(rules["records"]) if rules.get("records") else None,
            bad_record=BadRecordLocator.of(rules.get("bad_record")),
            reason=jsonpath.parse(rules["reason"]) if rules.get("reason") else None,
            capture={name: jsonpath.parse(path) for name, path in rules.get("capture", {}).items()},
            max_bytes=rules.get("max_bytes") or (64 << 20 if rules.get("records") else 1 << 20),
        )

    @cached_property
    def trusts_any_2xx(self) -> bool:
        """Whether nothing is declared, so that a 2xx is a success unless it is a page."""
        return self is DEFAULT or not (
            self.statuses or self.content_type or self.conditions or self.delivered_when or self.records or self.capture
        )

    def of_status(self, status: int) -> VerdictKind | None:
        """What the owner's table says of a status; the narrowest range that holds it counts."""
        found = [(hi - lo, kind) for lo, hi, kind in self.statuses if lo <= status <= hi]
        return min(found, key=lambda pair: pair[0])[1] if found else None

    def reads_results(self, status: int) -> bool:
        return self.records is not None and _within(self.records.on, status)


DEFAULT = Policy()
#: Of a request that takes a record away: what is not there any more is what was wanted.
DELETE_POLICY = Policy.of({"statuses": {"404": "delivered", "410": "delivered"}})
