"""Check a Parquet file's footer: how many rows it states, and whether the pages have as many values.

polars believes the header of a page. One wrong byte there ends its reader's thread in silence, so that the rest of the
file is missing, or asks for more memory than there is, which ends the process. So the headers are looked at before.
The format: https://github.com/apache/parquet-format, its metadata in Thrift's compact protocol.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sendoff.plugin import SourceError

_MAGIC = b"PAR1"
_BOOLEANS = (1, 2)
#: Fields by their number: of the file's metadata, a row group, a column chunk and its metadata, a page's header.
_ROWS, _ROW_GROUPS, _COLUMNS, _METADATA = 3, 4, 1, 3
_GROUP_ROWS = 3
_PATH, _VALUES, _DATA_AT, _DICTIONARY_AT = 3, 5, 9, 11
_UNPACKED, _SIZE, _DATA, _DICTIONARY, _DATA_V2 = 2, 3, 5, 7, 8
#: Parquet's metadata is never nested deeper than this.
_MAX_DEPTH = 16
#: Of the file's metadata, and of an element of its schema.
_SCHEMA, _NAME, _CHILDREN, _PRECISION = 2, 4, 5, 8
#: The most digits that polars has in a decimal.
MAX_DIGITS = 38


def checked_rows(path: Path, name: str) -> int:
    """How many rows the file has.

    Raises `SourceError` where the headers of its pages do not agree with its footer, and for decimals that are too long.
    """
    with path.open("rb") as file:
        try:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise SourceError(f"{name}: not a Parquet file: it is empty") from None
        with data:
            size = len(data) - 8
            length = int.from_bytes(data[size : size + 4], "little")
            if data[:4] != _MAGIC or data[size + 4 :] != _MAGIC or length > size:
                raise SourceError(f"{name}: not a Parquet file, or not all of one: it does not begin and end like one")
            try:
                footer = _Thrift(data, size - length).struct()
                for column, digits in _decimals(footer[_SCHEMA]):
                    if digits > MAX_DIGITS:
                        raise SourceError(
                            f"{name}: column {column}: decimals of {digits} digits, and at most {MAX_DIGITS} can be read; "
                            "write it as text"
                        )
                for number, group in enumerate(footer[_ROW_GROUPS], 1):
                    for column, trouble in _troubles(data, group):
                        raise SourceError(f"{name}: is damaged: row group {number}, column {column}: {trouble}")
                # Some writers leave the file's own number at 0, and polars then reads no row at all.
                return max(int(footer[_ROWS]), sum(int(group[_GROUP_ROWS]) for group in footer[_ROW_GROUPS]))
            except (IndexError, KeyError, TypeError, ValueError, AttributeError):
                raise SourceError(f"{name}: is damaged: its footer cannot be read") from None


def _decimals(schema: list[Mapping[int, Any]]) -> Iterator[tuple[str, int]]:
    """The decimals of a schema, which lists each element before its children, with how many digits they have."""
    left: list[tuple[str, int]] = []
    for element in schema[1:]:
        while left and left[-1][1] == 0:
            left.pop()
        if left:
            left[-1] = (left[-1][0], left[-1][1] - 1)
        path = (left[-1][0] + "." if left else "") + element[_NAME].decode("utf-8", "replace")
        if children := element.get(_CHILDREN, 0):
            left.append((path, children))
        elif digits := element.get(_PRECISION, 0):
            yield path, digits


def _troubles(data: mmap.mmap, group: Mapping[int, Any]) -> Iterator[tuple[str, str]]:
    for chunk in group[_COLUMNS]:
        column = chunk.get(_METADATA)
        if column is None:
            continue  # encrypted, or in another file: polars refuses it
        found = _count_values(data, column)
        if found != column[_VALUES]:
            shown = "it has pages that cannot be read" if found is None else f"its pages hold {found:,} values"
            yield b".".join(column[_PATH]).decode("utf-8", "replace"), f"{shown}, and {column[_VALUES]:,} were written"


def _count_values(data: mmap.mmap, column: Mapping[int, Any]) -> int | None:
    """The values in a column's pages; None if a header is not one."""
    dictionary = column.get(_DICTIONARY_AT) or 0
    at = dictionary if 0 < dictionary < column[_DATA_AT] else column[_DATA_AT]
    values = 0
    while values < column[_VALUES]:
        reader = _Thrift(data, at)
        try:
            header = reader.struct()
            size = header[_SIZE]
            count = (header.get(_DATA) or header.get(_DATA_V2) or {1: 0})[1]
            different = header.get(_DICTIONARY, {1: 0})[1]
        except (IndexError, KeyError, TypeError, ValueError, AttributeError):
            return None
        at = reader.at + size
        if size < 0 or count < 0 or at > len(data) or not 0 <= different <= header[_UNPACKED]:
            return None
        values += count
    return values


class _Thrift:
    """Reads the compact protocol: a struct as a mapping of field numbers to values."""

    def __init__(self, data: mmap.mmap, at: int) -> None:
        self._data, self.at = data, at

    def struct(self, depth: int = 0) -> dict[int, Any]:
        if depth > _MAX_DEPTH:
            raise ValueError("nested too deep")
        fields: dict[int, Any] = {}
        number = 0
        while byte := self._byte():
            kind = byte & 15
            number = number + (byte >> 4) if byte >> 4 else self._signed()
            fields[number] = kind == _BOOLEANS[0] if kind in _BOOLEANS else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        match kind:
            case 1 | 2 | 3:
                return self._byte()
            case 4 | 5 | 6:
                return self._signed()
            case 7:
                return self._bytes(8)
            case 8:
                return self._bytes(self._unsigned())
            case 9 | 10:
                byte = self._byte()
                count = byte >> 4 if byte >> 4 < 15 else self._unsigned()
                return [self._value(byte & 15, depth) for _ in range(self._bounded(count))]
            case 11:
                count = self._unsigned()
                kinds = self._byte() if count else 0
                return [(self._value(kinds >> 4, depth), self._value(kinds & 15, depth)) for _ in range(self._bounded(count))]
            case 12:
                return self.struct(depth + 1)
        raise ValueError(f"no type {kind}")

    def _byte(self) -> int:
        self.at += 1
        return self._data[self.at - 1]

    def _bytes(self, count: int) -> bytes:
        self.at += self._bounded(count)
        return self._data[self.at - count : self.at]

    def _bounded(self, count: int) -> int:
        if count > len(self._data) - self.at:
            raise ValueError("more than the file has")
        return count

    def _unsigned(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("a number of too many bytes")

    def _signed(self) -> int:
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)
