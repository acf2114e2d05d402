"""One record a request."""

from sendoff import Sender, hookimpl


class Single(Sender):
    """Send each record by itself, as a JSON object."""

    name = "single"
    max_records = 1
    options = {
        "max_bytes": {
            "type": "integer", "min": 2, "nullable": True, "default": None,
            "meta": {"help": "The most bytes in one request's body. A record that is larger is set aside."},
        }
    }  # fmt: skip


@hookimpl
def sendoff_senders() -> list[type[Sender]]:
    return [Single]
