"""Failed records that their owner gives up, and takes back."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sendoff.config.connector import Connector
from sendoff.errors import ConfigError
from sendoff.incremental import as_delivered, as_undelivered
from sendoff.intake import retries
from sendoff.ledger import DeliveredRow, History, Ledger
from sendoff.ledger.history import pages_of

_DISMISS = "sendoff failed {} --dismiss"


def dismiss(ledger: Ledger, history: History, chosen: Connector, run: int, only: Collection[str] | None) -> int:
    """Dismiss open failed records of a run: all, or `only` some, by name. With `incremental` they count as delivered.

    Returns how many. Raises `ConfigError` if there are none, and for a name that is not one of an open record.
    """
    retries.refuse_void(history, run)
    names = None if only is None else retries.named_keys(history, run, only, command=_DISMISS)
    keys = history.failed_keys(run, only=names)
    if not keys:
        raise ConfigError(retries.why_nothing(history, run, command=_DISMISS))
    rows: Iterable[DeliveredRow] = ()
    if chosen.incremental is not None and ledger.delivered_rows(chosen.name).known_by:
        rows = as_delivered(chosen.incremental, pages_of(history.failed_records(run, only=set(keys))))
    ledger.dismiss(chosen.name, keys, rows)
    return len(keys)


def reopen(ledger: Ledger, history: History, chosen: Connector, run: int, only: Collection[str] | None) -> int:
    """Take the dismissal of failed records of a run back: of all, or of `only` some. What was delivered since then stays so.

    Returns how many. Raises `ConfigError` if there are none, and for a name that is not one of a dismissed record.
    """
    names = None if only is None else retries.named_keys(history, run, only, state="dismissed")
    keys = history.failed_keys(run, dismissed=True, only=names)
    if not keys:
        raise ConfigError(f"no failed record of run {run} is dismissed")
    rows: Iterable[DeliveredRow] = ()
    known = ledger.delivered_rows(chosen.name)
    if chosen.incremental is not None and known.known_by:
        pages = pages_of(history.failed_records(run, dismissed=True, only=set(keys)))
        rows = as_undelivered(chosen.incremental, known, pages)
    ledger.reopen(chosen.name, keys, rows)
    return len(keys)
