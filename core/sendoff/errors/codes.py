"""The kinds of problems and warnings that `sendoff check` reports: a stable code for each, with its cause and fix."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class Code(StrEnum):
    """What kind of mistake it is. Codes are stable: tools and suppressions go by them."""

    YAML = "yaml"
    ENCODING = "encoding"
    DUPLICATE_KEY = "duplicate-key"
    EMPTY = "empty"
    NAME = "name"
    PROJECT = "project"
    UNKNOWN_KEY = "unknown-key"
    MISSING = "missing"
    TYPE = "type"
    LIMIT = "limit"
    CHOICE = "choice"
    COMPONENT = "component"
    VALUE = "value"
    RULE = "rule"
    CONFLICT = "conflict"
    SECRET = "secret"  # noqa: S105  # pragma: allowlist secret  # a code's name, no password
    REFERENCE = "reference"
    FORBIDDEN = "forbidden"
    FILE = "file"
    COLUMN = "column"
    SOURCE = "source"
    PLUGIN = "plugin"
    ADDRESS = "address"
    TLS = "tls"
    CREDENTIALS = "credentials"
    API = "api"
    DOUBLE_DELIVERY = "double-delivery"
    SHORT_SECRET = "short-secret"  # noqa: S105  # pragma: allowlist secret  # as above
    UNVERIFIED_TLS = "unverified-tls"
    PROXY_EGRESS = "proxy-egress"
    ORPHANED_RUN = "orphaned-run"


class Explanation(NamedTuple):
    """Why a problem of some code comes about, and what to do."""

    cause: str
    fix: str


CODES: Mapping[Code, Explanation] = {
    Code.YAML: Explanation(
        "The file is not YAML, or uses a part of YAML that connector files do without (aliases, tags, merge keys).",
        "Correct the line that is named; indent with spaces, and write a value out instead of an alias.",
    ),
    Code.ENCODING: Explanation(
        "The file is not UTF-8 text, but in another encoding or no text at all.", "Save it as UTF-8 in the editor."
    ),
    Code.DUPLICATE_KEY: Explanation("A key is written twice at one place.", "Keep one of them."),
    Code.EMPTY: Explanation(
        "A connector file has nothing in it, or only comments: it was most likely cut off.",
        "Restore it; to disable a connector, rename its file to end in `.disabled`.",
    ),
    Code.NAME: Explanation(
        "The file's name is not a valid connector name, or two files have the same name.",
        "Rename the file: lower-case letters, digits, `-` and `_`.",
    ),
    Code.PROJECT: Explanation(
        "There is nothing to check: no directory, no connector in it, or none of the name given.",
        "Give the project with `sendoff -d`, or create a connector with `sendoff new`.",
    ),
    Code.UNKNOWN_KEY: Explanation(
        "A key does not exist at this place.", "Correct its spelling, or move it to where it belongs: see the reference."
    ),
    Code.MISSING: Explanation("A required key is not there.", "Add it."),
    Code.TYPE: Explanation(
        "A value is of the wrong type: text for a number, a list for a mapping.", "Write a value of the type that is named."
    ),
    Code.LIMIT: Explanation("A value is too small, too large, too short or too long.", "Stay within the limit that is named."),
    Code.CHOICE: Explanation("A value is not one of those allowed.", "Use one of the values that are named."),
    Code.COMPONENT: Explanation(
        "No plugin offers a component of this name.", "Correct the name, or install the plugin: `sendoff plugins` lists them."
    ),
    Code.VALUE: Explanation(
        "A value is of the right type, and not valid: a URL, a schedule, a time zone.", "Correct it as the sentence says."
    ),
    Code.RULE: Explanation("A field's rule cannot be kept.", "Correct the rule, or use another: see the field rules."),
    Code.CONFLICT: Explanation(
        "Two settings do not go together, or one lacks the other.", "Leave one of them out, or add what is missing."
    ),
    Code.SECRET: Explanation(
        "`${env:NAME}` or `${file:PATH}` leads to nothing.", "Set the variable, or create the file; `--offline` needs neither."
    ),
    Code.REFERENCE: Explanation(
        "A name leads to nothing: a field that the schema lacks, a shared destination that is not there.",
        "Correct the name, or add what it names.",
    ),
    Code.FORBIDDEN: Explanation(
        "What the file names is not allowed here: a file outside the project, or a component that `egress: public` excludes.",
        "Use what is allowed, or ask who runs sendoff.",
    ),
    Code.FILE: Explanation("A file that the connector names cannot be read.", "Correct the path, or put the file there."),
    Code.COLUMN: Explanation(
        "A file or table lacks a column of the schema, or its columns are not valid.",
        "Correct the schema or the data; `schema_drift: allow` accepts missing columns.",
    ),
    Code.SOURCE: Explanation(
        "The source cannot be opened or read: a database, a sheet, a damaged file.", "Correct it as the sentence says."
    ),
    Code.PLUGIN: Explanation(
        "A plugin cannot be loaded, breaks its contract, fails, or may be changed by others.", "Correct or remove the plugin."
    ),
    Code.ADDRESS: Explanation(
        "The API's host name is not known, its address is not allowed, or nothing listens there.",
        "Correct `destination.url`, or the network.",
    ),
    Code.TLS: Explanation(
        "The API does not speak TLS, or its certificate is expired, for another name, or from an unknown authority.",
        "Correct the URL or the certificate; name a private authority in `destination.tls.ca`.",
    ),
    Code.CREDENTIALS: Explanation(
        "The authenticator got no credentials to send requests with.", "Correct what is under `destination.auth`."
    ),
    Code.API: Explanation(
        "The API did not respond to `destination.probe` as expected.", "Look at the response; correct the probe or the API."
    ),
    Code.DOUBLE_DELIVERY: Explanation(
        "Splitting a rejected request can deliver a record twice.", "Set `destination.atomic` or `destination.idempotent`."
    ),
    Code.SHORT_SECRET: Explanation("A secret is too short to be taken out of what is shown.", "Use a longer one."),
    Code.UNVERIFIED_TLS: Explanation("Any server is accepted as the API.", "Use `destination.tls.ca` instead."),
    Code.PROXY_EGRESS: Explanation(
        "A proxy decides which addresses are reached, so `egress: public` restricts only the way to it.",
        "Restrict the proxy, or leave it out.",
    ),
    Code.ORPHANED_RUN: Explanation(
        "An unfinished run's connector is not there any more.", "Give the file its old name, or use `rename` or `delete`."
    ),
}  # fmt: skip
