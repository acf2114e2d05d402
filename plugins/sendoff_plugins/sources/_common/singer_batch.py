"""BATCH messages of Singer taps: the records are in files, as taps of Meltano's SDK write them with `batch_config`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sendoff.plugin import MAX_COLUMNS, Lines, SourceError
from sendoff_plugins.sources._files.decompress import decompress
from sendoff_plugins.sources.jsonl import read_lines


def read_batch(message: Mapping[str, Any], home: Path, where: str, max_columns: int = MAX_COLUMNS) -> Iterator[Lines]:
    """The lines of a message's files. Raises `SourceError` for an encoding that is not JSON Lines, and for a file elsewhere."""
    encoding, manifest = message.get("encoding"), message.get("manifest")
    if not isinstance(encoding, dict) or not isinstance(manifest, list) or not all(isinstance(uri, str) for uri in manifest):
        raise SourceError(f"{where}: a BATCH message has an `encoding` and a `manifest`; this one has not")
    written, packed = encoding.get("format"), encoding.get("compression") or "none"
    if written != "jsonl" or packed not in ("none", "gzip"):
        raise SourceError(
            f"{where}: its files are {written}, {packed}; only jsonl, plain or gzip, is read: set that in `batch_config`"
        )
    for uri in manifest:
        path = _local(uri, home, where)
        name = str(path.relative_to(home)) if path.is_relative_to(home) else str(path)
        for inside, stream in decompress(path, name, packed, "*"):
            yield from read_lines(stream, inside, max_columns)


def _local(uri: str, home: Path, where: str) -> Path:
    """The path of a file on this machine: an absolute or a relative one, with or without ``file://``."""
    scheme, mark, rest = uri.partition("://")
    if mark and scheme != "file":
        raise SourceError(f"{where}: {urlsplit(uri).scheme}:// is not read; let the tap write its batches to a directory")
    path = rest.removeprefix("localhost") if rest.startswith("localhost/") else rest if mark else uri
    plain = home / unquote(path)
    return plain if plain.exists() else home / path
