"""The body of a response, out of its content coding (RFC 9110 §8.4.1), within a bound."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from urllib3 import BaseHTTPResponse

from sendoff.http.strict_response import BODILESS, BadResponse

#: The content codings that are read, and what zlib calls their formats, with a window of any size.
_FORMATS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_PART_BYTES = 256 << 10


class ContentDecoder:
    """Takes the parts of one body out of its coding. An end without the coding's own end is none."""

    def __init__(self, coding: str) -> None:
        self._format = _FORMATS[coding]
        self._member, self._whole = zlib.decompressobj(self._format), False

    @classmethod
    def of(cls, status: int, content_encoding: str) -> ContentDecoder | None:
        """The decoder for a response; None where there is nothing to take off, or a coding that is not known."""
        coding = content_encoding.strip().lower()
        return cls(coding) if coding in _FORMATS and status not in BODILESS else None

    def decode(self, data: bytes, most: int = 0) -> bytes:
        """What a part decodes to: at most so many bytes, if any number is given; the rest is then lost."""
        found = b""
        while data:
            try:
                found += self._member.decompress(data, most and most - len(found))
            except zlib.error:
                raise BadResponse("the response's compression is broken") from None
            if most and len(found) >= most:
                break
            self._whole, data = self._member.eof, self._member.unused_data
            if self._whole:
                self._member = zlib.decompressobj(self._format)
        return found

    def parts(self, data: bytes) -> Iterator[bytes]:
        """All that a part decodes to, in parts of bounded size."""
        more = bool(data)
        while more:
            try:
                found = self._member.decompress(data, _PART_BYTES)
            except zlib.error:
                raise BadResponse("the response's compression is broken") from None
            yield found
            self._whole = self._member.eof
            data = self._member.unused_data if self._whole else self._member.unconsumed_tail
            more = bool(data) or (len(found) == _PART_BYTES and not self._whole)  # zlib may hold back what had no room
            if self._whole:
                self._member = zlib.decompressobj(self._format)

    def finish(self) -> None:
        """The body has ended. Raises `BadResponse` if its coding has not."""
        if not self._whole:
            raise BadResponse("the response ended before its compressed content did")


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
