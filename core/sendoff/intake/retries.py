"""Which failed records of a run a retry may claim, and what to say where there are none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Literal

from sendoff.errors import ConfigError
from sendoff.intake.corrections import Corrections
from sendoff.ledger import Fate, History, RecordKey
from sendoff.ledger.history import Resolver, is_void

_RETRY = "sendoff retry {}"


def refuse_void(history: History, run: int) -> None:
    """Raise `ConfigError` for a retry that sent nothing: what it claimed is open where it was before."""
    found = history.run(run)
    if is_void(found):
        parent = found["retry_of"]
        raise ConfigError(f"run {run} sent nothing, and its records are still open in run {parent}: sendoff retry {parent}")


def named_keys(
    history: History, run: int, names: Collection[str], *, state: Literal["open", "dismissed"] = "open", command: str = _RETRY
) -> set[RecordKey]:
    """The failed records of a run with these names. Raises `ConfigError` for a name of a record that is not in that state."""
    found: set[RecordKey] = set()
    resolve = Resolver(history, run)
    for name in names:
        fate = resolve(name)
        if fate is None:
            raise ConfigError(f"no failed record of run {run} is named {name!r}")
        if fate.key is None or (fate.state, fate.run) != (state, run):
            raise ConfigError(f"record {name} is not {state} in run {run}: {'; '.join(_sentences([fate], command))}")
        found.add(fate.key)
    return found


def why_nothing(history: History, run: int, matched: Corrections | None = None, *, command: str = _RETRY) -> str:
    """Why there is nothing to retry or to dismiss, and which command goes on."""
    if matched is not None and not matched.others:
        return f"the corrections name no failed record of run {run}; `sendoff failed {run}` lists them"
    fates = matched.others.values() if matched is not None else history.fates(run).values()
    if not fates:
        return f"run {run} has no failed records"
    of = "of the records in the corrections" if matched is not None else f"of the failed records of run {run}"
    sentences = _sentences(fates, command if matched is None else f"with the same corrections: {command}")
    return f"none {of} is open there: {'; '.join(sentences)}"


def _sentences(fates: Iterable[Fate], command: str) -> list[str]:
    found = []
    for (state, run), count in sorted(Counter((fate.state, fate.run) for fate in fates).items()):
        if state == "open":
            found.append(f"{count:,} failed again in run {run}, {command.format(run)}")
        elif state == "dismissed":
            found.append(f"{count:,} dismissed in run {run}, sendoff failed {run} --reopen takes that back")
        else:
            found.append(f"{count:,} {'delivered' if state == 'delivered' else 'pending'} by run {run}")
    return found
