"""The ledger on SQLite: its tables, its files and its locks."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sendoff import Locked
from sendoff.ledger import CapturedResult, Changes, Chunk, Failure, RequestRecord
from sendoff.ledger.sqlite.ledger import SqliteLedger
from sendoff.ledger.sqlite.locks import is_locked
from sendoff.records import Span
from tests.core.ledger.implementations import Clock


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Iterator[SqliteLedger]:
    opened = SqliteLedger(tmp_path / "s", clock=clock)
    yield opened
    opened.close()


def rows(ledger: SqliteLedger, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
    return [tuple(row) for row in ledger._db.execute(f"SELECT {columns} FROM {table}")]


def test_a_group_is_written_to_the_tables_as_it_is(ledger: SqliteLedger) -> None:
    state = ledger.begin("c", config_digest=b"s", fingerprint=b"f", cursor='{"at": 3}')
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
        (1, "rejected", 7, "f.csv", 9, 400, "400: no", '{"a":1}', 3, 1, 1, None, 1_000.0, "changed", None, 0)
    ]
    assert rows(ledger, "request") == [(1, *sent[:-1], 1_000.0, 0)]
    assert [(*row[:5], json.loads(row[5])) for row in rows(ledger, "result")] == [(1, 0, 5, "f.csv", 2, {"job": "j"})]
    columns = "id, connector, generation, state, retry_of, source, fingerprint, shape, started_at, cursor, planned, read"
    assert rows(ledger, "run", columns) == [(1, "c", 1, "running", None, "connector", b"f", b"s", 1_000.0, '{"at": 3}', 12, 20)]


def test_an_outage_has_the_time_of_its_first_failure_and_no_row_when_it_is_over(ledger: SqliteLedger, clock: Clock) -> None:
    ledger.save_destination_health("http://x", down=True, rest=None)
    clock.now += 10
    ledger.save_destination_health("http://x", down=True, rest=5.0)
    assert rows(ledger, "destination") == [("http://x", 1_000.0, 1_015.0)]
    ledger.save_destination_health("http://x", down=False, rest=None)
    assert rows(ledger, "destination") == []


def test_files_are_their_owner_s_alone(ledger: SqliteLedger) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in ledger.directory.iterdir() if path.is_file()}
    assert modes.items() >= {("ledger.db", 0o600), ("ledger.id", 0o600), ("ledger.lock", 0o600)}
    assert stat.S_IMODE(ledger.directory.stat().st_mode) == 0o700


def test_a_lock_says_who_has_it_and_is_free_afterwards(ledger: SqliteLedger) -> None:
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
