"""What a row is known by, as `incremental` in a connector file says it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sendoff import jsonlib
from sendoff.errors import ConfigError
from sendoff.ledger import DeliveredRow, FilterSummary


@dataclass(frozen=True, slots=True)
class IncrementalRule:
    """What `incremental` says: what a row is known by, and what becomes of those that changed or went away."""

    #: The fields that identify a row; without any, all its values do.
    key: tuple[str, ...]
    initial_load: Literal["send", "skip"]
    #: The fields that count in comparing two states of a row; None: all columns of the source.
    columns: tuple[str, ...] | None
    #: Whether a row whose key is known is sent again when it is not what it was.
    resend: bool = False
    #: Whether rows that were removed from the source are sent.
    removed: bool = False
    #: The largest share of the known rows that may be missing before it is taken for a fault of the source.
    max_removed_share: float = 0.5

    def check(self, known_by: tuple[str, str]) -> bool:
        """Whether the rows are known by other columns than before. Raises `ConfigError` where that cannot be bridged."""
        key, columns = known_by
        way_out = "`sendoff reset` starts over, as initial_load says"
        if jsonlib.dumps(self.key) != key:
            raise ConfigError(f"incremental.key was {key} so far, and its rows are known by that; change it back, or {way_out}")
        if self.written_columns == columns:
            return False
        if not self.key:
            raise ConfigError(
                f"incremental knows rows by all their columns, and these were {columns} so far; all rows would be new. "
                f"Give it a key, or {way_out}"
            )
        return True

    @property
    def written_columns(self) -> str:
        # Without a use for them the states of rows are not kept: to ask for them later is as another set of columns.
        columns = None if self.columns is None else sorted(self.columns)
        return jsonlib.dumps(columns if self.resend or not self.key else [])

    def summarize(self, unchanged: int, to_remember: Iterable[DeliveredRow]) -> FilterSummary:
        """What the ledger notes of a run whose rows were chosen by this rule."""
        return FilterSummary(jsonlib.dumps(self.key), self.written_columns, self.written(), unchanged, to_remember)

    def written(self) -> str:
        """What the ledger keeps, to settle a run by the rule it began with."""
        return jsonlib.dumps({"key": self.key, "columns": self.columns, "resend": self.resend, "removed": self.removed})

    @classmethod
    def read(cls, text: str) -> IncrementalRule:
        """The rule from what the ledger kept, as far as settling needs it."""
        kept: Mapping[str, Any] = jsonlib.loads(text)
        columns = kept["columns"]
        return cls(tuple(kept["key"]), "send", None if columns is None else tuple(columns), kept["resend"], kept["removed"])
