"""The pages on what programs read of sendoff and tell it: fields of its JSON, and environment variables."""

from __future__ import annotations

from collections.abc import Iterator

import click

from sendoff.cli.group import sendoff
from sendoff.monitoring.report import Report

from .page import Page, table

COUNTS = {
    "read": "Records of the source that belong to the run: valid and invalid, but no unchanged ones.",
    "delivered": "Records that the API accepted.",
    "accepted": "How many of the delivered ones the API has only accepted, as `response.accepted_when` says.",
    "invalid": "Records that break the schema or a validator; never sent.",
    "rejected": "Records that the API rejected, or that failed again and again.",
    "pending": "Records not settled yet; the next run sends them. `read = delivered + rejected + invalid + pending`.",
    "requests": "Requests that were sent, retries among them.",
    "retries": "How many of them were sent again after a transient failure.",
    "bytes": "Bytes of bodies.",
    "seconds": "How long it took, without the time between an interruption and its resume.",
}
RUN = {
    "connector": "The connector's name.",
    "run": "The run's number.",
    "state": "`complete`, `incomplete`, `stopped` or `interrupted`: [what each means](../delivery.md#a-run).",
    **COUNTS,
    "unchanged": "Rows that `incremental` knows, and that are no part of the run.",
    "stopped_because": "Why it stopped, as a sentence; else null.",
}
ATTRIBUTES = {
    "transient": "Whether what stopped it may pass by itself.",
    "interrupted_by": "130 for SIGINT, 143 for SIGTERM, 0 or 1 for a limit; only of a run whose state is `interrupted`.",
    "error": "The exception that stopped it, if it was one.",
    "exit_code": "What `sendoff run` ends with: [exit codes](exit-codes.md).",
}
#: The JSON of each command: of the whole if it is an object, or of each element of an array; and of a list inside it.
JSON: dict[str, dict[str, str]] = {
    "run --json": {"runs": "An object for each connector, see above.", "exit_code": "What the command ends with."},
    "runs --json": {
        "id": "The run's number.",
        "connector": "The connector's name.",
        "state": "As above; also `running` and `discarded`.",
        "stopped_because": "As above.",
        "retry_of": "The run whose failed records it retries; else null.",
        "started": "When, in local time.",
        **COUNTS,
        "dismissed": "How many of the rejected and invalid ones are dismissed (`sendoff failed RUN --dismiss`).",
        "starts": "How often it was started: once, and once for each resume.",
    },
    "runs RUN --requests --json": {
        "run": "The run's number.",
        "number": "The request's number in the run.",
        "lo": "The first record in it, by its place among the valid ones.",
        "hi": "The place behind the last.",
        "records": "How many it carries.",
        "attempt": "The how-manieth sending it was.",
        "method": "The HTTP method.",
        "url": "The URL, without secrets.",
        "key": "The idempotency key.",
        "bytes": "The size of its body.",
        "status": "The status of the response; null if there was none.",
        "verdict": "What the response was taken for.",
        "reason": "Why, if it did not deliver.",
        "seconds": "How long it took.",
        "at": "When it ended, in Unix time.",
        "maybe_applied": "1 if its records may have been applied although no response says so; else 0.",
    },
    "check --json": {
        "checked": "The connector files.",
        "problems": "Mistakes, each with `file`, `line`, `column`, `path` and `sentence`.",
        "warnings": "What is likely not meant, as sentences.",
        "notes": "What `-v` adds, as sentences.",
    },
    "status --json": {
        "connectors": "For each `connector`: its newest `run`, `state`, when it `started`, how many records are `pending`, the "
        "`unfinished` run that the next one resumes, and `failed`: how many failed records are open, by run.",
        "destinations": "APIs that are down or asked for a pause: `origin`, `down_since`, `rest_until` in Unix time.",
    },
    "schedule --json": {
        "connector": "The connector's name.",
        "next": "When it is due next, in its own zone.",
        "cron": "When, as the file has it.",
        "timezone": "Its zone.",
        "missed": "What happens to missed runs.",
        "last": "The state of its last run; null if there is none.",
    },
    "doctor --json": {
        "what": "What was looked at.",
        "found": "What was found.",
        "trouble": "What is wrong with it; else empty.",
    },
    "plugins --json": {
        "kind": "The kind of component.",
        "name": "Its name.",
        "summary": "What it does.",
        "from": "The distribution or file that offers it.",
        "options": "Its options: `name`, `type`, `default`, `help`.",
    },
}
ENVIRONMENT = {
    "SENDOFF_AMBIENT_ORIGINS": "Origins, with commas between, where the machine's account may be used besides its own cloud.",
    "_SENDOFF_COMPLETE": "What a shell sets to complete commands: see [commands](commands.md).",
    "NO_COLOR": "No colours on a terminal.",
    "COLUMNS": "The width that tables are fitted to.",
    "VISUAL, EDITOR": "What `sendoff edit` opens.",
    "HTTP_PROXY, HTTPS_PROXY, NO_PROXY": "Used only by a connector with `destination.proxy: env`.",
}


def _json() -> Iterator[str]:
    yield "Fields may be added; none is renamed or changes its meaning within a major version.\n"
    yield "## A run\n\nWhat `sendoff run --json` and `sendoff retry --json` print of each run, and the attributes of"
    yield "`sendoff.Report`, which `Runner.run` and `sendoff.send` return.\n"
    yield from table(["field", "what it is"], ([f"`{name}`", RUN[name]] for name in Report.FIELDS))
    yield "\nOnly in Python:\n"
    yield from table(["attribute", "what it is"], ([f"`{name}`", text] for name, text in ATTRIBUTES.items()))
    for command, fields in JSON.items():
        yield f"\n## {command}\n"
        yield from table(["field", "what it is"], ([f"`{name}`", text] for name, text in fields.items()))
    yield "\n`sendoff failed --json` and `--jsonl`, and `sendoff results --jsonl`, have the fields of your records, with"
    yield "`_record`, `_reason`, `_status` and `_row` of where each was and why."


def environment() -> dict[str, str]:
    """What each variable does: those of options of `sendoff`, and the others."""
    options = [option for option in sendoff.params if isinstance(option, click.Option) and isinstance(option.envvar, str)]
    return {str(option.envvar): f"As `{max(option.opts, key=len)}`: {option.help}" for option in options} | ENVIRONMENT


def _environment() -> Iterator[str]:
    rows = ([", ".join(f"`{name}`" for name in names.split(", ")), text] for names, text in environment().items())
    yield from table(["variable", "what it does"], rows)
    yield "\nEvery other variable is read only where a connector file names it, as `${env:NAME}`."
    yield "[Authentication and credentials](../how-to/credentials.md) has more on that."


PAGES = [
    Page("json", "Reports and JSON", "The fields of what `--json` prints, and of a report in Python.", _json),
    Page("environment", "Environment variables", "What of the environment sendoff reads by itself.", _environment),
]
