"""The body of a response, out of its content coding (RFC 9110 §8.4.1), within a bound."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from urllib3 import BaseHTTPResponse

from sendoff.http.strict_response import BODILESS, BadResponse

#: The content codings that are read.
_CODINGS = ("gzip", "x-gzip", "deflate")
#: What zlib calls their formats, with a window of any size; RAW is a deflate stream without the header it should have.
_GZIP, _ZLIB, _RAW = 31, 15, -15
_MAGIC = b"\x1f\x8b"
_PART_BYTES = 256 << 10


class ContentDecoder:
    """Takes the parts of one body out of its coding. An end without the coding's own end is none.

    What follows the coding's end is ignored, unless it is one more member of a gzip.
    """

    def __init__(self, coding: str) -> None:
        self._gzip = coding != "deflate"
        self._member: zlib._Decompress | None = None
        self._whole = False
        #: The first bytes after a whole member, until it is known whether they begin another one.
        self._after = b""

    @classmethod
    def of(cls, status: int, content_encoding: str) -> ContentDecoder | None:
        """The decoder for a response; None where there is nothing to take off, or a coding that is not known."""
        coding = content_encoding.strip().lower()
        return cls(coding) if coding in _CODINGS and status not in BODILESS else None

    def decode(self, data: bytes, most: int = 0) -> bytes:
        """What a part decodes to: at most so many bytes, if any number is given; the rest is then lost."""
        found = b""
        while data := self._begin(data):
            part, data = self._inflate(data, most and most - len(found))
            found += part
            if most and len(found) >= most:
                break
        return found

    def parts(self, data: bytes) -> Iterator[bytes]:
        """All that a part decodes to, in parts of bounded size."""
        more = bool(data := self._begin(data))
        while more:
            found, rest = self._inflate(data, _PART_BYTES)
            yield found
            data = self._begin(rest if self._member is None else self._member.unconsumed_tail)
            # zlib may hold back what had no room.
            more = bool(data) or (len(found) == _PART_BYTES and self._member is not None)

    def finish(self) -> None:
        """The body has ended. Raises `BadResponse` if its coding has not."""
        if self._member is not None or not self._whole:
            raise BadResponse("the response ended before its compressed content did")

    def _begin(self, data: bytes) -> bytes:
        """The part of the data that is to be decompressed, by the member that it begins or goes on with."""
        if not data or self._member is not None:
            return data
        if not self._whole:
            raw = not self._gzip and data[0] & 15 != zlib.DEFLATED
            self._member = zlib.decompressobj(_GZIP if self._gzip else _RAW if raw else _ZLIB)
            return data
        data = self._after + data
        self._after = data[:2]
        if not self._gzip or self._after != _MAGIC:
            return b""
        self._after, self._member = b"", zlib.decompressobj(_GZIP)
        return data

    def _inflate(self, data: bytes, most: int) -> tuple[bytes, bytes]:
        """What the data decompresses to, and what comes after the member's end."""
        assert self._member is not None
        try:
            found, rest = self._member.decompress(data, most), self._member.unused_data
        except zlib.error:
            raise BadResponse("the response's compression is broken") from None
        if self._member.eof:
            self._member, self._whole = None, True
        return found, rest


def decoded(response: BaseHTTPResponse) -> Iterator[tuple[int, bytes]]:
    """The parts of a body, decoded, each with how many bytes came so far. urllib3 takes content that is cut off for whole."""
    coding = response.headers.get("Content-Encoding", "")
    decoder = ContentDecoder.of(response.status, coding)
    if decoder is None and coding.strip().lower() not in ("", "identity"):
        raise BadResponse("the response is compressed in a way that was not asked for")
    came = 0
    for part in response.stream(_PART_BYTES, decode_content=False):
        came += len(part)
        yield from ((came, part) for part in ([part] if decoder is None else decoder.parts(part)))
    if decoder is not None:
        decoder.finish()


def read_bounded(response: BaseHTTPResponse, most: int) -> tuple[bytes, bool]:
    """A body's first so many bytes, decoded, and whether that is all of it."""
    decoder = ContentDecoder.of(response.status, response.headers.get("Content-Encoding", ""))
    found, size = [], 0
    for part in response.stream(min(_PART_BYTES, most + 1), decode_content=False):
        data = part if decoder is None else decoder.decode(part, most + 1 - size)
        found.append(data)
        size += len(data)
        if size > most:
            return b"".join(found)[:most], False
    if decoder is not None:
        decoder.finish()
    return b"".join(found), True
