"""The YAML language server, the one behind VS Code's YAML extension, spoken to as an editor does: over its standard input and output."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class LanguageServer:
    """A server that has a folder open. `settings` are those of the editor."""

    def __init__(self, program: Path, folder: Path, settings: Mapping[str, object] | None = None) -> None:
        self._process = subprocess.Popen(
            ["node", str(program), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._settings, self._last = settings or {}, 0
        self.diagnostics: dict[str, list[dict[str, Any]]] = {}
        self._ask(
            "initialize",
            processId=None,
            rootUri=folder.as_uri(),
            workspaceFolders=[{"uri": folder.as_uri(), "name": "project"}],
            capabilities={
                "textDocument": {
                    "hover": {"contentFormat": ["markdown"]},
                    "completion": {"completionItem": {"documentationFormat": ["markdown"]}},
                },
                "workspace": {"configuration": True, "workspaceFolders": True},
            },
        )
        self._tell("initialized")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()

    def open(self, file: Path, text: str | None = None) -> list[dict[str, Any]]:
        """Open a file, and wait for what the server says of it; `text` is what the editor shows and has not saved."""
        shown = {"uri": file.as_uri(), "languageId": "yaml", "version": 1, "text": file.read_text() if text is None else text}
        self._tell("textDocument/didOpen", textDocument=shown)
        while file.as_uri() not in self.diagnostics:
            self._take()
        return self.diagnostics[file.as_uri()]

    def complete(self, file: Path, line: int, column: int) -> list[str]:
        """The words that are offered at a place; lines and columns from 0."""
        found = self._ask("textDocument/completion", **_place(file, line, column))
        return [item["label"] for item in (found["items"] if isinstance(found, dict) else found or [])]

    def hover(self, file: Path, line: int, column: int) -> str:
        """What is shown at a place."""
        found = self._ask("textDocument/hover", **_place(file, line, column))
        return str(found["contents"]["value"]) if found else ""

    def _tell(self, method: str, **params: object) -> None:
        self._write({"jsonrpc": "2.0", "method": method, "params": params})

    def _ask(self, method: str, **params: object) -> Any:
        self._last += 1
        self._write({"jsonrpc": "2.0", "id": self._last, "method": method, "params": params})
        while True:
            message = self._take()
            if message.get("id") == self._last and "method" not in message:
                return message.get("result")

    def _take(self) -> dict[str, Any]:
        """The next message of the server; what it asks is answered."""
        assert self._process.stdout is not None
        length = 0
        while (line := self._process.stdout.readline().strip()) or not length:
            assert line, "the language server has ended"
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        message: dict[str, Any] = json.loads(self._process.stdout.read(length))
        if message.get("method") == "textDocument/publishDiagnostics":
            self.diagnostics[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif "id" in message and "method" in message:
            wanted = message["params"]["items"] if message["method"] == "workspace/configuration" else None
            result = None if wanted is None else [self._settings.get(item["section"]) for item in wanted]
            self._write({"jsonrpc": "2.0", "id": message["id"], "result": result})
        return message

    def _write(self, message: object) -> None:
        assert self._process.stdin is not None
        body = json.dumps(message).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()


def _place(file: Path, line: int, column: int) -> dict[str, object]:
    return {"textDocument": {"uri": file.as_uri()}, "position": {"line": line, "character": column}}
