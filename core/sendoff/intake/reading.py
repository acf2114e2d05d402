"""Reading a source: any exception inside it becomes a `SourceError` that names it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sendoff.components import Source
from sendoff.errors import SendoffError, SourceError


def read_source(source: Source, cursor: object = None) -> Iterator[Any]:
    """Yield what the source yields from `cursor` on. Any exception inside it becomes a `SourceError` that names it."""
    try:
        yield from source.read(cursor)
    except (SendoffError, KeyboardInterrupt, SystemExit):
        raise
    except Exception as error:
        raise SourceError(f"{source.name}: {type(error).__name__}: {error}") from error
