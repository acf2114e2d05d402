"""Schedulers: other programs that start runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
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
    #: The project's directory, and the command that starts sendoff.
    home: Path
    program: str


class Scheduler(Component, ABC):
    """Another program that starts runs on a schedule: what `sendoff schedule export` writes for it."""

    kind = "schedulers"

    @abstractmethod
    def export(self, job: ScheduledJob) -> Mapping[str, str]:
        """The files, by name, that make it run a connector when its schedule says so."""
