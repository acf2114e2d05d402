"""The reader: pages in, invalid rows set aside, the good ones encoded, blocks out."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from sendoff.components import Sender, Validator
from sendoff.encoding import encode
from sendoff.ledger import Failure
from sendoff.records import Block, Page
from sendoff.schema import Schema, Typed


@dataclass(frozen=True, slots=True)
class Read:
    """What became of a page: a block of its good rows, its invalid ones, and the rows read so far."""

    block: Block
    invalid: Sequence[Failure]
    rows: int


def read(pages: Iterable[Page], schema: Schema, validators: Sequence[Validator], sender: Sender) -> Iterator[Read]:
    """Validate and encode pages one by one; ordinals count the good rows, positions all of them."""
    ordinal = rows = 0
    for validator in validators:
        validator.start()
    room = None if sender.max_bytes is None else sender.max_bytes - len(sender.prefix) - len(sender.suffix)
    for page in pages:
        typed = schema.apply(page)
        refused = dict(typed.refused)
        refused.update(_refused_by(validators, typed))
        good = _without(page.frame.height, refused)
        data, offsets = encode(_only(typed, good), sender.separator)
        large = _larger(offsets, room)
        if large:
            for at in large:
                size = offsets[at + 1] - offsets[at] - 1 + len(sender.prefix) + len(sender.suffix)
                refused[good[at]] = f"a request of {size:,} bytes with this record alone, more than max_bytes allows"
            good = _without(page.frame.height, refused)
            data, offsets = encode(_only(typed, good), sender.separator)
        yield Read(Block(ordinal, data, offsets, page, good), _failures(page, refused, rows), rows + page.frame.height)
        ordinal += len(good)
        rows += page.frame.height


def _refused_by(validators: Sequence[Validator], typed: Typed) -> dict[int, str]:
    """Each validator sees the rows that all before it let through."""
    refused = dict(typed.refused)
    for validator in validators:
        good = _without(typed.frame.height, refused)
        for at, reason in validator.validate(_only(typed, good).frame):
            refused[good[at]] = reason
    return refused


def _without(height: int, refused: dict[int, str]) -> Sequence[int]:
    return [index for index in range(height) if index not in refused] if refused else range(height)


def _only(typed: Typed, rows: Sequence[int]) -> Typed:
    return typed if len(rows) == typed.frame.height else replace(typed, frame=typed.frame[list(rows)])


def _larger(offsets: array[int], room: int | None) -> list[int]:
    if room is None or not len(offsets) > 1:
        return []
    return [at for at in range(len(offsets) - 1) if offsets[at + 1] - offsets[at] - 1 > room]


def _failures(page: Page, refused: dict[int, str], rows_before: int) -> list[Failure]:
    indexes = sorted(refused)
    records = page.as_json(indexes) if indexes else []
    return [
        Failure("invalid", rows_before + index, page.file, page.line(index), refused[index], record, text=page.text)
        for index, record in zip(indexes, records, strict=True)
    ]
