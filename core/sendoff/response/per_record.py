"""Reading the verdicts of single records out of one response. Where anything does not add up, nothing of it is used."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sendoff import jsonlib
from sendoff.jsonlib.jsonpath import MISSING
from sendoff.response.messages import extract_message, sanitize
from sendoff.response.outcome import Verdict, VerdictKind
from sendoff.response.policy import PerRecordResults, Policy


class UnreadableResults(Exception):
    """The results are not as declared; its text is the sentence to show."""


def parse_results(
    body: object,
    status: int,
    policy: Policy,
    count: int,
    ids: Callable[[str], Sequence[object]],
    table: Callable[[int], Verdict],
) -> Verdict:
    """A partial verdict on `count` records; raises `UnreadableResults` if the results do not add up.

    `ids` gives the records' values of a field; `table`, the verdict on a status.
    """
    results = policy.records
    assert results is not None
    listed = results.at.find(body)
    if not isinstance(listed, list):
        raise UnreadableResults(f"there is no list at {results.at.text}")
    verdicts: dict[int, Verdict] = {}
    captured: dict[int, dict[str, object]] = {}
    seen: set[int] = set()
    for place, item in _match_results(results, listed, count, ids):
        if not 0 <= place < count:
            raise UnreadableResults(f"it speaks of record {place + results.first}, and {count:,} were sent")
        if place in seen:
            raise UnreadableResults(f"it speaks twice of record {place + results.first}")
        seen.add(place)
        verdict = _verdict(results, item, status, table)
        if verdict.kind is not VerdictKind.DELIVERED:
            verdicts[place] = verdict
        elif policy.capture:
            captured[place] = {
                name: value for name, path in policy.capture.items() if (value := path.find(item)) is not MISSING
            }
    if len(seen) < count and results.unlisted != "delivered":
        if results.unlisted == "stop":
            raise UnreadableResults(f"it says nothing of {count - len(seen):,} of {count:,} records")
        silent = Verdict(VerdictKind(results.unlisted), "the response says nothing of this record", status)
        verdicts.update({place: silent for place in range(count) if place not in seen})
    return Verdict(VerdictKind.PARTIAL, status=status, per_record=verdicts, captured=captured)


def _match_results(
    results: PerRecordResults, listed: list[object], count: int, ids: Callable[[str], Sequence[object]]
) -> Iterator[tuple[int, Any]]:
    """Each result with its record's place in the request."""
    if results.index is not None:
        for item in listed:
            number = results.index.find(item)
            if isinstance(number, str) and number.isdecimal() and len(number) < 10:
                number = int(number)
            if isinstance(number, bool) or not isinstance(number, int):
                raise UnreadableResults(f"a result has no number at {results.index.text}")
            yield number - results.first, item
    elif results.id is not None:
        places: dict[str, int] = {}
        for place, value in enumerate(ids(results.field or "")):
            if places.setdefault(str(value), place) != place:
                raise UnreadableResults(
                    f"two records of the request have the {results.field} {value!r}, so its results cannot be told apart"
                )
        for item in listed:
            found = results.id.find(item)
            if str(found) not in places:
                raise UnreadableResults(f"it speaks of {results.field} {sanitize(str(found))!r}, which was not sent")
            yield places[str(found)], item
    else:
        if len(listed) != count:
            raise UnreadableResults(f"it has {len(listed):,} results for {count:,} records")
        yield from enumerate(listed)


def _verdict(results: PerRecordResults, item: object, status: int, table: Callable[[int], Verdict]) -> Verdict:
    """The verdict on one record."""
    raw = jsonlib.dumps(item)
    own = results.status.find(item) if results.status is not None else None
    code = int(own) if isinstance(own, str) and own.isdecimal() and len(own) == 3 else own
    at = code if isinstance(code, int) else status
    reason = _reason(results, item, at)
    if results.not_attempted_when is not None and results.not_attempted_when.holds(at, item, raw):
        return Verdict(VerdictKind.RETRY, reason, at, collateral=True)
    if results.retry_when is not None and results.retry_when.holds(at, item, raw):
        return Verdict(VerdictKind.RETRY, reason, at)
    if results.rejected_when is not None and results.rejected_when.holds(at, item, raw):
        return Verdict(VerdictKind.REJECTED, reason, at)
    if results.delivered_when is not None:
        holds = results.delivered_when.holds(at, item, raw)
        return Verdict(VerdictKind.DELIVERED, status=at) if holds else Verdict(VerdictKind.REJECTED, reason, at)
    if results.status is not None:
        if isinstance(code, bool) or not isinstance(code, int) or not 100 <= code <= 599:
            raise UnreadableResults(f"a result has no status at {results.status.text}")
        found = table(code)
        if found.kind is VerdictKind.STOP:
            raise UnreadableResults(f"a result has status {code}")
        kind = VerdictKind.REJECTED if found.kind is VerdictKind.TOO_LARGE else found.kind
        return Verdict(kind, reason, code, maybe_applied=found.maybe_applied)
    listed_as_failure = results.index is not None or results.id is not None
    if listed_as_failure and results.rejected_when is None:
        return Verdict(VerdictKind.REJECTED, reason, at)
    return Verdict(VerdictKind.DELIVERED, status=at)


def _reason(results: PerRecordResults, item: object, status: int) -> str:
    found = results.reason.find(item) if results.reason is not None else item
    text = extract_message(found) or ("" if found is MISSING or found is item else jsonlib.dumps(found))
    return sanitize(f"{status}: {text}" if text else f"{status}: rejected, without a reason")
