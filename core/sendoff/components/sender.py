"""Senders: how records become requests."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from typing import Any, ClassVar

from sendoff import jsonlib
from sendoff.components.component import Component
from sendoff.jsonlib import jsonpath
from sendoff.transport.protocol import Request


class Sender(Component, ABC):
    """How records become requests: how many are sent together, and what surrounds them."""

    kind = "senders"
    #: Bytes before the first record, between two, and after the last. `separator` is one byte.
    prefix: bytes = b""
    separator: bytes = b","
    suffix: bytes = b""
    content_type: str = "application/json"
    #: The maximum records of one request, and the maximum bytes of its body and of one record in it (None: unlimited).
    max_records: int = 1
    max_bytes: int | None = None
    max_record_bytes: int | None = None
    #: How a record is written: ``json``, or ``form`` (``application/x-www-form-urlencoded``).
    encoding: ClassVar[str] = "json"
    #: The template of a record (see `sendoff.encode.templates`), and of a line before each; None: the record itself, no line.
    record: Any = None
    before: Any = None
    #: Whether members that are null are left out.
    omit_null: bool = False

    def values(self, request: Request, field: str) -> Sequence[Any]:
        """The values that a field has in the records of a request, as they were sent."""
        body = b"".join(request.body if request.uncompressed is None else request.uncompressed)
        return self.values_in(body[len(self.prefix) : len(body) - len(self.suffix)], field)

    def values_in(self, data: bytes, field: str) -> Sequence[Any]:
        """The values that a field has in records as they are sent, joined by the separator."""
        inside = data.decode()
        if self.separator == b"\n":
            lines = inside.split("\n")
            records = [
                jsonlib.loads(line, depth=jsonlib.WRAPPED_DEPTH) for line in (lines if self.before is None else lines[1::2])
            ]
        else:
            records = jsonlib.loads(f"[{inside}]", depth=jsonlib.WRAPPED_DEPTH)
        path = jsonpath.parse(field if field.startswith("$") else f"$['{field}']")
        return [path.find(record) for record in records]
