"""`sendoff check --watch`: check again whenever something has changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from sendoff.cli.check_formats import Checked, as_text
from sendoff.cli.group import Project
from sendoff.cli.output import say
from sendoff.config.shared import DIRECTORY

#: The lines that tell an editor's problem matcher where a check begins and ends.
BEGIN, END = "check: begin", "check: end"
_PAUSE = 0.5


def forever(
    project: Project, check: Callable[[Project], Checked], verbose: bool, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Check, and again after each change, until interrupted."""
    before: object = None
    checked = Checked()
    while True:
        now = _state(project, checked)
        if now != before:
            say(BEGIN)
            checked = check(replace(project))  # with plugins as they are now
            as_text(checked, verbose)
            problems, warnings = len(checked.problems), len(checked.warnings)
            say(f"{END}: {problems} problem{'s' * (problems != 1)}, {warnings} warning{'s' * (warnings != 1)}")
            # What changed meanwhile is seen in the next round; what is known only now, of the sources, is no change.
            before = (now[0], _state(project, checked)[1])
        sleep(_PAUSE)


def _state(project: Project, checked: Checked) -> tuple[object, object]:
    """What tells whether connectors and plugins are other ones, and whether the data of sources is."""
    home = project.directory.absolute().parent
    folders = (project.directory, home / DIRECTORY, home / "plugins.d")
    tokens = []
    for connector in checked.connectors:
        with suppress(Exception):
            tokens.append((connector.name, connector.source.change_token()))
    return sorted(_files(folders)), tokens


def _files(folders: tuple[Path, ...]) -> Iterator[tuple[str, int, int, int]]:
    for folder in folders:
        for file in folder.rglob("*"):
            if "__pycache__" in file.parts:
                continue
            with suppress(OSError):
                found = file.stat()
                yield str(file), found.st_mtime_ns, found.st_size, found.st_ino
