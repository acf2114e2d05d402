"""What the file sources share: which files, whether they are the same as before, and their bytes."""

from __future__ import annotations

import glob
import hashlib
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from sendoff import Source, SourceError

#: A record larger than this is a mistake in the file, most often a quote that is never closed.
MAX_RECORD = 8 << 20
CHUNK = 4 << 20

PATH_OPTION = {
    "type": ["string", "list"], "empty": False, "schema": {"type": "string"},
    "meta": {"help": "The file, or a pattern like inbox/*.csv, or a list of them; relative to the project."},
}  # fmt: skip


class FileSource(Source):
    """Base of the sources that read files: `path` names them, by name in byte order."""

    options = {"path": PATH_OPTION}
    path: str | list[str]

    def files(self) -> list[Path]:
        """The files there are; raises `SourceError` if a path leads to none, or to no regular file."""
        found: dict[Path, None] = {}
        for pattern in [self.path] if isinstance(self.path, str) else self.path:
            matches = glob.glob(str(self.home / pattern), recursive=True)
            if not matches:
                raise SourceError(f"{pattern}: no such file" + ("s" if glob.has_magic(pattern) else ""))
            found.update(dict.fromkeys(map(Path, sorted(matches, key=str.encode))))
        for file in found:
            if not stat.S_ISREG(file.stat().st_mode):
                raise SourceError(f"{self.shown(file)}: not a regular file")
        return list(found)

    def shown(self, file: Path) -> str:
        """A file's name as the user would write it."""
        return str(file.relative_to(self.home)) if file.is_relative_to(self.home) else str(file)

    def fingerprint(self) -> bytes:
        """The files' names and contents: a resumed run must find every byte as it was."""
        total = hashlib.sha256()
        for file in self.files():
            try:
                with file.open("rb") as stream:
                    content = hashlib.file_digest(stream, "sha256").digest()
            except OSError as error:
                raise SourceError(f"{self.shown(file)}: cannot be read: {error.strerror}") from None
            total.update(self.shown(file).encode() + b"\0" + content)
        return total.digest()


def chunks(stream: BinaryIO, size: int = CHUNK) -> Iterator[bytes]:
    """A binary stream's bytes, the UTF-8 mark at its start left out."""
    first = True
    while data := stream.read(size):
        yield data.removeprefix(b"\xef\xbb\xbf") if first else data
        first = False
