"""The header of a table, which several sources share."""

from __future__ import annotations

from collections.abc import Sequence

from sendoff.plugin import MAX_COLUMNS, SourceError, too_many_columns


def checked_header(cells: Sequence[str], where: str, max_columns: int = MAX_COLUMNS) -> list[str]:
    """The names of columns, without white space around them.

    Raises `SourceError` where one is missing or duplicated, with the column, and for too many.
    """
    if not cells:
        raise SourceError(f"{where}: the row of names is empty")
    if problem := too_many_columns(len(cells), max_columns):
        raise SourceError(f"{where}: {problem}")
    names: dict[str, None] = {}
    for number, name in enumerate(map(str.strip, cells), 1):
        if not name:
            raise SourceError(f"{where}: column {number} has no name")
        if name in names:
            raise SourceError(f"{where}: two columns are named {name!r}")
        names[name] = None
    return list(names)
