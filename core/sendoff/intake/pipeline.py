"""The reader: validates the rows of pages and encodes the valid ones into blocks."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import polars as pl

from sendoff.components import Validator
from sendoff.config.connector import Connector
from sendoff.encode import templates
from sendoff.encode.blocks import check_block, make_block
from sendoff.encode.encoder import encode_rows, read_field
from sendoff.encode.idempotency import Key
from sendoff.errors import PluginCrash, SendoffError, SourceError
from sendoff.intake.prefetch import prefetch
from sendoff.ledger import Failure
from sendoff.records import Block, Lines, Page, Route, location
from sendoff.schema import TypedPage


@dataclass(frozen=True, slots=True)
class EncodedPage:
    """What became of a page: a block of its good rows, its invalid ones, and the rows read so far."""

    block: Block
    invalid: Sequence[Failure]
    rows: int


class Pipeline:
    """Makes blocks of a connector's pages: validated, addressed, encoded."""

    def __init__(self, connector: Connector, key: Key) -> None:
        self._schema, self._validators, self._sender = connector.schema, connector.validators, connector.sender
        self._router, self._order_by, self._variants = connector.router, connector.order_by, connector.variants
        self._key, self._key_form = key, connector.destination.idempotency.form
        sender = self._sender
        results = connector.destination.response.records
        #: What results name records by, where two with one id must not travel together.
        self._named = results if results and results.field else None
        placeholders = {*templates.placeholders(sender.record), *templates.placeholders(sender.before)}
        self._keyed = templates.KEY in placeholders
        self._needed = [name[1:] for name in sorted(placeholders - {templates.RECORD, templates.KEY})]
        self._needed += [
            *sender.needs,
            *(self._router.fields if self._router else ()),
            *([self._order_by] if self._order_by else ()),
        ]
        if self._named is not None and self._named.field is not None and not sender.sends_json:
            self._needed.append(self._named.field)
        self._form = sender.json_format
        #: Whether records are sent as their own JSON, and nothing but the schema looks at them.
        self._is_plain = sender.writes_json() and self._form.is_plain
        self._passthrough_allowed = self._is_plain and not (
            self._validators or self._needed or self._keyed or self._router or self._variants or self._named
        )

    def read(self, pages: Iterable[Page | Lines]) -> Iterator[EncodedPage]:
        """Validate and encode pages one by one; ordinals count the good rows, positions all of them."""
        ordinal = rows = 0
        for validator in self._validators:
            validator.start()
        for page, texts in prefetch(self._decoded(pages)):
            if isinstance(page, Lines):
                block, invalid = self._encode_lines(ordinal, page, texts)
                height = len(texts)
            else:
                height = page.frame.height
                variant = self._variants.get(page.change)
                typed = (variant.schema if variant and variant.schema else self._schema).apply(page)
                if page.change != "removed":
                    self._check_needed(page, typed)
                block, invalid = self._encode(ordinal, page, typed)
            yield EncodedPage(block, _failures(block.page, invalid, rows), rows + height)
            ordinal = block.hi
            rows += height

    def _decoded(self, pages: Iterable[Page | Lines]) -> Iterator[tuple[Page | Lines, list[bytes | None]]]:
        """The pages; those that may be sent without being read as lines, each as it is sent, or None to read it."""
        decoder, max_columns = None, -1
        for page in pages:
            if isinstance(page, Lines) and self._passthrough_allowed and page.max_columns != max_columns:
                max_columns = page.max_columns
                decoder = self._schema.make_decoder(max_columns)
            if isinstance(page, Page):
                yield page, []
            elif decoder is None:
                yield from ((read, []) for read in page.read())
            else:
                yield page, decoder.pass_through(page.texts)

    def _encode_lines(self, ordinal: int, lines: Lines, texts: list[bytes | None]) -> tuple[Block, dict[int, str]]:
        """The lines as a block: those that have a text as that, the others read, checked and written among them."""
        rest, invalid = [at for at, text in enumerate(texts) if text is None], dict[int, str]()
        for page in lines.read(rest):
            here, rest = rest[: page.frame.height], rest[page.frame.height :]
            typed = self._schema.apply(page)
            good = _kept(len(here), typed.invalid)
            written = encode_rows(typed.only(good), self._form).cast(pl.Binary) if good else ()
            for at, text in zip(good, written, strict=True):
                texts[here[at]] = text
            invalid.update({here[at]: reason for at, reason in typed.invalid.items()})
        kept = _kept(len(texts), invalid)
        block = self._sender.block([text for at in kept if (text := texts[at]) is not None])
        large = self._too_large(block.offsets)
        if large:
            invalid.update({kept[at]: reason for at, reason in large.items()})
            kept = _kept(len(texts), invalid)
            block = self._sender.block([text for at in kept if (text := texts[at]) is not None])
        return replace(block, lo=ordinal, page=lines, rows=kept), invalid

    def _encode(self, ordinal: int, page: Page, typed: TypedPage) -> tuple[Block, dict[int, str]]:
        """The good rows as a block, and why the others are none."""
        height = page.frame.height
        invalid = _validate(self._validators, typed, page) if page.change != "removed" else dict(typed.invalid)
        good = _kept(height, invalid)
        routes: Sequence[Route] = ()
        router = self._variants[page.change].router if page.change in self._variants else self._router
        if router is not None:
            routes, nowhere = router.routes(typed.only(good))
            if nowhere:
                invalid.update({good[at]: reason for at, reason in nowhere.items()})
                routes = [route for at, route in enumerate(routes) if at not in nowhere]
                good = _kept(height, invalid)
        block = self._write(typed.only(good), page, good)
        unsendable = block.unwritable or self._too_large(block.offsets)
        while unsendable:
            invalid.update({good[at]: reason for at, reason in unsendable.items()})
            routes = [route for at, route in enumerate(routes) if at not in unsendable]
            good = _kept(height, invalid)
            block = self._write(typed.only(good), page, good)
            unsendable = block.unwritable or self._too_large(block.offsets)
        if self._keyed:
            block = replace(block, data=self._with_keys(ordinal, block.data, block.offsets))
        typed = typed.only(good)
        ids = self._ids(typed, block)
        return replace(
            block, lo=ordinal, page=page, rows=good, routes=routes, ordering_keys=self._ordering_keys(typed), ids=ids
        ), invalid

    def _write(self, typed: TypedPage, page: Page, rows: Sequence[int]) -> Block:
        """The records as they are sent. Raises `PluginCrash`, with the place, for a sender that fails."""
        if not rows:
            return make_block((), self._sender.separator)
        try:
            block = check_block(self._sender.write(typed))
        except (SendoffError, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise PluginCrash.of(error, self._sender).at(_places(page, rows)) from error
        if len(block.offsets) - 1 != len(rows):
            found = ValueError(f"it wrote {len(block.offsets) - 1:,} records of {len(rows):,}")
            raise PluginCrash.of(found, self._sender).at(_places(page, rows))
        return block

    def _too_large(self, offsets: array[int]) -> dict[int, str]:
        """The records that are larger than a record may be, or that alone are larger than a request may be."""
        most, most_of_one = self._sender.max_bytes, self._sender.max_record_bytes
        if most is None and most_of_one is None:
            return {}
        overhead = len(self._sender.prefix) + len(self._sender.suffix)
        sizes = pl.Series(offsets, dtype=pl.Int64).diff().slice(1) - 1
        found = {}
        if most is not None:
            found = {
                at: f"a request of {sizes[at] + overhead:,} bytes with this record alone; max_bytes is {most:,}"
                for at in (sizes > most - overhead).arg_true()
            }
        if most_of_one is not None:
            found |= {
                at: f"a record of {sizes[at]:,} bytes; max_record_bytes is {most_of_one:,}"
                for at in (sizes > most_of_one).arg_true()
            }
        return found

    def _with_keys(self, ordinal: int, data: bytes, offsets: array[int]) -> bytes:
        """The records with a key of its own in each, made of its place and its bytes."""
        hole, whole = templates.KEY_PLACEHOLDER * templates.KEY_SIZES[self._key_form], bytearray(data)
        for at in range(len(offsets) - 1):
            start, end = offsets[at], offsets[at + 1] - 1
            record = data[start:end]
            made = self._key(ordinal + at, ordinal + at + 1, hashlib.sha256(record).digest())
            key = templates.encode_key(made, self._key_form)
            whole[start:end] = record.replace(hole, key)
        return bytes(whole)

    def _check_needed(self, page: Page, typed: TypedPage) -> None:
        """What is made of records names fields; a file whose columns lack one is at fault, not its rows."""
        missing = [name for name in self._needed if name not in typed.frame.columns]
        if missing and page.uniform:
            where = f"{page.file}: " if page.file else ""
            raise SourceError(f"{where}no column {', '.join(map(repr, missing))}, which the connector makes requests of")

    def _ordering_keys(self, typed: TypedPage) -> Sequence[Hashable]:
        if self._order_by is None:
            return ()
        if self._order_by not in typed.frame.columns:
            return [None] * typed.frame.height
        return typed.frame[self._order_by].to_list()

    def _ids(self, typed: TypedPage, block: Block) -> pl.Series | None:
        """What results name the records by: a field of the JSON that is sent; of the record, where that is in another form."""
        if self._named is None or self._named.field is None:
            return None
        name = self._named.field
        as_it_is = (self._form.is_plain or not self._sender.sends_json) and name in typed.frame.columns
        column = typed.frame[name] if as_it_is and name not in typed.raw else None
        if column is not None and (column.dtype == pl.String or column.dtype.is_integer()):
            text = column.cast(pl.String)
            text = text if self._named.match == "exact" else text.str.strip_chars()
            return text.str.to_lowercase() if self._named.match == "case_insensitive" else text
        if self._sender.sends_json:
            values = read_field(block, self._form, name)
        else:
            values = typed.texts()[name].to_list() if as_it_is else [None] * typed.frame.height
        return pl.Series([self._named.identity(value) for value in values], dtype=pl.String)


def _validate(validators: Sequence[Validator], typed: TypedPage, page: Page) -> dict[int, str]:
    """Each validator sees the rows that all before it let through. Raises `PluginCrash`, with the place, for one that fails."""
    invalid = dict(typed.invalid)
    for validator in validators:
        good = _kept(typed.frame.height, invalid)
        try:
            for at, reason in validator.validate(typed.only(good).frame):
                invalid[good[at]] = reason
        except PluginCrash as crash:
            raise crash.at(f" at {location(page.file, page.line(good[crash.row or 0]))}") from crash.__cause__
        except (SendoffError, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise PluginCrash.of(error, validator).at(_places(page, good)) from error
    return invalid


def _places(page: Page, rows: Sequence[int]) -> str:
    """Where these rows are, as the end of a sentence."""
    place = f" at {location(page.file, page.line(rows[0]))}" if rows else ""
    return place + (f" to {page.line(rows[-1])}" if len(rows) > 1 else "")


def _kept(height: int, invalid: dict[int, str]) -> Sequence[int]:
    return [index for index in range(height) if index not in invalid] if invalid else range(height)


def _failures(page: Page | Lines, invalid: dict[int, str], rows_before: int) -> list[Failure]:
    indexes = sorted(invalid)
    records = page.as_json(indexes) if indexes else []
    return [
        Failure(
            "invalid",
            rows_before + index,
            page.file,
            page.line(index),
            invalid[index],
            record,
            text=page.all_text,
            change=page.change,
        )
        for index, record in zip(indexes, records, strict=True)
    ]
