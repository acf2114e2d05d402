"""Files on this machine, and which of them are read."""

from __future__ import annotations

import glob
import os
import stat
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path

from sendoff.plugin import FileAccess, SourceError, is_inside
from sendoff_plugins.sources._files.location import File, Location


class Disk(Location):
    """Files on this machine."""

    local = True

    def __init__(self, path: str, home: Path, access: FileAccess) -> None:
        super().__init__(path)
        self._access = access
        # In the bytes of the file system, whichever encoding Python assumes.
        self._home, self._path = home, os.fsdecode(path.encode())
        self._directory = (home / self._path).is_dir()
        self.many = self.many or self._directory
        self.may_be_empty = self._directory

    def files(self) -> list[File]:
        if self._path.endswith("/") and not self._directory:
            return []
        if self.many and (problem := self._access.read_problem(self._folder())):
            raise SourceError(f"{self.shown}: {problem}")
        pattern = str(Path(glob.escape(str(self._home))) / self._path)
        if self._directory:
            pattern = glob.escape(str(self._home / self._path)) + "/*"
        found = [Path(path) for path in sorted(glob.glob(pattern, recursive=True), key=os.fsencode)]  # noqa: PTH207  # a pattern may begin at the root, which `Path.glob` refuses
        if not self.many:
            return [self._file(path) for path in found]
        # A directory and `**` also match directories, which are left out. So is a link that others may have put there: it is
        # no reason to read nothing.
        there = [path for path in found if not path.is_dir()]
        refused = {path: problem for path in there if (problem := self._problem(path))}
        self.left_out = [f"{self._name(path)}: {problem}" for path, problem in refused.items()]
        return [self._file(path) for path in there if path not in refused]

    def hint(self) -> str:
        folder = (self._home / self._path).parent
        if glob.has_magic(str(Path(self._path).parent)) or self._access.read_problem(folder):
            return ""
        if not folder.is_dir():
            return f" (there is no folder {folder})"
        with suppress(OSError):
            names = [file.name for file in folder.iterdir() if file.is_file() and not file.name.startswith(".")]
            close = get_close_matches(Path(self._path).name, names, 1)
            meant = f"; did you mean {Path(self.shown).with_name(close[0]).as_posix()}?" if close else ""
            return f" in {folder}{meant}"
        return ""

    def _folder(self) -> Path:
        """The folder that all files of a directory or pattern are in: the path before the first part that is a pattern."""
        whole = self._home / self._path
        if self._directory:
            return whole.resolve()
        parts = Path(self._path).parts
        magic = next(at for at, part in enumerate(parts) if glob.has_magic(part))
        return self._home.joinpath(*parts[:magic]).resolve()

    def _name(self, path: Path) -> str:
        there = path.relative_to(self._home) if path.is_relative_to(self._home) else path
        return os.fsencode(there).decode("utf-8", "backslashreplace")  # a name need not be text

    def _problem(self, path: Path) -> str:
        """Why a file is not read, as the end of a sentence; "" if it is."""
        if problem := self._access.read_problem(path):
            return problem
        if not self.many or is_inside(path, self._folder()) or self._access.in_project(path):
            return ""
        return "leads out of the folder and the project, and others may have put it there; name it in `path` to read it"

    def _file(self, path: Path) -> File:
        name = self._name(path)
        try:
            state = path.stat()
        except OSError as error:
            raise SourceError(f"{name}: cannot be read: {error.strerror}", code="file") from None
        if not stat.S_ISREG(state.st_mode):
            raise SourceError(f"{name}: not a regular file", code="file")
        if problem := self._problem(path):
            raise SourceError(f"{name}: {problem}")
        return File(name, state.st_size, state.st_mtime_ns, path=path, problem=self._problem)
