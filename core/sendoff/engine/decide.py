"""What becomes of a request that was not simply delivered. Pure: no clock, no I/O, no state of its own.

`decide` reads the verdict, the task's counters and the situation of the run, and returns one action; `OutcomeHandler`
carries it out. A request that fails while others succeed is at fault itself. When none succeeds, the destination is,
and its failures count against no request (docs/decisions/0012).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sendoff.components import FailureStrategy, Refusal, Retry, Split, Stop
from sendoff.engine.actions import (
    Action,
    Divide,
    FailAll,
    FailNamed,
    HoldBack,
    LowerLimit,
    RetryLater,
    StopRun,
)
from sendoff.engine.retry import RetryPolicy
from sendoff.engine.states import CircuitState
from sendoff.engine.tasks import Task
from sendoff.records import Span, Spans, halves, total, within
from sendoff.response import Verdict, VerdictKind
from sendoff.transport.protocol import Response

#: Rejections that stop a run that has delivered nothing yet: the cause is then probably not the records.
MAX_UNPROVEN_REJECTIONS = 4
#: What says that the API takes fewer requests at once: these statuses, or no response.
OVERLOAD = frozenset({408, 429, 502, 503, 504, None})
#: A rejected first request of fewer records is split at once: probes would cost more requests than they save.
MIN_PROBED_RECORDS = 8
#: Seconds: no API means a longer Retry-After.
YEAR = 365.25 * 86_400

_FINAL = "; if it is these records, run with --no-early-stop"
_REPEATED = (
    "; it was sent before and may have been applied: if this says that the API has the records already, "
    "declare response: {on_repeat: {statuses: {409: delivered}}}"
)


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of the destination and the run when a verdict is decided on."""

    now: float
    circuit: CircuitState
    #: Whether anything has succeeded in this process, and for how many seconds nothing has.
    succeeded: bool
    failing_for: float
    #: An earlier run left the destination down; what fails now shows that it is.
    was_down: bool
    outage: bool
    #: Rejections since the last success, this one included.
    rejections: int
    #: Another request is held that used up its attempts; there are records that were not tried yet.
    another_held: bool
    more_to_try: bool
    early_stop: bool
    #: Sending a record twice does no harm.
    idempotent: bool
    retry: RetryPolicy
    #: Why nothing more may be split; None while it may.
    over_budget: str | None = None


def decide(
    task: Task, verdict: Verdict, situation: Situation, strategy: FailureStrategy, response: Response | None = None
) -> Action:
    """What becomes of a request by its verdict: retry, rejected, too_large or stop."""
    match verdict.kind:
        case VerdictKind.STOP:
            return StopRun(verdict.reason + (_say_uncertain(task) if verdict.maybe_applied else ""))
        case VerdictKind.TOO_LARGE if task.size > 1:
            # A 413 is about bytes (RFC 9110 §15.5.14); what else says too large is mostly about the number.
            return LowerLimit(verdict, in_bytes=verdict.status == 413)
        case VerdictKind.RETRY:
            return _decide_transient(task, verdict, situation, strategy)
        case _:
            return _decide_rejected(task, verdict, situation, strategy, response)


def _say_uncertain(task: Task) -> str:
    records = "its record was" if task.size == 1 else f"its {task.size:,} records were"
    sends = task.attempts + task.earlier_sends
    times = "once" if sends == 1 else f"{sends:,} times"
    return (
        f"; {records} sent {times} and may have been applied: the next run sends them again, "
        "unless --maybe-applied delivered (or rejected) says what they are"
    )


def is_limit(verdict: Verdict) -> bool:
    """Whether the API asks for fewer requests: that is never about the records."""
    return verdict.status == 429 or verdict.retry_after is not None


def is_conflict(verdict: Verdict) -> bool:
    """Whether a repeat was answered 409: the destination is up, and it is this request alone that cannot pass yet."""
    return verdict.kind is VerdictKind.RETRY and verdict.status == 409


def end_conflict(task: Task, verdict: Verdict, retry: RetryPolicy, now: float) -> Verdict:
    """A conflict that used up its attempts is a rejection, of what may have been applied; any other verdict as it is."""
    if not is_conflict(verdict) or (task.conflicts + 1 < retry.max_attempts and task.failing_for(now) < retry.max_elapsed):
        return verdict
    return replace(verdict, kind=VerdictKind.REJECTED, reason=verdict.reason + _REPEATED, maybe_applied=True)


def exceeds_retry_after(verdict: Verdict, retry: RetryPolicy) -> StopRun | None:
    """`StopRun` if the Retry-After is longer than `max_retry_after` allows; else None."""
    asked = verdict.retry_after
    if asked is None or asked <= retry.max_retry_after:
        return None
    years = f", which is {asked / YEAR:,.1f} years and must be a mistake of the API's" if asked > YEAR else ""
    return StopRun(
        f"{verdict.reason}; the API asks for {asked:.0f} seconds (Retry-After){years or ', more than max_retry_after allows'}",
        transient=True,
        pause=asked,
    )


def give_up(task: Task, verdict: Verdict, situation: Situation, strategy: FailureStrategy) -> Action:
    """Fail a request that cannot succeed while others do; divide it first if resending does no harm."""
    if strategy.splits and situation.idempotent and task.size > 1:
        return Divide(halves(task.spans), at_fault=True)
    applied = "; it may have been applied" if verdict.maybe_applied else ""
    return FailAll(replace(verdict, reason=f"{verdict.reason}; given up after {_attempts(task)}{applied}"))


def _attempts(task: Task) -> str:
    return "1 attempt" if task.attempts == 1 else f"{task.attempts} attempts"


def _decide_transient(task: Task, verdict: Verdict, situation: Situation, strategy: FailureStrategy) -> Action:
    retry, reason = situation.retry, verdict.reason
    if over := exceeds_retry_after(verdict, retry):
        return over
    out_of_time = task.failing_for(situation.now) >= retry.max_elapsed
    down = situation.circuit is CircuitState.OPEN and situation.outage
    at_fault = task.isolated_failures >= retry.max_attempts or (task.isolated_failures and out_of_time)
    if at_fault and may_have_been_received(verdict) and not is_limit(verdict) and not down:
        return give_up(task, verdict, situation, strategy)
    accepted = accepts_as_final(verdict, early_stop=situation.early_stop)
    if situation.succeeded and situation.failing_for >= retry.max_elapsed and (situation.outage or not accepted):
        return StopRun(f"{reason}; nothing has got through for {situation.failing_for:.0f} seconds{_FINAL}", transient=True)
    if is_conflict(verdict):
        return RetryLater(verdict)
    if situation.was_down and situation.early_stop:
        if situation.another_held:
            return StopRun(
                f"{reason}; it was so when the last run stopped, and is so still for other records{_FINAL}", transient=True
            )
        return HoldBack(verdict)
    if not _is_exhausted(task, retry, situation.now):
        other_fails = situation.another_held and not situation.succeeded and not accepted
        return (
            StopRun(f"{reason}; nothing has got through at all{_FINAL}", transient=True) if other_fails else RetryLater(verdict)
        )
    return _decide_exhausted(task, verdict, situation, strategy)


def _decide_exhausted(task: Task, verdict: Verdict, situation: Situation, strategy: FailureStrategy) -> Action:
    """What becomes of a request whose attempts or time are used up, and which is not known to be at fault."""
    retry, reason = situation.retry, verdict.reason
    accepted = accepts_as_final(verdict, early_stop=situation.early_stop)
    if is_limit(verdict) and not accepted:
        if task.failing_for(situation.now) < retry.max_elapsed:
            return RetryLater(verdict)
        return StopRun(f"{reason}; it has asked so for {task.failing_for(situation.now):.0f} seconds{_FINAL}", transient=True)
    # After another had succeeded.
    failed_again = task.holds > 0 and task.isolated_failures > 0 and may_have_been_received(verdict)
    if accepted or failed_again or (not situation.more_to_try and fails_by_itself(task, verdict, situation)):
        return give_up(task, verdict, situation, strategy)
    if not situation.more_to_try and task.others_succeeded:
        return RetryLater(verdict)  # an overload passes within that time
    if situation.another_held and not situation.succeeded:
        return StopRun(f"{reason}; nothing has got through at all{_FINAL}", transient=True)
    if not situation.succeeded and not may_have_been_received(verdict):
        return StopRun(f"{reason}; given up after {_attempts(task)}", transient=True)
    if situation.succeeded and task.counted_attempts < retry.max_attempts:
        return StopRun(f"{reason}; it has failed for {task.failing_for(situation.now):.0f} seconds{_FINAL}", transient=True)
    return RetryLater(verdict) if task.holds else HoldBack(verdict)


def fails_by_itself(task: Task, verdict: Verdict, situation: Situation) -> bool:
    """Whether a request failed while others succeeded, and nothing else is left to try that could show more.

    What may be an overload must have outlasted the wait that would follow its attempts.
    """
    retry = situation.retry
    most = min(retry.max_backoff, retry.initial_backoff * 2.0 ** min(retry.max_attempts + 1, 60))
    passes = verdict.status in OVERLOAD and situation.failing_for < most
    return (task.isolated_failures > 0 or task.others_succeeded) and may_have_been_received(verdict) and not passes


def may_have_been_received(verdict: Verdict) -> bool:
    """Whether a failure may be due to the records: what was never sent cannot be."""
    return verdict.maybe_applied or verdict.status is not None


def accepts_as_final(verdict: Verdict, *, early_stop: bool) -> bool:
    """Whether the owner takes the failure for the records' own (`--no-early-stop`); never of what cannot have been sent."""
    return not early_stop and may_have_been_received(verdict)


def _is_exhausted(task: Task, retry: RetryPolicy, now: float) -> bool:
    return task.counted_attempts >= retry.max_attempts or task.failing_for(now) >= retry.max_elapsed


def _decide_rejected(
    task: Task, verdict: Verdict, situation: Situation, strategy: FailureStrategy, response: Response | None
) -> Action:
    """Let the strategy decide; but before the first success, hold rejections back."""
    if situation.circuit is CircuitState.CLOSED or not situation.early_stop:
        return decide_by_strategy(task, verdict, situation, strategy, response)
    if situation.rejections >= MAX_UNPROVEN_REJECTIONS:
        known = "; they may have been sent before: where the API knows ids, declare response.on_repeat"
        repeated = known if task.may_be_repeat else ""
        first = "since the outage," if situation.succeeded else "the first"
        return StopRun(
            f"{verdict.reason}; {first} {MAX_UNPROVEN_REJECTIONS} requests were all rejected, so it may not be the "
            f"records: check the URL, the headers and the schema{repeated} (if it is the records, run with --no-early-stop)"
        )
    # The probes do not keep the source's order, which records with ordering keys must.
    if strategy.splits and task.size > MIN_PROBED_RECORDS and not verdict.per_record and not task.ordering_keys:
        return Divide(_probes(task.spans), verdict)
    if strategy.splits and task.size > 1 and len(verdict.per_record) < task.size:
        return decide_by_strategy(task, verdict, situation, strategy, response)
    return HoldBack(verdict)


def decide_by_strategy(
    task: Task, verdict: Verdict, situation: Situation, strategy: FailureStrategy, response: Response | None = None
) -> Action:
    """What the failure strategy says of a rejection that is about the records."""
    if verdict.per_record and (strategy.splits or verdict.kind is VerdictKind.PARTIAL):
        return FailNamed(verdict)
    # The strategy sees the records as if they stood side by side from the first one's ordinal.
    lo = task.spans[0].lo
    headers, body = (response.headers or {}, response.body) if response is not None else ({}, b"")
    decision = strategy.decide(Refusal(Span(lo, lo + task.size), verdict.status, verdict.reason, task.attempts, headers, body))
    match decision:
        case Stop():
            return StopRun(f"{verdict.reason}; {decision.reason}")
        case Retry() if task.counted_attempts < situation.retry.max_attempts:
            return RetryLater(verdict, decision.seconds)
        case Split() if task.size > 1:
            if situation.over_budget:
                return StopRun(f"{verdict.reason}; {situation.over_budget}")
            return Divide([within(task.spans, part.lo - lo, part.hi - lo) for part in decision.spans], verdict)
        case _:
            return FailAll(verdict)


def _probes(spans: Spans) -> list[Spans]:
    """The first, middle and last record by themselves, then the spans between them."""
    hi = total(spans)
    middle = hi // 2
    alone = [within(spans, at, at + 1) for at in (0, middle, hi - 1)]
    return [*alone, within(spans, 1, middle), within(spans, middle + 1, hi - 1)]
