# ruff: noqa: E501  # a row of the options reads best as a row
"""The base of the file sources: finding files, recognising those read before, and reading their bytes."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from sendoff.plugin import ReadMark, Source, SourceChanged, SourceError, jsonlib
from sendoff_plugins.sources._files.decompress import decompress, detect_compression
from sendoff_plugins.sources._files.location import File, Location
from sendoff_plugins.sources._files.locations import open_location
from sendoff_plugins.sources._files.read_digest import ReadDigest, digest_file, digest_files

_LOG = logging.getLogger("sendoff")

#: A record larger than this is a mistake in the file, most often a quote that is never closed.
MAX_RECORD = 8 << 20
CHUNK = 4 << 20

_WORD = {"type": "string", "empty": False, "required": False}

FILES = {
    "path": {
        "type": ["string", "list"], "empty": False, "schema": {"type": "string"},
        "meta": {"help": "The file, a directory, a pattern like inbox/*.csv, or a list of them; relative to the project. Or a URL: s3://, gs://, az://, https://, sftp://."},
    },
    "name": {
        "type": "dict", "required": False,
        "schema": {
            "starts_with": {**_WORD, "meta": {"help": "What files' names start with."}},
            "contains": {**_WORD, "meta": {"help": "What they contain."}},
            "ends_with": {**_WORD, "meta": {"help": "What they end with."}},
        },
        "meta": {"help": "Which files are meant, by their names: `starts_with`, `contains`, `ends_with`."},
    },
    "order": {
        "type": "string", "allowed": ["name", "time"], "default": "name",
        "meta": {"help": "In which order files are read: by name, in byte order, or by when they were last written."},
    },
    "once": {
        "type": "boolean", "default": False,
        "meta": {"help": "Whether a file is delivered only once. It is recognised by its content, not by its name."},
    },
    "schema_drift": {
        "type": "string", "allowed": ["fail", "allow"], "default": "fail",
        "meta": {"help": "What to do with a file that lacks columns of the schema: `fail` the run, or let its rows have nulls there (`allow`)."},
    },
    "storage": {
        "type": "dict", "required": False, "valuesrules": {"type": ["string", "boolean"]},
        "meta": {"help": "For URLs: what the store wants to know, like `region`, `endpoint`, `access_key_id`, `password`. Default: as its own tools find it."},
    },
}  # fmt: skip

COMPRESSION = {
    "type": "string", "allowed": ["auto", "none", "gzip", "zstd", "zip"], "default": "auto",
    "meta": {"help": "How files are compressed; `auto` looks at their first bytes, and takes for a zip archive only what is named `.zip`."},
}  # fmt: skip
MEMBER = {"type": "string", "default": "*", "meta": {"help": "Which files inside a zip archive are meant, as a pattern."}}


class FileSource(Source):
    """Base of the sources that read files: `path` names them, from wherever they are."""

    options = FILES
    path: str | list[str]
    order: str
    once: bool
    schema_drift: str
    name_filter: dict[str, str]
    storage: dict[str, Any] | None = None
    compression: str = "none"
    member: str = "*"
    #: What ends a line of its files, if they have lines.
    newline: bytes = b"\n"
    #: Whether `read` reads each file in order, by `streams`.
    reads_in_order: ClassVar[bool] = False

    def __init__(self, **options: Any) -> None:
        # `name` is the component's own.
        self._named: dict[str, str] = options.pop("name", None) or {}
        super().__init__(**options)
        self._given: set[str] = set()
        self._left_out: set[str] = set()
        #: Bytes of all files, of those that were read, and of the one that is read now; how much of that is read.
        self._bytes = self._bytes_done = self._bytes_now = 0
        self._bytes_read: Callable[[], float] = lambda: 0
        self._read_digest: ReadDigest | None = None

    @property
    def places(self) -> list[Location]:
        """The locations that `path` names."""
        paths = [self.path] if isinstance(self.path, str) else self.path
        return [
            open_location(path, self.home, self.storage or {}, self.egress, self.redact, self.file_access) for path in paths
        ]

    def files(self) -> list[File]:
        """The files there are; raises `SourceError` if a path leads to none, or to no regular file."""
        found: dict[str, File] = {}
        places = self.places
        for where in places:
            there = [file for file in where.files() if self._meant(file.name.rpartition("/")[2])]
            for sentence in where.left_out:
                if sentence not in self._left_out:  # `watch` looks every second
                    self._left_out.add(sentence)
                    _LOG.warning("%s: skipped: %s", self.connector, sentence)
            if not there and not where.may_be_empty:
                raise SourceError(f"{where.shown}: no such file{'s' * where.many}{where.hint()}", code="file")
            found.update((file.name, file) for file in there)
        inside = (
            sorted(found.values(), key=lambda file: file.name.encode())
            if self.order == "name" and len(places) == 1
            else [*found.values()]
        )
        return sorted(inside, key=lambda file: file.written) if self.order == "time" else inside

    def _meant(self, name: str) -> bool:
        tests = {"starts_with": name.startswith, "ends_with": name.endswith, "contains": name.__contains__}
        return all(tests[way](text) for way, text in self._named.items())

    @property
    def _local(self) -> bool:
        return all("://" not in path for path in ([self.path] if isinstance(self.path, str) else self.path))

    def fingerprint(self) -> bytes | None:
        """A digest of the files' names and contents, as a resumed run must read the same bytes. None if they are remote."""
        return None if self.once or not self._local else digest_files(self.files())

    def quick_fingerprint(self) -> bytes | None:
        """A digest of the files' names and sizes, for sources that read them in order, from their first byte to their last."""
        if self.once or not self._local or not self.reads_in_order:
            return None
        found = hashlib.sha256()
        for file in self.files():
            with file.fetched() as path, path.open("rb") as raw:
                if (self.compression if self.compression != "auto" else detect_compression(raw)) == "zip":
                    return None
            found.update(jsonlib.dumps([file.name, file.size]).encode())
        return found.digest()

    def mark(self) -> ReadMark | None:
        return self._read_digest.mark() if self._read_digest is not None else None

    def digest_to(self, position: Any) -> bytes:
        return digest_files(self.files(), position)

    def change_token(self) -> Any:
        return [(file.name, file.size, file.written) for file in self.files()] if self._local else None

    def begin(self, cursor: Any) -> None:
        """Note which files an earlier run has read."""
        self._given = set(cursor["given"]) if cursor and self.once else set()
        self.next_cursor = {"given": sorted(self._given)} if self.once else None
        self._read_digest = ReadDigest() if self._local and not self.once and self.reads_in_order else None

    def local(self) -> Iterator[tuple[str, Path]]:
        """Each file that was not read before, downloaded if it is remote. A file that changes while it is read is an error."""
        found = self.files()
        self._bytes, self._bytes_done, self._bytes_now = sum(file.size or 0 for file in found), 0, 0
        for file in found:
            self._bytes_done, self._bytes_now, self._bytes_read = self._bytes_done + self._bytes_now, file.size or 0, lambda: 0
            with file.fetched() as path:
                known = digest_file(path, file.name).hex() if self.once else ""
                if known in self._given:
                    continue
                self.current_file = file.name
                with unchanged(file.path or path, file.name):
                    yield file.name, path
                if self.once:
                    self._given.add(known)
                    self.next_cursor = {"given": sorted(self._given)}

    def streams(self, *, marked: bool = True) -> Iterator[tuple[str, BinaryIO]]:
        """Each file's bytes, decompressed; a zip archive's members one by one. They count for `mark`, if `marked`."""
        for name, path in self.local():
            yield from decompress(
                path, name, self.compression, self.member, self._follow, self._read_digest if marked else None,
                is_text=self.newline == b"\n",
            )  # fmt: skip

    def share_read(self) -> float | None:
        """As far as bytes say it; of many files, by their sizes."""
        return (self._bytes_done + self._bytes_read()) / self._bytes if self._bytes else None

    def _follow(self, raw: BinaryIO) -> None:
        self._bytes_read = lambda: self._bytes_now if raw.closed else raw.tell()

    def _note_read(self, share: float) -> None:
        """So much of the current file is read, where its bytes do not show it."""
        self._bytes_read = lambda: self._bytes_now * share

    def decompressed_paths(self) -> Iterator[tuple[str, Path]]:
        """Each file, decompressed onto the disk where it is compressed: for readers that need random access."""
        for name, path in self.local():
            for inside, stream in decompress(path, name, self.compression, self.member):
                if stream.name == str(path):
                    yield inside, path
                    continue
                with tempfile.NamedTemporaryFile(prefix="sendoff-") as copy:
                    while chunk := stream.read(CHUNK):
                        copy.write(chunk)
                    copy.flush()
                    yield inside, Path(copy.name)


@contextmanager
def unchanged(path: Path, name: str) -> Iterator[None]:
    """Raise `SourceChanged` if a file is written to meanwhile, or is another one at the end."""

    def now() -> Sequence[int]:
        try:
            found = path.stat()
        except FileNotFoundError:
            return ()
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    before = now()
    yield
    if now() != before:
        raise SourceChanged(f"{name}: was changed while it was read; run it again when nobody writes to it")


def chunks(stream: BinaryIO, size: int = CHUNK) -> Iterator[bytes]:
    """A binary stream's bytes, the UTF-8 mark at its start left out."""
    first = True
    while data := stream.read(size):
        yield data.removeprefix(b"\xef\xbb\xbf") if first else data
        first = False
