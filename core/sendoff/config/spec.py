# ruff: noqa: E501  # a row of the declarations reads best as a row
"""The rules of connector files, in Cerberus: declared once, for checking, defaults, help and the reference."""

from __future__ import annotations

from typing import Any

from sendoff.options import option
from sendoff.response import RULES as RESPONSE_RULES
from sendoff.schema import RULES as FIELD_RULES

METHODS = ("POST", "PUT", "PATCH", "DELETE", "GET")


RETRY = {
    "max_attempts": option("How often one request is tried while others get through.", type="integer", min=1, max=100, default=6),
    "initial_backoff": option("Maximum seconds before the first retry; doubled for each next.", type="number", min=0, default=0.5),
    "max_backoff": option("Maximum seconds between two attempts.", type="number", min=0, default=60),
    "max_retry_after": option("Maximum seconds a Retry-After is obeyed for.", type="number", min=0, default=3600),
    "max_elapsed": option("Seconds of failing after which a request, or an API that is down, is given up.", type="number", min=0, default=900),
}  # fmt: skip

IDEMPOTENCY = {
    "enabled": option("Whether requests carry a key.", type="boolean", default=True),
    "in": option(
        "Where it travels: a header, the query, or the body, where `$key` appears in `envelope` or `record`.",
        type="string", allowed=["header", "query", "body"], default="header",
    ),
    "name": option("The name of the header or parameter.", type="string", check_with="header_name", default="Idempotency-Key"),
    "form": option("What it looks like: 32 hexadecimal digits, a UUID, or an integer of 18 digits.", type="string", allowed=["text", "uuid", "int64"], default="text"),
    "quoted": option("Whether a header's value is in double quotes, per the IETF draft.", type="boolean", default=False),
}  # fmt: skip

_RATES: dict[str, object] = {
    "type": ["string", "list"], "check_with": "rate", "schema": {"type": "string", "check_with": "rate"}, "minlength": 1,
    "required": False,
}  # fmt: skip

RATE_LIMIT = {
    "requests": option("Maximum requests, like `10/s`, or `[100/10s, 250000/day]`: then both hold.", **_RATES),
    "records": option("Maximum records, like `5000/s`; or several rates.", **_RATES),
    "bytes": option("Maximum bytes of bodies, like `2MB/s`; or several rates.", **_RATES),
}

TLS = {
    "ca": option("A file of certificates to trust instead of the usual ones.", type="string", required=False),
    "cert": option("A client certificate, for mutual TLS.", type="string", required=False),
    "key": option("Its key, if it is not in the same file.", type="string", required=False),
    "passphrase": option(
        "The key's passphrase, if it is encrypted, as `${env:NAME}`. It is never asked for.", type="string", required=False
    ),
    "verify": option("Whether the API must prove who it is. `false` is warned of at every run.", type="boolean", default=True),
}

PROBE = {
    "method": option("Its method, which changes nothing.", type="string", allowed=["GET", "HEAD", "OPTIONS"], default="GET"),
    "url": option("Where it goes, at the destination's scheme, host and port: a path like `/health`, or a URL.", type="string", check_with="behind"),
    "expect": option("The statuses with which all is well, like `2xx` or `200, 204`.", type="string", check_with="statuses", default="2xx"),
}  # fmt: skip

DESTINATION = {
    "extends": option("A file in `destinations.d`, by name: what it says holds here too, unless said otherwise.", type="string", required=False),
    "url": option(
        "Where requests go: http or https, with a port if it is not the usual one. `{field}` is replaced by a record's own value, after the first segment of the path. With `extends`, what begins with / goes behind the shared URL.",
        type="string", check_with="url",
    ),
    "method": option("The method of every request.", type="string", allowed=list(METHODS), default="POST"),
    "headers": option(
        "Headers of every request, by name. `{field}` is replaced by a record's own value.",
        type="dict",
        keysrules={"type": "string", "check_with": "header_name"},
        valuesrules={"type": "string", "check_with": "header_value"},
        check_with="headers",
        default={},
    ),
    "auth": option("How requests are authenticated.", component="authenticators", required=False),
    "concurrency": option(
        "How many requests may be in flight at once; `auto` finds out what the API can handle, up to 64.",
        type=["integer", "string"], check_with="concurrency", default="auto",
    ),
    "timeout": option(
        "Seconds a whole attempt may take, to the last byte of the response; a large body gets more.", type="number", min=0.001, max=86400, default=60
    ),
    "min_upload_rate": option("Minimum upload rate, in bytes a second: a body of that many gets one second more.", type="number", min=1, default=100_000),
    "rate_limit": option("Maximum rates: so much in any such period. A bare rate, or a list of them, is of requests.", type="dict", schema=RATE_LIMIT, default={}, shorthand={"string": "requests", "list": "requests", "number": "requests"}),
    "response": option("How responses are read.", type="dict", schema=RESPONSE_RULES, default={}),
    "atomic": option("Whether a rejected request leaves nothing behind. Then splitting it cannot apply a record twice.", type="boolean", required=False),
    "idempotent": option("Whether a record sent twice counts once, as with an upsert. Then also what may have been applied is split.", type="boolean", required=False),
    "compress": option("How bodies are compressed.", type="string", allowed=["none", "gzip", "zstd"], default="none"),
    "transport": option("How requests travel. Default: what suits how records are sent; `sendoff check -v` shows it.", component="transports", required=False),
    "tls": option("Certificates.", type="dict", schema=TLS, default={}),
    "proxy": option("The URL of an HTTP proxy, or `env` to ask the environment. Default: none.", type="string", check_with="proxy", required=False),
    "egress": option(
        "`public` dials only addresses on the open internet; `configured` all but link-local and metadata addresses.",
        type="string", allowed=["configured", "public"], default="configured",
    ),
    "probe": option("A request that `sendoff check --connect` sends, with the destination's headers and credentials, to see whether the API responds.", type="dict", schema=PROBE, required=False),
    "retry": option("How transient failures are retried.", type="dict", schema=RETRY, default={}),
    "idempotency": option("The idempotency key, by which the API recognises a repeat.", type="dict", schema=IDEMPOTENCY, default={}, shorthand={"boolean": "enabled"}),
}  # fmt: skip

ON_CHANGED = {
    "method": option("The method for a row that changed. Default: the destination's.", type="string", allowed=list(METHODS), required=False),
    "url": option("Where it goes; what begins with / goes behind the destination's URL. Default: the destination's.", type="string", check_with="behind", required=False),
}  # fmt: skip

ON_REMOVED = {
    "method": option("The method for a row that is gone.", type="string", allowed=list(METHODS), default="DELETE"),
    "url": option("Where it goes, made of fields of the key; what begins with / goes behind the destination's URL.", type="string", check_with="behind", required=False),
    "body": option("Its body: `none`, or a record of the key's fields. Default: none for DELETE and GET.", type="string", allowed=["none", "key"], required=False),
    "max_share": option("The largest share of the known rows that may be gone at once; more stops the run, as the source is likely at fault.", type="number", min=0, max=1, default=0.5),
}  # fmt: skip

INCREMENTAL = {
    "key": option("The fields that tell one row from another. Without it a row is known by all it holds, and an edited row is new.", type="list", schema={"type": "string"}, minlength=1, required=False),
    "initial_load": option("What the first run does with the rows that are there: `send` them, or `skip` them, to begin with what comes later.", type="string", allowed=["send", "skip"]),
    "changed": option("Whether a row whose key is known is sent again when it has changed. Default: ignore, unless `on_changed` is there.", type="string", allowed=["ignore", "resend"], required=False),
    "on_changed": option("How a changed row is sent, if not like a new one.", type="dict", schema=ON_CHANGED, required=False),
    "on_removed": option("How the removal of a row is sent. Without it, removals are not sent.", type="dict", schema=ON_REMOVED, required=False),
}  # fmt: skip

SCHEDULE = {
    "cron": option("When: minute, hour, day, month, weekday, like `0 7 * * *`.", type="string", check_with="cron"),
    "timezone": option("In which time zone, like `Europe/Berlin`.", type="string", check_with="timezone"),
    "missed": option("What happens to missed runs: `run_once` makes up for all of them with one, `skip` waits for the next.", type="string", allowed=["run_once", "skip"], default="run_once"),
}  # fmt: skip

CONNECTOR: dict[str, Any] = {
    "source": option("Where records come from.", component="sources"),
    "incremental": option("Deliver only rows that were not delivered before.", type="dict", schema=INCREMENTAL, required=False),
    "schema": option(
        "The fields, in the order they are sent, each with its rules or its type alone.",
        type="dict",
        keysrules={"type": "string", "empty": False},
        valuesrules={
            "type": "dict", "schema": FIELD_RULES, "allow_unknown": False, "shorthand": {"string": "type", "null": None},
        },
        default={},
    ),
    "unknown": option(
        "What to do with columns the schema does not name. Without a schema they are kept.",
        type="string",
        allowed=["drop", "keep", "forbid"],
        required=False,
    ),
    "validators": option("Further checks that make a record invalid.", type="list", schema={"component": "validators"}, default=[]),
    "on_invalid": option(
        "`skip` sends the good records; `stop` sends nothing if any record is invalid.",
        type="string",
        allowed=["skip", "stop"],
        default="skip",
    ),
    "destination": option("The API.", type="dict", schema=DESTINATION),
    "send": option("How records become requests.", component="senders", default_for="many"),
    "order_by": option("A field whose equal values keep their order, while others are sent in parallel.", type="string", required=False),
    "on_failure": option("What to do with a rejected request.", component="failure_strategies", default_for="rejection"),
    "schedule": option("When it runs: see `sendoff schedule` and `sendoff serve`.", type="dict", schema=SCHEDULE, required=False),
    "watch": option("Whether `sendoff serve` runs it as soon as a file of its source has arrived.", type="boolean", default=False),
    "notify": option("Who is notified of how its runs went.", type="list", schema={"component": "notifiers"}, default=[]),
    "deadline": option("Seconds after which the run ends for now; the next one resumes it.", type="number", min=0.001, required=False),
    "observers": option("What else watches the run.", type="list", schema={"component": "observers"}, default=[]),
}  # fmt: skip
