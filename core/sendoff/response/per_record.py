"""Read the verdicts of single records from one response. Where any result is not as declared, none of them is used."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from sendoff.cleaning import excerpt
from sendoff.jsonlib.jsonpath import MISSING, Path
from sendoff.response.location import Quote, Readable, Result
from sendoff.response.messages import extract_message, failure_member, read_message, status_phrase
from sendoff.response.outcome import Verdict, VerdictKind
from sendoff.response.policy import PerRecordResults, Policy
from sendoff.response.rate_headers import read_delay

Ids = Callable[[str], Sequence[object]]
"""A field's values in the records of the request, in order."""

#: Of several results for one record the worst counts.
_SEVERITY = {VerdictKind.DELIVERED: 0, VerdictKind.RETRY: 1, VerdictKind.REJECTED: 2}


class UnreadableResults(Exception):
    """The results are not as declared; its text is the sentence to show."""


def parse_results(
    response: Readable,
    policy: Policy,
    ids: Ids,
    table: Callable[[int], Verdict | None],
    quote: Quote = excerpt,
) -> Verdict:
    """Read a partial verdict on the records of a request; raises `UnreadableResults` if the results are not as declared.

    `table` has the verdict for a result's status; None for a status that cannot be one record's.
    """
    results, status, count = policy.records, response.status, response.count
    assert results is not None
    verdicts: dict[int, Verdict] = {}
    captured: dict[int, dict[str, object]] = {}
    for places, item in _match_results(results, response.body(), count, ids, quote):
        result = Result(item, _status_of(results, item, status), count, response.headers)
        verdict = _classify_result(results, result, table, quote)
        if verdict.kind is VerdictKind.STOP:
            return Verdict(verdict.kind, f"one record's result stops the run: {verdict.reason}", status, maybe_applied=True)
        for place in places:
            if not 0 <= place < count:
                raise UnreadableResults(f"it speaks of record {place + results.first}, and {count:,} were sent")
            verdicts[place] = _combine(verdicts[place], verdict, quote) if place in verdicts else verdict
            if policy.capture:
                captured[place] = policy.captured(result)
    if len(verdicts) < count and results.unlisted != "delivered":
        if results.unlisted == "stop":
            raise UnreadableResults(f"it says nothing of {count - len(verdicts):,} of {count:,} records")
        silent = Verdict(VerdictKind(results.unlisted), "the response says nothing of this record", status)
        verdicts.update({place: silent for place in range(count) if place not in verdicts})
    failed = {place: verdict for place, verdict in verdicts.items() if verdict.kind is not VerdictKind.DELIVERED}
    kept = {place: values for place, values in captured.items() if values and place not in failed}
    accepted = sum(verdict.accepted for verdict in verdicts.values())
    return Verdict(VerdictKind.PARTIAL, status=status, per_record=failed, captured=kept, accepted=accepted)


def _match_results(
    results: PerRecordResults, body: object, count: int, ids: Ids, quote: Quote
) -> Iterator[tuple[Sequence[int], object]]:
    """Each result with its records' places in the request."""
    if results.named_by == "order":
        listed = _list_results(results, body)
        if len(listed) != count:
            raise UnreadableResults(f"it has {len(listed):,} results for {count:,} records")
        yield from (((place,), item) for place, (_, item) in enumerate(listed))
    elif results.named_by == "index":
        for key, item in _list_results(results, body):
            yield [_parse_number(results, value, quote) for value in _find_names(results, key, item)], item
    else:
        sent: dict[str | None, list[int]] = {}
        for place, value in enumerate(ids(results.field or "")):
            sent.setdefault(results.identity(value), []).append(place)
        for key, item in _list_results(results, body):
            yield [_find_sent(results, value, sent, quote) for value in _find_names(results, key, item)], item


def _list_results(results: PerRecordResults, body: object) -> Sequence[tuple[str, object]]:
    """The results, each with its key if they are an object's members; none where a list of failures is left out."""
    found, at = results.at.find(body), results.at.text
    if (found is MISSING or found is None) and _none_failed(results, body):
        return []
    if results.by_key:
        if isinstance(found, dict):
            return list(found.items())
        if found == []:  # PHP writes an empty object so
            return []
        raise UnreadableResults(f"there is no object at {at}")
    if not isinstance(found, list):
        hint = " but an object; if its keys are the records' ids, write `id: key`" if isinstance(found, dict) else ""
        raise UnreadableResults(f"there is no list at {at}{hint}")
    return [("", item) for item in found]


def _none_failed(results: PerRecordResults, body: object) -> bool:
    """Whether results that are not there, or null, say that no record failed.

    Only where what is not listed is delivered, what should hold them is there, and nothing else reports a failure.
    """
    steps = results.at.steps
    if not results.lists_failures or not steps or not isinstance(steps[-1], str):
        return False
    if member := failure_member(body):
        raise UnreadableResults(f"there is no list at {results.at.text}, but there is {member!r}")
    return isinstance(Path("", steps[:-1]).find(body), dict)


def _find_names(results: PerRecordResults, key: str, item: object) -> list[object]:
    """What a result names its records by: one number or id, or several."""
    path = results.path
    if path is None:
        return [key]
    if len(path.steps) > 1 and isinstance(path.steps[-1], int):
        several = Path("", path.steps[:-1]).find(item)
        if isinstance(several, list) and len(several) > 1:
            whole = path.text.rpartition("[")[0]
            raise UnreadableResults(f"a result names {len(several):,} records at {whole}; write {whole} to read all of them")
    found = path.find_all(item)
    if not found:
        raise UnreadableResults(f"a result names no record at {path.text}")
    return found


def _parse_number(results: PerRecordResults, value: object, quote: Quote) -> int:
    number = int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 10 else value
    if isinstance(number, bool) or not isinstance(number, int):
        raise UnreadableResults(
            f"a result has no number at {results.path.text}" if results.path else f"the key {quote(str(value))!r} is no number"
        )
    return number - results.first


def _find_sent(results: PerRecordResults, value: object, sent: dict[str | None, list[int]], quote: Quote) -> int:
    """The place of the record that was sent with an id."""
    known_by = results.identity(value)
    if known_by is None:
        raise UnreadableResults(f"a result has no id at {results.path.text if results.path else results.at.text}")
    places = sent.get(known_by, [])
    if not places:
        same_in_lower_case = any(known_by.strip().casefold() == each.strip().casefold() for each in sent if each is not None)
        advice = "; with `match: case_insensitive` it is one that was" if same_in_lower_case else ""
        raise UnreadableResults(f"it speaks of {results.field} {quote(str(value))!r}, which was not sent{advice}")
    if len(places) > 1:
        raise UnreadableResults(
            f"{len(places)} records of the request have the {results.field} {quote(str(value))!r}, "
            "so its results cannot be told apart"
        )
    return places[0]


def _combine(one: Verdict, other: Verdict, quote: Quote) -> Verdict:
    """Combine two results for one record: the worse of them, with the reasons of both where both are of its kind."""
    worst, rest = (one, other) if _SEVERITY[one.kind] >= _SEVERITY[other.kind] else (other, one)
    if worst.kind is VerdictKind.DELIVERED:
        return replace(worst, accepted=max(one.accepted, other.accepted))
    if rest.kind is VerdictKind.DELIVERED:
        return replace(worst, maybe_applied=True)
    added = rest.reason.removeprefix(f"{worst.status}: ")
    reason = worst.reason if added in worst.reason or rest.kind is not worst.kind else quote(f"{worst.reason}; {added}")
    return replace(
        worst,
        reason=reason,
        maybe_applied=one.maybe_applied or other.maybe_applied,
        collateral=one.collateral and other.collateral,
    )


def _status_of(results: PerRecordResults, item: object, status: int) -> int:
    """The status of a result, where it has one, else that of the response."""
    code = _said(results, item)
    return code if isinstance(code, int) and not isinstance(code, bool) else status


def _said(results: PerRecordResults, item: object) -> object:
    """What a result has for its status: a number, where it is one, or whatever it is."""
    own = results.status.find(item) if results.status is not None else None
    return int(own) if isinstance(own, str) and own.isdecimal() and len(own) == 3 else own


def _classify_result(
    results: PerRecordResults, result: Result, table: Callable[[int], Verdict | None], quote: Quote
) -> Verdict:
    """The verdict of one result."""
    at = result.status

    def verdict(kind: VerdictKind, *, maybe_applied: bool = False, collateral: bool = False) -> Verdict:
        if kind is VerdictKind.DELIVERED:
            only = results.accepted_when is not None and results.accepted_when.holds(result) is True
            return Verdict(kind, status=at, accepted=int(only))
        otherwise = status_phrase(at) if kind is VerdictKind.STOP else "rejected, without a reason"
        delay = None
        if kind is VerdictKind.RETRY and results.retry_after is not None:
            delay = read_delay(results.retry_after.find(result.item), result.headers)
        return Verdict(
            kind, quote(_describe_result(results, result.item, at, otherwise)), at, delay, maybe_applied, collateral=collateral
        )

    if results.delivered_first is not None and results.delivered_first.holds(result):
        return verdict(VerdictKind.DELIVERED)
    if results.not_attempted_when is not None and results.not_attempted_when.holds(result):
        return verdict(VerdictKind.RETRY, collateral=True)
    if results.retry_when is not None and results.retry_when.holds(result):
        return verdict(VerdictKind.RETRY)
    if results.rejected_when is not None and results.rejected_when.holds(result):
        return verdict(VerdictKind.REJECTED)
    if results.delivered_when is not None:
        return verdict(VerdictKind.DELIVERED if results.delivered_when.holds(result) else VerdictKind.REJECTED)
    if results.status is not None:
        code = _said(results, result.item)
        if isinstance(code, bool) or not isinstance(code, int) or not 100 <= code <= 599:
            raise UnreadableResults(f"a result has no status at {results.status.text}")
        found = table(code)
        if found is None:
            raise UnreadableResults(f"a result has status {code}")
        kind = VerdictKind.REJECTED if found.kind is VerdictKind.TOO_LARGE else found.kind
        return verdict(kind, maybe_applied=found.maybe_applied)
    if results.named_by != "order" and results.rejected_when is None:
        return verdict(VerdictKind.REJECTED)
    return verdict(VerdictKind.DELIVERED)


def _describe_result(results: PerRecordResults, item: object, status: int, otherwise: str) -> str:
    """What is wrong, from where the owner says; else the message of the result; `otherwise` if it has none."""
    text = read_message(results.reason.find(item)) if results.reason is not None else ""
    return f"{status}: {text or extract_message(item) or otherwise}"
