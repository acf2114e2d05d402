"""JSON files: an array of objects, at the top or somewhere inside."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from sendoff.plugin import (
    MAX_COLUMNS,
    PAGE_BYTES,
    PAGE_ROWS,
    Page,
    Source,
    SourceError,
    hookimpl,
    jsonlib,
    pages_of_mappings,
)
from sendoff_plugins.sources._files.files import CHUNK, COMPRESSION, MAX_RECORD, MEMBER, FileSource

_BLANK = " \t\r\n"


def _check(field: str, value: Any, error: Any) -> None:
    if isinstance(value, str) and not (value == "$" or (value.startswith("$.") and all(value[2:].split(".")))):
        error(field, f"{value!r} is not a valid path of names; use $, or for example $.data.items")


class Json(FileSource):
    """Read files of JSON: an array of objects. It is read record by record, however large it is."""

    name = "json"
    default_for = (".json",)
    reads_in_order = True
    options = {
        **FileSource.options,
        "at": {
            "type": "string", "default": "$", "check_with": _check,
            "meta": {"help": "Where in the document the array is, by names: `$.data.items`."},
        },
        "compression": COMPRESSION, "member": MEMBER,
    }  # fmt: skip
    at: str

    def read(self, cursor: Any) -> Iterator[Page]:
        self.begin(cursor)
        for name, stream in self.streams():
            yield from read_array(stream, name, _names(self.at), self.max_columns)


def _names(at: str) -> list[str]:
    return [name for name in at.removeprefix("$").split(".") if name]


def read_array(stream: BinaryIO, name: str, path: list[str], max_columns: int = MAX_COLUMNS) -> Iterator[Page]:
    """Pages of the array at a path; raises `SourceError`, with the line, where there is none.

    An item that is not an object is an error of its row.
    """
    text = _Text(stream, name)
    for at, step in enumerate(path):
        text.enter(step, "$." + ".".join(path[: at + 1]))
    where = "$" + "".join(f".{step}" for step in path)
    rows: list[dict[str, Any]] = []
    lines: list[int] = []
    faults: dict[int, str] = {}
    begun = text.position
    for value, line in text.items(where):
        if isinstance(value, jsonlib.UnfitValue):
            faults[len(rows)] = str(value)
        elif not isinstance(value, dict):
            faults[len(rows)] = f"not an object: {jsonlib.dumps(value)[:80]}"
        rows.append(value if isinstance(value, dict) else {})
        lines.append(line)
        if len(rows) == PAGE_ROWS or text.position - begun > PAGE_BYTES:
            yield from pages_of_mappings(rows, file=name, lines=lines, row_errors=faults, max_columns=max_columns)
            rows, lines, faults, begun = [], [], {}, text.position
    if rows:
        yield from pages_of_mappings(rows, file=name, lines=lines, row_errors=faults, max_columns=max_columns)
    if not path:
        text.end()


class _Text:
    """The text of a stream, in a buffer that holds no more than a value needs."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream, self._name = stream, name
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("strict")
        self._buffer, self._at, self._ended, self._read = "", 0, False, 0
        #: The line of the character at `_counted` in the buffer.
        self._line, self._counted = 1, 0
        #: How many characters are no longer in the buffer.
        self._before = 0

    @property
    def position(self) -> int:
        """How many characters were parsed."""
        return self._before + self._at

    def enter(self, key: str, where: str) -> None:
        """Skip past ``"key":`` in the object that begins here."""
        self._expect("{", where)
        while self._peek() != "}":
            found, _ = self._value()
            self._expect(":", where)
            if found == key:
                return
            self._value()
            if self._peek() == ",":
                self._at += 1
        raise self._wrong(f"there is no {where}")

    def items(self, where: str) -> Iterator[tuple[Any, int]]:
        """The values of the array that begins here, each with its line."""
        if self._peek() != "[":
            raise self._wrong(f"{where} is not an array; `at` says where it is")
        self._at += 1
        if self._peek() == "]":
            self._at += 1
            return
        while True:
            self._peek()
            yield self._value()
            sign = self._peek()
            self._at += 1
            if sign == "]":
                return
            if sign != ",":
                raise self._wrong("a comma or ] is missing here")

    def end(self) -> None:
        """Check that only whitespace follows."""
        if self._peek(at_end=True):
            raise self._wrong("something follows the array")

    def _expect(self, sign: str, where: str) -> None:
        if self._peek() != sign:
            raise self._wrong(f"there is no {where}")
        self._at += 1

    def _peek(self, *, at_end: bool = False) -> str:
        """The next character that is not whitespace; "" at the end of the file, where `at_end` allows it."""
        while True:
            while self._at < len(self._buffer) and self._buffer[self._at] in _BLANK:
                self._at += 1
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._more():
                if at_end:
                    return ""
                raise self._wrong("the file ends before its JSON does")

    def _value(self) -> tuple[Any, int]:
        self._peek()
        line = self._here()
        while True:
            try:
                value, end = jsonlib.scan(self._buffer, self._at)
            except json.JSONDecodeError as error:
                if len(self._buffer) - self._at > MAX_RECORD:
                    raise self._wrong(f"a value of more than {MAX_RECORD >> 20} MiB, or not JSON: {error.msg}") from None
                if not self._more():
                    self._at = error.pos
                    raise self._wrong(error.msg) from None
                continue
            except jsonlib.UnfitValue as error:
                value, end = error, error.end
            except ValueError as error:
                raise self._wrong(str(error)) from None
            # A number at the end of the buffer may have more digits to come.
            if end == len(self._buffer) and self._more():
                continue
            self._at = end
            return value, line

    def _here(self) -> int:
        """The number of the current line."""
        self._line += self._buffer.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def _more(self) -> bool:
        """Read more into the buffer, and drop what was parsed; False at the end of the file."""
        if self._ended:
            return False
        self._here()
        self._before += self._at
        self._buffer, self._at, self._counted = self._buffer[self._at :], 0, 0
        data = self._stream.read(CHUNK // 16)
        self._ended = not data
        try:
            self._buffer += self._decoder.decode(data, final=self._ended)
        except UnicodeDecodeError as error:
            raise SourceError(f"{self._name}: not UTF-8 at byte {self._read + error.start + 1:,}") from None
        self._read += len(data)
        return True

    def _wrong(self, sentence: str) -> SourceError:
        return SourceError(f"{self._name}:{self._here()}: {sentence}")


@hookimpl
def sendoff_sources() -> list[type[Source]]:
    return [Json]
