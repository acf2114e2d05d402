"""C20 to C23, D1 to D4, L1 to L3: what can happen to a ledger, and that nothing is sent without one."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sendoff import ConfigError, LedgerError, Locked, Runner
from sendoff.ledger import Changes, Chunk, Failure, state_dir
from sendoff.ledger.sqlite import locks
from sendoff.ledger.sqlite.ledger import SqliteLedger
from sendoff.ledger.sqlite.tables import VERSION
from sendoff.ledger.state import RunState
from sendoff.records import Span
from sendoff.testing import Project, Receiver, Reply


@pytest.fixture(autouse=True)
def closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Closes every ledger a test opens, as a process that ends would."""
    kept: list[SqliteLedger] = []
    original = SqliteLedger.__init__

    def opening(self: SqliteLedger, *args: Any, **settings: Any) -> None:
        original(self, *args, **settings)
        kept.append(self)

    monkeypatch.setattr(SqliteLedger, "__init__", opening)
    yield
    for ledger in kept:
        ledger._db.close()


def begun(directory: Path) -> tuple[SqliteLedger, RunState]:
    ledger = SqliteLedger(directory)
    return ledger, ledger.begin("c", config_digest=b"s", fingerprint=b"f")


def test_what_was_committed_is_there_again(tmp_path: Path) -> None:
    ledger, state = begun(tmp_path / "s")
    failure = Failure("rejected", 7, "f.csv", 9, "400: no", '{"a":1}', 400, 1)
    pieces = [Chunk(0, 10, 10, b"x"), Chunk(10, 20, 1, b"y")]
    ledger.commit(state, Changes(opened=pieces, planned=20, read=25, requests=2))
    ledger.commit(state, Changes(closed=[0], delivered=[Span(0, 7), Span(8, 10), Span(12, 14)], failed=[failure], requests=1))
    ledger.close()
    again = SqliteLedger(tmp_path / "s").unfinished("c")
    assert again
    assert again.chunks == pieces[1:]
    assert list(again.delivered) == [(0, 7), (8, 10), (12, 14)]
    assert list(again.failed) == [(7, 8)]
    assert (again.planned, again.read, again.requests, again.rejected) == (20, 25, 3, 1)


def test_a_commit_is_all_or_nothing(tmp_path: Path) -> None:
    ledger, state = begun(tmp_path / "s")
    ledger.commit(state, Changes(opened=[Chunk(0, 10, 10)], planned=10))
    with pytest.raises(LedgerError, match="nothing more is sent"):
        ledger.commit(state, Changes(closed=[0], opened=[Chunk(5, 6, 1), Chunk(5, 6, 1)], planned=20))
    ledger.close()
    again = SqliteLedger(tmp_path / "s").unfinished("c")
    assert again
    assert [piece.lo for piece in again.chunks] == [0]
    assert again.planned == 10


def test_every_setting_the_promise_rests_on_is_in_force(tmp_path: Path) -> None:
    ledger, _ = begun(tmp_path / "s")

    def pragma(name: str) -> object:
        return ledger._db.execute(f"PRAGMA {name}").fetchone()[0]

    assert pragma("journal_mode") == "wal"
    assert pragma("synchronous") == 2
    assert pragma("trusted_schema") == 0


def test_c20_a_forked_child_cannot_write(tmp_path: Path) -> None:
    ledger, state = begun(tmp_path / "s")
    child = os.fork()
    if child == 0:
        try:
            ledger.commit(state, Changes(requests=1))
        except LedgerError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


OLDER = {
    10: ("ALTER TABLE failed DROP COLUMN dismissed",),
    9: ("DROP TABLE digest_block",),
    8: tuple(f"ALTER TABLE run DROP COLUMN {name}" for name in ("mark", "mark_digest", "quick_fingerprint")),
    7: ("ALTER TABLE run DROP COLUMN accepted",),
    6: ("DROP TABLE rate_usage",),
    5: ("ALTER TABLE request DROP COLUMN maybe_applied",),
    4: ("ALTER TABLE run DROP COLUMN key_name", "ALTER TABLE failed DROP COLUMN retried_as"),
    3: ("UPDATE run SET state = 'abandoned' WHERE state = 'discarded'",),
    2: (
        *(f"ALTER TABLE run DROP COLUMN {name}" for name in ("cursor", "rule", "known", "settled")),
        "ALTER TABLE failed DROP COLUMN change",
        *(f"DROP TABLE {name}" for name in ("memory", "remembered", "schedule", "told")),
    ),
    1: ("ALTER TABLE piece DROP COLUMN apart", *(f"DROP TABLE {name}" for name in ("request", "result", "destination"))),
}


@pytest.mark.parametrize("version", OLDER)
def test_an_older_ledger_is_brought_up_to_date_with_all_that_is_in_it(tmp_path: Path, version: int) -> None:
    ledger = SqliteLedger(tmp_path / "s")
    ledger.discard(ledger.begin("c", config_digest=b"x", fingerprint=b"y"))
    state = ledger.begin("c", config_digest=b"x", fingerprint=b"y")
    ledger.commit(state, Changes(opened=[Chunk(0, 10, 10, b"d")], planned=10, read=10))
    ledger.close()
    with closing(sqlite3.connect(tmp_path / "s/ledger.db")) as db, db:  # as that version made it
        new = columns(db)
        for older, statements in OLDER.items():
            for statement in statements if older >= version else ():
                db.execute(statement)
        db.execute("UPDATE meta SET value = ? WHERE key = 'version'", (version,))
    SqliteLedger(tmp_path / "s").close()
    with closing(sqlite3.connect(tmp_path / "s/ledger.db")) as db:
        assert columns(db) == new
        assert db.execute("SELECT state FROM run ORDER BY id").fetchall() == [("discarded",), ("running",)]
    ledger = SqliteLedger(tmp_path / "s")
    left = ledger.unfinished("c")
    assert left is not None
    assert left.chunks == [Chunk(0, 10, 10, b"d")]
    apart = Chunk(10, 20, 4, b"e", (Span(10, 12), Span(18, 20)))
    ledger.commit(left, Changes(opened=[apart], planned=20))
    again = ledger.unfinished("c")
    assert again is not None
    assert again.chunks[1] == apart
    ledger.close()


def columns(db: sqlite3.Connection) -> list[tuple[str, ...]]:
    query = (
        "SELECT m.name, c.name, c.type, c.dflt_value FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'"
    )
    return sorted(map(tuple, db.execute(query)))


def test_c21_a_newer_ledger_is_refused_with_both_versions(tmp_path: Path) -> None:
    ledger, _ = begun(tmp_path / "s")
    ledger.close()
    db = sqlite3.connect(tmp_path / "s/ledger.db")
    db.execute("UPDATE meta SET value = ? WHERE key = 'version'", (VERSION + 1,))
    db.commit()
    db.close()
    with pytest.raises(LedgerError, match=f"version {VERSION + 1} of the ledger; this one knows {VERSION}"):
        SqliteLedger(tmp_path / "s")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda file: file.unlink(), "is missing; restore it"),
        (lambda file: file.write_bytes(b""), "is empty, and was not before"),
        (lambda file: file.write_bytes(b"junk" * 5_000), "is not a ledger that can be used"),
        (lambda file: file.write_bytes(file.read_bytes()[:5_000]), "is not a ledger that can be used|malformed"),
    ],
    ids=["deleted", "emptied", "overwritten", "truncated"],
)
def test_c22_a_damaged_ledger_is_never_begun_anew_silently(tmp_path: Path, damage: Callable[[Path], object], told: str) -> None:
    ledger, _ = begun(tmp_path / "s")
    ledger.close()
    damage(tmp_path / "s/ledger.db")
    with pytest.raises(LedgerError, match=told):
        SqliteLedger(tmp_path / "s").unfinished("c")


def test_c23_another_ledger_in_its_place_is_noticed(tmp_path: Path) -> None:
    for name in ("a", "b"):
        begun(tmp_path / name)[0].close()
    (tmp_path / "a/ledger.db").replace(tmp_path / "b/ledger.db")
    with pytest.raises(LedgerError, match="is not the ledger that"):
        SqliteLedger(tmp_path / "b")


def test_d1_a_full_disk_stops_the_run_resumably_and_nothing_is_sent_unrecorded(project: Project) -> None:
    # A file-size limit stands in for a full disk: SQLite sees its writes refused in the same place.
    code = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, 120_000)); from sendoff.cli import main; main()"
    )
    with Receiver() as receiver:
        connector = f'source: {{use: csv, path: in.csv}}\ndestination: {{url: "{receiver.url}", concurrency: 4}}\nsend: {{use: batch, max_records: 5}}\n'
        project({"in.csv": "a\n" + "".join(f"{at}\n" for at in range(20_000)), "connectors.d/c.yaml": connector})
        done = subprocess.run([sys.executable, "-c", code, "run"], cwd=project.home, capture_output=True, text=True, timeout=60)
        assert done.returncode == 2, done.stderr
        assert "cannot be written: " in done.stderr
        assert "Traceback" not in done.stderr
        sent_before = len(receiver.requests)
        assert 0 < sent_before < 4_000
        assert project.run("c").delivered == 20_000
        bodies = [request.body for request in receiver.requests]
        assert len(bodies) - len(set(bodies)) <= 2 * 4  # twice the concurrency: docs/guarantees.md


def test_d3_a_state_directory_that_cannot_be_is_told_before_anything_is_sent(project: Project, receiver: Receiver) -> None:
    project(
        {
            "file": "",
            "in.csv": "a\n1\n",
            "connectors.d/c.yaml": f'source: {{use: csv, path: in.csv}}\ndestination: {{url: "{receiver.url}"}}\n',
        }
    )
    with pytest.raises(LedgerError, match="cannot be created"):
        Runner(project.home / "connectors.d", state=project.home / "file/state").run("c")
    assert not receiver.requests


def test_d4_a_network_filesystem_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda1 / ext4 rw 0 0\nserver:/x {tmp_path}/far nfs4 rw 0 0\n")
    assert state_dir.filesystem_type(tmp_path / "far/away", mounts) == "nfs4"
    assert state_dir.filesystem_type(tmp_path / "near", mounts) == "ext4"
    monkeypatch.setattr(state_dir, "filesystem_type", lambda path: "nfs4")
    with pytest.raises(LedgerError, match="network filesystem"):
        SqliteLedger(tmp_path / "s")


def test_an_unfinished_run_of_another_version_is_refused_and_restart_starts_over(project: Project) -> None:
    with Receiver([Reply(401)]) as receiver:
        connector = f'source: {{use: csv, path: in.csv}}\ndestination: {{url: "{receiver.url}"}}\nsend: {{use: batch, max_records: 1}}\n'
        project({"in.csv": "a\n1\n2\n", "connectors.d/c.yaml": connector})
        assert project.run("c").state == "stopped"
        sent_before = len(receiver.requests)
        (file,) = project.home.rglob("ledger.db")
        with closing(sqlite3.connect(file)) as db:
            db.execute("UPDATE run SET shape = x'00'")
            db.commit()
        with pytest.raises(
            ConfigError, match=r"begun by another version of sendoff.*finish the run with that version.*--restart"
        ):
            project.run("c")
        assert len(receiver.requests) == sent_before
        assert project.run("c", restart=True).delivered == 2
        with closing(sqlite3.connect(file)) as db:
            assert db.execute("SELECT state FROM run ORDER BY id").fetchall() == [("discarded",), ("complete",)]


def test_l1_of_1000_starts_at_once_exactly_one_of_each_round_runs(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "s")
    racers, rounds = 20, 50
    for _ in range(rounds):
        together, done = threading.Barrier(racers), threading.Barrier(racers)
        outcomes: list[str] = []

        def race(
            together: threading.Barrier = together, done: threading.Barrier = done, outcomes: list[str] = outcomes
        ) -> None:
            together.wait()
            try:
                with ledger.lock("c"):
                    outcomes.append("ran")
                    done.wait()
            except Locked:
                outcomes.append("locked")
                done.wait()

        threads = [threading.Thread(target=race) for _ in range(racers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["locked"] * (racers - 1) + ["ran"]


def test_l2_a_lock_file_deleted_while_held_does_not_let_a_second_one_stay(tmp_path: Path) -> None:
    ledger, _ = begun(tmp_path / "s")
    with ledger.lock("c"), pytest.raises(Locked, match=f"process {os.getpid()}"), ledger.lock("c"):
        raise AssertionError
    (tmp_path / "s/locks/c.lock").write_text("stale nonsense")
    with ledger.lock("c"):
        pass  # a stale file never blocks


def test_l2_a_lock_on_a_file_deleted_before_it_was_locked_is_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, _ = begun(tmp_path / "s")
    original = locks._open
    deleted: list[Path] = []

    def opened_and_gone(path: Path) -> int:
        fd = original(path)
        if not deleted:
            deleted.append(path)
            path.unlink()
        return fd

    monkeypatch.setattr(locks, "_open", opened_and_gone)
    with ledger.lock("c"), pytest.raises(Locked), ledger.lock("c"):
        raise AssertionError
    assert deleted


def test_l3_two_connectors_share_a_ledger(tmp_path: Path) -> None:
    ledgers = [SqliteLedger(tmp_path / "s") for _ in range(2)]
    states = [ledger.begin(f"c{number}", config_digest=b"", fingerprint=b"") for number, ledger in enumerate(ledgers)]

    def write(ledger: SqliteLedger, state: RunState) -> None:
        for at in range(60):
            ledger.commit(state, Changes(delivered=[Span(at, at + 1)], planned=at + 1))

    threads = [threading.Thread(target=write, args=pair) for pair in zip(ledgers, states, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for ledger in ledgers:
        ledger.close()
    db = sqlite3.connect(tmp_path / "s/ledger.db")
    assert db.execute("SELECT run, lo, hi FROM delivered ORDER BY run").fetchall() == [(1, 0, 60), (2, 0, 60)]
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
