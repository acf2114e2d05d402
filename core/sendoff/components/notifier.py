"""Notifiers: who is notified of how runs went, and of what."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sendoff.components.component import Component
from sendoff.transport.egress import Mode


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification: of a failure, of a recovery, or a digest (summary) of all runs since the last one."""

    event: Literal["failure", "recovery", "digest"]
    #: The connector, and the summary in one sentence.
    connector: str
    sentence: str
    #: The runs it is about, as ``sendoff run --json`` shows them.
    runs: Sequence[Mapping[str, Any]]


class Notifier(Component, ABC):
    """Notifies somebody of how runs went. An error in notifying does not change the run."""

    kind = "notifiers"
    options = {
        "on": {
            "type": "list", "schema": {"type": "string", "allowed": ["failure", "recovery", "digest"]},
            "default": ["failure", "recovery"],
            "meta": {"help": "Of what: `failure`, `recovery` (the first good run after one), `digest` (by `sendoff digest`)."},
        }
    }  # fmt: skip
    on: Sequence[str]
    #: Which addresses it may dial, if it dials any.
    egress: Mode = "configured"

    @abstractmethod
    def notify(self, notification: Notification) -> None:
        """Send it. Raise any exception if it could not be sent: a warning is shown, and the run is not affected."""
