"""What a response means for the records of its request.

What the destination's owner declared comes first: conditions, then the results of single records,
then the table of statuses. What is not declared has safe defaults: a rejection is *definite* (400,
422, 413) only where the API has said so itself; whatever may have been applied (a timeout, a 500) is
retried as it was and never split; what cannot be read as declared stops the run with its records
held.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

from sendoff import jsonlib
from sendoff.cleaning import excerpt
from sendoff.jsonlib.jsonpath import MISSING
from sendoff.response.by_status import by_result_status, by_status
from sendoff.response.messages import (
    decode_body,
    describe,
    failure_member,
    looks_like_html,
    read_message,
)
from sendoff.response.outcome import Verdict, VerdictKind
from sendoff.response.per_record import UnreadableResults, parse_results
from sendoff.response.policy import DEFAULT, Policy
from sendoff.response.rate_headers import read_delay, retry_after
from sendoff.transport.protocol import Response

#: `json-rpc` is what JSON-RPC over HTTP calls it.
_IS_JSON = re.compile(r"\bjson(-rpc)?$")
_MAY_FAIL = re.compile(rb'\A\s*\{.*"(?:errors?|ok|success)"\s*:', re.DOTALL)


def classify(
    response: Response,
    policy: Policy = DEFAULT,
    *,
    count: int = 1,
    ids: Callable[[str], Sequence[object]] = lambda field: (),
    repeated: bool = False,
    redact: Callable[[str], str] = str,
) -> Verdict:
    """Decide what a response to `count` records means. A pure function of the response and the policy.

    What the API says is quoted without secrets, which `redact` takes out.

    A 409 to a `repeated` request may mean that the first is still being worked on (the
    Idempotency-Key draft, §2.6), so it is tried again; to a first request it is a rejection.
    """
    if repeated and policy.on_repeat is not None:
        policy = policy.on_repeat
    if response.status is None:
        kind = VerdictKind.STOP if response.permanent else VerdictKind.RETRY
        return Verdict(kind, excerpt(response.error, redact=redact), maybe_applied=response.may_have_been_sent)
    if is_plain_success(response, policy):
        return Verdict(VerdictKind.DELIVERED, status=response.status)
    declared = _Body(response, redact, count)
    verdict = _by_policy(declared, policy, ids) or by_status(
        response, policy, repeated=repeated, redact=redact, delay=declared.delay(policy)
    )
    if verdict.kind is VerdictKind.DELIVERED:
        verdict = _verify_success(declared, policy, verdict)
    if verdict.kind is VerdictKind.REJECTED:
        return _with_reason(declared, policy, verdict)
    return _with_captured(declared, policy, verdict)


def is_plain_success(response: Response, policy: Policy) -> bool:
    """Whether a response is a success whose body need not be read: nothing is declared, and it is not an HTML page."""
    status = response.status
    return (
        policy.trusts_any_2xx
        and status is not None
        and 200 <= status < 300
        and status != 207
        and not looks_like_html(response.body)
    )


class UnreadFailure(NamedTuple):
    """What may be wrong with a success, in a sentence; and the lines under `destination` that would have it read."""

    reason: str
    add: Sequence[str]


def unread_failure(response: Response, policy: Policy) -> UnreadFailure | None:
    """What may be wrong with a success that nothing declared looks at; None if nothing shows it."""
    status = response.status or 0
    if policy.looks_for_failures or status == 207 or not 200 <= status < 300 or not _MAY_FAIL.search(response.body):
        return None
    body = _Body(response).body()
    member = failure_member(body)
    if member is None:
        return None
    return UnreadFailure(
        f"a response with status {status} has {member!r}, and counts as delivered, as nothing declared reads it; "
        "if it means a failure, add this under `destination`",
        ["response:", f"  {_condition_for(member, body[member])}"],
    )


def _condition_for(member: str, value: object) -> str:
    """The line of a connector file that reads a member as what reports a failure; a success may lack it, or have it empty."""
    if member in ("ok", "success"):
        return f"delivered_when: {{path: $.{member}, equals: true}}"
    if isinstance(value, list):
        return f'rejected_when: {{path: "$.{member}[0]", exists: true}}'
    inside = next((name for name in value if re.fullmatch(r"[A-Za-z_]\w*", name)), None) if isinstance(value, dict) else None
    if inside is not None:
        return f"rejected_when: {{path: $.{member}.{inside}, exists: true}}"
    return f'delivered_when: [{{path: $.{member}, exists: false}}, {{path: $.{member}, one_of: [null, false, 0, ""]}}]'


class _Body:
    """A response, whose body is parsed at most once."""

    _types = _IS_JSON

    def __init__(self, response: Response, redact: Callable[[str], str] = str, count: int = 1) -> None:
        self.response, self.redact, self.count = response, redact, count
        self.status = response.status or 0
        self.headers: Mapping[str, str] = response.headers or {}
        self._raw = decode_body(response)
        self._parsed: object = None
        self._problem: str | None = None

    def text(self) -> str:
        return self._raw

    def quote(self, text: str) -> str:
        """A text of the response, to be shown."""
        return excerpt(text, redact=self.redact)

    def describe(self) -> str:
        """The status and the API's error message."""
        return describe(self.response, self.redact)

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def body(self) -> Any:
        """The body as JSON, or `MISSING` where it is not JSON, or not whole."""
        if self.response.truncated:
            return MISSING
        if self._parsed is None and self._problem is None:
            try:
                self._parsed = self._parse(jsonlib.replace_lone_surrogates(self._raw))
            except ValueError as error:
                self._parsed, self._problem = MISSING, str(error)
        return self._parsed

    def _parse(self, text: str) -> object:
        return jsonlib.loads(text)

    def problem(self, policy: Policy) -> str | None:
        """Why the body cannot be read as declared, in a sentence; None if it can."""
        if self.response.truncated:
            return f"its body is longer than the {policy.max_bytes:,} bytes that are read (response.max_bytes)"
        if policy.content_type is None and self.content_type and not self._types.search(self.content_type):
            return f"its content type is {self.quote(self.content_type)}, not JSON (response.content_type)"
        self.body()
        return f"its body is {self._problem}" if self._problem else None

    def delay(self, policy: Policy) -> float | None:
        """The seconds after which the API wants to be asked again: where the owner says that it says so, or Retry-After."""
        found = policy.retry_after.find(self) if policy.retry_after is not None else MISSING
        delay = read_delay(found, self.headers)
        return retry_after(self.headers) if delay is None else delay


class _Lines(_Body):
    """A response whose body is one JSON value a line, and is read as a list of them. No type is usual for it."""

    _types = re.compile("")

    def _parse(self, text: str) -> object:
        found = []
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                try:
                    found.append(jsonlib.loads(line))
                except ValueError as error:
                    raise ValueError(f"not one JSON value a line: line {number} is {error}") from None
        return found


def _by_policy(parsed: _Body, policy: Policy, ids: Callable[[str], Sequence[object]]) -> Verdict | None:
    """The verdict by what the owner declared; None where nothing declared applies to this response."""
    status = parsed.status
    for kind, when in policy.conditions:
        if when.holds(parsed):
            delay = parsed.delay(policy) if kind is VerdictKind.RETRY else None
            return Verdict(kind, parsed.describe(), status, delay)
    if policy.records is not None and policy.reads_results(status):
        results = _Lines(parsed.response, parsed.redact, parsed.count) if policy.records.json_lines else parsed
        problem = results.problem(policy)
        if problem is None:
            try:
                verdict = parse_results(results, policy, ids, cache(lambda code: by_result_status(code, policy)), parsed.quote)
                later = [own for own in verdict.per_record.values() if own.kind is VerdictKind.RETRY]
                delays = [own.retry_after for own in later if own.retry_after is not None]
                if later and (whole := parsed.delay(policy)) is not None:
                    delays.append(whole)
                return replace(verdict, retry_after=max(delays)) if delays else verdict
            except UnreadableResults as unreadable:
                problem = str(unreadable)
        return _stop_unreadable(f"the response does not say what happened to each record: {problem}", status)
    return None


def _verify_success(parsed: _Body, policy: Policy, verdict: Verdict) -> Verdict:
    """Check that the body of a success is as declared; else reject the request or stop the run."""
    status, wanted = parsed.status, policy.content_type
    if not 200 <= status < 300:
        return verdict  # the owner's table says that this status means delivered, and the body is not checked
    if wanted is not None and not parsed.content_type.startswith(wanted.lower()):
        return _stop_unreadable(
            f"the response's content type is {parsed.quote(parsed.content_type) or 'missing'}, not {wanted}", status
        )
    if wanted is None and looks_like_html(parsed.response.body):
        return _stop_unreadable(
            f"{parsed.describe()}: the response is an HTML page, perhaps a login form or a proxy's; "
            "if this is how the API reports success, declare response.content_type",
            status,
        )
    when = policy.delivered_when
    if when is not None:
        if when.reads_body and (problem := parsed.problem(policy)) is not None:
            if when.without_paths().holds(parsed):
                return verdict
            return _stop_unreadable(f"the response cannot be read as response.delivered_when declares: {problem}", status)
        holds = when.holds(parsed)
        if holds is None:
            looked_at = " or ".join(dict.fromkeys(map(str, when.locations())))
            return _stop_unreadable(f"the response has nothing at {looked_at}, where response.delivered_when looks", status)
        if not holds:
            return Verdict(VerdictKind.REJECTED, parsed.describe(), status)
    return verdict


def _with_captured(parsed: _Body, policy: Policy, verdict: Verdict) -> Verdict:
    """Add to a success what is kept of the response, and how many of its records are accepted only."""
    if verdict.kind not in (VerdictKind.DELIVERED, VerdictKind.PARTIAL):
        return verdict
    if policy.capture and not verdict.captured:
        kept = policy.captured(parsed)
        verdict = replace(verdict, captured={-1: kept} if kept else {})
    if policy.accepted_when is not None and policy.accepted_when.holds(parsed):
        failed = len(verdict.per_record)
        return replace(verdict, accepted=parsed.count - failed)
    return verdict


def _with_reason(parsed: _Body, policy: Policy, verdict: Verdict) -> Verdict:
    """Add to a rejection its declared reason, and the bad records that it names."""
    if policy.reason is not None and (text := read_message(policy.reason.find(parsed))):
        verdict = replace(verdict, reason=parsed.quote(f"{parsed.status}: {text}"))
    if policy.bad_record is not None and parsed.count > 1:
        body = parsed.body() if policy.bad_record.path is not None or policy.bad_record.pointers else MISSING
        places = list(policy.bad_record.places(parsed.response, body, parsed.text()))
        if places and all(0 <= place < parsed.count for place in places):
            return replace(verdict, per_record=dict.fromkeys(places, replace(verdict, per_record={})))
    return verdict


def _stop_unreadable(reason: str, status: int) -> Verdict:
    return Verdict(
        VerdictKind.STOP, f"{status}: {reason}" if not reason.startswith(str(status)) else reason, status, maybe_applied=True
    )
