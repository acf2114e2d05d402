"""What `incremental` remembers of the rows that a connector has delivered, and how it chose those of a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


class DeliveredRow(NamedTuple):
    """A delivered row: a digest of its key, one of its values, and its key cells as JSON, if kept."""

    key: bytes
    state: bytes
    key_cells: str | None = None
    #: Whether it was delivered as removed, so that its entry is deleted.
    is_removed: bool = False


@dataclass(frozen=True, slots=True)
class FilterSummary:
    """How a run's rows were chosen: the rule, how many rows were unchanged, and rows to remember at its start."""

    key: str
    columns: str
    rule: str
    unchanged: int
    to_remember: Iterable[DeliveredRow] = ()
