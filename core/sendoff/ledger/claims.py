"""Failed records by name, and what became of them.

A failed record is named by the run in which it failed first: ``12-rejected-345``. Through retries of retries it
keeps that name, since nothing else about it stays: its row, its run and its values change. The letters keep
spreadsheets from reading the name as a number, a date or a time.

A claim holds only if the run that made it has planned something or has ended. One that was killed or stopped before
that sent nothing and is never resumed, so what it claimed is still open.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

#: The states of a run that may be resumed, if it planned something.
UNFINISHED = ("running", "stopped", "interrupted")

_NAME = re.compile(r"([1-9][0-9]{0,17})-(invalid|rejected)-(0|[1-9][0-9]{0,17})", re.ASCII)


class RecordKey(NamedTuple):
    """A failed record's place in the ledger: a rejected one's ordinal, or an invalid one's row number."""

    run: int
    kind: str
    position: int

    def __str__(self) -> str:
        return f"{self.run}-{self.kind}-{self.position}"


class Fate(NamedTuple):
    """What became of a failed record: it is open in a run, or dismissed there, or a run delivered it, or one has it pending."""

    state: Literal["open", "dismissed", "delivered", "pending"]
    run: int
    #: Its place in the run where it is open or dismissed.
    key: RecordKey | None = None


class Claim(NamedTuple):
    """A failed record that a retry claims, and which of the retry's rows it is; None: it was delivered in the meantime."""

    key: RecordKey
    row: int | None


def parse_name(text: str) -> RecordKey | None:
    """The record that a name stands for; None if the text is not such a name."""
    match = _NAME.fullmatch(text)
    return RecordKey(int(match[1]), match[2], int(match[3])) if match else None
