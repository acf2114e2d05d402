"""Reading a source: its pages, and whatever its code raises, a panic of a library included, as an error that names it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

from sendoff.bounds import MAX_COLUMNS, ColumnLimit
from sendoff.components import CsvDialect, Source
from sendoff.errors import ConfigError, PluginCrash, SendoffError, SourceError, SourceUnavailable
from sendoff.intake.times import without_impossible_times
from sendoff.records import Lines, Page, pages_or_lines
from sendoff.registry import Registry

#: The endings of compressed files, which say nothing about what is in them.
COMPRESSED = (".gz", ".zst")

_PANIC = "a library failed on what it read; the data is damaged, or of a kind that it cannot read"


def read_source(source: Source, cursor: object = None, *, given: Iterable[object] | None = None) -> Iterator[Page]:
    """Yield the source's pages from `cursor` on, or those of what is `given` of it.

    An exception inside the source says after how many rows it came. A date or time that no calendar has is its row's fault.
    """
    for item in read_lazily(source, cursor, given=given):
        yield from item.read() if isinstance(item, Lines) else [item]


def read_lazily(source: Source, cursor: object = None, *, given: Iterable[object] | None = None) -> Iterator[Page | Lines]:
    """As `read_source`, but lines of JSON are left unread."""
    rows = 0

    def place() -> str:
        return f" after {rows:,} rows" if rows else ""

    limit = ColumnLimit(source.max_columns)
    share = 0.0
    with source_errors(source, place):
        for item in pages_or_lines(source.read(cursor) if given is None else given, max_columns=source.max_columns):
            share_now = source.share_read()
            if share_now is not None and share_now != share:
                # what was read up to `share` is the rows before this page: a source may read on before it yields
                source.expected_rows, share = round(rows / share) if share else None, share_now
            if isinstance(item, Lines):
                yield replace(item, limit=limit)
                rows += len(item.texts)
            else:
                limit.add(item.file, item.line(0), item.frame.columns)
                yield without_impossible_times(item)
                rows += item.frame.height


@contextmanager
def source_errors(source: Source, place: Callable[[], str] = lambda: "") -> Iterator[None]:
    """Raise `PluginCrash` for any exception of the source's code that is not sendoff's own.

    But `SourceUnavailable` for a network's, and `SourceError` for a panic in Rust code, as polars has it: that is no
    `Exception`, and would pass for an interruption.
    """
    try:
        yield
    except (SendoffError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        if isinstance(error, (ConnectionError, TimeoutError)):
            raise SourceUnavailable(f"{source.name}{place()}: {type(error).__name__}: {error}") from error
        if type(error).__name__ == "PanicException":  # every Rust module has one; its words are for that module's authors
            file = f"{source.current_file}: " if source.current_file else ""
            raise SourceError(f"{source.name}{place()}: {file}{_PANIC}") from error
        raise PluginCrash.of(error, source).at(place()) from error


def file_source(
    registry: Registry,
    file: Path,
    *,
    max_columns: int = MAX_COLUMNS,
    given: Mapping[str, object] | None = None,
    likely: CsvDialect | None = None,
) -> tuple[Source, dict[str, object]]:
    """A source for a file, by its extension, and its options: those that are given, and those that the file shows to need.

    `likely` is how a table of text is written most likely.
    """
    ending = next((each for each in reversed(file.suffixes) if each.lower() not in COMPRESSED), "").lower()
    found = registry.default("sources", ending)
    if found is None:
        known = sorted({each for offer in registry.offers("sources").values() for each in offer.component.default_for})
        raise ConfigError(f"{file}: unknown file type; the extension must be one of {', '.join(known)}")
    source = cast("type[Source]", found)
    for name in given or ():
        if name not in source.options:
            raise ConfigError(f"{file}: is read by the {source.name} source, which has no option `{name}`")
    detected = source.detect(file, likely) if file.is_file() else {}
    options = {**detected, **(given or {})}
    return source(home=Path.cwd(), path=str(file), max_columns=max_columns, **options), options


def read_rows(registry: Registry, given: object, likely: Source) -> object:
    """Rows, from a file if it is one: most likely of the columns of a source, and written as that is."""
    if not isinstance(given, str | Path):
        return given
    source, _ = file_source(registry, Path(given), max_columns=likely.max_columns, likely=likely.csv_dialect)
    return read_source(source)
