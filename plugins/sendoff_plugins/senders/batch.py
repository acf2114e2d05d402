"""Many records a request, in a JSON array."""

from sendoff import Sender, hookimpl
from sendoff.shape import around, check_envelope
from sendoff_plugins.senders.options import MAX_BYTES, MAX_RECORDS, OMIT_NULL, RECORD


class Batch(Sender):
    """Send records together, as a JSON array, by itself or in an envelope."""

    name = "batch"
    options = {
        "max_records": MAX_RECORDS,
        "max_bytes": MAX_BYTES,
        "envelope": {
            "nullable": True, "default": None, "check_with": check_envelope,
            "meta": {"help": "What surrounds the array, which stands where `$records` does: `{rows: $records, source: crm}`."},
        },
        "record": RECORD,
        "omit_null": OMIT_NULL,
    }  # fmt: skip

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]  # as checked against `options`
        envelope = getattr(self, "envelope", None)
        self.prefix, self.suffix = around("$records" if envelope is None else envelope)


@hookimpl
def sendoff_senders() -> list[type[Sender]]:
    return [Batch]
