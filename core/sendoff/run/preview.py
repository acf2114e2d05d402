"""The first requests of a connector, built as the engine builds them, and not sent."""

from __future__ import annotations

from collections.abc import Iterable

from sendoff.config.connector import Connector
from sendoff.encode import templates
from sendoff.encode.idempotency import Key
from sendoff.engine.in_flight import InFlight
from sendoff.engine.planner import Planner
from sendoff.intake.pipeline import Pipeline
from sendoff.ledger import Failure, RunState
from sendoff.records import Page, Span, total
from sendoff.run.request_template import build_request_builder
from sendoff.transport.protocol import Request

_KEY = "(made for each run)"


def preview(connector: Connector, count: int, read: Iterable[Page]) -> tuple[list[Request], list[Failure]]:
    """The requests that the first `count` good records of these pages would travel in, and the invalid rows before them."""
    invalid: list[Failure] = []
    key = _placeholder_key(connector)
    plan = Planner(connector.sender, InFlight(1, single=True), RunState(0, connector.name, 0, "connector", resumed=False))
    for found in Pipeline(connector, key).read(read):
        invalid += found.invalid
        if found.block.hi > found.block.lo:
            plan.add(found.block)
        if plan.buffer.hi >= count:
            break
    to, buffer = build_request_builder(connector, key), plan.buffer
    requests: list[Request] = []
    for spans in plan.preview_requests(min(count, buffer.hi)):
        requests.append(
            to.request(
                Span(spans[0].lo, spans[-1].hi), buffer.slices(spans), connector.sender, bytes,
                record_count=total(spans), request_id=len(requests) + 1, route=buffer.route(spans[0].lo),
            )
        )  # fmt: skip
    before = [failure for earlier, failure in enumerate(invalid) if failure.position - earlier < count]
    return requests, before[:count]


def find_invalid(connector: Connector, read: Iterable[Page]) -> list[Failure]:
    """The rows of these pages that are invalid."""
    return [failure for page in Pipeline(connector, _placeholder_key(connector)).read(read) for failure in page.invalid]


def _placeholder_key(connector: Connector) -> Key:
    form = connector.destination.idempotency.form
    size = templates.KEY_SIZES[form] - (0 if form == "int64" else 2)
    # In a body a key must have its length; elsewhere a word will do.
    in_body = connector.destination.idempotency.location == "body"
    return lambda lo, hi, proof: "0" * size if in_body else _KEY
