"""From pages to blocks: ordinals count the good rows, positions all of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import polars as pl
import pytest

from sendoff import Sender, SourceError
from sendoff.encode.idempotency import IdempotencyPolicy
from sendoff.intake.pipeline import EncodedPage, Pipeline
from sendoff.records import Page
from sendoff.response import DEFAULT
from sendoff.schema import Schema, declare
from sendoff_plugins.senders.batch import Batch
from sendoff_plugins.senders.ndjson import Ndjson
from sendoff_plugins.senders.single import Single


def read(pages: list[Page], schema: Schema, validators: list[object], sender: Sender) -> list[EncodedPage]:
    to = SimpleNamespace(idempotency=IdempotencyPolicy(), response=DEFAULT)
    connector = SimpleNamespace(
        schema=schema, validators=validators, sender=sender, router=None, variants={}, order_by=None, destination=to
    )  # fmt: skip

    return list(Pipeline(cast("Any", connector), lambda lo, hi, digest: "k").read(pages))


SCHEMA = Schema([declare("n", {"type": "integer"})], unknown="drop")


def test_blocks_follow_each_other_without_holes_whatever_is_invalid() -> None:
    pages = [Page(pl.DataFrame({"n": cells}), "f", all_text=True) for cells in (["1", "x", "2"], ["x"], ["3", "y", "4", "z"])]
    found = list(read(pages, SCHEMA, [], Batch(max_records=9, max_bytes=None)))
    assert [(each.block.lo, each.block.hi, each.block.data) for each in found] == [
        (0, 2, b'{"n":1},{"n":2}'),
        (2, 2, b""),
        (2, 4, b'{"n":3},{"n":4}'),
    ]
    assert [failure.position for each in found for failure in each.invalid] == [1, 3, 5, 7]
    assert [each.rows for each in found] == [3, 4, 8]


def test_a_column_that_a_template_names_must_be_there() -> None:
    sender = Batch(max_records=9, max_bytes=None, record={"a": "$m"})
    with pytest.raises(SourceError, match="f: no column 'm', which the connector makes requests of"):
        read([Page(pl.DataFrame({"n": ["1"]}), "f", all_text=True)], SCHEMA, [], sender)


@pytest.mark.parametrize(("sender", "around"), [(Batch(max_records=9, max_bytes=11), 2), (Single(max_bytes=9), 0)])
def test_a_record_that_alone_is_a_byte_too_large_is_set_aside_and_one_that_just_fits_is_not(
    sender: Sender, around: int
) -> None:
    page = Page(pl.DataFrame({"n": ["123", "1234", "12345"]}), "f", all_text=True)
    (found,) = read([page], SCHEMA, [], sender)
    assert found.block.data == b'{"n":123}'
    assert [failure.position for failure in found.invalid] == [1, 2]
    limit = 9 + around
    assert found.invalid[0].reason == f"a request of {10 + around} bytes with this record alone; max_bytes is {limit}"


@pytest.mark.parametrize(
    "sender", [Batch(max_records=9, max_record_bytes=9), Ndjson(max_records=9, max_record_bytes=9, max_bytes=1_000)]
)
def test_a_record_a_byte_larger_than_a_record_may_be_is_set_aside_and_one_that_just_fits_is_not(sender: Sender) -> None:
    page = Page(pl.DataFrame({"n": ["123", "1234", "456", "12345"]}), "f", all_text=True)
    (found,) = read([page], SCHEMA, [], sender)
    assert found.block.data == sender.separator.join([b'{"n":123}', b'{"n":456}'])
    assert [(failure.position, failure.reason) for failure in found.invalid] == [
        (1, "a record of 10 bytes; max_record_bytes is 9"),
        (3, "a record of 11 bytes; max_record_bytes is 9"),
    ]


def test_a_record_s_size_is_that_of_its_template_and_of_the_line_before_it() -> None:
    page = Page(pl.DataFrame({"n": ["1", "12"]}), "f", all_text=True)
    sender = Ndjson(
        max_records=9, record={"event": "$n"}, before={"index": {}}, max_record_bytes=len('{"index":{}}\n{"event":1}')
    )
    (found,) = read([page], SCHEMA, [], sender)
    assert found.block.data == b'{"index":{}}\n{"event":1}'
    assert [failure.position for failure in found.invalid] == [1]
