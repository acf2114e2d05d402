"""Bound what the cells of a workbook unfold to: a text that many cells refer to, cells that are far apart or repeated.

The reader holds every cell between the first and the last one that has a content, each with a text of its own. So what it
will hold is found before it reads: a file of a few kilobytes can ask for more than there is.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import polars as pl

from sendoff.plugin import SourceError
from sendoff_plugins.sources._files.workbook_marks import number_of

#: Maximum cells from the first to the last one of a sheet, and how many for each that is there, if that is more.
MAX_CELLS, CELLS_RATIO = 6_000_000, 20
#: Maximum bytes of text in a sheet's cells, and how many for each byte of the file, if that is more.
MAX_TEXT, TEXT_RATIO = 64 << 20, 100

_CHUNK = 1 << 20
_SHARED = re.compile(r"sharedstrings\.xml$", re.IGNORECASE)
_TEXT_TAG = re.compile(rb"<(/?)(?:\w+:)?si\b")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_REFERENCE = r"""\sr\s*=\s*["'][A-Za-z]{1,3}[0-9]{1,7}["']"""
_OF_TEXT = r"""\st\s*=\s*["']s["']"""
_TEXT = rf"""{_OF_TEXT}[^<>]*>\s*<(?:\w+:)?v>\s*([0-9]{{1,9}})\s*<"""
_CELL = r"<(?:\w+:)?c[\s/>]"
#: A row or a cell, up to the next tag, and whether that ends the cell. A cell that is blank has a format alone.
_PLACE = re.compile(rb"<(?:\w+:)?(row|c)(?=[\s/>])([^<]*)(?=(</(?:\w+:)?c\s*>)?)")
_NAMED = re.compile(rb"""\sr\s*=\s*["']([A-Za-z]{0,3})([0-9]{1,7})["']""")
_BLANK = re.compile(rb"[^>]*/>\s*")
_ODS = re.compile(rb"<table:(table-row|table-cell|covered-table-cell|table)(?=[\s/>])([^<>]*)>")
_REPEATED = re.compile(rb"""number-(?:rows|columns)-repeated\s*=\s*["']\s*(\d{1,18})""")


def check_cells(path: Path, name: str) -> int:
    """How many bytes of text the largest sheet holds. Raises `SourceError` for more than its file can mean."""
    if not zipfile.is_zipfile(path):
        return 0
    packed, most = path.stat().st_size, 0
    with zipfile.ZipFile(path) as archive:
        parts = [part for part in archive.namelist() if part.lower().endswith(".xml")]
        lengths = _text_lengths(archive, next((part for part in parts if _SHARED.search(part)), None))
        for part in parts:
            if part == "content.xml":
                with archive.open(part) as stream:
                    sheets = [*_sheets_of_ods(stream)]
            elif "/" in part and not _SHARED.search(part):
                with archive.open(part) as stream:
                    there, between, text, unnamed = _sheet(stream, lengths)
                if unnamed or _too_sparse(there, between):
                    with archive.open(part) as stream:
                        there, between = _count_cells(stream)
                sheets = [(there, between, text)]
            else:
                continue
            for there, between, text in sheets:
                if _too_sparse(there, between):
                    raise SourceError(
                        f"{name}: {there:,} cells are spread over {between:,} places, or repeated over them, which is more "
                        "than is read; clear what stands far away from the table"
                    )
                if text > max(MAX_TEXT, TEXT_RATIO * packed):
                    raise SourceError(
                        f"{name}: the cells of a sheet hold {text:,} bytes of text, in a file of {packed:,}; no spreadsheet of "
                        "records does"
                    )
                most = max(most, text)
    return most


def _too_sparse(there: int, between: int) -> bool:
    return between > max(MAX_CELLS, CELLS_RATIO * there)


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    """The stream in chunks, none of which ends within a tag."""
    rest = b""
    while data := stream.read(_CHUNK):
        rest += data
        end = rest.rfind(b"<")
        if end > 0:
            yield rest[:end]
            rest = rest[end:]
    yield rest


def _text_lengths(archive: zipfile.ZipFile, part: str | None) -> pl.Series:
    """How long each of the shared texts is at most, with its tags."""
    lengths, before, last = [], 0, 0
    if part is not None:
        with archive.open(part) as stream:
            for chunk in _chunks(stream):
                for found in _TEXT_TAG.finditer(chunk):
                    if found[1]:
                        lengths.append(before + found.start() - last)
                    last = before + found.start()
                before += len(chunk)
    return pl.Series(lengths, dtype=pl.Int64)


def _sheet(stream: IO[bytes], lengths: pl.Series) -> tuple[int, int, int, bool]:
    """A sheet's cells, blank ones too, the places from its first to its last cell, and the bytes of shared texts they refer to.

    Also whether a cell does not say where it is.
    """
    longest = int(lengths.max() or 0)  # type: ignore[arg-type]  # a length is an integer
    cells = text = unnamed = 0
    top, bottom, left, right = 1 << 30, 0, 1 << 30, 0
    for chunk in _chunks(stream):
        whole = pl.Series([chunk.decode("utf-8", "replace")])
        found = whole.str.extract_all(_REFERENCE).explode().drop_nulls()
        referring = int(whole.str.count_matches(_OF_TEXT).item())
        cells += max(len(found), referring)
        bare = found.str.strip_chars("r= \t\r\n\"'")
        bare = bare.filter(bare.str.contains(r"\A[A-Za-z]{1,3}[0-9]{1,9}\z"))
        unnamed += max(0, int(whole.str.count_matches(_CELL).item()) - len(bare))
        if len(bare):
            rows = bare.str.strip_chars_start(_LETTERS).cast(pl.Int64)
            columns = [number_of(letters) for letters in bare.str.strip_chars_end("0123456789").unique().to_list()]
            top, bottom = min(top, int(rows.min())), max(bottom, int(rows.max()))  # type: ignore[arg-type]  # integers
            left, right = min(left, *columns), max(right, *columns)
        if referring * longest + text > MAX_TEXT:
            known = (
                whole.str.extract_all(_TEXT).explode().drop_nulls().str.extract(_TEXT).cast(pl.Int64, strict=False).drop_nulls()
            )
            known = known.filter(known < len(lengths))
            text += int(lengths.gather(known).sum()) + (referring - len(known)) * longest
        else:
            text += referring * longest
    return cells, max(0, bottom - top + 1) * max(0, right - left + 1), text, unnamed > 0


def _count_cells(stream: IO[bytes]) -> tuple[int, int]:
    """A sheet's cells that have a content, and the places from the first to the last of them."""
    cells = row = column = 0
    top, bottom, left, right = 1 << 30, 0, 1 << 30, 0
    for chunk in _chunks(stream):
        for kind, rest, ended in _PLACE.findall(chunk):
            named = _NAMED.search(rest)
            if kind == b"row":
                row, column = int(named[2]) if named else row + 1, 0
                continue
            row, column = (int(named[2]), number_of(named[1].decode())) if named else (row, column + 1)
            if not (_BLANK.fullmatch(rest) or (ended and rest.count(b">") == 1 and rest.rstrip().endswith(b">"))):
                cells += 1
                top, bottom = min(top, row), max(bottom, row)
                left, right = min(left, column), max(right, column)
    return cells, max(0, bottom - top + 1) * max(0, right - left + 1)


def _sheets_of_ods(stream: IO[bytes]) -> Iterator[tuple[int, int, int]]:
    """The same of each sheet of an OpenDocument file, whose rows and cells say how often they are repeated."""
    cells = rows = height = width = text = column = repeated = 0
    for chunk in _chunks(stream):
        tags = [*_ODS.finditer(chunk)]
        ends = [*(found.start() for found in tags[1:]), len(chunk)]
        for found, end in zip(tags, ends, strict=False):
            kind, attributes = found[1], found[2]
            times = int(count[1]) if (count := _REPEATED.search(attributes)) else 1
            if kind == b"table":
                yield cells, height * width, text
                cells = rows = height = width = text = column = 0
            elif kind == b"table-row":
                rows, repeated, column = rows + times, times, 0
            else:
                column += times
                if b"value" in attributes or not attributes.endswith(b"/"):
                    cells += 1
                    height, width = max(height, rows), max(width, column)
                    text += (end - found.end()) * times * repeated
    yield cells, height * width, text
