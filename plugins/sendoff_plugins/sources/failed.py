"""Read what another connector could not deliver."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby, islice
from typing import Any

import polars as pl

from sendoff.plugin import (
    PAGE_ROWS,
    FailureRow,
    History,
    Page,
    Source,
    SourceError,
    added_columns,
    failed_fields,
    hookimpl,
    location,
    open_history,
    pages_of_mappings,
)

#: The columns that a record gets, with an underscore before them; two, where a record of its run has a field of such a name.
ADDED = ("record", "reason", "status", "row", "run")


class Failed(Source):
    """Read the failed records of another connector, each once: a dead-letter API or file is a connector of its own.

    A record has its own fields, and beside them `_record` (the name it keeps through all retries), `_reason`, `_status`, `_row`
    (its file and line) and `_run`. What a retry has delivered, or is under way with, is left out, and what is dismissed.
    The other connector may run meanwhile.
    """

    name = "failed"
    privileged = "reads the records of another connector"
    options = {
        "connector": {"type": "string", "minlength": 1, "meta": {"help": "The connector whose failed records are read."}},
        "kinds": {
            "type": "list", "schema": {"type": "string", "allowed": ["invalid", "rejected"]}, "minlength": 1,
            "default": ["invalid", "rejected"],
            "meta": {"help": "Which: those that its schema refused (`invalid`), those that its API did (`rejected`)."},
        },
    }  # fmt: skip
    kinds: list[str]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # `connector` is what every source calls its own connector.
        self._other = self.connector

    def columns(self) -> Iterable[tuple[str, Sequence[str]]]:
        """None are known before reading; but whether there is such another connector is. Raises `SourceError` if not."""
        self._runs()
        return ()

    def read(self, cursor: Any) -> Iterator[Page]:
        history, runs = self._runs()
        taken = _Taken(cursor or {}, runs)
        for run in sorted(set(runs) & set(history.open_failures())) if runs else []:
            still_open = set(history.failed_keys(run))
            rows = (
                row
                for row in history.failures(run)
                if row["kind"] in self.kinds and (run, row["kind"], row["position"]) in still_open and taken.add(row["name"])
            )
            yield from _pages(rows, added_columns(failed_fields(history, run), ADDED), self.max_columns)
        self.next_cursor = taken.as_json()

    def _runs(self) -> tuple[History, list[int]]:
        """The other connector's runs, and the history that they are in."""
        if self._other == self.connector:
            raise SourceError(f"failed: {self._other} cannot be its own source; `sendoff retry` sends its failed records again")
        history = open_history(self.state or self.home / ".sendoff")
        runs = [run["id"] for run in history.runs(self._other)] if history.exists() else []
        if not runs and not self._is_known():
            raise SourceError(f"failed: no connector is named {self._other!r}, and none of that name has run")
        return history, runs

    def _is_known(self) -> bool:
        folder = (self.file_access and self.file_access.connectors) or self.home / "connectors.d"
        return any(folder.glob(f"**/{self._other}.y*ml"))


class _Taken:
    """The names of the records that were read: by run and kind, ranges of their numbers."""

    def __init__(self, cursor: Mapping[str, Iterable[tuple[int, int]]], runs: Iterable[int]) -> None:
        known = {str(run) for run in runs}  # what is of a run that is gone can never come again
        self._numbers = {
            group: {number for lo, hi in ranges for number in range(lo, hi)}
            for group, ranges in cursor.items()
            if group.partition("-")[0] in known
        }

    def add(self, name: str) -> bool:
        """Take a record, if it has a name already and was not taken before."""
        group, _, number = name.rpartition("-")
        numbers = self._numbers.setdefault(group, set())
        if not group or int(number) in numbers:
            return False
        numbers.add(int(number))
        return True

    def as_json(self) -> dict[str, list[list[int]]]:
        """The cursor."""
        found: dict[str, list[list[int]]] = {}
        for group, numbers in self._numbers.items():
            for number in sorted(numbers):
                ranges = found.setdefault(group, [])
                if ranges and ranges[-1][1] == number:
                    ranges[-1][1] = number + 1
                else:
                    ranges.append([number, number + 1])
        return found


def _pages(rows: Iterable[FailureRow], added: Mapping[str, str], max_columns: int) -> Iterator[Page]:
    for (file, text), group in groupby(rows, lambda row: (row["file"], bool(row["text"]))):
        while batch := list(islice(group, PAGE_ROWS)):
            lines = [row["line"] for row in batch]
            for page in pages_of_mappings(
                [_with_columns(row, added) for row in batch], file=file, lines=lines, max_columns=max_columns
            ):
                yield replace(page, frame=page.frame.cast(pl.String) if text else page.frame, all_text=text)


def _with_columns(row: FailureRow, added: Mapping[str, str]) -> dict[str, object]:
    """A record with the columns that say what became of it."""
    values = (row["name"], row["reason"], row["status"], location(row["file"], row["line"]), row["run"])
    return {**row["record"], **{added[name]: value for name, value in zip(ADDED, values, strict=True)}}


@hookimpl
def sendoff_sources() -> list[type[Source]]:
    return [Failed]
