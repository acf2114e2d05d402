"""The state directory: private (0700) and durable."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from sendoff.errors import LedgerError

_REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "fuse.sshfs", "fuse.s3fs"})


def create(directory: Path) -> Path:
    """Create the state directory (0700) and its subdirectories, so that they survive a power cut.

    Raises `LedgerError` if that fails, if others may write there, or if it is on a network filesystem.
    """
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        (directory / "locks").mkdir(mode=0o700, exist_ok=True)
        (directory / "spool").mkdir(mode=0o700, exist_ok=True)
        for path in {directory, *(path.parent for path in missing)}:
            sync_directory(path)
    except OSError as error:
        raise LedgerError(f"the state directory {directory} cannot be created: {error.strerror}") from None
    for path in (directory, directory / "locks", directory / "spool"):
        _check_owner(path, is_whole=path is directory)
    if not os.access(directory, os.W_OK):
        raise LedgerError(f"the state directory {directory} cannot be written to")
    filesystem = filesystem_type(directory)
    if filesystem in _REMOTE:
        raise LedgerError(
            f"{directory} is on a network filesystem ({filesystem}), where a ledger is not safe; "
            "choose a local one with --state"
        )
    return directory


def _check_owner(path: Path, *, is_whole: bool) -> None:
    """Raise `LedgerError` for a directory in which others decide what is there: records would be written where they say.

    `is_whole` is the state directory itself, which may be a link. Root may use another user's, as with a volume that a
    container has from outside.
    """
    if not is_whole and path.is_symlink():
        raise LedgerError(f"{path} is a link, and records would be written to where it leads; remove it")
    state = path.stat()
    if os.geteuid() != 0 and state.st_uid not in (0, os.geteuid()):
        raise LedgerError(f"{path} belongs to another user (uid {state.st_uid}); chown it, or choose another by --state")
    if state.st_mode & stat.S_IWOTH:
        beside = f", or use a folder in it: --state {path / 'sendoff'}" if is_whole else ""
        raise LedgerError(f"others can write in {path}; chmod 700 {path}{beside}")


def sync_directory(path: Path) -> None:
    """Make a directory's entries durable (fsync)."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def filesystem_type(path: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """The type of filesystem that a path is on, per /proc/mounts; "" where that cannot be read."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return ""
    resolved = path.resolve()
    deepest, best_match = -1, ""
    for line in lines:
        _, mount, filesystem, *_ = line.split(" ")
        point = Path(mount.replace("\\040", " "))
        if (resolved == point or point in resolved.parents) and len(point.parts) > deepest:
            deepest, best_match = len(point.parts), filesystem
    return best_match
