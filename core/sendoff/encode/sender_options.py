"""Options that senders have in common."""

from sendoff.encode import templates
from sendoff.encode.templates import check_record
from sendoff.options import option

MAX_RECORDS = option("Maximum records in one request.", type="integer", min=1, max=250_000, default=250_000)
MAX_BYTES = option(
    "Maximum bytes in one request's body, exactly. A record that alone is larger is skipped.",
    type="integer", min=3, nullable=True, default=None,
)  # fmt: skip
MAX_RECORD_BYTES = option(
    "Maximum bytes of one record as it is sent, exactly; one that is larger is skipped. For APIs that limit both.",
    type="integer", min=2, nullable=True, default=None,
)  # fmt: skip
RECORD = option(
    "The template of a record: `{id: $email, properties: $record}`; `$name` is a field.",
    nullable=True, default=None, check_with=check_record,
)  # fmt: skip
#: What stands for the whole record in a template.
WHOLE_RECORD = templates.RECORD
OMIT_NULL = option("Whether fields that are null are left out.", type="boolean", default=False)
