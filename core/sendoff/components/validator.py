"""Validators: checks of rows that passed the schema."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from sendoff.components.component import Component
from sendoff.errors import PluginCrash


class Validator(Component, ABC):
    """Marks rows of a frame invalid that passed the schema."""

    kind = "validators"

    def start(self) -> None:
        """A pass over the source begins; forget what earlier passes have seen."""

    @abstractmethod
    def validate(self, frame: pl.DataFrame) -> Iterable[tuple[int, str]]:
        """Yield the invalid rows: index and reason. Frames come in order, each once."""


class RecordValidator(Validator):
    """A validator that looks at one record at a time: easy to write, slower to run."""

    def validate(self, frame: pl.DataFrame) -> Iterable[tuple[int, str]]:
        for index, record in enumerate(frame.iter_rows(named=True)):
            try:
                reason = self.check(record)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                raise PluginCrash.of(error, self, row=index) from error
            if reason is not None:
                yield index, reason

    @abstractmethod
    def check(self, record: Mapping[str, Any]) -> str | None:
        """Return None for a good record, else the reason it is invalid."""
