"""Options that several senders share."""

from sendoff.encode.templates import check_record

MAX_RECORDS = {
    "type": "integer", "min": 1, "max": 250_000, "default": 250_000,
    "meta": {"help": "Maximum records in one request."},
}  # fmt: skip
MAX_BYTES = {
    "type": "integer", "min": 3, "nullable": True, "default": None,
    "meta": {"help": "Maximum bytes in one request's body, exactly. A record that alone is larger is skipped."},
}  # fmt: skip
RECORD = {
    "nullable": True, "default": None, "check_with": check_record,
    "meta": {"help": "The template of a record: `{id: $email, properties: $record}`; `$name` is a field."},
}  # fmt: skip
OMIT_NULL = {
    "type": "boolean", "default": False,
    "meta": {"help": "Whether fields that are null are left out."},
}  # fmt: skip
