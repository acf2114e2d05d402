"""A ledger, whatever keeps it: its runs, its lock, and what it knows of connectors and destinations."""

from __future__ import annotations

import tempfile
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendoff import ConfigError, Locked, SourceChanged
from sendoff.ledger import (
    Changes,
    Chunk,
    DeliveredRow,
    Failure,
    FilterSummary,
    History,
    Ledger,
    RunState,
)
from sendoff.ledger.opening import open_ledger
from sendoff.records import Span
from tests.core.ledger.implementations import Clock, Implementation, begun, ended, rejected, resumable

# Runs.


def test_a_run_begins_with_what_it_was_given(ledger: Ledger, history: History) -> None:
    state = begun(ledger, source="spool", cursor='{"at": 3}')
    assert (state.id, state.connector, state.generation, state.source) == (1, "c", 1, "spool")
    assert (state.resumed, state.retry_of, state.planned, state.unchanged, state.chunks) == (False, None, 0, 0, [])
    row = history.run(1)
    assert (row["connector"], row["generation"], row["source"], row["retry_of"]) == ("c", 1, "spool", None)
    assert (row["started_at"], row["starts"], row["ended_at"]) == (1_000.0, 1, None)


def test_generations_are_counted_for_each_connector(ledger: Ledger) -> None:
    assert [begun(ledger, name).generation for name in ("a", "b", "a", "a", "b")] == [1, 1, 2, 3, 2]
    assert begun(ledger, "a").source == "connector"


def test_a_name_that_was_given_away_begins_above_the_generations_that_had_it_in_their_keys(ledger: Ledger) -> None:
    ledger.commit(begun(ledger, "a"), Changes(planned=1))
    begun(ledger, "a")
    assert ledger.rename("a", "b") == 2
    assert (ledger.has_history("a"), ledger.has_history("b")) == (False, True)
    assert (begun(ledger, "a").generation, begun(ledger, "b").generation) == (3, 3)
    assert resumable(ledger, "b").key_name == "a"


def test_what_was_cut_short_is_read_back_whole(ledger: Ledger) -> None:
    state = begun(ledger, "other")
    ledger.commit(state, Changes(opened=[Chunk(0, 1, 1)], planned=1))
    state = begun(ledger, retry_of=1, filter_summary=FilterSummary("k", "c", "r", 4))
    chunks = [Chunk(0, 9, 5, b"x", (Span(0, 3), Span(7, 9))), Chunk(10, 20, 1, b"y")]
    failed = [rejected(3), rejected(4), rejected(6), Failure("invalid", 2, "f.csv", 4, "id: must be", "{}")]
    ledger.commit(
        state,
        Changes(opened=chunks, delivered=[Span(5, 6)], failed=failed, planned=20, read=25, requests=3, retries=2, bytes=999),
    )
    found = resumable(ledger)
    assert (list(found.delivered), list(found.failed)) == ([(5, 6)], [(3, 5), (6, 7)])
    found.delivered = found.failed = state.failed
    assert found == RunState(
        2, "c", 1, "connector", resumed=True, retry_of=1, planned=20, read=25, requests=3, retries=2, bytes=999, invalid=1,
        rejected=3, chunks=chunks, delivered=state.failed, failed=state.failed, unchanged=4,
    )  # fmt: skip
    assert [chunk.spans for chunk in found.chunks] == [(Span(0, 3), Span(7, 9)), (Span(10, 20),)]


@pytest.mark.parametrize("outcome", ["running", "stopped", "interrupted"])
def test_a_run_that_planned_something_and_did_not_end_is_unfinished(ledger: Ledger, history: History, outcome: str) -> None:
    ended(ledger, begun(ledger), "stopped")
    assert ledger.unfinished("c") is None, "it planned nothing"
    state = begun(ledger)
    ledger.commit(state, Changes(planned=1))
    ended(ledger, state, outcome)
    assert resumable(ledger).id == state.id
    assert ledger.unfinished("d") is None
    assert history.unfinished_runs() == [(state.id, "c")]


@pytest.mark.parametrize("outcome", ["complete", "incomplete", "discarded"])
def test_a_run_that_ended_is_not(ledger: Ledger, history: History, outcome: str) -> None:
    state = begun(ledger)
    ledger.commit(state, Changes(planned=1))
    ended(ledger, state, outcome)
    assert ledger.unfinished("c") is None
    assert history.unfinished_runs() == []


def test_the_end_says_why_and_adds_the_seconds_up(ledger: Ledger, history: History, clock: Clock) -> None:
    state = begun(ledger)
    ledger.end(state, "stopped", read=5, seconds=1.5, because="the API is down")
    row = history.run(1)
    assert (row["state"], row["stopped_because"], row["ended_at"]) == ("stopped", "the API is down", 1_000.0)
    assert (row["read"], row["seconds"]) == (5, 1.5)
    clock.now = 2_000.0
    ledger.end(state, "complete", read=4, seconds=2.0, because=None)
    row = history.run(1)
    assert (row["state"], row["stopped_because"], row["ended_at"]) == ("complete", None, 2_000.0)
    assert (row["read"], row["seconds"]) == (5, 3.5)


def test_a_run_that_is_resumed_runs_again_and_its_starts_are_counted(ledger: Ledger, history: History) -> None:
    state = begun(ledger)
    begun(ledger, "d")
    ledger.end(state, "stopped", read=0, seconds=0.0, because="no")
    assert ledger.resume(state, config_digest=b"s", fingerprint=b"f", what="f.csv") is state
    with ledger.lock("c"):
        assert [(row["state"], row["starts"], row["stopped_because"]) for row in history.runs("c")] == [("running", 2, None)]
    assert history.run(2)["starts"] == 1


def test_a_run_whose_connector_or_source_changed_is_not_resumed(ledger: Ledger, history: History) -> None:
    state = begun(ledger)
    with pytest.raises(ConfigError) as changed:
        ledger.resume(state, config_digest=b"other", fingerprint=b"f", what="f.csv")
    assert str(changed.value) == (
        "run 1 of c was interrupted, and since then its source, schema, validators or sender changed in the connector file, "
        "or it was begun by another version of sendoff; undo the change, or finish the run with that version, "
        "or discard the rest of it and start over with `sendoff run c --restart`, which sends again what was delivered, "
        "unless the connector is incremental; nothing was sent"
    )
    with pytest.raises(SourceChanged) as source:
        ledger.resume(state, config_digest=b"s", fingerprint=b"other", what="f.csv")
    assert str(source.value) == (
        "run 1 of c was interrupted, and f.csv changed since then; restore what it read, "
        "or discard the rest of it and start over with `sendoff run c --restart`, which sends again what was delivered, "
        "unless the connector is incremental"
    )
    assert history.run(1)["starts"] == 1


def test_the_cursor_is_of_the_last_run_that_counts(ledger: Ledger) -> None:
    assert ledger.cursor("c") is None
    first = begun(ledger, cursor="1")
    assert ledger.cursor("c") is None, "it planned nothing, and did not end"
    ended(ledger, first)
    assert (ledger.cursor("c"), ledger.cursor("d")) == ("1", None)
    second = begun(ledger, cursor="2")
    assert ledger.cursor("c") == "1"
    ledger.commit(second, Changes(planned=1))
    assert ledger.cursor("c") == "2"
    ended(ledger, second, "discarded")
    assert ledger.cursor("c") == "1"
    ended(ledger, begun(ledger, cursor="3", retry_of=1), "incomplete")
    assert ledger.cursor("c") == "1", "a retry reads no source"
    ended(ledger, begun(ledger, cursor="4"), "incomplete")
    ended(ledger, begun(ledger))
    assert ledger.cursor("c") == "4"
    ended(ledger, begun(ledger, "d", cursor="5"))
    ledger.forget_cursor("c")
    assert (ledger.cursor("c"), ledger.cursor("d")) == (None, "5")


# What is kept for a connector, and for a destination.


def test_how_rows_were_chosen_begins_with_the_run_and_is_pending_once_it_ended(ledger: Ledger) -> None:
    state = begun(ledger, filter_summary=FilterSummary('["id"]', '["id", "x"]', '{"by": "id"}', 7))
    delivered = ledger.delivered_rows("c")
    assert (state.unchanged, delivered.known_by, delivered.pending_runs()) == (7, ('["id"]', '["id", "x"]'), [])
    ended(ledger, state)
    assert delivered.pending_runs() == [(1, '{"by": "id"}')]
    delivered.record_run(1, [])
    assert delivered.pending_runs() == []
    assert begun(ledger, "d").unchanged == 0


def test_delivered_rows_are_kept_for_each_connector_by_key_and_forgotten_when_removed(ledger: Ledger) -> None:
    one, two, new = (bytes([at]) * 16 for at in (1, 2, 3))
    first = DeliveredRow(b"k2", two, '["2"]')
    for name in ("c", "d"):
        begun(ledger, name, filter_summary=FilterSummary("k", "c", "r", 0, [first]))
    delivered = ledger.delivered_rows("c")
    delivered.remember([DeliveredRow(b"k1", one), DeliveredRow(b"k2", new, '["2"]')])
    assert delivered.find([b"k1", b"k2", b"k3"]) == {b"k1": one, b"k2": new}
    assert b"".join(delivered.digests()) == one + new
    assert ([row for batch in delivered.key_cells() for row in batch], delivered.counts()) == ([(b"k2", new, '["2"]')], (2, 1))
    delivered.remember([DeliveredRow(b"k1", b"", is_removed=True)])
    assert (delivered.counts(), b"".join(delivered.digests())) == ((1, 1), new)
    assert (delivered.forget(), delivered.known_by, delivered.find([b"k2"]), [*delivered.digests()]) == (1, None, {}, [])
    assert b"".join(ledger.delivered_rows("d").digests()) == two


STATES = st.sampled_from([bytes([at]) * 16 for at in range(0, 256, 40)]) | st.just(b"8 bytes.")
WRITES = st.lists(
    st.lists(
        st.builds(DeliveredRow, st.sampled_from([bytes([at]) for at in range(8)]), STATES, is_removed=st.booleans()), max_size=8
    )
)


@given(WRITES)
def test_the_digests_are_those_of_the_rows_whatever_is_written(writes: list[list[DeliveredRow]]) -> None:
    with tempfile.TemporaryDirectory() as home, closing(open_ledger(Path(home))) as ledger:
        begun(ledger, filter_summary=FilterSummary("k", "c", "r", 0))
        delivered, mirror = ledger.delivered_rows("c"), dict[bytes, bytes]()
        for rows in writes:
            # A state has its key in it: no two keys have the same.
            mine = [row._replace(state=row.state[:-1] + row.key) for row in rows]
            delivered.remember(mine)
            mirror |= {row.key: row.state for row in mine if not row.is_removed}
            for row in mine:
                if row.is_removed:
                    mirror.pop(row.key, None)
            assert delivered.find([bytes([at]) for at in range(8)]) == mirror
            assert b"".join(delivered.digests()) == b"".join(sorted(state for state in mirror.values() if len(state) == 16))


def test_twenty_thousand_digests_stand_in_blocks_of_which_a_change_writes_few(ledger: Ledger, tmp_path: Path) -> None:
    begun(ledger, filter_summary=FilterSummary("k", "c", "r", 0))
    delivered = ledger.delivered_rows("c")
    states = {sha256(at.to_bytes(4)).digest()[:16]: at.to_bytes(4) for at in range(20_000)}
    delivered.remember(DeliveredRow(key, state) for state, key in states.items())
    before = [*delivered.digests()]
    assert b"".join(before) == b"".join(sorted(states))
    assert max(map(len, before)) <= 16 * 8192
    some = [*states][::5_000]
    delivered.remember(DeliveredRow(states[state], b"", is_removed=True) for state in some)
    assert b"".join(delivered.digests()) == b"".join(sorted(states.keys() - some))
    assert 1 <= len({*delivered.digests()} - {*before}) <= 4


def test_what_a_run_delivered_is_counted_by_ordinals_and_what_was_invalid_by_rows(ledger: Ledger) -> None:
    state = begun(ledger)
    invalid = Failure("invalid", 3, "f.csv", 5, "id: must be", "{}")
    ledger.commit(state, Changes(delivered=[Span(0, 2), Span(4, 5)], failed=[invalid, rejected(2)], planned=5))
    rows, delivered = ledger.delivered_rows("c").run_account(1)
    assert (rows, list(delivered)) == ({3}, [(0, 2), (4, 5)])


def test_a_destination_is_remembered_as_down_and_forgotten_when_well(ledger: Ledger, clock: Clock) -> None:
    assert ledger.destination_health("http://x") == (False, 0.0)
    ledger.save_destination_health("http://x", down=True, rest=None)
    ledger.save_destination_health("http://y", down=False, rest=60.0)
    assert (ledger.destination_health("http://x"), ledger.destination_health("http://y")) == ((True, 0.0), (False, 60.0))
    clock.now += 10
    ledger.save_destination_health("http://x", down=True, rest=5.0)
    assert (ledger.destination_health("http://x"), ledger.destination_health("http://y")) == ((True, 5.0), (False, 50.0))
    ledger.forget_outage("http://x")
    assert ledger.destination_health("http://x") == (False, 5.0), "the pause is kept"
    clock.now += 100
    assert ledger.destination_health("http://y") == (False, 0.0)
    ledger.save_destination_health("http://x", down=False, rest=1.0)
    assert ledger.destination_health("http://x") == (False, 1.0)
    ledger.save_destination_health("http://x", down=False, rest=None)
    assert ledger.destination_health("http://x") == (False, 0.0)


def test_what_was_sent_to_a_destination_is_kept_with_its_age(ledger: Ledger, clock: Clock) -> None:
    assert ledger.rate_usage("http://x") == {}
    usage = {"requests/86400s": [(50.0, 3.0), (-2.5, 1.0)], "bytes/60s": []}
    ledger.save_rate_usage("http://x", usage)
    clock.now += 10
    assert ledger.rate_usage("http://x") == {"requests/86400s": [(60.0, 3.0), (7.5, 1.0)], "bytes/60s": []}
    assert ledger.rate_usage("http://y") == {}
    ledger.save_rate_usage("http://x", {"bytes/60s": [(0.0, 9.0)]})
    assert ledger.rate_usage("http://x") == {"bytes/60s": [(0.0, 9.0)]}


def test_schedules_and_notifications_are_kept_and_move_with_the_name(ledger: Ledger) -> None:
    assert (ledger.last_fired("c"), ledger.is_failing("c"), ledger.last_digest("c")) == (None, False, 0.0)
    ledger.mark_fired("c", 5.0)
    ledger.set_failing("c", failing=True)
    ledger.mark_digest("c", 7.0)
    ledger.rename("c", "d")
    assert (ledger.last_fired("c"), ledger.is_failing("c"), ledger.last_digest("c")) == (None, False, 0.0)
    assert (ledger.last_fired("d"), ledger.is_failing("d"), ledger.last_digest("d")) == (5.0, True, 7.0)
    ledger.set_failing("d", failing=False)
    assert not ledger.is_failing("d")


# Locks, and opening it again.


def test_a_lock_is_the_connector_s_alone_and_is_free_afterwards(ledger: Ledger, history: History) -> None:
    state = begun(ledger)
    ledger.commit(state, Changes(planned=1))
    with ledger.lock("c"):
        assert history.run(1)["state"] == "running"
        assert history.unfinished_runs() == []
        with pytest.raises(Locked, match="^c is running already"):
            ledger.lock("c").__enter__()
        with ledger.lock("d"):
            pass
    assert history.run(1)["state"] == "interrupted"
    with ledger.lock("c"):
        pass


def test_a_ledger_that_is_opened_again_has_the_same_secret_and_runs(
    ledger: Ledger, ledgers: Implementation, tmp_path: Path
) -> None:
    ledger.commit(begun(ledger), Changes(planned=1))
    other = ledgers.ledger(tmp_path)
    assert (len(other.key_secret), other.key_secret == ledger.key_secret) == (32, True)
    assert resumable(other).id == 1
    assert begun(other).generation == 2
    other.close()
