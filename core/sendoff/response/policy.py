# ruff: noqa: E501  # a row of the declarations reads best as a row
"""A destination's policy: its table of statuses, its conditions, and where to find the verdicts of single records.

What a response means is decided in this order; the first that applies counts:

1. `stop_when`, `too_large_when`, `retry_when`, `rejected_when`, in this order, whatever the status. But a `rejected_when`
   holds for 401, 403, 407, 408, 425, 429, 502, 503 and 504 only where it names them: those are about credentials, limits and
   outages, whatever else the response says, and no record is blamed for them.
2. `records`, where the status is in its `on`: each record's own result.
3. The status: the narrowest range in `statuses` that holds it, else the usual table.
   For a request that may have been sent before, `on_repeat` comes before all of these.
4. A 2xx that says delivered must be what was declared: `content_type` (and no HTML page), then `delivered_when`.

Of what is delivered by then, `accepted_when` says what the API has only accepted: it counts as delivered, and is reported as
accepted as well. Asking the API later what became of it is not done.

What a result in `records` means is decided by `not_attempted_when`, `retry_when`, `rejected_when`, `delivered_when` and
`status`, in this order. With none of them that applies, a result that names its record by `index` or `id` is a failure.
Of several results for one record the worst counts, with the reasons of all. A result's status is read by the `statuses` of
`records`, else by those of the response. One that would stop the run as that of a whole response (401, 404) rejects its
record, unless a table says `stop`.

A condition is a mapping, all of whose parts must hold: the status, and at the path or in the header the value and the text.
Or it is a list of such mappings, one of which must hold. One on a value that is not there does not hold, but for
`exists: false`; `delivered_when` then stops the run, as it confirms nothing, while in a result it rejects the record.
`$count`, as a value, is the number of records in the request.

A location is a path in the body, like `$.error.code`, or `{header: Name}`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal

from sendoff.jsonlib import jsonpath
from sendoff.jsonlib.jsonpath import MISSING, Path
from sendoff.options import Declared, optional
from sendoff.response.bad_record import BAD_RECORD, BadRecordLocator
from sendoff.response.condition import Condition, condition, statuses, within
from sendoff.response.location import LOCATION, Location, Readable, location
from sendoff.response.outcome import VerdictKind

OUTCOMES = ("delivered", "retry", "rejected", "too_large", "stop")
Ranges = Sequence[tuple[int, int, VerdictKind]]
"""A table of statuses: the lowest, the highest, and what they mean."""


def _table(text: str, *outcomes: str) -> dict[str, object]:
    """Declare an option that says what statuses mean."""
    keys = {"type": "string", "check_with": "statuses"}
    return optional(text, type="dict", keysrules=keys, valuesrules={"type": "string", "allowed": list(outcomes)}, default={})


def _ranges(rules: Declared) -> Ranges:
    return [(lo, hi, VerdictKind(kind)) for text, kind in rules.get("statuses", {}).items() for lo, hi in statuses(text)]


def _find_range(ranges: Ranges, status: int) -> VerdictKind | None:
    """What a table says of a status; the narrowest range that holds it counts, and of equal ones the first."""
    found = [(hi - lo, kind) for lo, hi, kind in ranges if lo <= status <= hi]
    return min(found, key=lambda pair: pair[0])[1] if found else None


RECORDS = {
    "at": optional("The list with a result for each record.", type="string", check_with="path", default="$"),
    "json_lines": optional("The body is one JSON value a line, whatever its content type, and is read as a list of them.", type="boolean", default=False),
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
    "status": optional("In a result: its status, read by `statuses`.", type="string", check_with="path"),
    "statuses": _table("What a result's status means, where it is not what that of a response does: `{404: rejected}`.", "delivered", "retry", "rejected", "stop"),
    "delivered_when": condition("A result that says delivered; any other says rejected."),
    "rejected_when": condition("A result that says rejected."),
    "retry_when": condition("A result that says: retry this record later."),
    "not_attempted_when": condition("A result that says: this record is not wrong, but was not attempted."),
    "accepted_when": condition("A delivered result that is only accepted."),
    "retry_after": optional("In a result that is to be retried: after how many seconds.", type="string", check_with="path"),
    "reason": optional("In a result: what is wrong.", type="string", check_with="path"),
}  # fmt: skip

ON_REPEAT = {
    "statuses": _table("What a status means then: `{409: delivered}`, say. Also that of a record's own result.", *OUTCOMES),
    "delivered_when": condition("A response that says delivered then, or, with `records`, a result."),
}  # fmt: skip

#: The statuses of a response that may be about records: all but those about credentials, limits and outages.
MAY_REJECT = "100-400, 402, 404-406, 409-424, 426-428, 430-501, 505-599"
#: The options of `destination.response`.
#: The columns of `sendoff results` beside what was captured.
RESULT_COLUMNS = ("_row", "_records")

RULES: dict[str, Any] = {
    "statuses": _table("What a status means: 404, 4xx or 500-599, to delivered, retry, rejected, too_large or stop.", *OUTCOMES),
    "content_type": optional("What the content type of a success begins with. Declared paths need JSON unless this says otherwise.", type="string"),
    "stop_when": condition("Stop the run."),
    "too_large_when": condition("The request has too many records or bytes: smaller ones from now on."),
    "retry_when": condition("Retry the request."),
    "rejected_when": condition("A rejection. What is about credentials, limits or outages (401, 403, 407, 408, 425, 429, 502 to 504) must be named by `status`."),
    "delivered_when": condition("A 2xx delivers only when this holds; else it is a rejection."),
    "accepted_when": condition("A delivered response that has only accepted the records, and works on them still: they are reported as accepted, too."),
    "retry_after": location("Where a response that is to be retried says after how many seconds: a path, or `{header: Name}`. It is obeyed as Retry-After is, which is the default."),
    "records": optional("Where to find each record's own verdict.", type="dict", schema=RECORDS, check_with="records"),
    "on_repeat": optional(
        "What holds only for a request that may have been sent before, for APIs that know ids and no idempotency keys: there `exists already` means delivered.",
        type="dict", schema=ON_REPEAT,
    ),
    "bad_record": optional("Where a rejection names the bad record, so that splitting need not search.", type="dict", schema=BAD_RECORD, check_with="bad_record"),
    "reason": location("Where a rejection says what is wrong: a path, or `{header: Name}`."),
    "capture": optional(
        "What to keep of each record's result, or where no result has it, of the response, by name: a path, or `{header: Name}`. `sendoff results` shows it.",
        type="dict", keysrules={"type": "string", "empty": False, "check_with": "capture_name"}, valuesrules=LOCATION, default={},
    ),
    "max_bytes": optional("Maximum bytes of a response that are read. Default 1 MiB; 64 MiB where `records` is declared.", type="integer", min=1024),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PerRecordResults:
    """Where the results of single records are in a response, and how to read one."""

    at: Path
    json_lines: bool
    on: Sequence[tuple[int, int]]
    #: What a result names its record by, and where in it; None where it is the result's key.
    named_by: Literal["order", "index", "id"]
    path: Path | None
    first: int
    field: str | None
    match: str
    unlisted: str
    status: Path | None
    statuses: Ranges
    delivered_when: Condition | None
    rejected_when: Condition | None
    retry_when: Condition | None
    not_attempted_when: Condition | None
    accepted_when: Condition | None
    retry_after: Path | None
    reason: Path | None
    #: Comes before all others.
    delivered_first: Condition | None = None

    @classmethod
    def of(cls, rules: Declared) -> PerRecordResults:
        def path(name: str) -> Path | None:
            return jsonpath.parse(rules[name]) if rules.get(name) else None

        says_yes = "status" in rules or "delivered_when" in rules
        named_by: Literal["order", "index", "id"] = "index" if "index" in rules else "id" if "id" in rules else "order"
        return cls(
            at=jsonpath.parse(rules.get("at", "$")),
            json_lines=rules.get("json_lines", False),
            on=statuses(rules.get("on", "2xx")),
            named_by=named_by,
            path=None if rules.get(named_by) == "key" else path(named_by),
            first=rules.get("first", 0),
            field=rules.get("field"),
            match=rules.get("match", "exact"),
            unlisted=rules.get("unlisted") or ("stop" if says_yes else "delivered"),
            status=path("status"),
            statuses=_ranges(rules),
            **{
                name: Condition.of(rules.get(name))
                for name in ("delivered_when", "rejected_when", "retry_when", "not_attempted_when", "accepted_when")
            },
            retry_after=path("retry_after"),
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

    statuses: Ranges = ()
    content_type: str | None = None
    conditions: Sequence[tuple[VerdictKind, Condition]] = ()
    delivered_when: Condition | None = None
    accepted_when: Condition | None = None
    retry_after: Location | None = None
    records: PerRecordResults | None = None
    bad_record: BadRecordLocator | None = None
    reason: Location | None = None
    capture: Mapping[str, Location] = field(default_factory=dict)
    max_bytes: int = 1 << 20
    #: The policy for a request that may have been sent before; None: the same.
    on_repeat: Policy | None = None

    @classmethod
    def of(cls, rules: Declared) -> Policy:
        """The policy that `destination.response` declares, checked before."""
        conditions = [
            (kind, Condition.of(rules.get(f"{kind.value}_when"), MAY_REJECT if kind is VerdictKind.REJECTED else ""))
            for kind in (VerdictKind.STOP, VerdictKind.TOO_LARGE, VerdictKind.RETRY, VerdictKind.REJECTED)
        ]
        policy = cls(
            statuses=_ranges(rules),
            content_type=rules.get("content_type"),
            conditions=[(kind, when) for kind, when in conditions if when is not None],
            delivered_when=Condition.of(rules.get("delivered_when")),
            accepted_when=Condition.of(rules.get("accepted_when")),
            retry_after=Location.of(rules.get("retry_after")),
            records=PerRecordResults.of(rules["records"]) if rules.get("records") else None,
            bad_record=BadRecordLocator.of(rules.get("bad_record")),
            reason=Location.of(rules.get("reason")),
            capture={name: found for name, where in rules.get("capture", {}).items() if (found := Location.of(where))},
            max_bytes=rules.get("max_bytes") or (64 << 20 if rules.get("records") else 1 << 20),
        )
        return replace(policy, on_repeat=policy._for_repeats(rules["on_repeat"])) if rules.get("on_repeat") else policy

    def _for_repeats(self, rules: Declared) -> Policy:
        declared = _ranges(rules)
        exists = Condition.of(rules.get("delivered_when"))
        # Of two ranges of the same size the first counts.
        results = self.records and replace(self.records, statuses=[*declared, *self.records.statuses])
        repeats = replace(self, statuses=[*declared, *self.statuses], records=results)
        if exists is None:
            return repeats
        if results is not None:
            return replace(repeats, records=replace(results, delivered_first=exists))
        # A success is looked at once more, and by this it is one.
        either = self.delivered_when and Condition([*exists.alternatives, *self.delivered_when.alternatives])
        return replace(repeats, conditions=[(VerdictKind.DELIVERED, exists), *self.conditions], delivered_when=either)

    def captured(self, response: Readable) -> dict[str, object]:
        """What is to be kept of a response, or of one record's result."""
        return {name: value for name, where in self.capture.items() if (value := where.find(response)) is not MISSING}

    @cached_property
    def trusts_any_2xx(self) -> bool:
        """Whether nothing is declared, so that a 2xx is a success unless it is a page."""
        return self is DEFAULT or not (
            self.statuses
            or self.content_type
            or self.conditions
            or self.delivered_when
            or self.accepted_when
            or self.records
            or self.capture
        )

    @cached_property
    def looks_for_failures(self) -> bool:
        """Whether something declared may say that a 2xx is a failure."""
        kinds = {kind for kind, _ in self.conditions}
        return bool(self.delivered_when or self.records or kinds & {VerdictKind.REJECTED, VerdictKind.STOP})

    def of_status(self, status: int) -> VerdictKind | None:
        """What the owner's table says of a status."""
        return _find_range(self.statuses, status)

    def of_result_status(self, status: int) -> VerdictKind | None:
        """What the owner's tables say of the status of one record's result: that for results, else the other."""
        own = _find_range(self.records.statuses, status) if self.records is not None else None
        return self.of_status(status) if own is None else own

    def reads_results(self, status: int) -> bool:
        return self.records is not None and within(self.records.on, status)


DEFAULT = Policy()
#: For a request that deletes a record: a record that does not exist any more counts as deleted.
DELETE_POLICY = Policy.of({"statuses": {"404": "delivered", "410": "delivered"}})
