"""The files that a connector may name: what it may read where others write connectors, and what no run may overwrite."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

#: Folders of a project whose files decide what sendoff does.
_CONFIGURATION = ("connectors.d", "destinations.d", "plugins.d")


@dataclass(frozen=True, slots=True)
class FileAccess:
    """Which files the connectors of a project may read and write. Links count for what they lead to."""

    home: Path
    #: The state directory, and the one of the connectors, where they are not at their usual places.
    state: Path | None = None
    connectors: Path | None = None
    #: Whether they stay in the project: others write them.
    confined: bool = False

    def read_problem(self, path: Path) -> str:
        """What is wrong with reading a file or a folder, as the end of a sentence; "" if nothing."""
        if not self.confined or self.in_project(path):
            return ""
        where = "in the state directory" if is_inside(path, self.home) else "outside the project"
        return f"is {where}, which is not allowed where egress is `public`"

    def write_problem(self, path: Path) -> str:
        """What is wrong with writing a file, as the end of a sentence; "" if nothing."""
        connectors = () if self.connectors is None else (self.connectors,)
        for own in (self._state, *connectors, *(self.home / name for name in _CONFIGURATION)):
            if is_inside(path, own):
                return f"is in {own.name}, whose files sendoff goes by; choose another folder"
        return self.read_problem(path)

    def in_project(self, path: Path) -> bool:
        """Whether a file is in the project, and not in its state directory."""
        return is_inside(path, self.home) and not is_inside(path, self._state)

    @property
    def _state(self) -> Path:
        return self.state or self.home / ".sendoff"


def is_inside(path: Path, folder: Path) -> bool:
    """Whether a path is a folder or in it, wherever its links lead. One that leads nowhere is in none."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # a loop of links, a NUL
        return False
