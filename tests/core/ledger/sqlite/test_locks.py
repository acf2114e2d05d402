"""Run locks: one process runs a connector, and whoever only looks is in nobody's way."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from sendoff.errors import Locked
from sendoff.ledger.sqlite.locks import TRIES, RunLock, is_locked


def test_looking_whether_a_run_is_under_way_never_refuses_its_start(tmp_path: Path) -> None:
    """The kind: a probe that takes what it looks at. Brother: `runs` and a console that poll, which ask by the same function."""
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            is_locked(tmp_path, "c")

    watchers = [threading.Thread(target=look) for _ in range(2)]
    RunLock(tmp_path, "c").__enter__().__exit__(None, None, None)
    for watcher in watchers:
        watcher.start()
    try:
        for _ in range(300):
            with RunLock(tmp_path, "c"):
                pass
    finally:
        done.set()
        for watcher in watchers:
            watcher.join()


def test_a_lock_that_is_held_on_is_believed_after_a_tenth_of_a_second(tmp_path: Path) -> None:
    waited: list[float] = []
    with RunLock(tmp_path, "c"), pytest.raises(Locked, match=f"in process {os.getpid()}"):
        RunLock(tmp_path, "c", sleep=waited.append).__enter__()
    assert len(waited) == TRIES - 1
    assert sum(waited) == pytest.approx(0.1)


def test_a_look_that_ends_meanwhile_lets_the_run_begin(tmp_path: Path) -> None:
    look = os.open(tmp_path / "c.lock", os.O_RDONLY | os.O_CREAT)
    fcntl.flock(look, fcntl.LOCK_SH)
    with RunLock(tmp_path, "c", sleep=lambda _: os.close(look)):
        assert is_locked(tmp_path, "c")
