"""A condition every record must meet."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from sendoff.plugin import ConfigError, Validator, hookimpl


class Condition(Validator):
    """Find records invalid for which a condition, written as in SQL's WHERE, is not true."""

    name = "condition"
    options = {
        "where": {"type": "string", "empty": False, "meta": {"help": "The condition, over the fields' outgoing names."}},
        "reason": {"type": "string", "default": "", "meta": {"help": "What to say of a record that fails it."}},
    }

    where: str
    reason: str

    def start(self) -> None:
        try:
            self._met = pl.sql_expr(self.where)
        except pl.exceptions.PolarsError as error:
            raise ConfigError(f"validators: condition: {self.where!r} is not a condition: {error}") from error

    def validate(self, frame: pl.DataFrame) -> Iterator[tuple[int, str]]:
        try:
            met = frame.select(self._met.alias("met")).to_series()
        except pl.exceptions.PolarsError as error:
            raise ConfigError(
                f"validators: condition: {self.where!r} cannot be evaluated for these records: {error}"
            ) from error
        for index in (~met.fill_null(False)).arg_true():
            yield index, self.reason or f"does not meet: {self.where}"


@hookimpl
def sendoff_validators() -> list[type[Validator]]:
    return [Condition]
