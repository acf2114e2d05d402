"""The picture of the way of a record, on the page on architecture."""

from __future__ import annotations

from pathlib import Path

from .page import DOCS
from .pictures import Arrow, Box, Drawing

BOXES = {
    "file": Box(0, 0, "connectors.d/*.yaml", "store"),
    "config": Box(200, 0, "config"),
    "source": Box(0, 110, "source"),
    "schema": Box(200, 110, "schema, validators"),
    "encode": Box(400, 110, "encode"),
    "planner": Box(560, 110, "engine:\nplan chunks"),
    "ledger": Box(560, 240, "ledger", "store"),
    "engine": Box(750, 110, "engine:\nsend and decide"),
    "transport": Box(940, 110, "transport"),
    "api": Box(1080, 110, "API", "good"),
    "response": Box(940, 240, "response:\nclassify"),
    "report": Box(750, 0, "report, progress, metrics"),
}
ARROWS = [
    Arrow("file", "config"), Arrow("config", "source"), Arrow("source", "schema"), Arrow("schema", "encode"),
    Arrow("schema", "ledger", "invalid rows", -12), Arrow("encode", "planner"), Arrow("planner", "ledger", "", 12),
    Arrow("ledger", "engine", "", 14), Arrow("engine", "ledger", "", 14), Arrow("engine", "transport"),
    Arrow("transport", "api"), Arrow("api", "response"), Arrow("response", "engine", "verdicts", -4), Arrow("engine", "report"),
]  # fmt: skip


def pictures() -> dict[Path, str]:
    """The picture."""
    return {DOCS / "states/record.svg": Drawing("The way of a record from its source to the API", BOXES, ARROWS).svg()}
