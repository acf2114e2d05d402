"""Arrow IPC files, also called Feather, and streams of the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from sendoff.plugin import Page, Source, SourceError, hookimpl
from sendoff_plugins.sources._common.frames import read_whole
from sendoff_plugins.sources._files.files import COMPRESSION, MEMBER, FileSource


class Arrow(FileSource):
    """Read Arrow IPC files (Feather) and streams, with the types they have."""

    name = "arrow"
    default_for = (".arrow", ".feather", ".ipc")
    options = {**FileSource.options, "compression": COMPRESSION, "member": MEMBER}

    def read(self, cursor: Any) -> Iterator[Page]:
        self.begin(cursor)
        for name, path in self.decompressed_paths():
            try:
                frame = _opened(path)
                rows = frame.select(pl.len()).collect().item()
                for page in read_whole(frame, name, rows, self.max_columns):
                    yield replace(page, uniform=self.schema_drift == "fail")
            except (pl.exceptions.PolarsError, OSError, ValueError) as error:
                raise SourceError(f"{name}: not an Arrow file that can be read: {error}") from None


def _opened(path: Path) -> pl.LazyFrame:
    with path.open("rb") as stream:
        is_file = stream.read(6) == b"ARROW1"
    return pl.scan_ipc(path) if is_file else pl.read_ipc_stream(path).lazy()


@hookimpl
def sendoff_sources() -> list[type[Source]]:
    return [Arrow]
