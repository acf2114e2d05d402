# ruff: noqa: E501  # a row of the declarations reads best as a row
"""A destination's policy: its table of statuses, its conditions, and where to find the verdicts of single records.

What a response means is decided in this order; the first that applies counts:

1. `stop_when`, `too_large_when`, `retry_when`, `rejected_when`, in this order, whatever the status.
2. `records`, where the status is in its `on`: each record's own result.
3. The status: the narrowest range in `statuses` that holds it, else the usual table.
   For a request that may have been sent before, `on_repeat` comes before all of these.
4. A 2xx that says delivered must be what was declared: `content_type` (and no HTML page), then `delivered_when`.

What a result in `records` means is decided by `not_attempted_when`, `retry_when`, `rejected_when`, `delivered_when` and
`status`, in this order. With none of them that applies, a result that names its record by `index` or `id` is a failure.
Of several results for one record the worst counts, with the reasons of all. A status that would stop the run as that of
a whole response (401, 404) rejects its record, unless `statuses` says `stop`.

All parts of a condition must hold: the status, and at the path the value and the text. A condition on a value that is
not there does not hold, but for `exists: false`; `delivered_when` then stops the run, as it confirms nothing, while in a
result it rejects the record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal

from sendoff.jsonlib import jsonpath
from sendoff.jsonlib.jsonpath import MISSING, Path
from sendoff.options import optional
from sendoff.response.bad_record import BAD_RECORD, BadRecordLocator
from sendoff.response.condition import WHEN, Condition, statuses, within
from sendoff.response.outcome import VerdictKind

OUTCOMES = ("delivered", "retry", "rejected", "too_large", "stop")


RECORDS = {
    "at": optional("The list with a result for each record.", type="string", check_with="path", default="$"),
    "on": optional("The statuses whose bodies hold results.", type="string", check_with="statuses", coerce=str, default="2xx"),
    "index": optional(
        "In a result: its record's number, or a list of several. `key`: the results are an object, and each one's key is the number. Without `index` or `id` results are in the request's order.",
        type="string", check_with="path_or_key",
    ),
    "first": optional("The number of the first record, for `index`.", type="integer", allowed=[0, 1], default=0),
    "id": optional("In a result: its record's id, or a list of several. `key`: as for `index`.", type="string", check_with="path_or_key"),
    "field": optional("The field of the record as sent that holds the id. Two records with one id are sent in different requests.", type="string", empty=False),
    "match": optional(
        "How ids are compared: `trimmed` without the space around them, `case_insensitive` without regard to case as well.",
        type="string", allowed=["exact", "trimmed", "case_insensitive"], default="exact",
    ),
    "unlisted": optional(
        "What a record without a result is, by `index` or `id`. Default: delivered where results are failures, else stop. Where it is delivered, a list that is absent or null means that none failed.",
        type="string", allowed=["delivered", "retry", "rejected", "stop"],
    ),
    "status": optional("In a result: its status, read by the table.", type="string", check_with="path"),
    "delivered_when": optional("A result that says delivered; any other says rejected.", type="dict", schema=WHEN, check_with="when"),
    "rejected_when": optional("A result that says rejected.", type="dict", schema=WHEN, check_with="when"),
    "retry_when": optional("A result that says: retry this record later.", type="dict", schema=WHEN, check_with="when"),
    "not_attempted_when": optional("A result that says: this record is not wrong, but was not attempted.", type="dict", schema=WHEN, check_with="when"),
    "reason": optional("In a result: what is wrong.", type="string", check_with="path"),
}  # fmt: skip

ON_REPEAT = {
    "statuses": optional(
        "What a status means then: `{409: delivered}`, say. Also that of a record's own result.",
        type="dict", keysrules={"type": "string", "check_with": "statuses"}, valuesrules={"type": "string", "allowed": list(OUTCOMES)}, default={},
    ),
    "delivered_when": optional("A response that says delivered then, or, with `records`, a result.", type="dict", schema=WHEN, check_with="when"),
}  # fmt: skip

#: The options of `destination.response`.
RULES: dict[str, Any] = {
    "statuses": optional(
        "What a status means: 404, 4xx or 500-599, to delivered, retry, rejected, too_large or stop.",
        type="dict", keysrules={"type": "string", "check_with": "statuses"}, valuesrules={"type": "string", "allowed": list(OUTCOMES)}, default={},
    ),
    "content_type": optional("What the content type of a success begins with. Declared paths need JSON unless this says otherwise.", type="string"),
    "stop_when": optional("Stop the run.", type="dict", schema=WHEN, check_with="when"),
    "too_large_when": optional("The request has too many records or bytes: smaller ones from now on.", type="dict", schema=WHEN, check_with="when"),
    "retry_when": optional("Retry the request.", type="dict", schema=WHEN, check_with="when"),
    "rejected_when": optional("A rejection, whatever the status.", type="dict", schema=WHEN, check_with="when"),
    "delivered_when": optional("A 2xx delivers only when this holds; else it is a rejection.", type="dict", schema=WHEN, check_with="when"),
    "records": optional("Where to find each record's own verdict.", type="dict", schema=RECORDS, check_with="records"),
    "on_repeat": optional(
        "What holds only for a request that may have been sent before, for APIs that know ids and no idempotency keys: there `exists already` means delivered.",
        type="dict", schema=ON_REPEAT,
    ),
    "bad_record": optional("Where a rejection names the bad record, so that splitting need not search.", type="dict", schema=BAD_RECORD, check_with="bad_record"),
    "reason": optional("Where a rejection says what is wrong.", type="string", check_with="path"),
    "capture": optional(
        "What to keep of a response (or of each record's result), by name; `sendoff results` shows it.",
        type="dict", keysrules={"type": "string", "empty": False}, valuesrules={"type": "string", "check_with": "path"}, default={},
    ),
    "max_bytes": optional("Maximum bytes of a response that are read. Default 1 MiB; 64 MiB where `records` is declared.", type="integer", min=1024),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PerRecordResults:
    """Where the results of single records are in a response, and how to read one."""

    at: Path
    on: Sequence[tuple[int, int]]
    #: What a result names its record by, and where in it; None where it is the result's key.
    named_by: Literal["order", "index", "id"]
    path: Path | None
    first: int
    field: str | None
    match: str
    unlisted: str
    status: Path | None
    delivered_when: Condition | None
    rejected_when: Condition | None
    retry_when: Condition | None
    not_attempted_when: Condition | None
    reason: Path | None
    #: Comes before all others.
    delivered_first: Condition | None = None

    @classmethod
    def of(cls, rules: Mapping[str, Any]) -> PerRecordResults:
        def path(name: str) -> Path | None:
            return jsonpath.parse(rules[name]) if rules.get(name) else None

        says_yes = "status" in rules or "delivered_when" in rules
        named_by: Literal["order", "index", "id"] = "index" if "index" in rules else "id" if "id" in rules else "order"
        return cls(
            at=jsonpath.parse(rules.get("at", "$")),
            on=statuses(rules.get("on", "2xx")),
            named_by=named_by,
            path=None if rules.get(named_by) == "key" else path(named_by),
            first=rules.get("first", 0),
            field=rules.get("field"),
            match=rules.get("match", "exact"),
            unlisted=rules.get("unlisted") or ("stop" if says_yes else "delivered"),
            status=path("status"),
            **{
                name: Condition.of(rules.get(name))
                for name in ("delivered_when", "rejected_when", "retry_when", "not_attempted_when")
            },
            reason=path("reason"),
        )

    @property
    def by_key(self) -> bool:
        """Whether the results are an object's members, named by their keys."""
        return self.named_by != "order" and self.path is None

    @property
    def lists_failures(self) -> bool:
        """Whether only what failed needs a result."""
        return self.named_by != "order" and self.unlisted == "delivered"

    def identity(self, value: object) -> str | None:
        """An id in the form in which ids are compared; None for a value that cannot be an id."""
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            return None
        text = str(value) if self.match == "exact" else str(value).strip()
        return text.casefold() if self.match == "case_insensitive" else text


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
    #: The policy for a request that may have been sent before; None: the same.
    on_repeat: Policy | None = None

    @classmethod
    def of(cls, rules: Mapping[str, Any]) -> Policy:
        """The policy that `destination.response` declares, checked before."""
        conditions = [
            (kind, Condition.of(rules.get(f"{kind.value}_when")))
            for kind in (VerdictKind.STOP, VerdictKind.TOO_LARGE, VerdictKind.RETRY, VerdictKind.REJECTED)
        ]
        policy = cls(
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
        return replace(policy, on_repeat=policy._for_repeats(rules["on_repeat"])) if rules.get("on_repeat") else policy

    def _for_repeats(self, rules: Mapping[str, Any]) -> Policy:
        declared = [
            (lo, hi, VerdictKind(kind)) for text, kind in rules.get("statuses", {}).items() for lo, hi in statuses(text)
        ]
        exists = Condition.of(rules.get("delivered_when"))
        # Of two ranges of the same size the first counts.
        repeats = replace(self, statuses=[*declared, *self.statuses])
        if exists is None:
            return repeats
        if self.records is not None:
            return replace(repeats, records=replace(self.records, delivered_first=exists))
        return replace(repeats, conditions=[(VerdictKind.DELIVERED, exists), *self.conditions])

    def captured(self, body: object) -> dict[str, object]:
        """What is to be kept of a response, or of one record's result."""
        return {name: value for name, path in self.capture.items() if (value := path.find(body)) is not MISSING}

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
        return self.records is not None and within(self.records.on, status)


DEFAULT = Policy()
#: For a request that deletes a record: a record that does not exist any more counts as deleted.
DELETE_POLICY = Policy.of({"statuses": {"404": "delivered", "410": "delivered"}})
