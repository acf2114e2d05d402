"""Groups of changes, and what a retry claims, whatever keeps the ledger: what is read back of them."""

from __future__ import annotations

import pytest

from sendoff import LedgerError
from sendoff.ledger import (
    CapturedResult,
    Changes,
    Chunk,
    Claim,
    DeliveredRow,
    Failure,
    History,
    Ledger,
    RecordKey,
    RequestRecord,
    UncertainRequest,
)
from sendoff.records import Span
from tests.core.ledger.implementations import Clock, begun, claimed, open_positions, rejected, resumable

# Retries, and what they claim.


def test_a_retry_claims_the_records_it_names_and_no_others(ledger: Ledger, history: History) -> None:
    ledger.commit(begun(ledger), Changes(failed=[rejected(0), rejected(1), rejected(2)], planned=3))
    again = begun(ledger, source="retry", retry_of=1, claimed=claimed(("rejected", 0), ("rejected", 2)))
    assert (again.id, again.retry_of) == (2, 1)
    assert [failure["retried_by"] for failure in history.failures(1)] == [2, None, 2]
    assert [key.position for key in history.failed_keys(1, retried_by=2)] == [0, 2]


def test_a_claim_holds_once_its_run_has_planned_something_or_ended(ledger: Ledger, history: History) -> None:
    ledger.commit(begun(ledger), Changes(failed=[rejected(0), rejected(1)], planned=2))
    stopped = begun(ledger, source="retry", retry_of=1, claimed=claimed(("rejected", 0)))
    assert open_positions(history) == [0, 1], "running, and nothing planned"
    ledger.end(stopped, "stopped", read=1, seconds=0.0, because="the API asked for a pause")
    assert open_positions(history) == [0, 1], "stopped, and nothing planned"
    sent = begun(ledger, source="retry", retry_of=1, claimed=claimed(("rejected", 0)))
    ledger.commit(sent, Changes(opened=[Chunk(0, 1, 1)], planned=1))
    assert open_positions(history) == [1]
    invalid = begun(ledger, source="retry", retry_of=1, claimed=claimed(("rejected", 1)))
    ledger.commit(invalid, Changes(failed=[Failure("invalid", 0, "f.csv", 3, "id: must be", "{}")]))
    ledger.end(invalid, "incomplete", read=1, seconds=0.0, because=None)
    assert open_positions(history) == []
    assert history.fates(1)[RecordKey(1, "rejected", 1)] == ("open", invalid.id, (invalid.id, "invalid", 0))
    assert [failure["name"] for failure in history.failures(invalid.id)] == ["1-rejected-1"]
    assert history.open_failures(invalid.id) == {invalid.id: 1}


def test_what_is_dismissed_is_not_open_until_it_is_reopened_and_is_counted_as_it_failed(
    ledger: Ledger, history: History
) -> None:
    ledger.commit(begun(ledger), Changes(failed=[rejected(0), rejected(1)], planned=2, read=2))
    key = RecordKey(1, "rejected", 1)
    ledger.dismiss("c", [key])
    assert open_positions(history) == [0]
    assert (history.open_failures(1), history.open_failures()) == ({1: 1}, {1: 1})
    assert history.failed_keys(1, dismissed=True) == [found.key for found in history.failed_records(1, dismissed=True)] == [key]
    assert history.fates(1)[key] == ("dismissed", 1, key)
    assert [failure["dismissed"] for failure in history.failures(1)] == [0, 1]
    row = history.run(1)
    assert (row["dismissed"], row["rejected"], row["pending"]) == (1, 2, 0)
    ledger.reopen("c", [key])
    assert open_positions(history) == [0, 1]
    assert history.run(1)["dismissed"] == 0


def test_a_dismissal_that_cannot_be_remembered_marks_nothing(ledger: Ledger, history: History) -> None:
    ledger.commit(begun(ledger), Changes(failed=[rejected(0)], planned=1))
    with pytest.raises(LookupError):  # it remembers no rows
        ledger.dismiss("c", [RecordKey(1, "rejected", 0)], [DeliveredRow(b"k", b"s" * 16)])
    assert open_positions(history) == [0]


def test_a_run_that_is_discarded_holds_nothing_any_more(ledger: Ledger, history: History, clock: Clock) -> None:
    state, other = begun(ledger), begun(ledger, "d")
    for run in (state, other):
        ledger.commit(run, Changes(opened=[Chunk(0, 10, 10)], planned=10))
    clock.now = 3_000.0
    ledger.discard(state)
    assert (history.run(1)["state"], history.run(1)["ended_at"]) == ("discarded", 3_000.0)
    assert ledger.unfinished("c") is None
    assert [chunk.lo for chunk in resumable(ledger, "d").chunks] == [0]


def test_a_retry_that_is_discarded_releases_what_it_did_not_settle(ledger: Ledger, history: History) -> None:
    invalid = Failure("invalid", 9, "f.csv", 11, "id: must be", "{}")
    ledger.commit(begun(ledger), Changes(failed=[invalid, *(rejected(at) for at in range(5))], planned=5))
    keys = [("invalid", 9), *(("rejected", at) for at in range(5))]
    retry = begun(ledger, source="retry", retry_of=1, claimed=claimed(*keys))
    # Its rows: the invalid one, then five. The third of them is invalid now; ordinal 2, which is rejected again, is record 1.
    again = Failure("invalid", 3, "run 1", 1, "id: must be", "{}")
    ledger.commit(retry, Changes(planned=5, delivered=[Span(0, 2)], failed=[again, rejected(2)]))
    ledger.discard(retry)
    assert history.failed_keys(1) == [(1, "rejected", 3), (1, "rejected", 4)]
    assert history.failed_keys(1, retried_by=2) == [(1, "invalid", 9), *((1, "rejected", at) for at in range(3))]


@pytest.mark.parametrize("settled", ["", "delivered", "failed"])
def test_of_a_corrected_file_what_was_not_settled_is_released(ledger: Ledger, history: History, settled: str) -> None:
    ledger.commit(begun(ledger), Changes(failed=[rejected(0), rejected(1), rejected(2)], planned=3))
    # Record 1 was delivered in the meantime, so that it is no row of the retry.
    keys = [RecordKey(1, "rejected", at) for at in range(3)]
    claims_of_all = [Claim(keys[0], 0), Claim(keys[1], None), Claim(keys[2], 1)]
    retry = begun(ledger, source="spool", retry_of=1, claimed=claims_of_all)
    ledger.commit(retry, Changes(planned=2))
    if settled == "delivered":
        ledger.commit(retry, Changes(delivered=[Span(0, 1)]))
    elif settled == "failed":
        ledger.commit(retry, Changes(failed=[rejected(0)]))
    ledger.discard(resumable(ledger))
    assert open_positions(history) == ([2] if settled else [0, 2])


# Groups of changes.


def test_a_group_is_read_back_as_it_was_written(ledger: Ledger, history: History) -> None:
    state = begun(ledger)
    failure = Failure("rejected", 7, "f.csv", 9, "400: no", '{"a":1}', 400, 3, True, True, "changed")
    sent = RequestRecord(1, 0, 5, 5, 1, "POST", "http://x/", "k", 77, 200, "delivered", "", 0.25)
    kept = CapturedResult(0, 5, "f.csv", 2, {"job": "j"})
    chunks = [Chunk(5, 6, 1, b"d"), Chunk(8, 12, 2, b"e", (Span(8, 9), Span(11, 12)))]
    ledger.commit(state, Changes([], chunks, [Span(0, 5)], [failure], [sent], [kept], 1, 2, 77, 12, 20, accepted=3))
    found = resumable(ledger)
    assert (found.chunks, list(found.delivered), list(state.delivered)) == (chunks, [(0, 5)], [(0, 5)])
    (row,) = history.failures(1)
    assert row.items() >= {
        "run": 1, "kind": "rejected", "position": 7, "file": "f.csv", "line": 9, "status": 400, "reason": "400: no",
        "attempts": 3, "maybe_applied": True, "change": "changed", "retried_by": None, "name": "1-rejected-7",
    }.items()  # fmt: skip
    (record,) = history.failed_records(1)
    assert (row["record"], record.record, record.text, record.change) == ({"a": 1}, {"a": 1}, True, "changed")
    assert list(history.requests(1)) == [{"run": 1, **sent._asdict(), "at": 1_000.0}]
    assert list(history.results(1)) == [{"file": "f.csv", "line": 2, "records": 5, "captured": {"job": "j"}}]
    run = history.run(1)
    assert (run["requests"], run["retries"], run["bytes"], run["planned"], run["read"]) == (1, 2, 77, 12, 20)
    assert (run["delivered"], run["accepted"], run["rejected"], run["invalid"], run["pending"]) == (5, 3, 1, 0, 14)
    assert found.accepted == 3


def test_groups_add_up(ledger: Ledger, history: History) -> None:
    state, other = begun(ledger), begun(ledger, "d")
    for run in (state, other):
        ledger.commit(run, Changes(opened=[Chunk(0, 10, 10)], planned=10, read=9, requests=1, retries=1, bytes=10))
    ledger.commit(state, Changes(delivered=[Span(0, 2), Span(4, 6)], requests=2, retries=3, bytes=4, read=5, accepted=4))
    ledger.commit(
        state,
        Changes(closed=[0], delivered=[Span(6, 10), Span(2, 4)], accepted=2, failed=[rejected(1), rejected(1, attempts=9)]),
    )
    assert (resumable(ledger).chunks, resumable(ledger, "d").chunks) == ([], [Chunk(0, 10, 10)])
    assert list(resumable(ledger).delivered) == [(0, 10)]
    assert [(row["position"], row["attempts"]) for row in history.failures(1)] == [(1, 0)], "the first failure counts"
    counts = [[row[name] for name in ("planned", "read", "requests", "retries", "bytes")] for row in history.runs()]
    assert counts == [[10, 9, 1, 1, 10], [10, 9, 3, 4, 14]]
    assert [row["accepted"] for row in history.runs()] == [0, 6]


def test_a_request_and_a_captured_result_may_be_written_again(ledger: Ledger, history: History) -> None:
    state = begun(ledger)
    for status in (500, 200):
        sent = RequestRecord(1, 0, 5, 5, 1, "POST", "http://x/", "k", 77, status, "delivered", "", 0.25)
        ledger.commit(state, Changes(sent=[sent], captured=[CapturedResult(0, 5, "f.csv", 2, {"at": status})]))
    assert [row["status"] for row in history.requests(1)] == [200]
    assert [row["captured"] for row in history.results(1)] == [{"at": 200}]


def test_a_request_that_may_have_been_applied_is_known_to_the_next_process_until_it_is_settled(ledger: Ledger) -> None:
    state = begun(ledger)
    for number, reason in enumerate(("reset", "cut off")):
        sent = RequestRecord(number, 0, 5, 5, 1, "POST", "http://x/", "k", 77, None, "retry", reason, 0.25, maybe_applied=True)
        ledger.commit(state, Changes(opened=[] if number else [Chunk(0, 5, 5)], sent=[sent], planned=5))
    assert resumable(ledger).uncertain == [UncertainRequest(0, 5, 5, 2, "cut off")]
    ledger.commit(state, Changes(closed=[0], delivered=[Span(0, 5)]))
    assert resumable(ledger).uncertain == []


def test_a_group_that_cannot_be_written_leaves_nothing_and_the_next_one_is_written(ledger: Ledger, history: History) -> None:
    state = begun(ledger)
    with pytest.raises(LedgerError, match="^the ledger in .* cannot be written: .*; nothing more is sent$"):
        ledger.commit(state, Changes(opened=[Chunk(0, 1, 1), Chunk(0, 1, 1)], planned=1))
    assert (ledger.unfinished("c"), history.run(1)["planned"]) == (None, 0)
    assert begun(ledger).id == 2
