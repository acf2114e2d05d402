"""Which transport carries a connector's requests, where the file does not say, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sendoff.components import Sender


def default_transport(declared: Mapping[str, Any] | None, sender: Sender, proxy: str | None) -> tuple[Mapping[str, Any], str]:
    """A transport and its options, and the reason in a few words, for `sendoff check -v`.

    One by one the client is the bottleneck, and `http1` is many times as fast; in batches both are at the machine's
    limit (measured, docs/performance.md), and `urllib3` is the most proven.
    """
    if declared is not None:
        return declared, "as the file says"
    if proxy is not None and proxy.lower().startswith("https:"):
        return {"use": "urllib3"}, "as the proxy is reached by TLS"
    if sender.max_records == 1:
        return {"use": "http1"}, "as records travel one by one"
    return {"use": "urllib3"}, "as records travel in batches"
