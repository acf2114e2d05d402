"""No two records with the same key in one delivery."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from sendoff.plugin import Validator, hookimpl


class Unique(Validator):
    """Find records invalid whose key was seen before in the same delivery."""

    name = "unique"
    options = {
        "fields": {
            "type": "list", "schema": {"type": "string"}, "minlength": 1,
            "meta": {"help": "The fields that make up the key, by their outgoing names. Seen keys are kept in memory."},
        }
    }  # fmt: skip

    fields: list[str]

    def start(self) -> None:
        self._seen: set[tuple[Any, ...]] = set()

    def validate(self, frame: pl.DataFrame) -> Iterator[tuple[int, str]]:
        for index, key in enumerate(frame.select(self.fields).iter_rows()):
            if key in self._seen:
                yield index, f"{', '.join(self.fields)}: seen before in this delivery"
            self._seen.add(key)


@hookimpl
def sendoff_validators() -> list[type[Validator]]:
    return [Unique]
