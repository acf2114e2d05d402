"""One record a request, as a form."""

from sendoff.plugin import MAX_BYTES, OMIT_NULL, Sender, hookimpl


class Form(Sender):
    """Send each record by itself, as a browser sends a form (`application/x-www-form-urlencoded`)."""

    name = "form"
    max_records = 1
    encoding = "form"
    separator = b"\n"
    content_type = "application/x-www-form-urlencoded"
    options = {"max_bytes": MAX_BYTES, "omit_null": OMIT_NULL}


@hookimpl
def sendoff_senders() -> list[type[Sender]]:
    return [Form]
