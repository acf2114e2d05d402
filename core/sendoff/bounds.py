"""How much of what comes from outside is taken at most. SECURITY.md lists these bounds and those of single components."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sendoff.errors import SourceError

#: A file, a table, a post or an API has at most this many columns, or names of fields, unless `max_columns` allows more.
MAX_COLUMNS = 10_000
#: A page has at most this many cells, and one row whatever it has. A column whose name is long counts as several.
PAGE_CELLS = 500_000
_NAME_BYTES = 16
#: A response that a source reads as a whole has at most this many bytes, after decompression.
MAX_RESPONSE = 64 << 20
#: What comes out of compressed content beyond this many bytes must not be more than so many times what went in. No file of
#: records is a thousand times as large as its gzip; a bomb is (deflate's limit is 1,032).
DECOMPRESSED_UNCHECKED, DECOMPRESSED_RATIO = 256 << 20, 400
#: A sentence lists at most this many names.
MAX_LISTED = 20


def rows_per_page(names: Sequence[str]) -> int:
    """How many rows with these columns a page has at most."""
    return max(1, PAGE_CELLS // max(1, sum(1 + len(name) // _NAME_BYTES for name in names)))


def is_bomb(compressed: int, decompressed: int) -> bool:
    """Whether so many bytes decompress to more than records do."""
    return decompressed > DECOMPRESSED_UNCHECKED and decompressed > DECOMPRESSED_RATIO * max(1, compressed)


def listed(names: Sequence[str], show: Callable[[str], str] = repr) -> str:
    """Names for a sentence: all of them if they are few."""
    rest = len(names) - MAX_LISTED
    return ", ".join(map(show, names[:MAX_LISTED])) + (f" and {rest:,} more" if rest > 0 else "")


class ColumnLimit:
    """Counts the columns of one file after another; raises `SourceError` for one that has more than `most`."""

    def __init__(self, most: int = MAX_COLUMNS) -> None:
        self._most, self._file, self._names = most, "", set[str]()

    def add(self, file: str, line: int, names: Sequence[str]) -> None:
        """Count the columns of some rows of a file, the first of which is in this line."""
        if file != self._file:
            self._file, self._names = file, set()
        self._names.update(names)
        if len(self._names) > self._most:
            where = f"{file}:{line}" if file else f"row {line}"
            raise SourceError(
                f"{where}: the rows from here on bring the number of different fields to {len(self._names):,}, more than "
                f"{self._most:,}; where keys all differ, they are most often values that stand in the place of names. "
                "If that is right, let `max_columns` of the source allow it"
            )


def too_many_columns(count: int, most: int, what: str = "columns") -> str | None:
    """Why a header or a row with so many columns is not read; None if it is."""
    if count <= most:
        return None
    return f"has {count:,} {what}, more than {most:,}; if that is right, let `max_columns` of the source allow it"
