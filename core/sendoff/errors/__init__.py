"""Everything sendoff raises on purpose, grouped by what the caller should do, and the exit code of each.

::

    SendoffError          2   something must be fixed first
    ├── ConfigError       2   fix the connector file, the command or the plugin; nothing was sent
    │   └── PluginError   2   a plugin cannot be loaded or breaks its kind's contract
    ├── SourceError       2   fix the source; what was delivered stays delivered
    │   ├── SourceChanged 2   the source differs from when the run began
    │   └── SourceUnavailable 3   the source cannot be reached now; the next run goes on
    ├── LedgerError       2   fix the state directory; nothing is sent without a ledger
    │   └── Locked       75   the same connector is running already; try again later
    ├── AuthError         2   fix the credentials; 3 if the server that issues them cannot be reached now
    ├── PluginCrash      70   a plugin raised an exception that it should not have
    ├── Interrupted     130   a person or a scheduler ended it before there was a run
    └── Incomplete        1   the run ended, and some records were not delivered

The command ends with the code of the class, and with 70 for any exception that is not here: a fault of sendoff itself.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sendoff.cleaning import clean
from sendoff.errors.codes import Code

__all__ = [
    "AuthError",
    "ConfigError",
    "Incomplete",
    "Interrupted",
    "LedgerError",
    "Locked",
    "PluginCrash",
    "PluginError",
    "Problem",
    "SendoffError",
    "SourceChanged",
    "SourceError",
    "SourceUnavailable",
]


class SendoffError(Exception):
    """Base of every error sendoff raises on purpose."""

    #: What the command ends with.
    exit_code: int = 2

    def __init__(self, *parts: object) -> None:
        # Names of files, fields and streams stand in sentences, and come from outside.
        super().__init__(*(clean(part) if isinstance(part, str) else part for part in parts))


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake and its place; prints as ``file:line:col: path: sentence``."""

    file: str
    line: int
    column: int
    path: str
    sentence: str
    code: Code

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: " if self.line else f"{self.file}: "
        return clean(place + (f"{self.path}: " if self.path else "") + self.sentence)


class ConfigError(SendoffError):
    """What the user wrote is wrong. `problems` lists every mistake, each with its place."""

    def __init__(self, *problems: Problem | str) -> None:
        self.problems: Sequence[Problem | str] = [clean(each) if isinstance(each, str) else each for each in problems]
        Exception.__init__(self, "\n".join(map(str, self.problems)))


class PluginError(ConfigError):
    """A plugin cannot be loaded, clashes with another, or breaks its kind's contract."""


class SourceError(SendoffError):
    """The source cannot be read as declared. The sentence names file and line where it can.

    Raised before anything is sent; a source that breaks later stops its run, and the report says so. `code` is what kind of
    mistake `sendoff check` reports it as.
    """

    def __init__(self, sentence: str, *, code: Code | str = Code.SOURCE) -> None:
        super().__init__(sentence)
        self.code = Code(code)


class SourceChanged(SourceError):
    """The source differs from what an unfinished run read; resuming would mix two inputs."""


class SourceUnavailable(SourceError):
    """The source cannot be reached, or answers that it is overloaded: nothing to fix, and a later run may find it well."""

    exit_code = 3


class LedgerError(SendoffError):
    """The ledger cannot be opened, read or written. Without a ledger nothing is sent."""


class Locked(LedgerError):
    """Another process is running this connector; the sentence says which."""

    exit_code = 75


class AuthError(SendoffError):
    """There are no credentials to send a request with: a token cannot be read or is missing."""

    def __init__(self, sentence: str, *, permanent: bool = True) -> None:
        super().__init__(sentence)
        #: Whether trying again later cannot help.
        self.permanent = permanent
        self.exit_code = 2 if permanent else 3


class Interrupted(SendoffError):
    """Interrupted before there was a run: while the source was read to disk. Nothing was sent, and nothing is left behind."""

    exit_code = 130


class PluginCrash(SendoffError):
    """A plugin raised an exception that it should not have. The sentence names the plugin, its file and line, and the record.

    The exception itself is its cause.
    """

    exit_code = 70
    code = Code.PLUGIN

    def __init__(self, plugin: str, raised: str, *, place: str = "", row: int | None = None) -> None:
        super().__init__(f"{plugin} failed{place}: {raised}")
        self._parts = plugin, raised
        #: The index of the row that it failed at, of those it was given; None if that is not known.
        self.row = row

    @classmethod
    def of(cls, error: BaseException, component: object, *, row: int | None = None) -> Self:
        """The crash of a component, with the line of it that was reached."""
        caused = error.__cause__.__traceback__ if error.__cause__ else None
        frames = [*traceback.walk_tb(error.__traceback__), *traceback.walk_tb(caused)]
        outside = [(frame, line) for frame, line in frames if not _is_core(frame.f_globals.get("__name__"))]
        own = [(frame, line) for frame, line in outside if frame.f_locals.get("self") is component]
        where = "".join(f" ({_shown(frame.f_code.co_filename)}:{line})" for frame, line in own[-1:] or outside[:1])
        kind, name = getattr(component, "kind", ""), getattr(component, "name", "")
        kind = (f"{kind[:-3]}y" if kind.endswith("ies") else kind[:-1]).replace("_", " ")
        raised = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        made = cls(f"the {kind} {name!r}{where}", raised, row=row)
        made.__cause__ = error
        return made

    @classmethod
    def find(cls, error: BaseException) -> Self | None:
        """The crash of the innermost component that an exception came through; None if it came through none.

        What the core implements itself is not a plugin's crash.
        """
        inside = [frame.f_locals.get("self") for frame, _ in traceback.walk_tb(error.__traceback__)]
        return next((cls.of(error, each) for each in reversed(inside) if _is_plugin(type(each))), None)

    def at(self, place: str) -> Self:
        """The same crash, with where in the source it was, as ` at file:line` or ` after 2 rows`."""
        made = type(self)(*self._parts, place=place)
        made.__cause__ = self.__cause__
        return made


class Incomplete(SendoffError):
    """Raised by `Report.raise_if_incomplete`; `report` is that `sendoff.Report`."""

    exit_code = 1

    def __init__(self, sentence: str, report: object) -> None:
        super().__init__(sentence)
        self.report = report


def _is_plugin(kind: type) -> bool:
    """Whether a class is a component that the core does not define."""
    named = isinstance(getattr(kind, "kind", None), str) and isinstance(getattr(kind, "name", None), str)
    return named and not _is_core(kind.__module__)


def _is_core(module: object) -> bool:
    return str(module).partition(".")[0] == "sendoff"


def _shown(file: str) -> str:
    path, here = Path(file), Path.cwd()
    return os.fspath(path.relative_to(here) if path.is_relative_to(here) else path)
