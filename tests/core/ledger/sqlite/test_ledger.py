"""The ledger's verbs: exactly what each writes down, and what is read back of it."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sendoff import ConfigError, LedgerError, Locked, SourceChanged
from sendoff.ledger import CapturedResult, Changes, Chunk, Claim, Failure, RecordKey, RequestRecord, RunState
from sendoff.ledger.delivered_rows import FilterSummary
from sendoff.ledger.sqlite import claims
from sendoff.ledger.sqlite.ledger import SqliteLedger
from sendoff.ledger.sqlite.locks import is_locked
from sendoff.records import Span


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Iterator[SqliteLedger]:
    opened = SqliteLedger(tmp_path / "s", clock=clock)
    yield opened
    opened.close()


def begun(ledger: SqliteLedger, connector: str = "c", **more: Any) -> RunState:
    return ledger.begin(connector, config_digest=b"s", fingerprint=b"f", **more)


def rows(ledger: SqliteLedger, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
    return [tuple(row) for row in ledger._db.execute(f"SELECT {columns} FROM {table}")]


def rejected(position: int, **more: Any) -> Failure:
    return Failure("rejected", position, "f.csv", position + 2, "400: no", "{}", **more)


# Runs.


def test_a_run_begins_with_what_it_was_given(ledger: SqliteLedger, clock: Clock) -> None:
    state = begun(ledger, source="spool", cursor='{"at": 3}')
    assert (state.id, state.connector, state.generation, state.source) == (1, "c", 1, "spool")
    assert (state.resumed, state.retry_of, state.planned, state.unchanged, state.chunks) == (False, None, 0, 0, [])
    assert rows(
        ledger, "run", "id, connector, generation, state, retry_of, source, fingerprint, shape, started_at, cursor"
    ) == [(1, "c", 1, "running", None, "spool", b"f", b"s", 1_000.0, '{"at": 3}')]


def test_generations_are_counted_for_each_connector(ledger: SqliteLedger) -> None:
    assert [begun(ledger, name).generation for name in ("a", "b", "a", "a", "b")] == [1, 1, 2, 3, 2]
    assert begun(ledger, "a").source == "connector"


def test_how_rows_were_chosen_begins_with_the_run(ledger: SqliteLedger) -> None:
    sifted = FilterSummary('["id"]', '["id", "x"]', '{"by": "id"}', 7)
    state = begun(ledger, filter_summary=sifted)
    assert state.unchanged == 7
    assert rows(ledger, "run", "rule, known, settled") == [('{"by": "id"}', 7, 0)]
    assert ledger.delivered_rows("c").known_by == ('["id"]', '["id", "x"]')
    assert begun(ledger, "d").unchanged == 0


def claimed(*keys: tuple[str, int]) -> list[Claim]:
    """Claims on these records of run 1, as the first rows of a retry."""
    return [Claim(RecordKey(1, *key), row) for row, key in enumerate(keys)]


def test_a_retry_claims_the_records_it_names_and_no_others(ledger: SqliteLedger) -> None:
    first = begun(ledger)
    ledger.commit(first, Changes(failed=[rejected(0), rejected(1), rejected(2)], planned=3))
    again = begun(ledger, source="retry", retry_of=1, claimed=claimed(("rejected", 0), ("rejected", 2)))
    assert (again.id, again.retry_of) == (2, 1)
    assert rows(ledger, "failed", "position, retried_by, retried_as") == [(0, 2, 0), (1, None, None), (2, 2, 1)]


def test_a_claim_holds_once_its_run_has_planned_something_or_ended(ledger: SqliteLedger) -> None:
    first = begun(ledger)
    ledger.commit(first, Changes(failed=[rejected(0), rejected(1)], planned=2))

    def is_open() -> list[int]:
        return [key.position for key, fate in claims.fates(ledger._db, 1).items() if fate == ("open", 1, key)]

    stopped = begun(ledger, source="retry", retry_of=1, claimed=claimed(("rejected", 0)))
    assert is_open() == [0, 1], "running, and nothing planned"
    ledger.end(stopped, "stopped", read=1, seconds=0.0, because="the API asked for a pause")
    assert is_open() == [0, 1], "stopped, and nothing planned"
    sent = begun(ledger, source="retry", retry_of=1, claimed=claimed(("rejected", 0)))
    ledger.commit(sent, Changes(opened=[Chunk(0, 1, 1)], planned=1))
    assert is_open() == [1]
    invalid = begun(ledger, source="retry", retry_of=1, claimed=claimed(("rejected", 1)))
    ledger.commit(invalid, Changes(failed=[Failure("invalid", 0, "f.csv", 3, "id: must be", "{}")]))
    ledger.end(invalid, "incomplete", read=1, seconds=0.0, because=None)
    assert is_open() == []
    assert claims.fates(ledger._db, 1)[RecordKey(1, "rejected", 1)] == ("open", invalid.id, (invalid.id, "invalid", 0))
    assert claims.names(ledger._db, invalid.id) == {RecordKey(invalid.id, "invalid", 0): "1-rejected-1"}


def test_what_was_cut_short_is_read_back_whole(ledger: SqliteLedger) -> None:
    state = begun(ledger, "other")
    ledger.commit(state, Changes(opened=[Chunk(0, 1, 1)], planned=1))
    state = begun(ledger, retry_of=1, filter_summary=FilterSummary("k", "c", "r", 4))
    pieces = [Chunk(0, 9, 5, b"x", (Span(0, 3), Span(7, 9))), Chunk(10, 20, 1, b"y")]
    failed = [rejected(3), rejected(4), rejected(6), Failure("invalid", 2, "f.csv", 4, "id: must be", "{}")]
    ledger.commit(
        state,
        Changes(opened=pieces, delivered=[Span(5, 6)], failed=failed, planned=20, read=25, requests=3, retries=2, bytes=999),
    )
    found = ledger.unfinished("c")
    assert found
    assert (list(found.delivered), list(found.failed)) == ([(5, 6)], [(3, 5), (6, 7)])
    found.delivered = found.failed = state.failed
    assert found == RunState(
        2, "c", 1, "connector", resumed=True, retry_of=1, planned=20, read=25, requests=3, retries=2, bytes=999, invalid=1,
        rejected=3, chunks=pieces, delivered=state.failed, failed=state.failed, unchanged=4,
    )  # fmt: skip
    assert [piece.spans for piece in found.chunks] == [(Span(0, 3), Span(7, 9)), (Span(10, 20),)]


@pytest.mark.parametrize("outcome", ["running", "stopped", "interrupted"])
def test_a_run_that_planned_something_and_did_not_end_is_unfinished(ledger: SqliteLedger, outcome: str) -> None:
    ledger.end(begun(ledger), "stopped", read=0, seconds=0.0, because=None)
    assert ledger.unfinished("c") is None, "it planned nothing"
    state = begun(ledger)
    ledger.commit(state, Changes(planned=1))
    ledger.end(state, outcome, read=0, seconds=0.0, because=None)
    assert (found := ledger.unfinished("c"))
    assert found.id == state.id
    assert ledger.unfinished("d") is None


@pytest.mark.parametrize("outcome", ["complete", "incomplete", "discarded"])
def test_a_run_that_ended_is_not(ledger: SqliteLedger, outcome: str) -> None:
    state = begun(ledger)
    ledger.commit(state, Changes(planned=1))
    ledger.end(state, outcome, read=0, seconds=0.0, because=None)
    assert ledger.unfinished("c") is None


def test_the_end_says_why_and_adds_the_seconds_up(ledger: SqliteLedger, clock: Clock) -> None:
    state = begun(ledger)
    ledger.end(state, "stopped", read=5, seconds=1.5, because="the API is down")
    assert rows(ledger, "run", "state, stopped_because, ended_at, read, seconds") == [
        ("stopped", "the API is down", 1_000.0, 5, 1.5)
    ]
    clock.now = 2_000.0
    ledger.end(state, "complete", read=4, seconds=2.0, because=None)
    assert rows(ledger, "run", "state, stopped_because, ended_at, read, seconds") == [("complete", None, 2_000.0, 5, 3.5)]


def test_a_run_that_is_gone_on_with_runs_again_and_is_counted(ledger: SqliteLedger) -> None:
    state = begun(ledger)
    begun(ledger, "d")
    ledger.end(state, "stopped", read=0, seconds=0.0, because="no")
    assert ledger.resume(state, config_digest=b"s", fingerprint=b"f", what="f.csv") is state
    assert rows(ledger, "run", "state, starts, stopped_because") == [("running", 2, None), ("running", 1, None)]


def test_a_run_whose_connector_or_source_changed_is_not_gone_on_with(ledger: SqliteLedger) -> None:
    state = begun(ledger)
    with pytest.raises(ConfigError) as changed:
        ledger.resume(state, config_digest=b"other", fingerprint=b"f", what="f.csv")
    assert str(changed.value) == (
        "run 1 of c was interrupted, and since then its source, schema, validators or sender changed in the connector file, "
        "or it was begun by another version of sendoff; undo the change, or finish the run with that version, "
        "or discard the rest of it and start over with `sendoff run c --restart`; nothing was sent"
    )
    with pytest.raises(SourceChanged) as source:
        ledger.resume(state, config_digest=b"s", fingerprint=b"other", what="f.csv")
    assert str(source.value) == (
        "run 1 of c was interrupted, and f.csv changed since then; restore what it read, "
        "or discard the rest of it and start over with `sendoff run c --restart`"
    )
    assert rows(ledger, "run", "starts") == [(1,)]


def test_the_cursor_is_of_the_last_run_that_counts(ledger: SqliteLedger) -> None:
    assert ledger.cursor("c") is None
    first = begun(ledger, cursor="1")
    assert ledger.cursor("c") is None, "it planned nothing, and did not end"
    ledger.end(first, "complete", read=0, seconds=0.0, because=None)
    assert (ledger.cursor("c"), ledger.cursor("d")) == ("1", None)
    second = begun(ledger, cursor="2")
    assert ledger.cursor("c") == "1"
    ledger.commit(second, Changes(planned=1))
    assert ledger.cursor("c") == "2"
    ledger.end(second, "discarded", read=0, seconds=0.0, because=None)
    assert ledger.cursor("c") == "1"
    third = begun(ledger, cursor="3", retry_of=1)
    ledger.end(third, "incomplete", read=0, seconds=0.0, because=None)
    assert ledger.cursor("c") == "1", "a retry reads no source"
    ledger.end(begun(ledger, cursor="4"), "incomplete", read=0, seconds=0.0, because=None)
    ledger.end(begun(ledger), "complete", read=0, seconds=0.0, because=None)
    assert ledger.cursor("c") == "4"
    ledger.end(begun(ledger, "d", cursor="5"), "complete", read=0, seconds=0.0, because=None)
    ledger.forget_cursor("c")
    assert (ledger.cursor("c"), ledger.cursor("d")) == (None, "5")


# Groups of changes.


def test_a_group_is_written_down_as_it_is(ledger: SqliteLedger, clock: Clock) -> None:
    state = begun(ledger)
    failure = Failure("rejected", 7, "f.csv", 9, "400: no", '{"a":1}', 400, 3, True, True, "changed")
    sent = RequestRecord(1, 0, 5, 5, 1, "POST", "http://x/", "k", 77, 200, "delivered", "", 0.25)
    kept = CapturedResult(0, 5, "f.csv", 2, {"job": "j"})
    ledger.commit(
        state,
        Changes([], [Chunk(5, 6, 1, b"d"), Chunk(8, 12, 2, b"e", (Span(8, 9), Span(11, 12)))], [Span(0, 5)], [failure], [sent],
                [kept], 1, 2, 77, 12, 20),
    )  # fmt: skip
    assert rows(ledger, "piece") == [(1, 5, 6, 1, b"d", None), (1, 8, 12, 2, b"e", "[[8,9],[11,12]]")]
    assert rows(ledger, "delivered") == [(1, 0, 5)]
    assert rows(ledger, "failed") == [
        (1, "rejected", 7, "f.csv", 9, 400, "400: no", '{"a":1}', 3, 1, 1, None, 1_000.0, "changed", None)
    ]
    assert rows(ledger, "request") == [(1, *sent, 1_000.0)]
    assert [(*row[:5], json.loads(row[5])) for row in rows(ledger, "result")] == [(1, 0, 5, "f.csv", 2, {"job": "j"})]
    assert rows(ledger, "run", "requests, retries, bytes, planned, read") == [(1, 2, 77, 12, 20)]


def test_groups_add_up(ledger: SqliteLedger) -> None:
    state, other = begun(ledger), begun(ledger, "d")
    for run in (state, other):
        ledger.commit(run, Changes(opened=[Chunk(0, 10, 10)], planned=10, read=9, requests=1, retries=1, bytes=10))
    ledger.commit(state, Changes(delivered=[Span(0, 2), Span(4, 6)], requests=2, retries=3, bytes=4, read=5))
    ledger.commit(
        state, Changes(closed=[0], delivered=[Span(6, 10), Span(2, 4)], failed=[rejected(1), rejected(1, attempts=9)])
    )
    assert rows(ledger, "piece", "run, lo") == [(2, 0)]
    assert rows(ledger, "delivered") == [(1, 0, 10)]
    assert rows(ledger, "failed", "position, attempts") == [(1, 0)], "the first word on a record counts"
    assert rows(ledger, "run", "planned, read, requests, retries, bytes") == [(10, 9, 3, 4, 14), (10, 9, 1, 1, 10)]


def test_a_request_and_what_was_captured_may_be_told_again(ledger: SqliteLedger) -> None:
    state = begun(ledger)
    for status in (500, 200):
        sent = RequestRecord(1, 0, 5, 5, 1, "POST", "http://x/", "k", 77, status, "delivered", "", 0.25)
        ledger.commit(state, Changes(sent=[sent], captured=[CapturedResult(0, 5, "f.csv", 2, {"at": status})]))
    assert rows(ledger, "request", "status") == [(200,)]
    assert [json.loads(row[0]) for row in rows(ledger, "result", "captured")] == [{"at": 200}]


# Given up.


def test_a_run_that_is_given_up_holds_nothing_any_more(ledger: SqliteLedger, clock: Clock) -> None:
    state, other = begun(ledger), begun(ledger, "d")
    for run in (state, other):
        ledger.commit(run, Changes(opened=[Chunk(0, 10, 10)], planned=10))
    clock.now = 3_000.0
    ledger.discard(state)
    assert rows(ledger, "run", "state, ended_at") == [("discarded", 3_000.0), ("running", None)]
    assert rows(ledger, "piece", "run") == [(2,)]


def test_a_retry_that_is_given_up_lets_go_of_what_it_did_not_settle(ledger: SqliteLedger) -> None:
    first = begun(ledger)
    invalid = Failure("invalid", 9, "f.csv", 11, "id: must be", "{}")
    ledger.commit(first, Changes(failed=[invalid, *(rejected(at) for at in range(5))], planned=5))
    keys = [("invalid", 9), *(("rejected", at) for at in range(5))]
    retry = begun(ledger, source="retry", retry_of=1, claimed=claimed(*keys))
    # Its rows: the invalid one, then five. The third of them is invalid now; ordinal 2, which is rejected again, is record 1.
    again = Failure("invalid", 3, "run 1", 1, "id: must be", "{}")
    ledger.commit(retry, Changes(planned=5, delivered=[Span(0, 2)], failed=[again, rejected(2)]))
    ledger.discard(retry)
    assert rows(ledger, "failed WHERE run = 1", "kind, position, retried_by") == [
        ("invalid", 9, 2), ("rejected", 0, 2), ("rejected", 1, 2), ("rejected", 2, 2), ("rejected", 3, None),
        ("rejected", 4, None),
    ]  # fmt: skip


@pytest.mark.parametrize("settled", ["", "delivered", "failed"])
def test_of_a_corrected_file_what_was_not_settled_is_let_go(ledger: SqliteLedger, settled: str) -> None:
    first = begun(ledger)
    ledger.commit(first, Changes(failed=[rejected(0), rejected(1), rejected(2)], planned=3))
    # Record 1 was delivered in the meantime, so that it is no row of the retry.
    keys = [RecordKey(1, "rejected", at) for at in range(3)]
    claims_of_all = [Claim(keys[0], 0), Claim(keys[1], None), Claim(keys[2], 1)]
    retry = begun(ledger, source="spool", retry_of=1, claimed=claims_of_all)
    ledger.commit(retry, Changes(planned=2))
    if settled == "delivered":
        ledger.commit(retry, Changes(delivered=[Span(0, 1)]))
    elif settled == "failed":
        ledger.commit(retry, Changes(failed=[rejected(0)]))
    found = ledger.unfinished("c")
    assert found
    ledger.discard(found)
    kept = 2 if settled else None
    assert rows(ledger, "failed WHERE run = 1", "retried_by") == [(kept,), (2,), (None,)]


# Destinations.


def test_a_destination_is_remembered_as_down_since_its_first_failure_and_forgotten_when_well(
    ledger: SqliteLedger, clock: Clock
) -> None:
    assert ledger.destination_health("http://x") == (False, 0.0)
    ledger.save_destination_health("http://x", down=True, rest=None)
    ledger.save_destination_health("http://y", down=False, rest=60.0)
    assert (ledger.destination_health("http://x"), ledger.destination_health("http://y")) == ((True, 0.0), (False, 60.0))
    clock.now += 10
    ledger.save_destination_health("http://x", down=True, rest=5.0)
    assert rows(ledger, "destination") == [("http://x", 1_000.0, 1_015.0), ("http://y", None, 1_060.0)]
    assert (ledger.destination_health("http://x"), ledger.destination_health("http://y")) == ((True, 5.0), (False, 50.0))
    clock.now += 100
    assert ledger.destination_health("http://y") == (False, 0.0)
    ledger.save_destination_health("http://x", down=False, rest=1.0)
    assert ledger.destination_health("http://x") == (False, 1.0)
    ledger.save_destination_health("http://x", down=False, rest=None)
    assert rows(ledger, "destination", "origin") == [("http://y",)]


# The file and its locks.


def test_files_are_their_owner_s_alone(ledger: SqliteLedger) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in ledger.directory.iterdir() if path.is_file()}
    assert modes.items() >= {("ledger.db", 0o600), ("ledger.id", 0o600), ("ledger.lock", 0o600)}
    assert stat.S_IMODE(ledger.directory.stat().st_mode) == 0o700


def test_a_lock_tells_who_has_it_and_is_free_afterwards(ledger: SqliteLedger) -> None:
    directory = ledger.directory / "locks"
    assert not is_locked(directory, "c")
    with ledger.lock("c"):
        assert is_locked(directory, "c")
        assert not is_locked(directory, "d")
        with pytest.raises(
            Locked, match=r"^c is running already in process \d+, since \d{4}-[-0-9: ]+; try again when it is done$"
        ):
            ledger.lock("c").__enter__()
        with ledger.lock("d"):
            pass
    assert not is_locked(directory, "c")
    (directory / "c.lock").write_text("[]")
    with ledger.lock("c"):
        assert json.loads((directory / "c.lock").read_text()).keys() == {"pid", "since"}


@pytest.mark.parametrize("word", ["", "?", "[]", "{}"])
def test_a_holder_that_left_no_word_that_can_be_read_is_still_a_holder(ledger: SqliteLedger, word: str) -> None:
    with ledger.lock("c"):
        (ledger.directory / "locks" / "c.lock").write_text(word)
        with pytest.raises(Locked, match=r"^c is running already; try again"):
            ledger.lock("c").__enter__()


def test_an_error_inside_a_transaction_undoes_all_of_it_and_the_next_one_goes(ledger: SqliteLedger) -> None:
    with pytest.raises(LedgerError, match="^the ledger cannot be written: .*; nothing more is sent$"):
        ledger.commit(begun(ledger), Changes(opened=[Chunk(0, 1, 1), Chunk(0, 1, 1)]))
    assert rows(ledger, "piece") == []
    assert begun(ledger).id == 2
