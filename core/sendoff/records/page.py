"""Pages of records as a source gives them, and lines of JSON that are read when that is needed.

A source may yield polars frames, anything with the Arrow C stream interface (pyarrow, pandas, duckdb), lists of mappings,
or single mappings. `pages` turns all of them into `Page`s of bounded size.

The file is long because pages and lines are made of each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from decimal import Decimal
from itertools import islice
from operator import itemgetter
from typing import Any, ClassVar, cast

import polars as pl

from sendoff import jsonlib
from sendoff.bounds import MAX_COLUMNS, PAGE_CELLS, ColumnLimit, rows_per_page, too_many_columns
from sendoff.cleaning import clean
from sendoff.errors import SourceError

#: A page holds at most this many rows, about this many bytes, and `PAGE_CELLS`: small enough that the first
#: record leaves early and memory stays flat, large enough that column work amortises.
PAGE_ROWS = 20_000
PAGE_BYTES = 4 << 20
#: Mappings that are looked at together: few, as between them there may be frames.
_GROUP = 100

#: The column type, by its name in polars, of values of one Python type.
_NATIVE = {str: "String", int: "Int64", float: "Float64", bool: "Boolean", date: "Date", time: "Time"}
#: Types of values that nothing is nested in.
_FLAT = frozenset({*_NATIVE, datetime, Decimal, type(None)})


@dataclass(frozen=True, slots=True)
class Page:
    """A frame, and where its rows stand.

    `lines` are the line (or row) numbers a person would look for in `file`. `faults` are rows the
    source could not make records of, by index: they are skipped with that reason. `text` says
    that every cell is text still to be parsed, as in CSV; `fixed`, that every row has the same
    columns, so that a missing one is the file's mistake and not the row's.
    """

    frame: pl.DataFrame
    file: str = ""
    lines: Sequence[int] | pl.Series = ()
    row_errors: Mapping[int, str] = field(default_factory=dict)
    all_text: bool = False
    uniform: bool = True
    #: Where rows have keys of their own: which rows lack a column altogether.
    missing_keys: Mapping[str, pl.Series] = field(default_factory=dict)
    #: Columns of text that is JSON numbers, with all their digits.
    numbers: frozenset[str] = frozenset()
    #: What became of these rows since they were delivered, where `incremental` is asked: ``changed`` or ``removed``.
    change: str = ""

    def __len__(self) -> int:
        return self.frame.height

    def first(self, rows: int) -> Page:
        """Its first rows, so many."""
        missing = {name: mask.head(rows) for name, mask in self.missing_keys.items()}
        errors = {at: error for at, error in self.row_errors.items() if at < rows}
        return replace(self, frame=self.frame.head(rows), lines=self.lines[:rows], row_errors=errors, missing_keys=missing)

    def line(self, index: int) -> int:
        return int(self.lines[index]) if len(self.lines) else 0

    def as_json(self, rows: Sequence[int]) -> list[str]:
        """These rows as the source had them, each as a JSON object: what a person will correct."""
        frame = self.frame[list(rows)] if self.frame.width else pl.DataFrame(height=len(rows))
        if self.numbers:
            frame = replace(self, frame=frame).to_python().frame
        written_alike = (pl.String, pl.Int64, pl.Boolean, pl.Date)  # polars writes these just as `jsonlib` does
        if frame.width and not self.missing_keys and all(dtype in written_alike for dtype in frame.dtypes):
            return frame.select(pl.struct(pl.all()).struct.json_encode()).to_series().to_list()
        away = {name: mask.gather(list(rows)).to_list() for name, mask in self.missing_keys.items()}
        return [
            jsonlib.dumps(_writable({name: value for name, value in row.items() if name not in away or not away[name][at]}))
            for at, row in enumerate(frame.iter_rows(named=True))
        ]

    def cut(self) -> Iterator[Page]:
        """The page, in several if it has more than `PAGE_CELLS`."""
        height = self.frame.height
        step = rows_per_page(self.frame.columns) if height > 1 else 1
        if height <= step:
            yield self
            return
        for at in range(0, height, step):
            yield replace(
                self,
                frame=self.frame.slice(at, step),
                lines=self.lines[at : at + step],
                row_errors={row - at: self.row_errors[row] for row in range(at, at + step) if row in self.row_errors},
                missing_keys={name: mask.slice(at, step) for name, mask in self.missing_keys.items()},
            )

    def to_python(self) -> Page:
        """The same page with numbers as Python's, for code that looks at single values."""
        values = [
            column(name, [None if text is None else jsonlib.loads(text) for text in self.frame[name].to_list()])
            for name in self.numbers
        ]
        return replace(self, frame=self.frame.with_columns(values), numbers=frozenset())


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of JSON, each a record or not, that are read when that is needed. They have no space around them.

    `lines` are their numbers in `file`; a record has at most `max_columns` fields, and the file as many as `limit` allows.
    """

    texts: Sequence[bytes]
    file: str = ""
    lines: Sequence[int] = ()
    max_columns: int = MAX_COLUMNS
    limit: ColumnLimit | None = None
    all_text: ClassVar[bool] = False
    change: ClassVar[str] = ""

    def __len__(self) -> int:
        return len(self.texts)

    def first(self, rows: int) -> Lines:
        """The first of them, so many."""
        return replace(self, texts=self.texts[:rows], lines=self.lines[:rows])

    def line(self, index: int) -> int:
        return int(self.lines[index]) if len(self.lines) else 0

    def as_json(self, rows: Sequence[int]) -> list[str]:
        """These lines, each as a JSON object; an empty one for what is no record."""
        texts = [self.texts[at] for at in rows]
        _, problems = _records_of(texts)
        return ["{}" if at in problems else text.decode() for at, text in enumerate(texts)]

    def read(self, rows: Sequence[int] | None = None) -> Iterator[Page]:
        """Pages of all the lines or some, read exactly. A line that is not an object is an error of its row only."""
        texts = self.texts if rows is None else [self.texts[at] for at in rows]
        numbers = self.lines if rows is None else [self.line(at) for at in rows]
        records, problems = _records_of(texts)
        errors = {at: f"{problem}: {texts[at][:80].decode('utf-8', 'replace')!r}" for at, problem in problems.items()}
        for page in pages_of_mappings(records, file=self.file, lines=numbers, row_errors=errors, max_columns=self.max_columns):
            if self.limit is not None:
                self.limit.add(self.file, page.line(0), page.frame.columns)
            yield page


def _records_of(texts: Sequence[bytes]) -> tuple[list[dict[str, Any]], dict[int, str]]:
    """The record of each line of JSON, an empty one where there is none; and why, by index."""
    from sendoff.jsonlib.quick import loads_each  # noqa: PLC0415  # only JSON Lines need msgspec

    values, problems = loads_each(texts), dict[int, str]()
    if set(map(type, values)) != {dict}:
        for at, value in enumerate(values):
            if type(value) is not dict:
                problems[at] = str(value) if isinstance(value, ValueError) else "not a JSON object"
                values[at] = {}
    return values, problems


def location(file: str, line: int) -> str:
    """Where a row is in its file, as a person would look it up."""
    return f"{clean(file)}:{line}" if file else f"row {line}"


def _writable(row: Mapping[str, object]) -> dict[str, Any]:
    """The row with what JSON cannot hold as its text: a failed record must not fail to be written down."""

    def shown(value: object) -> Any:
        try:
            jsonlib.dumps(value)
        except ValueError:
            return repr(value)
        return value

    return {name: shown(value) for name, value in row.items()}


def pages(items: Iterable[object], *, max_columns: int = MAX_COLUMNS) -> Iterator[Page]:
    """Turn whatever a source yields into pages of bounded size.

    Rows that come without line numbers are numbered from 1. A mapping of more than `max_columns` is its row's error. Raises
    `SourceError` for an item that is none of the shapes a source may yield.
    """
    for item in pages_or_lines(items, max_columns=max_columns):
        yield from item.read() if isinstance(item, Lines) else [item]


def pages_or_lines(items: Iterable[object], *, max_columns: int = MAX_COLUMNS) -> Iterator[Page | Lines]:
    """As `pages`, but lines of JSON are left unread."""
    row = 0
    for item in _unnumbered(items, max_columns):
        if isinstance(item, Lines):
            yield item
            continue
        numbered = item if len(item.lines) else replace(item, lines=range(row + 1, row + 1 + item.frame.height))
        row += item.frame.height
        yield from numbered.cut()


def _unnumbered(items: Iterable[object], max_columns: int) -> Iterator[Page | Lines]:
    rows: list[Mapping[str, object]] = []
    if isinstance(items, pl.DataFrame) or hasattr(items, "__arrow_c_stream__"):
        items = [items]  # one frame; to iterate over it would give its columns
    for some in _grouped(iter(items)):
        if isinstance(some, list):
            rows += some
            while len(rows) >= PAGE_ROWS:
                yield from pages_of_mappings(rows[:PAGE_ROWS], max_columns=max_columns)
                rows = rows[PAGE_ROWS:]
            continue
        if rows:
            yield from pages_of_mappings(rows, max_columns=max_columns)
            rows = []
        yield from _paged(some.item, max_columns)
    if rows:
        yield from pages_of_mappings(rows, max_columns=max_columns)


@dataclass(frozen=True, slots=True)
class _Other:
    """What a source yielded that is no mapping."""

    item: object


def _grouped(items: Iterator[object]) -> Iterator[list[Mapping[str, object]] | _Other]:
    """Mappings a few at a time, so that it costs little to ask what each is, and whatever else a source yields."""
    for item in items:
        some, failure = [item], None
        if isinstance(item, Mapping):
            try:
                some.extend(islice(items, _GROUP - 1))
            except BaseException as error:  # it comes after what was yielded before
                failure = error
        if set(map(type, some)) == {dict}:
            yield cast("list[Mapping[str, object]]", some)
        else:
            yield from ([each] if isinstance(each, Mapping) else _Other(each) for each in some)
        if failure is not None:
            raise failure


def _paged(item: object, max_columns: int) -> Iterator[Page | Lines]:
    if isinstance(item, Page | Lines):
        yield item
    elif isinstance(item, pl.DataFrame):
        yield from _sliced(item)
    elif hasattr(item, "__arrow_c_stream__"):
        yield from _sliced(pl.DataFrame(item))
    elif isinstance(item, Sequence) and not isinstance(item, str | bytes):
        yield from pages_of_mappings(item, max_columns=max_columns)
    else:
        raise SourceError(f"a source yields mappings, lists of mappings, or frames; this one yielded {type(item).__name__}")


def _sliced(frame: pl.DataFrame) -> Iterator[Page]:
    width = max(1, int(frame.estimated_size()) // max(1, frame.height))
    step = max(1, min(PAGE_ROWS, PAGE_BYTES // width, rows_per_page(frame.columns)))
    for start in range(0, frame.height, step):
        yield Page(frame.slice(start, step))


def pages_of_mappings(
    rows: Sequence[Mapping[str, object]],
    *,
    file: str = "",
    lines: Sequence[int] = (),
    row_errors: Mapping[int, str] | None = None,
    max_columns: int = MAX_COLUMNS,
) -> Iterator[Page]:
    """Pages of mappings, as many as it takes for none to have more than `PAGE_ROWS` rows or `PAGE_CELLS` cells.

    A row of more than `max_columns` keys is faulty, as are those in `row_errors`.
    """
    errors, wide = dict(row_errors or {}), set[int]()
    narrow = set(map(type, rows)) == {dict} and max(map(len, rows)) <= max_columns
    for at, row in enumerate(() if narrow else rows):
        if isinstance(row, Mapping) and len(row) > max_columns:  # type: ignore[redundant-expr]  # a plugin's row may be anything
            errors[at] = too_many_columns(len(row), max_columns, "fields") or ""
            wide.add(at)
    if wide:
        rows = [{} if at in wide else row for at, row in enumerate(rows)]
    for lo, hi, names, cells in _cuts(rows):
        page = _page_of(rows[lo:hi], names, cells)
        here = {at - lo: errors[at] for at in range(lo, hi) if at in errors} if errors else {}
        yield replace(page, file=file, lines=lines[lo:hi], row_errors={**page.row_errors, **here})


def _cuts(rows: Sequence[Mapping[str, object]]) -> Iterator[tuple[int, int, dict[str, None], dict[str, list[Any]] | None]]:
    """Where pages of these rows begin and end, the names of each one's columns, and their cells where rows are alike."""
    lo, names = 0, dict[str, None]()
    if rows and set(map(type, rows)) == {dict} and len(set(map(len, rows))) == 1:
        first = dict.fromkeys(rows[0])
        step = min(PAGE_ROWS, max(1, PAGE_CELLS // max(1, len(first))))
        while lo < len(rows) and (cells := _cells_of_same_keys(rows[lo : lo + step], list(first))) is not None:
            yield lo, min(lo + step, len(rows)), first, cells
            lo += step
    for at in range(lo, len(rows)):
        mine, before = _names(rows[at]), len(names)
        names.update(mine)
        if at > lo and (at - lo == PAGE_ROWS or (at - lo + 1) * len(names) > PAGE_CELLS):
            yield lo, at, dict.fromkeys(islice(names, before)), None
            lo, names = at, mine
    if lo < len(rows):
        yield lo, len(rows), names, None


def _cells_of_same_keys(rows: Sequence[Mapping[str, object]], names: Sequence[str]) -> dict[str, list[Any]] | None:
    """The columns of dictionaries that have as many keys as there are names; None if some have other keys."""
    if len(names) < 2:  # `itemgetter` of one name gives no tuple
        return None
    cells: list[list[Any]] = [[] for _ in names]
    get = itemgetter(*names)
    try:
        for at in range(0, len(rows), _GROUP):  # few at a time, while they are in the processor's cache
            for column_, values in zip(cells, zip(*map(get, rows[at : at + _GROUP]), strict=True), strict=True):
                column_.extend(values)
    except KeyError:
        return None
    return dict(zip(names, cells, strict=True))


def from_mappings(rows: Sequence[Mapping[str, object]]) -> Page:
    """One page of mappings. A key that a row lacks is a null there; a row may have keys of its own.

    A row with a value that is nested too deep to be walked is a faulty one.
    """
    names: dict[str, None] = {}
    for row in rows:
        names.update(_names(row))
    return _page_of(rows, names)


def _names(row: Mapping[str, object]) -> dict[str, None]:
    if not isinstance(row, Mapping):
        raise SourceError(f"a record is a mapping of field to value; this one is a {type(row).__name__}")
    return dict.fromkeys(row)


def _page_of(rows: Sequence[Mapping[str, object]], names: Iterable[str], cells: dict[str, list[Any]] | None = None) -> Page:
    bad = next((name for name in names if not isinstance(name, str)), None)  # type: ignore[redundant-expr]  # a plugin's row may have any key
    if bad is not None:
        raise SourceError(f"a field's name is text; this one is {bad!r}")
    same_keys = cells is not None
    if cells is None:
        cells = {name: [row.get(name) for row in rows] for name in names}
    kinds = {name: set(map(type, values)) for name, values in cells.items()}
    deep = {
        at: jsonlib.TOO_DEEP
        for name, values in cells.items() if not kinds[name] <= _FLAT
        for at, value in enumerate(values) if jsonlib.too_deep(value)
    }  # fmt: skip
    if deep:
        return replace(_page_of([{} if at in deep else row for at, row in enumerate(rows)], names), row_errors=deep)
    numbers = {name: texts for name, values in cells.items() if (texts := _numbers(name, values, kinds[name])) is not None}
    columns = [numbers[name] if name in numbers else _column(name, values, kinds[name]) for name, values in cells.items()]
    uniform = same_keys or all(map(len(columns).__eq__, map(len, rows)))
    missing = {} if uniform else {name: mask for name in cells if (mask := pl.Series([name not in row for row in rows])).any()}
    # By name, as polars gives a column of a list that is named "" another name.
    frame = pl.DataFrame({each.name: each for each in columns}) if columns else pl.DataFrame(height=len(rows))
    return Page(frame, uniform=False, missing_keys=missing, numbers=frozenset(numbers))


def _numbers(name: str, values: Iterable[object], kinds: set[type]) -> pl.Series | None:
    """A column of exact numbers as text, with all their digits; None for one of others, or of some that JSON cannot hold."""
    if Decimal not in kinds or not kinds <= {Decimal, int, type(None)}:
        return None
    try:
        texts = pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String)
    except ValueError:  # an integer of more digits than Python writes
        return None
    return None if texts.str.contains("[IN]").any() else texts  # Infinity and NaN


def column(name: str, values: list[Any]) -> pl.Series:
    """A column of one native type where the values allow it, of Python objects where they do not."""
    return _column(name, values, set(map(type, values)))


def _column(name: str, values: list[Any], kinds: set[type]) -> pl.Series:
    kinds = kinds - {type(None)}
    if not kinds:
        return pl.Series(name, values, dtype=pl.Null)
    known = _NATIVE.get(next(iter(kinds))) if len(kinds) == 1 else None
    native: Any = getattr(pl, known) if known else None
    if kinds == {datetime} and len({value.tzinfo for value in values if value is not None}) == 1:
        native = None if next(v for v in values if v is not None).tzinfo else pl.Datetime("us")
    if native is not None:
        try:
            return pl.Series(name, values, dtype=native)
        except (OverflowError, TypeError, UnicodeEncodeError, pl.exceptions.PolarsError):
            pass  # an integer past 64 bits, or a lone surrogate: those rows get their reason later
    return pl.Series(name, values, dtype=pl.Object)
