"""Many records a request, in a JSON array."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sendoff.plugin import (
    KEY,
    MAX_BYTES,
    MAX_RECORD_BYTES,
    MAX_RECORDS,
    OMIT_NULL,
    RECORD,
    RECORDS,
    Sender,
    check_envelope,
    envelope_depth,
    hookimpl,
    placeholders,
    split_envelope,
)


class Batch(Sender):
    """Send records together, as a JSON array, by itself or in an envelope."""

    name = "batch"
    default_for = ("many",)
    options = {
        "max_records": MAX_RECORDS,
        "max_bytes": MAX_BYTES,
        "max_record_bytes": MAX_RECORD_BYTES,
        "envelope": {
            "nullable": True, "default": None, "check_with": check_envelope,
            "meta": {"help": "The body template; the array goes where `$records` appears: `{rows: $records, source: crm}`."},
        },
        "record": RECORD,
        "omit_null": OMIT_NULL,
    }  # fmt: skip

    envelope: Any = None

    def __init__(self, *, home: Path | None = None, **options: Any) -> None:
        super().__init__(home=home, **options)
        envelope = RECORDS if self.envelope is None else self.envelope
        self.prefix, self.suffix = split_envelope(envelope)
        self.depth = envelope_depth(envelope)

    def start(self, fields: Sequence[str]) -> None:
        """Raise ValueError for a key in records that are written as text."""
        if self.depth and KEY in placeholders(self.record):
            raise ValueError(f"{KEY} cannot be in `record` where the envelope has `as: json`; put it into the envelope itself")


@hookimpl
def sendoff_senders() -> list[type[Sender]]:
    return [Batch]
