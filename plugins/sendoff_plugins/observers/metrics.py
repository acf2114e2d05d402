"""Counts for Prometheus, in a file that node-exporter's textfile collector reads."""

import os
import time
from pathlib import Path

from sendoff.plugin import Event, Observer, Report, RunEnded, RunInfo, hookimpl

_COUNTS = ("read", "delivered", "accepted", "invalid", "rejected", "pending", "requests", "retries", "bytes")


class Metrics(Observer):
    """Write a run's counts to a file in the Prometheus text format when it ends."""

    name = "metrics"
    options = {
        "file": {"type": "string", "empty": False, "meta": {"help": "The file; it is replaced in one step.", "path": True}},
    }

    file: str

    def on_event(self, run: RunInfo, event: Event) -> None:
        if isinstance(event, RunEnded):
            self._write(run.connector, event.report)

    def _write(self, connector: str, report: Report) -> None:
        counts = report.as_dict()
        lines = [f'sendoff_run_{name}{{connector="{connector}"}} {counts[name]}' for name in _COUNTS]
        lines += [f'sendoff_run_exit_code{{connector="{connector}"}} {report.exit_code}']
        lines += [f'sendoff_run_ended_seconds{{connector="{connector}"}} {time.time():.3f}']
        target = Path(self.home / self.file)
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        draft.unlink(missing_ok=True)  # of a process that was killed, or a link that others put there
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_EXCL | os.O_NOFOLLOW, 0o666), "w") as stream:
            stream.write("\n".join(lines) + "\n")
        draft.replace(target)


@hookimpl
def sendoff_observers() -> list[type[Observer]]:
    return [Metrics]
