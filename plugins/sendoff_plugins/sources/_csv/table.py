"""Pages of a table in CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple

import polars as pl

from sendoff.plugin import MAX_COLUMNS, PAGE_CELLS, Page, SourceError, pages_of_mappings
from sendoff_plugins.sources._common.header import checked_header
from sendoff_plugins.sources._csv.chunks import Chunk, end_of_record, read_chunks, without_footer
from sendoff_plugins.sources._csv.dialect import Dialect
from sendoff_plugins.sources._csv.exact import find_fault, read_records
from sendoff_plugins.sources._csv.fast import read_cells
from sendoff_plugins.sources._files.files import MAX_RECORD

#: Ragged records are filled up with at most so many cells for each that is there.
_MAX_PADDING = 8


class _Header(NamedTuple):
    """The names; how many cells their line has: more, where columns at its end have no name; and the first line below."""

    names: list[str]
    width: int
    below: int


def read_header(stream: Any, name: str, dialect: Dialect, max_columns: int = MAX_COLUMNS) -> list[str]:
    """The names of the columns."""
    chunks, dialect = read_chunks(stream, name, dialect)
    return _split_header(chunks, name, dialect, max_columns)[0].names


def read_table(
    stream: Any, name: str, dialect: Dialect, columns: list[str] | None = None, max_columns: int = MAX_COLUMNS
) -> Iterator[Page]:
    """Pages of a stream of CSV; raises `SourceError`, with the line, where it is not valid CSV."""
    chunks, dialect = read_chunks(stream, name, dialect)
    if columns is not None:
        header = _Header(columns, len(columns), 1 + dialect.skip_rows)
    else:
        header, chunks = _split_header(chunks, name, dialect, max_columns)
    line = header.below
    for chunk in without_footer(chunks, dialect) if dialect.skip_footer else chunks:
        _refuse_unfinished(chunk, name, line, dialect)
        cells = read_cells(chunk.data, header.width, dialect) if header.width <= max_columns else None
        unnamed = cells.frame.get_columns()[len(header.names) :] if cells else []
        if cells is None or not all((column.is_null() | (column == "")).all() for column in unnamed):
            yield from map(dialect.clean, _pages_of_ragged(chunk.data, (name, line), header.names, dialect))
            line += chunk.data.count(b"\n")
            continue
        frame, breaks = cells
        frame = frame.select(frame.columns[: len(header.names)])
        frame.columns = header.names
        lines: Any = range(line, line + frame.height)
        if breaks is not None:
            lines = pl.int_range(line, line + frame.height, eager=True) + breaks.cum_sum() - breaks
        yield dialect.clean(Page(frame, name, lines, all_text=True))
        line += frame.height + (0 if breaks is None else int(breaks.sum()))


def _split_header(chunks: Iterator[Chunk], name: str, dialect: Dialect, max_columns: int) -> tuple[_Header, Iterator[Chunk]]:
    """The header, which is the first record that is not blank, and the chunks below."""
    line = 1 + dialect.skip_rows
    for chunk in chunks:
        data = chunk.data.lstrip(b"\r\n")
        line += chunk.data.count(b"\n", 0, len(chunk.data) - len(data))
        if not data:
            continue
        _refuse_unfinished(Chunk(data, chunk.is_whole), name, line, dialect)
        end = end_of_record(data, 0, dialect.quote)
        ((_, cells),) = next(read_records(data[:end], (name, line), dialect))
        names = [cell.strip() for cell in cells]
        while names and not names[-1]:
            names.pop()
        names = checked_header(names, f"{name}:{line}", max_columns)
        below = [Chunk(data[end:])] if data[end:] else []
        return _Header(names, len(cells), line + data.count(b"\n", 0, end)), chain(below, chunks)
    raise SourceError(f"{name}: is empty; a CSV file has a header line")


def _refuse_unfinished(chunk: Chunk, name: str, line: int, dialect: Dialect) -> None:
    if not chunk.is_whole:
        fault = find_fault(chunk.data.decode(errors="ignore").encode(), (name, line), dialect)  # it may end inside a character
        raise SourceError(fault or f"{name}:{line}: a record of more than {MAX_RECORD >> 20} MiB")


def _pages_of_ragged(data: bytes, place: tuple[str, int], names: list[str], dialect: Dialect) -> Iterator[Page]:
    """The records, of which some may be ragged; in several pages where filling them up would take too much."""
    for some in read_records(data, place, dialect):
        lines, rows = [line for line, _ in some], [row for _, row in some]
        faults = {
            at: f"ragged: {len(row)} cells where the header has {len(names)}"
            for at, row in enumerate(rows)
            if len(row) < len(names) or any(row[len(names) :])
        }
        if len(rows) * len(names) <= max(PAGE_CELLS, _MAX_PADDING * sum(map(len, rows))):
            yield Page(_padded(rows, names), place[0], lines, faults, all_text=True)
            continue
        whole = [at for at in range(len(rows)) if at not in faults]
        if whole:
            yield Page(_padded([rows[at] for at in whole], names), place[0], [lines[at] for at in whole], all_text=True)
        ragged = [dict(zip(names, rows[at], strict=False)) for at in faults]
        errors = dict(enumerate(faults.values()))
        for page in pages_of_mappings(
            ragged, file=place[0], lines=[lines[at] for at in faults], row_errors=errors, max_columns=len(names)
        ):
            yield replace(page, all_text=True)


def _padded(rows: Sequence[list[str]], names: list[str]) -> pl.DataFrame:
    """A frame of rows, those that are too short filled up with nulls."""
    width = len(names)
    padded = (row if len(row) == width else [*row[:width], *[None] * (width - len(row))] for row in rows)
    columns = zip(*padded, strict=True)
    return pl.DataFrame([pl.Series(name, list(cells), dtype=pl.String) for name, cells in zip(names, columns, strict=True)])
