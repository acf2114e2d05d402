"""Many records a request, in a JSON array."""

from sendoff import Sender, hookimpl


class Batch(Sender):
    """Send records together, as a JSON array."""

    name = "batch"
    prefix, suffix = b"[", b"]"
    options = {
        "max_records": {
            "type": "integer", "min": 1, "max": 250_000, "default": 250_000,
            "meta": {"help": "The most records in one request."},
        },
        "max_bytes": {
            "type": "integer", "min": 3, "nullable": True, "default": None,
            "meta": {"help": "The most bytes in one request's body, exactly. A record that alone is larger is set aside."},
        },
    }  # fmt: skip


@hookimpl
def sendoff_senders() -> list[type[Sender]]:
    return [Batch]
