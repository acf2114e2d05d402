"""The first requests of a connector, made as the engine makes them, and sent nowhere."""

from __future__ import annotations

from sendoff.components import Request
from sendoff.config.connector import Connector
from sendoff.delivery.reader import read
from sendoff.delivery.stock import Stock
from sendoff.delivery.terms import terms
from sendoff.ledger import Failure
from sendoff.records import Span, pages

_KEY = "(made for each run)"


def preview(connector: Connector, count: int) -> tuple[list[Request], list[Failure]]:
    """The requests that the first `count` good records would travel in, and the invalid rows before them."""
    stock = Stock(connector.sender.separator)
    invalid: list[Failure] = []
    for found in read(pages(connector.source.read(None)), connector.schema, connector.validators, connector.sender):
        invalid += found.invalid
        if found.block.hi > found.block.lo:
            stock.add(found.block, 1)
        if stock.hi >= count:
            break
    to = terms(connector, lambda span, digest: _KEY)
    requests, lo, end = [], 0, min(count, stock.hi)
    while lo < end:
        sender = connector.sender
        room = None if sender.max_bytes is None else sender.max_bytes - len(sender.prefix) - len(sender.suffix)
        hi = stock.cut(lo, min(sender.max_records, end - lo), room, ended=True) or end
        requests.append(to.request(Span(lo, hi), stock.slices(Span(lo, hi)), sender, bytes))
        lo = hi
    return requests, invalid[:count]
