"""Singer taps: programs that write SCHEMA, RECORD and STATE messages, one JSON object a line."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sendoff.plugin import ENV, PAGE_BYTES, PAGE_ROWS, Lines, Page, Source, SourceError, hookimpl, jsonlib, pages_of_mappings
from sendoff_plugins.sources._common.process import COMMAND, ProgramSource
from sendoff_plugins.sources._common.singer_batch import read_batch
from sendoff_plugins.sources._files.files import MAX_RECORD

_TYPES = ("SCHEMA", "RECORD", "STATE", "BATCH", "ACTIVATE_VERSION")


class Singer(ProgramSource):
    """Run a Singer tap and read the records of one of its streams. The tap has its own Python environment.

    Its last STATE message is kept in the ledger and given to it the next time, so that a tap that can read only what is
    new does. It counts from when the records before it are on disk, and only if the tap ended well. BATCH messages are read
    with their files (JSON Lines, plain or gzip, on this machine). ACTIVATE_VERSION is passed over: no record is removed.
    """

    name = "singer"
    options = {
        "command": COMMAND,
        "env": ENV,
        "stream": {"type": "string", "required": False, "meta": {"help": "Whose records; needed if there are several."}},
        "config": {"type": "dict", "default": {}, "meta": {"help": "What the tap gets in its `--config` file."}},
        "catalog": {
            "type": "string",
            "required": False,
            "meta": {"help": "A catalog file for the tap; relative to the project."},
        },
    }
    command: list[str]
    stream: str | None = None
    config: dict[str, Any]
    catalog: str | None = None

    def read(self, cursor: Any) -> Iterator[Page | Lines]:
        self.next_cursor = cursor
        state = self._state(cursor)
        with tempfile.TemporaryDirectory(prefix="sendoff-") as place:
            arguments = ["--config", _written(Path(place) / "config.json", self.config)]
            if self.catalog is not None:
                arguments += ["--catalog", str(self.home / self.catalog)]
            if state is not None:
                arguments += ["--state", _written(Path(place) / "state.json", state)]
            with self.output_of([*self.command, *arguments]) as output:
                yield from self._pages(output, is_first=cursor is None)

    def _state(self, cursor: Any) -> Any:
        """The tap's state, kept with the name of the stream that was read, as it may mark other streams as read too."""
        if not (isinstance(cursor, dict) and cursor.keys() == {"stream", "state"}):
            return cursor
        if self.stream is not None and cursor["stream"] not in (None, self.stream):
            raise SourceError(
                f"{self._shown}: the state that is kept is from reading {cursor['stream']!r}, and may pass over what "
                f"{self.stream!r} has; `sendoff reset {self.connector}` starts over"
            )
        return cursor["state"]

    def _pages(self, output: Any, *, is_first: bool) -> Iterator[Page | Lines]:
        rows: list[dict[str, Any]] = []
        announced: set[str] = set()
        streams: set[str] = set()
        before = size = 0
        for number, line in enumerate(iter(lambda: output.readline(MAX_RECORD + 1), b""), 1):
            message = self._message(line, number)
            kind, stream = message.get("type"), str(message.get("stream"))
            if kind == "STATE":
                self.next_cursor = {"stream": self.stream or next(iter(streams), None), "state": message.get("value")}
            elif kind == "SCHEMA":
                announced.add(stream)
            elif kind in ("RECORD", "BATCH"):
                announced.add(stream)
                if self.stream not in (None, stream):
                    continue
                streams.add(stream)
                if len(streams) > 1:
                    raise SourceError(
                        f"{self._shown}: has several streams: {', '.join(sorted(streams))}; choose one with `stream`"
                    )
                if kind == "RECORD":
                    rows.append(message["record"])
                    size += len(line)
            if rows and (len(rows) == PAGE_ROWS or size > PAGE_BYTES or kind == "BATCH"):
                yield from self._read(rows, before)
                before, rows, size = before + len(rows), [], 0
            if kind == "BATCH":
                yield from read_batch(message, self.home, f"{self._shown}: message {number}", self.max_columns)
        if rows:
            yield from self._read(rows, before)
        if self.stream is not None and self.stream not in announced and (announced or is_first):
            known = (
                f"there are: {', '.join(sorted(announced))}" if announced else "it writes of none; does the catalog select it?"
            )
            raise SourceError(f"{self._shown}: there is no stream {self.stream!r}; {known}")

    def _message(self, line: bytes, number: int) -> dict[str, Any]:
        if len(line) > MAX_RECORD:
            raise SourceError(f"{self._shown}: message {number} has more than {MAX_RECORD >> 20} MiB")
        if not line.strip():
            return {}
        try:
            message = jsonlib.loads(line.decode())
        except ValueError as error:
            raise SourceError(f"{self._shown}: message {number} is not a Singer message: {error}") from None
        if not isinstance(message, dict) or (message.get("type") == "RECORD" and not isinstance(message.get("record"), dict)):
            raise SourceError(f"{self._shown}: message {number} is not a Singer message")
        if message.get("type") not in _TYPES:
            found = self.excerpt(jsonlib.dumps(message.get("type")), 40)
            raise SourceError(f"{self._shown}: message {number} is of the type {found}; known are {', '.join(_TYPES)}")
        return message

    def _read(self, rows: list[dict[str, Any]], before: int) -> Iterator[Page]:
        lines = range(before + 1, before + 1 + len(rows))
        return pages_of_mappings(rows, file=self.stream or self._shown, lines=lines, max_columns=self.max_columns)

    @property
    def _shown(self) -> str:
        return Path(self.command[0]).name


def _written(file: Path, value: Any) -> str:
    file.touch(mode=0o600)
    file.write_text(jsonlib.dumps(value))
    return str(file)


@hookimpl
def sendoff_sources() -> list[type[Source]]:
    return [Singer]
