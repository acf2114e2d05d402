"""What is right by itself in a connector file, and not together with the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from sendoff import compression, routing, shape
from sendoff.config.documents import Document
from sendoff.registry import Registry
from sendoff.schema import Field


def check(checked: Mapping[str, Any], document: Document, registry: Registry, fields: Sequence[Field], home: Path) -> None:
    """What is right by itself and not together with the rest."""

    def complain(path: Sequence[Any], sentence: str) -> None:
        document.problems.append(document.problem(path, sentence))

    strategy = registry.find("failure_strategies", checked["on_failure"]["use"])
    sender = registry.find("senders", checked["send"]["use"])
    assert strategy is not None and sender is not None
    send, to = checked["send"], checked["destination"]
    single = send.get("max_records", sender.__dict__.get("max_records", 1)) == 1
    if getattr(strategy, "splits", False) and single:
        complain(
            ("on_failure",),
            "there is nothing to split: every request carries one record; write `on_failure: fail`, or send in batches",
        )
    templates = {name: send.get(name) for name in ("envelope", "record", "before")}
    has_key = any(shape.KEY in shape.placeholders(template) for template in templates.values())
    in_body = to["idempotency"]["enabled"] and to["idempotency"]["in"] == "body"
    if in_body and not has_key:
        complain(
            ("destination", "idempotency", "in"),
            f"the body has no place for the key: write {shape.KEY} where it goes, in send.envelope or send.record",
        )
    if has_key and not in_body:
        complain(("send",), f"{shape.KEY} stands for the idempotency key; say `destination.idempotency: {{in: body}}` as well")
    if (needed := compression.missing(to["compress"])) is not None:
        complain(("destination", "compress"), needed)
    if to["tls"].get("key") and not to["tls"].get("cert"):
        complain(("destination", "tls", "key"), "is of no use without `cert`")
    for name in ("ca", "cert", "key"):
        if name in to["tls"] and not (home / to["tls"][name]).is_file():
            complain(("destination", "tls", name), f"the file {to['tls'][name]} cannot be read")
    if not fields or checked.get("unknown") == "keep":
        return
    known = [field.out for field in fields]
    named: list[tuple[tuple[str, ...], str]] = [
        (("destination", "url") if key == "url" else ("destination", "headers", key), name)
        for key, name in routing.all_fields(to["url"], to["headers"])
    ]
    named += [
        (("send", key), name[1:])
        for key, template in templates.items()
        for name in shape.placeholders(template)
        if name not in (shape.RECORD, shape.RECORDS, shape.KEY)
    ]
    if checked.get("order_by"):
        named.append((("order_by",), checked["order_by"]))
    for path, name in named:
        if name not in known:
            close = get_close_matches(name, known, 1)
            complain(
                path,
                f"no field is sent as {name!r}"
                + (f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"),
            )
