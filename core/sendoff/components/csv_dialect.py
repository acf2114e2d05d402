"""How tables of text are written."""

from __future__ import annotations

import codecs
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CsvDialect:
    """What separates the cells of a table of text, and how it is written in bytes: what a spreadsheet program goes by."""

    delimiter: str = ","
    encoding: str = "utf-8"

    def encode(self, text: str) -> bytes:
        """The text in bytes; in UTF-8 with its mark where it cannot be in `encoding`, or would not be known to be."""
        try:
            data = text.encode(self.encoding)
        except UnicodeEncodeError:
            return text.encode("utf-8-sig", errors="backslashreplace")
        try:
            is_known = data.decode() == text
        except UnicodeDecodeError:
            is_known = "a\n".encode(self.encoding) == b"a\n" or codecs.lookup(self.encoding).name == "utf-16"
        return data if is_known else text.encode("utf-8-sig", errors="backslashreplace")
