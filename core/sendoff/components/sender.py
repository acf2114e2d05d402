"""Senders: how records become requests."""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from sendoff.components.component import Component
from sendoff.encode.blocks import make_block
from sendoff.encode.encoder import RecordFormat, encode_rows
from sendoff.encode.templates import KEY_SIZES
from sendoff.records import Block
from sendoff.schema.typed_page import TypedPage


class Sender(Component, ABC):
    """How records become requests: how each is written, how many are sent together, and what surrounds them.

    The body of a request is `prefix`, its records joined by `separator`, and `suffix`. Records are written once; every
    body, limit and idempotency key is made of what `write` returned.
    """

    kind = "senders"
    #: Bytes before the first record, between two, and after the last. `separator` is one byte.
    prefix: bytes = b""
    separator: bytes = b","
    suffix: bytes = b""
    #: Whether a record may have line breaks in it where they separate records, as CSV has them between quotes.
    multiline: bool = False
    content_type: str = "application/json"
    #: The maximum records of one request, and the maximum bytes of its body and of one record in it (None: unlimited).
    max_records: int = 1
    max_bytes: int | None = None
    max_record_bytes: int | None = None
    #: The template of a record (see `sendoff.encode.templates`), and of a line before each; None: the record itself, no line.
    record: Any = None
    before: Any = None
    #: Whether members that are null are left out.
    omit_null: bool = False
    #: How many strings the records are in as JSON text: 1 for `{payload: {value: $records, as: json}}`, whose body is
    #: `{"payload":"[{\\"id\\":1}]"}`, and 0 where they are no text. A sender whose envelope has them in one sets it.
    depth: int = 0
    #: The format of idempotency keys in bodies.
    key_format: str = "text"
    #: The fields that `write` cannot do without, by the names they are sent with, besides those in the templates. A source
    #: that has no such column stops the run, with the column's name, before any record of that page is sent.
    needs: Sequence[str] = ()

    def start(self, fields: Sequence[str]) -> None:
        """Called once, before anything else, with the names that records are sent with; with none if only the source knows.

        Raises ValueError with a sentence for what cannot be sent so; it is shown as a mistake of `send`, with its place.
        """

    def write(self, page: TypedPage) -> Block:
        """Write the records of a page, in their order; by default as JSON, by the templates. Called for one page at a time.

        The same records must always become the same bytes, as they may have to be sent again with the same key.
        """
        return self.block(encode_rows(page, self.json_format))

    def block(self, records: pl.Series | Iterable[str | bytes], unwritable: Mapping[int, str] | None = None) -> Block:
        """A block of these records, each as it is sent: text, which is sent as UTF-8, or bytes.

        `unwritable` has the reason of each record that cannot be sent, by its place: 0 for the first. Something stands at
        its place in `records` as well, which is not used. Raises TypeError and ValueError for what is not so.
        """
        return make_block(records, self.separator, unwritable, multiline=self.multiline or self.writes_json())

    @property
    def json_format(self) -> RecordFormat:
        """How records are written as JSON."""
        return RecordFormat(self.record, self.before, self.omit_null, KEY_SIZES[self.key_format], self.depth)

    @property
    def sends_json(self) -> bool:
        """Whether a record is JSON, by the templates, also where another sender writes it."""
        return self.writes_json()

    @classmethod
    def writes_json(cls) -> bool:
        """Whether records are written as JSON, and not by a `write` of its own."""
        return cls.write is Sender.write


def check_sender(sender: Sender) -> None:
    """Raise TypeError for attributes that no request can be made of; called after `start`."""
    for name in ("prefix", "separator", "suffix"):
        value = getattr(sender, name)
        if not isinstance(value, bytes):
            raise TypeError(f"`{name}` is bytes, as in b'['; it is a {type(value).__name__}")
    if len(sender.separator) != 1:
        raise TypeError(f"`separator` is one byte; {sender.separator!r} has {len(sender.separator)}")
    if not isinstance(sender.content_type, str):
        raise TypeError(f"`content_type` is text; it is a {type(sender.content_type).__name__}")
    for name in ("max_records", "max_bytes", "max_record_bytes"):
        value = getattr(sender, name)
        if not (isinstance(value, int) and value > 0) and (value is not None or name == "max_records"):
            raise TypeError(f"`{name}` is a number above 0; it is {value!r}")
