"""The state directory is nobody else's: what others could write or lead elsewhere is refused, with the way out."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sendoff import LedgerError
from sendoff.ledger import state_dir
from sendoff.ledger.spool import write
from sendoff.records import pages


def test_what_is_created_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made = state_dir.create(tmp_path / "deep/.sendoff")
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in (made, made / "locks", made / "spool")] == [0o700] * 3


@pytest.mark.parametrize("name", ["", "locks", "spool"])
@pytest.mark.parametrize("mode", [0o777, 0o707, 0o1777])
def test_a_state_directory_in_which_others_can_write_is_refused(tmp_path: Path, name: str, mode: int) -> None:
    made = state_dir.create(tmp_path / ".sendoff")
    (made / name).chmod(mode)
    with pytest.raises(LedgerError, match="others can write in .*; chmod 700 "):
        state_dir.create(made)


def test_one_that_a_group_shares_is_taken(tmp_path: Path) -> None:
    made = state_dir.create(tmp_path / ".sendoff")
    made.chmod(0o770)
    assert state_dir.create(made) == made


@pytest.mark.parametrize("name", ["locks", "spool"])
def test_a_folder_in_it_that_is_a_link_is_refused(tmp_path: Path, name: str) -> None:
    made = state_dir.create(tmp_path / ".sendoff")
    (made / name).rmdir()
    (tmp_path / "elsewhere").mkdir()
    (made / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LedgerError, match=f"{name} is a link, .*; remove it"):
        state_dir.create(made)


def test_the_state_directory_itself_may_be_a_link_of_its_owner(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / ".sendoff").symlink_to(tmp_path / "disk")
    state_dir.create(tmp_path / ".sendoff")
    assert (tmp_path / "disk/spool").is_dir()


@contextmanager
def as_user(uid: int) -> Iterator[None]:
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def volume() -> Iterator[Path]:
    """A directory that every user can reach."""
    with tempfile.TemporaryDirectory(prefix="sendoff-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_one_of_another_user_is_refused(volume: Path) -> None:
    made = state_dir.create(volume / ".sendoff")
    for path in (made, made / "locks", made / "spool"):
        os.chown(path, 1001, -1)
        path.chmod(0o775)
    with as_user(1000), pytest.raises(LedgerError, match=r"belongs to another user \(uid 1001\); chown it"):
        state_dir.create(made)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_root_takes_one_of_another_user_as_in_a_container_over_a_mount(volume: Path) -> None:
    os.chown(volume, 1000, -1)
    assert state_dir.create(volume) == volume


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_volume_in_which_all_can_write_is_used_by_a_folder_in_it(volume: Path) -> None:
    volume.chmod(0o777)
    with as_user(1000):
        with pytest.raises(LedgerError, match=f"chmod 700 {volume}, or use a folder in it: --state {volume}/sendoff$"):
            state_dir.create(volume)
        state_dir.create(volume / "sendoff")


def test_a_spool_is_written_to_a_file_of_its_own_and_not_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("theirs")
    (tmp_path / f"1.{os.getpid()}.draft").symlink_to(victim)
    write(tmp_path / "1.spool", pages([{"a": 1}]))
    assert victim.read_text() == "theirs"
    assert not (tmp_path / "1.spool").is_symlink()
