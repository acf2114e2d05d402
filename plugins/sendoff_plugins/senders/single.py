"""One record a request."""

from sendoff.plugin import MAX_BYTES, OMIT_NULL, RECORD, Sender, hookimpl


class Single(Sender):
    """Send each record by itself, as a JSON object."""

    name = "single"
    default_for = ("one",)
    max_records = 1
    options = {"max_bytes": MAX_BYTES, "record": RECORD, "omit_null": OMIT_NULL}


@hookimpl
def sendoff_senders() -> list[type[Sender]]:
    return [Single]
