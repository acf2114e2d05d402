"""Which files under ``connectors.d`` are connectors, and in what order they run."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from sendoff.errors import ConfigError, Problem
from sendoff.errors.codes import Code

_SKIPPED_PREFIXES = (".", "_", "#")
_SKIPPED_SUFFIXES = ("~", ".bak", ".orig", ".swp", ".example", ".disabled")
_PACKAGE_LEFTOVER = re.compile(r"\.(?:dpkg|rpm)[-.]?[a-z]*(?:\.ya?ml)?$")
#: Why a file without anything in it is skipped.
EMPTY = "is empty, which disables it"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(slots=True)
class Found:
    """The connector files by name, in byte order of their paths, and what was skipped, with the reason."""

    files: dict[str, Path] = field(default_factory=dict)
    skipped: list[tuple[Path, str]] = field(default_factory=list)


def find(directory: Path) -> Found:
    """Find the connector files below a directory.

    Raises `ConfigError` for a directory that is not there, a name that is not lower-case letters,
    digits, ``-`` and ``_``, and two files of one name.
    """
    if not directory.is_dir():
        sentence = "no such directory; `sendoff -d DIRECTORY` names another, `sendoff init` creates one"
        raise ConfigError(Problem(str(directory), 0, 0, "", sentence, Code.PROJECT))
    found, problems = Found(), []
    for file in sorted(directory.rglob("*"), key=lambda path: os.fsencode(path.relative_to(directory))):
        if file.is_dir():
            continue
        reason = _why_skipped(file.relative_to(directory))
        if reason is None and not file.is_file():
            sentence = f"is a link that leads nowhere: {file.readlink()}" if file.is_symlink() else "is not a regular file"
            problems.append(Problem(str(file), 1, 1, "", sentence, Code.FILE))
            continue
        if reason is None and file.stat().st_size == 0:
            reason = EMPTY
        if reason is not None:
            found.skipped.append((file, reason))
            continue
        problem = check_name(file.stem)
        if problem:
            problems.append(Problem(str(file), 1, 1, "", problem, Code.NAME))
        elif file.stem in found.files:
            sentence = f"has the name of {found.files[file.stem]}; names are unique"
            problems.append(Problem(str(file), 1, 1, "", sentence, Code.NAME))
        else:
            found.files[file.stem] = file
    if problems:
        raise ConfigError(*problems)
    return found


def check_name(name: str) -> str | None:
    """What is wrong with a connector's name, in a sentence; None if nothing is."""
    if _NAME.fullmatch(name):
        return None
    return f"{name!r} is not a valid connector name; use lower-case letters, digits, - and _, at most 63"


def _why_skipped(file: Path) -> str | None:
    for part in file.parts:
        if part.startswith(_SKIPPED_PREFIXES):
            return f"starts with {part[0]!r}"
    if file.name.endswith(_SKIPPED_SUFFIXES) or _PACKAGE_LEFTOVER.search(file.name):
        return "looks like a backup or an example"
    if file.suffix not in (".yaml", ".yml"):
        return "does not end in .yaml or .yml"
    return None
