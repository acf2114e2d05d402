"""Metrics for Prometheus, in a file that node-exporter's textfile collector reads."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sendoff.plugin import Event, Metrics, Observer, RunEnded, RunInfo, hookimpl

#: Bytes of a file that are read at most to go on from.
_MAX_FILE = 4 << 20


class MetricsFile(Observer):
    """Write metrics to a file in the Prometheus text format, whenever a run ends.

    Counters go on from what the file says, so that they grow from run to run. Connectors may share a file: each replaces its
    own lines.
    """

    name = "metrics"
    per_request = True
    options = {
        "file": {"type": "string", "empty": False, "meta": {"help": "The file; it is replaced in one step.", "path": True}},
    }

    file: str

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._metrics = Metrics()

    def on_event(self, run: RunInfo, event: Event) -> None:
        self._metrics.on_event(run, event)
        if isinstance(event, RunEnded):
            ended, self._metrics = self._metrics, Metrics()
            target = Path(self.home / self.file)
            with _locked(target.parent):
                found = Metrics.read(_text(target))
                ended.merge_into(found)
                _replace(target, found.text())


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other processes that write metrics into this folder waiting."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _text(file: Path) -> str:
    """What a file says; nothing if it is not there, or is a link, which is replaced and not followed."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ""
    with os.fdopen(handle, "rb") as stream:
        return stream.read(_MAX_FILE).decode(errors="replace")


def _replace(target: Path, text: str) -> None:
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)  # of a process that was killed, or a link that others put there
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_EXCL | os.O_NOFOLLOW, 0o666), "w") as stream:
        stream.write(text)
    draft.replace(target)


@hookimpl
def sendoff_observers() -> list[type[Observer]]:
    return [MetricsFile]
