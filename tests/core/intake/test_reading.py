"""Whatever a source's code does, a run ends with a sentence about the source, and no record is lost or blamed for it."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import polars as pl
import pytest

from sendoff import SendoffError, Source, SourceError, SourceUnavailable, hookimpl
from sendoff.intake.reading import read_source
from sendoff.testing import Project, Receiver

CONNECTOR = "source: {{use: failing}}\nsend: {{use: single}}\ndestination: {{url: {url}}}\n"


def panic() -> None:
    """A real panic of polars: a date that is too far for its own arithmetic."""
    pl.Series([2**31 - 1], dtype=pl.Int32).cast(pl.Date).to_list()


class Failing(Source):
    """Yield two rows, then do what a test asks for."""

    name = "failing"
    options = {}
    error: BaseException | None = None

    def read(self, cursor: Any) -> Iterator[Any]:
        yield {"id": 1}
        yield pl.DataFrame({"id": [2]})
        if Failing.error is None:
            panic()
        else:
            raise Failing.error


LINE = f"{os.path.relpath(__file__)}:{inspect.getsourcelines(Failing)[1] + 13}"


class Plugin:
    @hookimpl
    def sendoff_sources(self) -> list[type[Source]]:
        return [Failing]


class Cancelled(BaseException):
    """Like asyncio's: no `Exception`."""


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (None, "a library failed on what it read; the data is damaged, or of a kind that it cannot read"),
        (KeyError("seats"), "KeyError: 'seats'"),
        (MemoryError("no room"), "MemoryError: no room"),
        (RecursionError("too deep"), "RecursionError: too deep"),
        (StopIteration("end"), "RuntimeError: generator raised StopIteration"),
        (Cancelled("by a loop"), "Cancelled: by a loop"),
    ],
    ids=["panic", "KeyError", "MemoryError", "RecursionError", "StopIteration", "BaseException"],
)
def test_whatever_a_source_raises_is_an_error_of_the_source(
    project: Project, receiver: Receiver, error: BaseException | None, sentence: str
) -> None:
    """Kind: an end that an exception outside the expected class makes is taken for the source's own.

    Brothers looked at: `columns`, `fingerprint`, lines that are read later, `check`, `preview`; a panic's words are shown to nobody.
    """
    Failing.error = error
    project({"connectors.d/a.yaml": CONNECTOR.format(url=receiver.url)})
    with pytest.raises(SendoffError) as raised:
        project.run("a", plugins=[Plugin()])
    named = "failing" if error is None else f"the source 'failing' ({LINE}) failed"
    assert str(raised.value) == f"{named} after 2 rows: {sentence}"
    assert raised.value.exit_code == (2 if error is None else 70)
    assert not receiver.requests


@pytest.mark.parametrize("error", [ConnectionResetError("gone"), TimeoutError("slow"), SourceUnavailable("gone")])
def test_an_outage_of_a_source_is_told_from_a_mistake_in_it(error: BaseException) -> None:
    Failing.error = error
    with pytest.raises(SourceUnavailable) as raised:
        list(read_source(Failing()))
    assert raised.value.exit_code == 3


@pytest.mark.parametrize("error", [KeyboardInterrupt()])
def test_who_ends_the_program_is_not_taken_for_a_source(error: BaseException) -> None:
    Failing.error = error
    with pytest.raises(type(error)):
        list(read_source(Failing()))


class Damaged(Source):
    """A source whose columns cannot be asked for."""

    name = "damaged"
    options = {}

    def read(self, cursor: Any) -> Iterator[Any]:
        yield {"id": 1}

    def columns(self) -> Iterator[Any]:
        panic()
        yield "file", ["id"]


class Other:
    @hookimpl
    def sendoff_sources(self) -> list[type[Source]]:
        return [Damaged]


def test_a_panic_while_the_columns_are_read_is_an_error_of_the_source(project: Project, receiver: Receiver) -> None:
    project({"connectors.d/a.yaml": CONNECTOR.format(url=receiver.url).replace("failing", "damaged")})
    with pytest.raises(SourceError, match="^damaged: a library failed on what it read"):
        project.run("a", plugins=[Other()])


DAYS = pl.Series([0, 2**31 - 1, 2932896, 2932897, None, -(2**31)], dtype=pl.Int32).cast(pl.Date)
MOMENTS = pl.Series([0, 2**62, 1, 1, None, -(2**62)], dtype=pl.Int64).cast(pl.Datetime("us"))
LENGTHS = pl.Series([0, 2**62, 1, 1, None, -(2**62)], dtype=pl.Int64).cast(pl.Duration("ms"))


@pytest.mark.parametrize(
    ("frame", "bad"),
    [
        (pl.DataFrame([DAYS.alias("d")]), [1, 3, 5]),
        (pl.DataFrame([MOMENTS.alias("d")]), [1, 5]),
        (pl.DataFrame([LENGTHS.alias("d")]), [1, 5]),
        (pl.DataFrame([DAYS.alias("x")]).select(pl.struct("x").alias("d")), [1, 3, 5]),
        (pl.DataFrame([DAYS.alias("x")]).select(pl.concat_list("x", pl.lit(date(2026, 1, 1))).alias("d")), [1, 3, 5]),
        (pl.DataFrame([DAYS.alias("x")]).select(pl.struct(pl.concat_list("x").alias("y")).alias("d")), [1, 3, 5]),
    ],
    ids=["date", "datetime", "duration", "struct", "list", "list in a struct"],
)
def test_a_date_that_no_calendar_has_is_its_rows_fault(frame: pl.DataFrame, bad: list[int]) -> None:
    """Kind: one value that cannot be converted refuses the whole source.

    Brothers looked at: dates, moments, durations; inside structs and lists; time zones at either end.
    """

    class Frame(Source):
        """One frame."""

        def read(self, cursor: Any) -> Iterator[pl.DataFrame]:
            yield frame

    (page,) = read_source(Frame())
    assert sorted(page.row_errors) == bad
    assert set(page.row_errors.values()) == {"d: a date or time outside the years 1 to 9999"}
    assert page.frame["d"].dtype == frame["d"].dtype
    assert len(page.frame.to_dicts()) == 6


def test_a_time_at_the_end_of_nanoseconds_is_one_that_was_cut_there() -> None:
    """Kind: a library that takes the nearest value it can hold. Spark's INT96 with the year 9999 arrives as one of 2262."""

    class Frame(Source):
        """Three moments."""

        def read(self, cursor: Any) -> Iterator[pl.DataFrame]:
            yield pl.DataFrame([pl.Series("at", [2**63 - 1, 0, -(2**63) + 1], dtype=pl.Int64).cast(pl.Datetime("ns"))])

    (page,) = read_source(Frame())
    assert page.row_errors == {0: "at: a date or time outside the years 1677 to 2262, as its column has nanoseconds"}


def test_the_first_and_the_last_day_of_the_calendar_are_read() -> None:
    class Frame(Source):
        """Two rows."""

        def read(self, cursor: Any) -> Iterator[pl.DataFrame]:
            frame = pl.DataFrame({"day": [date.min, date.max], "at": [datetime.min, datetime.max]})  # noqa: DTZ901  # columns without a zone
            yield frame.with_columns(pl.col("at").dt.replace_time_zone("UTC").alias("utc"))

    (page,) = read_source(Frame())
    assert not page.row_errors
    assert page.frame["day"].to_list() == [date.min, date.max]
    assert [moment.year for moment in page.frame["utc"]] == [1, 9999]
