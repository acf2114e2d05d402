"""Reading a source: its pages, and whatever its code raises, a panic of a library included, as a `SourceError`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import polars as pl

from sendoff.components import Source
from sendoff.errors import SendoffError, SourceError, SourceUnavailable
from sendoff.intake.times import without_impossible_times
from sendoff.records import LazyLines, Page, pages


def read_source(source: Source, cursor: object = None, *, lazy: bool = False) -> Iterator[Page]:
    """Yield the source's pages from `cursor` on; with `lazy`, some of them may be unread lines of JSON.

    An exception inside the source is a `SourceError` that says after how many rows it came. A date or time that no
    calendar has is its row's fault.
    """
    rows = 0

    def place() -> str:
        return f" after {rows:,} rows" if rows else ""

    with source_errors(source, place):
        for page in pages(source.read(cursor), lazy=lazy):
            yield without_impossible_times(page) if page.lazy is None else _guarded(source, page)
            rows += page.frame.height


@contextmanager
def source_errors(source: Source, place: Callable[[], str] = lambda: "") -> Iterator[None]:
    """Raise `SourceError` for any exception of the source's code.

    Also for those that are no `Exception`: a panic in Rust code, as polars has it, is none, and would pass for an interruption.
    """
    try:
        yield
    except (SendoffError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        kind = SourceUnavailable if isinstance(error, (ConnectionError, TimeoutError)) else SourceError
        raise kind(f"{source.name}{place()}: {_sentence(error)}") from error


def _guarded(source: Source, page: Page) -> Page:
    """The page, whose lines are read later, by the source's code too."""
    assert page.lazy is not None
    keys, read = page.lazy

    def parse(lines: pl.Series) -> Page:
        with source_errors(source, lambda: f": {page.file}, from line {page.line(0)} on"):
            return read(lines)

    return replace(page, lazy=LazyLines(keys, parse))


def _sentence(error: BaseException) -> str:
    if (
        type(error).__name__ == "PanicException"
    ):  # every Rust module has one of its own; its words are for that module's authors
        return "a library failed on what it read; the data is damaged, or of a kind that it cannot read"
    return f"{type(error).__name__}: {error}"
