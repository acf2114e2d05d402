"""Sources: where records come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from sendoff.bounds import MAX_COLUMNS
from sendoff.components.component import Component
from sendoff.components.csv_dialect import CsvDialect
from sendoff.jsonlib.notation import Notation
from sendoff.options import check_timezone, option, optional
from sendoff.transport.egress import Mode
from sendoff.transport.file_access import FileAccess

#: A local stand-in: from a request's method, path, headers and body to a response's status, body and headers, or None where it
#: is not for the stand-in. The names of headers are in lower case.
StandIn = Callable[[str, str, Mapping[str, str], bytes], tuple[int, bytes, Mapping[str, str]] | None]


class ReadMark(NamedTuple):
    """How far a source was read: the position, a JSON value of the source's own, and a digest of all before it."""

    position: object
    digest: bytes


class Source(Component, ABC):
    """Where records come from."""

    kind = "sources"
    #: Every source has this option, whatever its class declares.
    options = {
        "max_columns": option(
            "Maximum columns, or names of fields, of a file, a table or a post. With more, its keys are most likely data.",
            type="integer", min=1, default=MAX_COLUMNS,
        ),
        "timezone": optional(
            "The zone of its datetimes that name none, like `Europe/Berlin`; a field's own `timezone` comes first.",
            type="string", check_with=check_timezone,
        ),
    }  # fmt: skip
    max_columns: int = MAX_COLUMNS
    timezone: str | None = None
    #: How its text writes numbers and booleans, where that is not as JSON does.
    notation: Notation | None = None
    #: How its tables of text are written, where it reads such: `sendoff failed --csv` writes what failed likewise.
    csv_dialect: CsvDialect = CsvDialect()
    #: The options that point it at its stand-in's URL; none if it has no stand-in.
    stand_in_options: ClassVar[Sequence[str]] = ()
    #: Where the next run resumes, set when `read` ends: any JSON value; None: at the beginning.
    next_cursor: Any = None
    #: Which addresses it may connect to, if any: see `sendoff.transport.egress` for the rules.
    egress: Mode = "configured"
    #: Which files it may read; None: any.
    file_access: FileAccess | None = None
    #: How many rows it has in all, about, as `share_read` shows while it is read; None if that is unknown.
    expected_rows: int | None = None
    #: The file that is read now, where it reads files: for messages.
    current_file: str = ""
    #: The name of its connector, and the state directory, where it may keep files of its own.
    connector: str = ""
    state: Path | None = None

    def __init_subclass__(cls, **given: object) -> None:
        super().__init_subclass__(**given)
        cls.options = {**cls.options, **Source.options}

    @abstractmethod
    def read(self, cursor: Any) -> Iterable[Any]:
        """Yield records: mappings, lists of mappings, polars frames, Arrow streams, or `Page`s.

        `cursor` is what `next_cursor` was at the end of the last run that counts, or None. It is used only for
        sources without a fingerprint. Raise `SourceError` for what cannot be read.
        """

    def peek(self) -> Iterable[object] | None:
        """What `sendoff check --connect` reads the first page of; None if that would take records away or change something.

        Raise `SourceError` for what can be seen to be wrong without reading.
        """
        return self.read(None)

    def fingerprint(self) -> bytes | None:
        """What must be equal for the source to read the same again; None if it reads only once.

        A source without a fingerprint is spooled to disk before anything of it is sent, so that an
        interrupted run can be resumed.
        """
        return None

    def share_read(self) -> float | None:
        """How much of it has been read so far, from 0 to 1; None if that is unknown. It is asked for at every page."""
        return None

    def quick_fingerprint(self) -> bytes | None:
        """A digest that takes no time, of names and sizes: it differs where those do. None for a source without marks.

        A run of a source with one begins at once: `fingerprint` is asked before it only where another run's was the same.
        """
        return None

    def mark(self) -> ReadMark | None:
        """How far `read` has read; a resumed run must read the same up to there. At the end, its digest is the fingerprint."""
        return None

    def digest_to(self, position: object) -> bytes:
        """The digest that `mark` would have at a position; another one if what is there is not that, or less."""
        return b""

    def change_token(self) -> Any:
        """A value that differs whenever there is something else to read; None if that is unknown.

        Under ``watch: true`` it is called every second, and must be quick.
        """
        return None

    def cancel(self) -> None:
        """The run is interrupted: end what `read` waits for, such as a program. Called from anywhere, also a signal handler."""

    def columns(self) -> Iterable[tuple[str, Sequence[str]]]:
        """Each file (or table) and its columns, where they are known before reading."""
        return ()

    @classmethod
    def detect(cls, file: Path, likely: CsvDialect | None = None) -> dict[str, object]:
        """The options, by name, that a file needs to be read and that differ from their defaults, as far as it shows them.

        `likely` is how a table of text is written most likely, where that is known: with it, one that a spreadsheet saved is
        read as it was.
        """
        return {}

    @classmethod
    def stand_in(cls, file: Path) -> StandIn | None:
        """A local stand-in for what it reads from, which serves a file's records; None if there is none.

        `sendoff sandbox --stand-in` runs it.
        """
        return None


class InboxSource(Source):
    """A source whose records partners post to `sendoff serve`, at ``/inbox/NAME``."""

    #: The token that allows posting, and the maximum bytes of one post.
    token: str
    max_body: int

    @abstractmethod
    def accept(self, content_type: str, body: bytes, key: str | None) -> bool:
        """Keep a post, durably; False if one with its key is kept already.

        Raises `LookupError` for a content type it does not know, `ValueError` for a body that is not what it says, and
        `sendoff.ledger.inbox.InboxFull`; each with a sentence for the sender.
        """

    def close(self) -> None:
        """No more posts will come."""
