"""Singer taps: programs that write SCHEMA, RECORD and STATE messages, one JSON object a line."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sendoff.plugin import PAGE_ROWS, Page, Source, SourceError, from_mappings, hookimpl, jsonlib
from sendoff_plugins.sources._common.process import COMMAND, run_program
from sendoff_plugins.sources._files.files import MAX_RECORD


class Singer(Source):
    """Run a Singer tap and read the records of one of its streams. The tap lives in an environment of its own.

    Its last STATE message is kept in the ledger and given to it the next time, so that a tap that can read only what is
    new does. It is sendoff's to say that the records before it were taken: the state counts from when they are on disk.
    """

    name = "singer"
    privileged = "runs programs"
    options = {
        "command": COMMAND,
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

    def read(self, cursor: Any) -> Iterator[Page]:
        self.next_cursor = cursor
        with tempfile.TemporaryDirectory(prefix="sendoff-") as place:
            arguments = ["--config", _written(Path(place) / "config.json", self.config)]
            if self.catalog is not None:
                arguments += ["--catalog", str(self.home / self.catalog)]
            if cursor is not None:
                arguments += ["--state", _written(Path(place) / "state.json", cursor)]
            with run_program([*self.command, *arguments], self.home) as output:
                yield from self._pages(output)

    def _pages(self, output: Any) -> Iterator[Page]:
        rows: list[dict[str, Any]] = []
        streams: set[str] = set()
        before = 0
        for number, line in enumerate(iter(lambda: output.readline(MAX_RECORD + 1), b""), 1):
            message = self._message(line, number)
            if message.get("type") == "STATE":
                self.next_cursor = message.get("value")
            elif message.get("type") == "RECORD" and (self.stream is None or message.get("stream") == self.stream):
                streams.add(str(message.get("stream")))
                if len(streams) > 1:
                    raise SourceError(
                        f"{self._shown}: has several streams: {', '.join(sorted(streams))}; choose one with `stream`"
                    )
                rows.append(message["record"])
            if len(rows) == PAGE_ROWS:
                yield self._page(rows, before)
                before, rows = before + len(rows), []
        if rows:
            yield self._page(rows, before)

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
        return message

    def _page(self, rows: list[dict[str, Any]], before: int) -> Page:
        page = from_mappings(rows)
        lines = range(before + 1, before + 1 + len(rows))
        return Page(page.frame, self.stream or self._shown, lines, uniform=False, missing_keys=page.missing_keys)

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
