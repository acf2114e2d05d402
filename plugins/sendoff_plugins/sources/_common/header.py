"""The header of a table, which several sources share."""

from __future__ import annotations

from collections.abc import Sequence

from sendoff.plugin import SourceError


def checked_header(cells: Sequence[str], where: str) -> list[str]:
    """The names of columns; raises `SourceError`, with the column, where one is missing or duplicated."""
    if not cells:
        raise SourceError(f"{where}: the row of names is empty")
    for number, cell in enumerate(cells, 1):
        if not cell.strip():
            raise SourceError(f"{where}: column {number} has no name")
        if cell != cell.strip():
            raise SourceError(f"{where}: column {cell!r} has spaces around its name")
        if cells.index(cell) != number - 1:
            raise SourceError(f"{where}: two columns are named {cell!r}")
    return list(cells)
