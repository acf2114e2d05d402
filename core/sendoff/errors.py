"""Everything sendoff raises on purpose, grouped by what the caller should do.

::

    SendoffError
    ├── ConfigError       fix the connector file, the command or the plugin; nothing was sent
    │   └── PluginError   a plugin cannot be loaded or breaks its kind's contract
    ├── SourceError       fix the source; what was delivered stays delivered
    │   ├── SourceChanged the source differs from when the run began
    │   └── SourceUnavailable  the source cannot be reached now; the next run tries again
    ├── LedgerError       fix the state directory; nothing is sent without a ledger
    │   └── Locked        the same connector is running already; try again later
    ├── AuthError         fix the credentials, or the server that issues them; nothing more is sent
    └── Incomplete        the run ended, and some records were not delivered

Each class carries the exit code that the command ends with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

__all__ = [
    "AuthError",
    "ConfigError",
    "Incomplete",
    "LedgerError",
    "Locked",
    "PluginError",
    "Problem",
    "SendoffError",
    "SourceChanged",
    "SourceError",
    "SourceUnavailable",
]


class SendoffError(Exception):
    """Base of every error sendoff raises on purpose."""

    exit_code: ClassVar[int] = 3


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake and its place; prints as ``file:line:col: path: sentence``."""

    file: str
    line: int
    column: int
    path: str
    sentence: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: " if self.line else f"{self.file}: "
        return place + (f"{self.path}: " if self.path else "") + self.sentence


class ConfigError(SendoffError):
    """What the user wrote is wrong. `problems` lists every mistake, each with its place."""

    exit_code = 2

    def __init__(self, *problems: Problem | str) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems: Sequence[Problem | str] = problems


class PluginError(ConfigError):
    """A plugin cannot be loaded, clashes with another, or breaks its kind's contract."""


class SourceError(SendoffError):
    """The source cannot be read as declared. The sentence names file and line where it can.

    Raised before anything is sent; a source that breaks later stops its run, and the report says so.
    """

    exit_code = 2


class SourceChanged(SourceError):
    """The source differs from what an unfinished run read; resuming would mix two inputs."""


class SourceUnavailable(SourceError):
    """The source cannot be reached, or answers that it is overloaded: nothing to fix, and a later run may find it well."""

    exit_code = 3


class LedgerError(SendoffError):
    """The ledger cannot be opened, read or written. Without a ledger nothing is sent."""


class Locked(LedgerError):
    """Another process is running this connector; the sentence says which."""


class AuthError(SendoffError):
    """There are no credentials to send a request with: a token cannot be read or is missing."""

    def __init__(self, sentence: str, *, permanent: bool = True) -> None:
        super().__init__(sentence)
        #: Whether trying again later cannot help.
        self.permanent = permanent


class Incomplete(SendoffError):
    """Raised by `Report.raise_if_incomplete`; `report` is that `sendoff.Report`."""

    exit_code = 1

    def __init__(self, sentence: str, report: object) -> None:
        super().__init__(sentence)
        self.report = report
