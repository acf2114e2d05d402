"""Many records a request, as CSV."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any

import polars as pl

from sendoff.plugin import MAX_BYTES, MAX_RECORD_BYTES, MAX_RECORDS, Block, Sender, TypedPage, hookimpl, option


def check_delimiter(field: str, value: Any, error: Callable[[str, str], None]) -> None:
    """Cerberus's `check_with` for a delimiter."""
    if isinstance(value, str) and (len(value) != 1 or value in '"\r\n'):
        error(field, "is one character, and neither a quote nor a line break")


class Csv(Sender):
    """Send records together as CSV (RFC 4180), in UTF-8, with the names in the first line of each request."""

    name = "csv"
    separator, suffix, multiline = b"\n", b"\n", True
    content_type = "text/csv; charset=utf-8"
    options = {
        "max_records": MAX_RECORDS,
        "max_bytes": MAX_BYTES,
        "max_record_bytes": MAX_RECORD_BYTES,
        "columns": option(
            "The fields, by the names they are sent with, in their order. By default those of the schema.",
            type="list", schema={"type": "string"}, minlength=1, nullable=True, default=None,
        ),
        "header": option("Whether the first line has the names.", type="boolean", default=True),
        "delimiter": option("What stands between two values.", type="string", default=",", check_with=check_delimiter),
        "null": option("What stands for a null. A text that looks the same is put in quotes.", type="string", default=""),
        "crlf": option("Whether lines end in CR LF, and not in LF.", type="boolean", default=False),
    }  # fmt: skip

    columns: Sequence[str] | None
    header: bool
    delimiter: str
    null: str
    crlf: bool

    def start(self, fields: Sequence[str]) -> None:
        """Settle the columns, and write their names. Raises ValueError where nothing says which they are, or for `null`."""
        if not set(self.null).isdisjoint(f'"\r\n{self.delimiter}'):
            raise ValueError(f"null: {self.null!r} has the delimiter, a quote or a line break in it; use a word, like NULL")
        for name in self.columns or ():
            if fields and name not in fields:
                close = get_close_matches(name, fields, 1)
                hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(fields)}"
                raise ValueError(f"columns: no field is sent as {name!r}; {hint}")
        self._columns = self.columns or fields
        self.needs = self.columns or ()
        if not self._columns:
            raise ValueError("csv needs `columns`, as no schema says which fields there are")
        self._end = "\r" if self.crlf else ""
        self._to_quote = f'["\r\n{re.escape(self.delimiter)}]'
        if self.header:
            names = pl.DataFrame({str(at): [name] for at, name in enumerate(self._columns)})
            self.prefix = (self._lines(names).item() + "\n").encode()

    def write(self, page: TypedPage) -> Block:
        """Write a line for each record: text as it is, everything else as its JSON."""
        texts = page.texts()
        nulls = pl.Series([None], dtype=pl.String).new_from_index(0, texts.height)
        cells = [(texts[name] if name in texts.columns else nulls).alias(str(at)) for at, name in enumerate(self._columns)]
        return self.block(self._lines(pl.DataFrame(cells)))

    def _lines(self, cells: pl.DataFrame) -> pl.Series:
        line = pl.concat_str([self._cell(pl.col(name)) for name in cells.columns], separator=self.delimiter)
        seen = pl.when(line == "").then(pl.lit('""')).otherwise(line)  # a line without anything is no record
        return cells.select(pl.concat_str([seen, pl.lit(self._end)])).to_series()

    def _cell(self, cell: pl.Expr) -> pl.Expr:
        quoted = pl.concat_str([pl.lit('"'), cell.str.replace_all('"', '""', literal=True), pl.lit('"')])
        bare = pl.when((cell == self.null) | cell.str.contains(self._to_quote)).then(quoted).otherwise(cell)
        return pl.when(cell.is_null()).then(pl.lit(self.null)).otherwise(bare)


@hookimpl
def sendoff_senders() -> list[type[Sender]]:
    return [Csv]
