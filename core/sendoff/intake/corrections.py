"""Corrected records: which failed records they stand for, and which rows stand for none."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from typing import NamedTuple

import polars as pl

from sendoff import jsonlib
from sendoff.cleaning import DEFUSED, defuse_formula, restore_formula
from sendoff.errors import ConfigError
from sendoff.ledger import Failure, Fate, History, RecordKey
from sendoff.ledger.history import FailedRecord, Resolver, pages_of
from sendoff.records import PAGE_ROWS, Page, location, pages_of_mappings
from sendoff.schema import Schema

#: What `sendoff failed` adds to a record: its name, why it failed, and where it was.
ADDED = ("record", "reason", "status", "row")
#: Rows without a record that are listed before the rest are counted.
_MOST_PROBLEMS = 10


@dataclass(frozen=True, slots=True)
class Examination:
    """What `Runner.retry` would do with some corrections. Records are named as in the `_record` column."""

    #: The failed records that it would send.
    claimed: tuple[str, ...]
    #: Those of them that are as they were when they failed.
    unchanged: tuple[str, ...]
    #: Those that it would not send again, since a retry has delivered them.
    delivered: tuple[str, ...]
    #: How many are open in another run, by its number: they failed again there.
    elsewhere: Mapping[int, int]
    #: Where the rows are that name no failed record of the run.
    unknown: tuple[str, ...]
    #: How many failed records of the run would be left open.
    left: int
    #: The records that would be invalid as they are.
    invalid: tuple[Failure, ...] = ()


class _NewRow(NamedTuple):
    """A row that stands for no failed record, without what `sendoff failed` adds, and why it stands for none."""

    page: Page
    line: int
    values: dict[str, object]
    why: str

    @property
    def place(self) -> str:
        return location(self.page.file, self.line)


@dataclass(slots=True)
class Corrections:
    """Corrections of a run's failed records, each matched with its record."""

    run: int
    open: Mapping[RecordKey, FailedRecord]
    #: The corrected records, by their keys; and the names they were given by.
    corrected: dict[RecordKey, FailedRecord] = field(default_factory=dict)
    names: dict[RecordKey, str] = field(default_factory=dict)
    #: Rows that stand for no failed record of the run.
    new: list[_NewRow] = field(default_factory=list)
    #: Named records that are not open in this run.
    others: dict[str, Fate] = field(default_factory=dict)

    @property
    def keys(self) -> list[RecordKey]:
        """The keys of the records to send, in the order of their run."""
        return sorted(self.corrected)

    def corrected_pages(self) -> Iterator[Page]:
        """The corrected records, in the order of their run."""
        return pages_of(self.corrected[key] for key in self.keys)

    def pages(self) -> Iterator[Page]:
        """The corrected records, then the new ones."""
        yield from self.corrected_pages()
        for page, rows in groupby(self.new, lambda row: row.page):
            while batch := list(islice(rows, PAGE_ROWS)):
                lines = [row.line for row in batch]
                values = [row.values for row in batch]
                for made in pages_of_mappings(values, file=page.file, lines=lines, max_columns=sys.maxsize):
                    frame = made.frame.cast(pl.String) if page.all_text else made.frame
                    yield replace(made, frame=frame, all_text=page.all_text)

    @property
    def delivered(self) -> list[str]:
        """The named records that a retry has delivered, or has pending."""
        return [name for name, fate in self.others.items() if fate.state != "open"]

    def refuse_unknown(self) -> None:
        """Raise `ConfigError` for rows that stand for no failed record of the run."""
        if not self.new:
            return
        listed = [f"{row.place}: {row.why}" for row in self.new[:_MOST_PROBLEMS]]
        if not (self.corrected or self.others):
            listed = [f"{self.new[0].place}: neither this row nor another one names a failed record of run {self.run}"]
        elif len(self.new) > _MOST_PROBLEMS:
            listed.append(f"and {len(self.new) - _MOST_PROBLEMS:,} more like these")
        raise ConfigError(
            *listed,
            f"nothing was sent; `sendoff failed {self.run} --csv` names each record in a column of its own: keep it, "
            "and leave other rows out, or send them as new records with --all",
        )

    def examine(self, invalid: Iterable[Failure]) -> Examination:
        """What a retry would do with them."""
        elsewhere = Counter(fate.run for fate in self.others.values() if fate.state == "open")
        return Examination(
            claimed=tuple(self.names[key] for key in self.keys),
            unchanged=tuple(self.names[key] for key in self.keys if self.corrected[key] is self.open[key]),
            delivered=tuple(self.delivered),
            elsewhere=dict(elsewhere),
            unknown=tuple(row.place for row in self.new),
            left=len(self.open) - len(self.corrected),
            invalid=tuple(invalid),
        )


def match(
    pages: Iterable[Page], run: int, history: History, schema: Schema, *, only: Collection[str] | None = None
) -> Corrections:
    """Match corrections with the failed records of a run, by their names.

    A row of a table stands for the whole record, as does one of a file of text; a mapping may have only the fields that
    are corrected. Raises `ConfigError` for a record that is named twice and for rows that cannot be read, and
    `SourceError` for a table without a column of the schema.
    """
    failed = {found.key: found for found in history.failed_records(run)}
    found = Corrections(run, failed)
    known = failed_fields(history, run)
    added = added_columns(known)
    resolve = Resolver(history, run)
    seen: dict[str, int] = {}
    problems: list[str] = []
    for page in (_restored(page.to_python(), added, known) for page in pages):
        problems += [f"{location(page.file, page.line(at))}: {reason}" for at, reason in page.row_errors.items()]
        if page.uniform:
            schema.check_columns(page.file, [name for name in page.frame.columns if name not in added.values()])
        by_hand = page.uniform and page.all_text and not set(added.values()).issubset(page.frame.columns)
        for at, values in enumerate(_rows(page)):
            if at in page.row_errors:
                continue
            name = str(values.get(added["record"]) or "").strip()
            for column in added.values():
                values.pop(column, None)
            if name in seen:
                place = location(page.file, page.line(at))
                problems.append(f"{place}: record {name} is in line {seen[name]} already; keep one of them")
                continue
            fate = resolve(name)
            if fate is None:
                why = f"no failed record of run {run} is named {name!r}" if name else f"{added['record']} names no record"
                found.new.append(_NewRow(page, page.line(at), values, why))
                continue
            seen[name] = page.line(at)
            if only is not None and name not in only:
                continue
            if fate.state == "dismissed":
                problems.append(
                    f"{location(page.file, page.line(at))}: record {name} is dismissed; leave the row out, or take that back: "
                    f"sendoff failed {fate.run} --reopen --record {name}"
                )
            elif fate.state == "open" and fate.key in failed:
                found.names[fate.key] = name
                before = failed[fate.key]
                given = _as_exported(values, before.record) if by_hand else values
                found.corrected[fate.key] = _corrected(before, given, page, schema)
            else:
                found.others[name] = fate
    if problems:
        raise ConfigError(*problems)
    return found


def failed_fields(history: History, run: int) -> set[str]:
    """The names of the fields that a run's failed records have, and those of the runs that it retries."""
    found: set[str] = set()
    number: int | None = run
    while number is not None:
        for failure in history.failures(number):
            found.update(failure["record"])
        number = history.run(number)["retry_of"]
    return found


def added_columns(fields: Collection[str], names: Sequence[str] = ADDED) -> dict[str, str]:
    """The columns that `sendoff failed` adds, named so that no record has a field of that name."""
    prefix = "_"
    while any(prefix + name in fields for name in names):
        prefix += "_"
    return {name: prefix + name for name in names}


def cell(value: object) -> str:
    """A value as a cell of a file of text: exact, so that it can be read back."""
    if value is None or isinstance(value, str):
        return value or ""
    text = jsonlib.dumps(value)
    return str(jsonlib.loads(text)) if text.startswith('"') else text


def _restored(page: Page, added: Mapping[str, str], known: Collection[str]) -> Page:
    """A page of a table, with the names and texts of `failed --csv` as they were before formulas were defused.

    Where not all of its columns are there, somebody has made the table: an apostrophe in it may be meant.
    """
    columns = page.frame.columns
    if not page.uniform or added["record"] not in columns:
        return page
    names = {name: restore_formula(name) for name in columns}
    if not set(columns).issuperset(added.values()):
        renamed = {name: was for name, was in names.items() if name not in known and was in known and was not in columns}
        return replace(page, frame=page.frame.rename(renamed))
    texts = [name for name, dtype in page.frame.schema.items() if dtype == pl.String]
    frame = page.frame.with_columns(pl.col(name).str.replace(DEFUSED, "$1") for name in texts)
    return replace(page, frame=frame.rename(names))


def _as_exported(values: Mapping[str, object], before: Mapping[str, object]) -> dict[str, object]:
    """The values, with those as they were that are as `failed --csv` wrote them."""
    return {
        name: restore_formula(value)
        if isinstance(value, str) and name in before and value == defuse_formula(cell(before[name]))
        else value
        for name, value in values.items()
    }


def _rows(page: Page) -> Iterator[dict[str, object]]:
    for at, row in enumerate(page.frame.iter_rows(named=True)):
        yield {name: value for name, value in row.items() if name not in page.missing_keys or not page.missing_keys[name][at]}


def _corrected(failed: FailedRecord, values: Mapping[str, object], page: Page, schema: Schema) -> FailedRecord:
    """The record with its corrections, where its source had it; the same one if there are none."""
    before = failed.record
    if not page.uniform:
        values = {**before, **values}
        if failed.text and not page.all_text:
            values = {
                name: None if value is None else schema.to_cell(name, value, cell(value)) for name, value in values.items()
            }
            return failed if values == before else replace(failed, record=values)
    elif page.all_text:
        if all(cell(before.get(name)) == cell(values.get(name)) for name in {*before, *values}):
            return failed
        # A table has a cell for every field that any record has.
        values = {name: value for name, value in values.items() if value is not None or name in before}
    if values == before:
        return failed
    return replace(failed, record=values, text=page.all_text)
