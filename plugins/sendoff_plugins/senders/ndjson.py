"""Many records a request, one a line."""

from sendoff.plugin import MAX_BYTES, MAX_RECORD_BYTES, MAX_RECORDS, OMIT_NULL, RECORD, Sender, check_record, hookimpl


class Ndjson(Sender):
    """Send records together, one JSON object a line (NDJSON)."""

    name = "ndjson"
    prefix, separator, suffix = b"", b"\n", b"\n"
    content_type = "application/x-ndjson"
    options = {
        "max_records": MAX_RECORDS,
        "max_bytes": MAX_BYTES,
        "max_record_bytes": MAX_RECORD_BYTES,
        "record": RECORD,
        "before": {
            "nullable": True, "default": None, "check_with": check_record,
            "meta": {"help": "A line before each record, as bulk APIs want it: `{index: {_id: $id}}`."},
        },
        "omit_null": OMIT_NULL,
    }  # fmt: skip


@hookimpl
def sendoff_senders() -> list[type[Sender]]:
    return [Ndjson]
