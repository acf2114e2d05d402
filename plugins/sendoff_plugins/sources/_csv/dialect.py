"""How a CSV file is written: the options that say it, and what a file's beginning shows of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from sendoff.plugin import Component, ConfigError, CsvDialect, Notation, Page, SourceError
from sendoff_plugins.sources._csv.detection import SAMPLE, SEP, no_csv, seemingly, split_lines, wide_encoding
from sendoff_plugins.sources._files.text import check_encoding

#: The byte that stands for no quote: none that UTF-8 has.
NO_QUOTE = b"\xff"
_WORDS: dict[str, Any] = {"type": "list", "schema": {"type": "string", "empty": False}, "default": []}

DIALECT: dict[str, Any] = {
    "delimiter": {
        "type": "string", "minlength": 1, "maxlength": 1, "regex": "[ -~\t]", "forbidden": ['"'], "nullable": True,
        "default": None,
        "meta": {"help": "What separates cells. Default: a tab in files that end in `.tsv`, else a comma; or as a first line "
                 "`sep=;` says."},
    },
    "encoding": {
        "type": "string", "default": "utf-8", "check_with": check_encoding,
        "meta": {"help": "How text is written in bytes: utf-8, utf-16, latin-1, cp1252 and so on."},
    },
    "quote": {
        "type": "string", "allowed": ['"', "'", "`", "none"], "default": '"',
        "meta": {"help": "What quotes cells; `none` if every character is part of its cell, as in most TSV."},
    },
    "skip_rows": {
        "type": "integer", "min": 0, "default": 0,
        "meta": {"help": "How many lines stand above the one with the columns' names: a title, a remark."},
    },
    "skip_footer": {
        "type": "integer", "min": 0, "max": 1000, "default": 0,
        "meta": {"help": "How many records at the end are none: a total, a signature."},
    },
    "comment": {
        "type": "string", "empty": False, "regex": r"[^\r\n]+", "nullable": True, "default": None,
        "meta": {"help": "What lines begin with that are skipped, like `#`."},
    },
    "trim": {
        "type": "boolean", "default": False,
        "meta": {"help": "Whether white space around cells is taken away. It is around the columns' names."},
    },
    "null_values": {**_WORDS, "meta": {"help": "Texts that are a null, as an empty cell is: `[NULL, N/A]`."}},
    "decimal": {
        "type": "string", "allowed": [".", ","], "default": ".",
        "meta": {"help": "What stands before the decimals of numbers."},
    },
    "thousands": {
        "type": "string", "allowed": [".", ",", "'", "\u2019", " ", "\u00a0", "\u202f", "_"], "nullable": True, "default": None,
        "meta": {"help": "What may stand between the thousands of numbers. As `decimal`, only in fields of numeric types."},
    },
    "true_values": {**_WORDS, "meta": {"help": "Texts that mean true in boolean fields, beside `true`."}},
    "false_values": {**_WORDS, "meta": {"help": "Texts that mean false in boolean fields, beside `false`."}},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file is written. One that looks written otherwise is refused unless a delimiter `is_declared`."""

    delimiter: str = ","
    is_declared: bool = True
    quote: bytes = b'"'
    skip_rows: int = 0
    skip_footer: int = 0
    comment: bytes | None = None
    trim: bool = False
    null_values: Sequence[str] = ()

    @property
    def quote_char(self) -> str | None:
        """The character that quotes cells; None if none does."""
        return None if self.quote == NO_QUOTE else self.quote.decode()

    def fitted(self, start: bytes, name: str) -> Dialect:
        """The dialect for a file that begins so; raises `SourceError` for one that looks written otherwise."""
        if found := no_csv(start):
            raise SourceError(f"{name}: is {found}")
        if encoding := wide_encoding(start):
            raise SourceError(f"{name}: the encoding looks like {encoding}: add `encoding: {encoding}`")
        if said := SEP.match(start):
            delimiter = self.delimiter if self.is_declared else said[1].decode()
            return replace(self, delimiter=delimiter, is_declared=True, skip_rows=max(self.skip_rows, 1))
        if not self.is_declared:
            text = "\n".join(split_lines(start.decode(errors="replace"), len(start) < SAMPLE)[self.skip_rows :])
            seems = seemingly(text, self.delimiter, self.quote_char, self.comment)
            if seems != self.delimiter:
                raise SourceError(
                    f"{name}:{self.skip_rows + 1}: the delimiter looks like {_shown(seems)}: add `delimiter: {_shown(seems)}`; "
                    f"if it is not, add `delimiter: {_shown(self.delimiter)}`"
                )
        return self

    def clean(self, page: Page) -> Page:
        """The page with its cells trimmed and its words for null as nulls."""
        if not (self.trim or self.null_values):
            return page
        cells = pl.col(pl.String).str.strip_chars() if self.trim else pl.col(pl.String)
        if self.null_values:
            cells = cells.replace(dict.fromkeys(self.null_values))
        return replace(page, frame=page.frame.with_columns(cells))


def dialect_of(source: Component, default: str = ",") -> Dialect:
    """The dialect that a source's options declare."""
    given: Any = source
    quote = NO_QUOTE if given.quote == "none" else given.quote.encode()
    return Dialect(
        given.delimiter or default, given.delimiter is not None, quote, given.skip_rows, given.skip_footer,
        None if given.comment is None else given.comment.encode(), given.trim, given.null_values,
    )  # fmt: skip


def csv_dialect_of(source: Component, default: str = ",") -> CsvDialect:
    """The dialect that spreadsheet programs know, which have no options for the rest."""
    given: Any = source
    return CsvDialect(given.delimiter or default, given.encoding)


def notation_of(source: Component) -> Notation | None:
    """The notation of numbers and booleans that a source's options declare, if any."""
    given: Any = source
    if given.decimal == given.thousands:
        raise ConfigError(f"`decimal` and `thousands` are both {given.decimal!r}; they must differ")
    found = Notation(given.decimal, given.thousands or "", tuple(given.true_values), tuple(given.false_values))
    return None if found == Notation() else found


def _shown(delimiter: str) -> str:
    return {"\t": '"\\t"'}.get(delimiter, f"'{delimiter}'")
