"""Schedulers: other programs that start runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sendoff.components.component import Component


@dataclass(frozen=True, slots=True)
class ScheduledJob:
    """What another scheduler is to start: a connector's run, by its cron expression in its time zone."""

    connector: str
    cron: str
    timezone: str
    #: ``run_once`` or ``skip``: what happens to missed runs.
    missed: str
    #: The project's directory; the words that start sendoff from anywhere; and its options on this machine.
    home: Path
    program: Sequence[str]
    options: Sequence[str] = ()
    #: The variables that the connector names, each with whether it must be set; and the file that sets them.
    variables: Mapping[str, bool] = field(default_factory=dict)
    env_file: Path | None = None
    #: Where the ledger is, and who owns the project.
    state: Path | None = None
    user: str = ""

    def run(self, *, due: bool = False, grace: int | None = None) -> list[str]:
        """The words after sendoff and its options: they run the connector, or with `due` only if its schedule says so."""
        late = ["--grace", str(grace)] if grace is not None else []
        return ["run", *(["--due", *late] if due else []), self.connector, "--quiet"]


class Scheduler(Component, ABC):
    """Another program that starts runs on a schedule: what `sendoff schedule export` writes for it."""

    kind = "schedulers"

    @abstractmethod
    def export(self, job: ScheduledJob) -> Mapping[str, str]:
        """The files, by name, that make it run a connector when its schedule says so."""
