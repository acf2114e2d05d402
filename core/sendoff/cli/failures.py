"""How an error ends the command: its sentence on standard error, and its exit code."""

from __future__ import annotations

import errno
import logging
import traceback
from collections.abc import Callable

import click

from sendoff.cleaning import clean
from sendoff.cli import logs
from sendoff.cli.output import say
from sendoff.errors import ConfigError, PluginCrash, SendoffError

_LOG = logging.getLogger("sendoff")
#: What a write says where there is no more room for it, or nothing to write to.
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF)


class _Sentences(logging.Handler):
    """Prints what is logged, between the lines that show progress."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            say(self.format(record), err=True)
        except Exception:  # as the handlers of the standard library do
            self.handleError(record)


def show_warnings() -> None:
    """From now on, print warnings as sentences, not as Python does."""
    if not (logs.is_log() or any(isinstance(handler, _Sentences) for handler in _LOG.handlers)):
        _LOG.addHandler(_Sentences(logging.WARNING))


def show_tracebacks() -> None:
    """From now on, show the traceback of every error."""
    for handler in _LOG.handlers:
        if isinstance(handler, _Sentences):
            handler.setLevel(logging.DEBUG)
    _LOG.setLevel(logging.DEBUG)


def fail(error: BaseException, *, connector: str = "", redact: Callable[[str], str] = str) -> int:
    """Print an error's sentences, each with the connector's name before it; returns the exit code."""
    known = error if isinstance(error, SendoffError) else PluginCrash.find(error)
    name = connector or "sendoff"
    code = known.exit_code if known else 2
    if isinstance(known, ConfigError):
        sentences = [f"{connector}: {problem}" if connector else str(problem) for problem in known.problems]
    elif known is not None:
        sentences = [f"{name}: {known}"]
    elif isinstance(error, OSError) and (error.filename is not None or error.errno in _UNWRITABLE):
        what = "standard output" if error.filename is None else error.filename
        sentences = [f"{name}: {what}: {(error.strerror or str(error)).lower()}"]
    else:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        code, place = 70, f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"
        sentences = [f"{name}: a fault of sendoff itself, at {place}: {type(error).__name__}: {error}"]
    for sentence in sentences:
        hint = "; `sendoff --debug ...` shows the traceback" if code == 70 and not _LOG.isEnabledFor(logging.DEBUG) else ""
        facts = {"event": "error", "fields": {"exit_code": code}, **({"connector": connector} if connector else {})}
        say(redact(sentence) + hint, err=True, level="error", facts=facts)
    log_traceback(error, redact)
    return code


def show_usage_error(error: click.ClickException) -> None:
    """Print what is wrong with a command line."""
    if logs.is_log():
        logs.write(error.format_message(), "error", event="error", fields={"exit_code": error.exit_code})
    else:
        error.show()


def log_traceback(error: BaseException, redact: Callable[[str], str] = str) -> None:
    """Show where an error was raised, if tracebacks are shown."""
    if _LOG.isEnabledFor(logging.DEBUG):
        _LOG.debug("%s", "\n".join(map(clean, redact("".join(traceback.format_exception(error)).rstrip()).split("\n"))))
