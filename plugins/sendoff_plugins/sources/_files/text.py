"""Text in other encodings than UTF-8."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import IO, Any

from sendoff.plugin import SourceError

_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def check_encoding(field: str, value: Any, error: Callable[[str, str], None]) -> None:
    """Cerberus's `check_with` for the name of an encoding."""
    try:
        known = codecs.lookup(value)._is_text_encoding
    except LookupError:
        known = False
    if not known:
        error(field, f"{value!r} is not a valid encoding; use utf-8, utf-16, latin-1, cp1252 or another that Python knows")


def utf8(stream: IO[bytes], name: str, encoding: str) -> Any:
    """The stream's text in UTF-8."""
    return Recoded(stream, name, encoding) if codecs.lookup(encoding).name != "utf-8" else _Unmarked(stream, name)


class _Unmarked:
    """A stream declared as UTF-8; raises `SourceError` if it begins like UTF-16."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._stream, self._name, self._first = stream, name, True

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        if self._first and (found := _MARKS.get(data[:2])):
            raise SourceError(f"{self._name}: begins like {found}; use `encoding: {found}`")
        self._first = False
        return data


class Recoded:
    """A stream in another encoding, as UTF-8. Bytes that cannot be decoded are an error, and are never replaced."""

    def __init__(self, stream: IO[bytes], name: str, encoding: str) -> None:
        self._stream, self._name, self._encoding = stream, name, encoding
        self._decoder = codecs.getincrementaldecoder(encoding)("strict")
        self._before = 0

    def read(self, size: int) -> bytes:
        while True:
            data = self._stream.read(size)
            pending = len(self._decoder.getstate()[0])
            try:
                text = self._decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                at = self._before - pending + error.start + 1
                raise SourceError(f"{self._name}: not {self._encoding} at byte {at:,}") from None
            self._before += len(data)
            if text or not data:
                return text.encode("utf-8", "surrogatepass")
