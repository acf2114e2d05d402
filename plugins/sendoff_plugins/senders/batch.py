"""Many records a request, in a JSON array."""

from pathlib import Path
from typing import Any

from sendoff.plugin import (
    MAX_BYTES,
    MAX_RECORD_BYTES,
    MAX_RECORDS,
    OMIT_NULL,
    RECORD,
    RECORDS,
    Sender,
    check_envelope,
    hookimpl,
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
        self.prefix, self.suffix = split_envelope(RECORDS if self.envelope is None else self.envelope)


@hookimpl
def sendoff_senders() -> list[type[Sender]]:
    return [Batch]
