"""The files of a project that lead an editor to the schema: the schema itself, the line that names it, settings for VS Code."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from sendoff.editors.json_schema import connector_schema
from sendoff.registry import Registry

#: Beside the connectors, where their discovery skips it. It is meant to be committed, and serves also those without sendoff.
FILE = ".connector.schema.json"
_MODELINE = re.compile(r"\A# yaml-language-server: \$schema=(.*)\n")

#: A line of `sendoff check`: a file, a line, a column, a sentence and a code; what is only warned of says so before.
CHECKED_LINE = r"^(?:(warning): )?(.+?\.ya?ml):(\d+):(\d+): (.+?)(?: \[([a-z-]+)\])?$"


def schema_text(registry: Registry) -> str:
    """The schema as it is written."""
    return json.dumps(connector_schema(registry), indent=1, ensure_ascii=False) + "\n"


def with_modeline(text: str, file: Path, directory: Path) -> str:
    """A connector file's text, with the line for editors where the directory has a schema: the one for where the file is.

    A line that names another schema stays.
    """
    text = text.removeprefix("\ufeff")
    if (found := _MODELINE.match(text)) is not None:
        if found[1].strip().replace("\\", "/").rpartition("/")[2] != FILE:
            return text
        text = text[found.end() :]
    if not (directory / FILE).is_file():
        return text
    end = "\r\n" if "\r\n" in text else "\n"
    return f"{modeline(file, directory)}{end}{text}"


def modeline(file: Path, directory: Path) -> str:
    """The first line of a connector file, by which an editor finds the schema."""
    return f"# yaml-language-server: $schema={Path(os.path.relpath(directory / FILE, file.parent)).as_posix()}"


def vscode_files(directory: str) -> dict[str, str]:
    """The files of ``.vscode``, by name; `directory` is where the connectors are."""
    settings = {
        "yaml.schemas": {f"./{directory}/{FILE}": [f"{directory}/**/*.yaml", f"{directory}/**/*.yml"]},
        # It would close up the aligned columns of a schema.
        "yaml.format.enable": False,
    }
    check = {
        "label": "sendoff check",
        "type": "process",
        "command": "sendoff",
        "args": ["--directory", directory, "check", "--watch"],
        "isBackground": True,
        "runOptions": {"runOn": "folderOpen"},
        "presentation": {"reveal": "never"},
        "problemMatcher": {
            "owner": "sendoff",
            "source": "sendoff",
            "fileLocation": ["relative", "${workspaceFolder}"],
            "pattern": {"regexp": CHECKED_LINE, "severity": 1, "file": 2, "line": 3, "column": 4, "message": 5, "code": 6},
            "background": {"activeOnStart": True, "beginsPattern": "^check: begin$", "endsPattern": "^check: end"},
        },
    }
    files = {
        "settings.json": settings,
        "extensions.json": {"recommendations": ["redhat.vscode-yaml"]},
        "tasks.json": {"version": "2.0.0", "tasks": [check]},
    }
    return {name: json.dumps(content, indent=2) + "\n" for name, content in files.items()}
