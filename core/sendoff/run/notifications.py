"""Notifications: of every failure, of the first complete run after one, and digests."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sendoff.cleaning import clean
from sendoff.components import Notification
from sendoff.config.connector import Connector
from sendoff.errors import Interrupted, Locked, PluginCrash, SendoffError
from sendoff.ledger import Ledger
from sendoff.monitoring.report import Report

_log = logging.getLogger("sendoff")

Event = Literal["failure", "recovery", "digest"]


def notify_after(ledger: Ledger, chosen: Connector, came: Report | SendoffError) -> list[str]:
    """Notify of a run's outcome, if it changes anything. Returns what went wrong in notifying.

    A run that was interrupted, or that another process was already running, is not a failure.
    """
    if (
        not chosen.notifiers
        or isinstance(came, Locked | Interrupted)
        or (isinstance(came, Report) and came.state == "interrupted")
    ):
        return []
    failing = ledger.is_failing(chosen.name)
    if isinstance(came, Report) and came.state == "complete":
        if not failing:
            return []
        troubles = notify(chosen, "recovery", came.sentence(), [came.as_dict()])
        ledger.set_failing(chosen.name, failing=False)
        return troubles
    sentence, runs = (came.sentence(), [came.as_dict()]) if isinstance(came, Report) else (str(came), [])
    ledger.set_failing(chosen.name, failing=True)
    return notify(chosen, "failure", sentence, runs)


def digest(chosen: Connector, runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Notify of all these runs at once. Returns what went wrong in notifying."""
    delivered, failed = sum(run["delivered"] for run in runs), sum(run["rejected"] + run["invalid"] for run in runs)
    well = sum(run["state"] == "complete" for run in runs)
    accepted = sum(run["accepted"] for run in runs)
    only = f" ({accepted:,} accepted only)" if accepted else ""
    sentence = f"{len(runs):,} runs, {well:,} of them complete: {delivered:,} records delivered{only}, {failed:,} not"
    return notify(chosen, "digest", sentence, runs)


def notify(chosen: Connector, event: Event, sentence: str, runs: Sequence[Mapping[str, object]]) -> list[str]:
    """Send a notification to every notifier that wants such an event. Returns what went wrong."""
    redacted = clean(chosen.secrets.redact(sentence))
    notice = Notification(event, chosen.name, redacted, [_redacted(chosen, run) for run in runs])
    troubles = []
    for notifier in chosen.notifiers:
        if event not in notifier.on:
            continue
        try:
            notifier.notify(notice)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            said = f"notify: {notifier.name}: {error}" if isinstance(error, SendoffError) else PluginCrash.of(error, notifier)
            troubles.append(clean(chosen.secrets.redact(f"{chosen.name}: {said}")))
            _log.debug(chosen.secrets.redact("".join(traceback.format_exception(error)).rstrip()))
    return troubles


def _redacted(chosen: Connector, run: Mapping[str, object]) -> dict[str, object]:
    return {name: clean(chosen.secrets.redact(value)) if isinstance(value, str) else value for name, value in run.items()}
