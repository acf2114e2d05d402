"""A log on standard error instead of lines for people: text, or one JSON object a line."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime

import click

from sendoff.cleaning import clean, escape_in_json

FORMATS = ("text", "json")
LEVELS = ("debug", "info", "warning", "error")
_LOG = logging.getLogger("sendoff")
#: Takes away what shows progress on a terminal: the cursor is left at its start.
CLEAR = "\r\x1b[J"
#: What a log record may have of an event, in the order in which it is written.
_OF_EVENTS = ("event", "connector", "run", "fields")


class JsonFormatter(logging.Formatter):
    """A log record as a JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        found = {name: value for name in _OF_EVENTS if (value := getattr(record, name, None)) is not None}
        if record.exc_info:
            found["traceback"] = self.formatException(record.exc_info)
        line = {"ts": _timestamp(record.created), "level": record.levelname.lower(), "logger": record.name, **found}
        return escape_in_json(json.dumps({**line, "message": record.getMessage()}, default=str, ensure_ascii=False))


class TextFormatter(logging.Formatter):
    """A log record as a line of text."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_timestamp(record.created)} {record.levelname:<7} {clean(record.getMessage())}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def write_log(form: str, level: int) -> None:
    """From now on, what goes to standard error is a log: of sendoff from this level on, of libraries from WARNING on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.getLogger().handlers[:] = [handler]
    logging.captureWarnings(True)
    _LOG.setLevel(level or logging.INFO)


def chosen_format(ctx: click.Context, param: click.Parameter, form: str | None) -> None:
    """The callback of ``--log-format``."""
    if form is not None:
        write_log(form, _LOG.level)


def chosen_level(ctx: click.Context, param: click.Parameter, level: str | None) -> None:
    """The callback of ``--log-level``."""
    if level is not None:
        _LOG.setLevel(level.upper())
        if not is_log():
            write_log("text", _LOG.level)


def is_log() -> bool:
    """Whether standard error is a log."""
    return isinstance(_formatter(), JsonFormatter | TextFormatter)


def write(text: str, level: str = "info", **facts: object) -> None:
    """Write a sentence into the log."""
    _LOG.log(logging.getLevelNamesMapping()[level.upper()], "%s", text.strip(), extra=facts)


def write_at_once(text: str, level: str = "warning") -> None:
    """Write a sentence to standard error from a signal handler, which may have interrupted a write there."""
    number = logging.getLevelNamesMapping()[level.upper()]
    record = _LOG.makeRecord(_LOG.name, number, "", 0, text, (), None)
    formatter = _formatter()
    if not is_log() or formatter is None:
        start = CLEAR if os.isatty(2) else "\n"
        os.write(2, f"{start}{text}\n".encode())
    elif _LOG.isEnabledFor(number):
        os.write(2, f"{formatter.format(record)}\n".encode())


def clear_progress() -> None:
    """Take away what shows progress, from a signal handler."""
    if os.isatty(2):
        os.write(2, CLEAR.encode())


def _formatter() -> logging.Formatter | None:
    handlers = logging.getLogger().handlers
    return handlers[0].formatter if handlers else None


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
