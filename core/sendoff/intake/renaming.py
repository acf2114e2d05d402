"""Runs whose connector is gone: said, moved to another connector, or discarded."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from sendoff.config.discovery import check_name
from sendoff.errors import ConfigError, LedgerError
from sendoff.ledger import History, Ledger


def orphans(history: History, files: Mapping[str, Path]) -> list[str]:
    """A sentence for each unfinished run whose connector is not there any more, with the commands that go on.

    None for a ledger that cannot be read: whatever needs it says why.
    """
    with suppress(LedgerError):
        return [
            f"run {run} of {name!r} is unfinished, and there is no connector {name}; `sendoff rename {name} NEW` moves it to "
            f"the connector NEW, `sendoff delete {name}` discards the rest of it"
            for run, name in history.unfinished_runs()
            if name not in files
        ]
    return []


def hint(history: History, name: str) -> str:
    """What to do with the runs of a connector that is not there; "" if there are none."""
    with suppress(LedgerError, ConfigError):
        if runs := history.runs(name):
            kept, moved = ("its run is", "it") if len(runs) == 1 else (f"its {len(runs):,} runs are", "them")
            return f"; {kept} in the ledger, and `sendoff rename {name} NEW` moves {moved} to the connector NEW"
    return ""


def rename(ledger: Ledger, old: str, new: str, files: Mapping[str, Path]) -> int:
    """Move a connector's file and history to a new name; only the history where the file was renamed already.

    Returns how many runs were moved. The file is first: if that is all that happens, it can be done again.
    """
    problem = check_name(new)
    if problem:
        raise ConfigError(problem)
    with ledger.lock(old), ledger.lock(new):
        if old in files and new in files:
            raise ConfigError(f"there is a connector {new} already: {files[new]}")
        if old not in files and not ledger.has_history(old):
            raise ConfigError(f"there is no connector {old}, and no run of one")
        if old not in files and new not in files:
            raise ConfigError(f"there is neither a connector {old} nor a connector {new} that its runs could be moved to")
        if ledger.has_history(new):
            raise ConfigError(
                f"{new} has runs of its own, so those of {old} cannot be moved to it; "
                f"to finish them give the file its old name back, or discard what is unfinished with `sendoff delete {old}`"
            )
        if old in files:
            files[old].rename(files[old].with_stem(new))
        return ledger.rename(old, new)
