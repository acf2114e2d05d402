"""How a source of text writes numbers and booleans, where that is not as JSON has them.

It applies to the cells of fields of such types only: in text, as of a phone number or a code, every character is meant.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

NUMERIC = frozenset({"integer", "float", "number", "decimal"})


@dataclass(frozen=True, slots=True)
class Notation:
    """What separates the decimals and the thousands of numbers, and the words for true and false beside JSON's."""

    decimal: str = "."
    thousands: str = ""
    true_values: Sequence[str] = ()
    false_values: Sequence[str] = ()

    @property
    def _number(self) -> str:
        groups = rf"[1-9][0-9]{{0,2}}(?:{re.escape(self.thousands)}[0-9]{{3}})+|" if self.thousands else ""
        return rf"-?(?:{groups}0|[1-9][0-9]*)(?:{re.escape(self.decimal)}[0-9]+)?(?:[eE][+-]?[0-9]+)?"

    @property
    def _words(self) -> dict[str, str]:
        return {**dict.fromkeys(self.true_values, "true"), **dict.fromkeys(self.false_values, "false")}

    def read(self, text: str, type_name: str) -> str:
        """A cell as JSON writes it; raises ValueError with a sentence for one that is no number in this notation."""
        if type_name == "boolean":
            return self._words.get(text, text)
        if not re.fullmatch(self._number, text):
            raise ValueError(f"must be a number like 1{self.thousands}234{self.decimal}5")
        plain = text.replace(self.thousands, "") if self.thousands else text
        return plain.replace(self.decimal, ".")

    def compile(self, cells: pl.Expr, type_name: str) -> pl.Expr:
        """The expression that does as `read`; null for a cell that is no number."""
        if type_name == "boolean":
            return cells.replace(self._words) if self._words else cells
        plain = cells.str.replace_all(self.thousands, "", literal=True) if self.thousands else cells
        return pl.when(cells.str.contains(rf"\A(?:{self._number})\z")).then(plain.str.replace(self.decimal, ".", literal=True))

    def write(self, number: str) -> str:
        """A JSON number as a cell in this notation."""
        return number.replace(".", self.decimal)
