# ruff: noqa: E501  # a row of the options reads best as a row
"""Any database that SQLAlchemy knows: a table or a query, streamed, all of it or only what is new.

The file is long because it has what a cursor of any type is kept as.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any
from uuid import UUID

import polars as pl

from sendoff.plugin import (
    PAGE_ROWS,
    Page,
    Source,
    SourceError,
    SourceUnavailable,
    column,
    hookimpl,
    install_command,
    jsonlib,
    rows_per_page,
    too_many_columns,
)
from sendoff_plugins.sources._common.database import describe, is_outage
from sendoff_plugins.sources._common.postgres import TimeAsText, keep_what_cannot_be_read
from sendoff_plugins.sources._files.locations import import_extra

_LAG = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d)?")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SCHEMES = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
_EXTRAS = {"psycopg": "postgres", "pymysql": "mysql"}


def _check_lag(field: str, value: Any, error: Callable[[str, str], None]) -> None:
    if isinstance(value, str) and not _LAG.fullmatch(value):
        error(field, f"{value!r} is not a valid duration; use 5m, 2h, or a number where the column is one")


class Sql(Source):
    """Read a table or the rows of a query from any database that SQLAlchemy knows, in one read-only transaction.

    With `cursor` a run reads only what lies behind the last row of the run before: rows ordered by a column that only
    grows, and by another that tells rows apart where it is equal. Rows are streamed; memory stays flat.
    """

    name = "sql"
    privileged = "connects to databases"
    options = {
        "url": {"type": "string", "meta": {"help": "The database, as an SQLAlchemy URL: `postgresql://user@host/db`, `mysql://…`, `sqlite:///file.db`.", "secret": True}},
        "table": {"type": "string", "required": False, "excludes": "query", "meta": {"help": "The table, or schema.table."}},
        "query": {"type": "string", "required": False, "meta": {"help": "A SELECT instead of a table."}},
        "booleans": {"type": "list", "schema": {"type": "string"}, "default": [], "meta": {"help": "Columns whose 0 and 1 are false and true: MySQL and SQLite have no other booleans."}},
        "json": {"type": "list", "schema": {"type": "string"}, "default": [], "meta": {"help": "Columns whose text is JSON, to be sent as JSON: MySQL, MariaDB and SQLite give no other. PostgreSQL's `json` and `jsonb` need not be named."}},
        "cursor": {
            "type": "dict", "required": False,
            "schema": {
                "column": {"type": "string", "required": True, "meta": {"help": "The column that only grows."}},
                "tie_break": {"type": "string", "required": True, "meta": {"help": "A column, or a key, that tells rows with equal cursors apart and orders them."}},
                "start": {"required": False, "meta": {"help": "Where the first run begins; without it, with the first row."}},
                "lag": {"type": ["string", "integer"], "required": False, "check_with": _check_lag, "meta": {"help": "How far behind the last row to look again, for rows that were committed late: `5m`, or a number. What was read is known by its tie-break and not sent again."}},
            },
            "meta": {"help": "Reads only what is new: `column`, `tie_break`, `start`, `lag`."},
        },
    }  # fmt: skip
    url: str
    table: str | None = None
    query: str | None = None
    booleans: list[str]
    json: list[str]
    cursor: dict[str, Any] | None = None

    def read(self, cursor: Any) -> Iterator[Page]:
        if (self.table is None) == (self.query is None):
            raise SourceError("source: give `table` or `query`, one of them")
        alchemy = import_extra("sqlalchemy", "sql")
        with self._connected(alchemy) as connection:
            if self.cursor is None:
                yield from self._pages(connection.execute(alchemy.text(self._select)))
            else:
                yield from self._after_cursor(alchemy, connection, cursor)

    @property
    def _select(self) -> str:
        if self.query is not None:
            return self.query.strip().rstrip(";").replace(":", "\\:")
        assert self.table is not None
        return "SELECT * FROM " + self.table  # noqa: S608  # the user's own table, query and quoted columns; values are bound

    @contextmanager
    def _connected(self, alchemy: Any) -> Iterator[Any]:
        """A connection in one read-only transaction that sees one state of the database."""
        try:
            url = alchemy.engine.make_url(self.url)
            url = url.set(drivername=_SCHEMES.get(url.drivername, url.drivername))
            if url.drivername.startswith("sqlite") and url.database and url.database != ":memory:":
                url = self._existing(url)
            engine = alchemy.create_engine(url, poolclass=alchemy.pool.NullPool)
        except ImportError as error:
            driver = (error.name or "").partition(".")[0]
            command = install_command(_EXTRAS[driver]) if driver in _EXTRAS else f"pip install '{driver}'"
            raise SourceError(f"the driver {driver} is not installed: {command}") from None
        except alchemy.exc.SQLAlchemyError as error:
            raise SourceError(f"source.url: {self.excerpt(describe(error))}") from None
        try:
            with engine.connect() as connection:
                if engine.driver == "psycopg":
                    keep_what_cannot_be_read(connection.connection.driver_connection)
                for statement in _SESSION.get(engine.dialect.name, ()):
                    connection.exec_driver_sql(statement)
                yield connection.execution_options(stream_results=True, max_row_buffer=PAGE_ROWS)
        except alchemy.exc.SQLAlchemyError as error:
            kind = SourceUnavailable if is_outage(error) else SourceError
            raise kind(f"{engine.dialect.name}: {self.excerpt(describe(error))}") from None
        finally:
            engine.dispose()

    def _existing(self, url: Any) -> Any:
        """Check that an SQLite file exists: SQLite would create a missing one, empty."""
        file = self.home / url.database
        if not file.is_file():
            raise SourceError(f"{url.database}: no such file", code="file")
        return url.set(database=str(file))

    def _pages(self, result: Any, keep: Callable[[Any], bool] | None = None) -> Iterator[Page]:
        try:
            names = list(result.keys())
            self._check(names)
            row = 0
            for some in result.partitions(min(PAGE_ROWS, rows_per_page(names))):
                rows = [each for each in some if keep(each)] if keep else some
                if not rows:
                    continue
                errors: dict[int, str] = {}
                columns = [
                    _column(name, self._read_json(name, [each[at] for each in rows], errors), boolean=name in self.booleans)
                    for at, name in enumerate(names)
                ]
                numbers = frozenset(series.name for series, is_number in columns if is_number)
                lines = range(row + 1, row + 1 + len(rows))
                frame = pl.DataFrame([series for series, _ in columns])
                yield Page(frame, self.table or "query", lines, errors, numbers=numbers)
                row += len(rows)
        finally:
            result.close()

    def _read_json(self, name: str, cells: list[Any], errors: dict[int, str]) -> list[Any]:
        """The cells of a column; where its text is JSON, what that says, and why a row's does not, in `errors`."""
        if name in self.json:
            for at, cell in enumerate(cells):
                if isinstance(cell, str):
                    try:
                        cells[at] = jsonlib.loads(cell)
                    except ValueError as error:
                        errors.setdefault(at, f"{name}: {error}")
        return cells

    def _check(self, names: Sequence[str]) -> None:
        if problem := too_many_columns(len(names), self.max_columns):
            raise SourceError(f"{self.table or 'the query'}: {problem}")
        twice = next((name for name, count in Counter(names).items() if count > 1), None)
        if twice is not None:
            raise SourceError(f"two columns of the query are named {twice!r}; give one another name with AS")
        for option, named in {"booleans": self.booleans, "json": self.json}.items():
            missing = [name for name in named if name not in names]
            if missing:
                raise SourceError(f"source.{option}: there is no column {missing[0]!r}; there are {', '.join(names)}")

    def _after_cursor(self, alchemy: Any, connection: Any, kept: Any) -> Iterator[Page]:
        """The rows after the cursor, ordered by it, up to the last one there is now."""
        assert self.cursor is not None
        by, tie, lag = self.cursor["column"], self.cursor["tie_break"], self.cursor.get("lag")
        if kept is not None and kept["column"] != [by, tie]:
            raise SourceError(f"source.cursor was {kept['column'][0]}, {kept['column'][1]} so far; `sendoff reset` starts over")
        quote = connection.dialect.identifier_preparer.quote
        inner = f"({self._select}) AS sendoff_rows"
        c, k = quote(by), quote(tie)
        nulls = connection.execute(alchemy.text(f"SELECT count(*) FROM {inner} WHERE {c} IS NULL OR {k} IS NULL")).scalar()  # noqa: S608  # the user's own table, query and quoted columns; values are bound
        if nulls:
            raise SourceError(f"{nulls:,} rows have no {by} or no {tie}; a cursor cannot tell whether they are new")
        at = _read(kept["at"]) if kept else None
        known = {} if kept is None else {row: _read(value) for row, value in kept.get("recent", [])}
        values: dict[str, Any] = {}
        where = ""
        if at is not None and lag:
            where, values = f"WHERE {c} >= :least", {"least": _less(at[0], lag)}
        elif at is not None:
            # Written out: not every database compares rows, and few use an index for it.
            where, values = f"WHERE {c} > :c OR ({c} = :c AND {k} > :k)", {"c": at[0], "k": at[1]}
        elif "start" in self.cursor:
            where, values = f"WHERE {c} >= :start", {"start": self.cursor["start"]}
        statement = alchemy.text(f"SELECT * FROM {inner} {where} ORDER BY {c}, {k}")  # noqa: S608  # the user's own table, query and quoted columns; values are bound
        result = connection.execute(statement, values)
        names = list(result.keys())
        try:
            c_at, k_at = names.index(by), names.index(tie)
        except ValueError:
            raise SourceError(f"source.cursor: no column {by!r} and {tie!r}; there are {', '.join(names)}") from None
        recent: dict[str, Any] = {}
        last: Any = None

        def new(row: Any) -> bool:
            nonlocal last
            last = row
            if isinstance(row[c_at], TimeAsText):
                raise SourceError(
                    f"the cursor's column {by} has {str(row[c_at])!r}, behind which nothing is new; leave such rows out"
                )
            if not lag:
                return True
            mark = _mark(row[c_at], row[k_at])
            recent[mark] = row[c_at]
            return mark not in known

        yield from self._pages(result, new)
        if last is not None:
            # Rows come in the database's own order, so the last is the farthest; but of a window it may lie before the cursor.
            found = (last[c_at], last[k_at])
            at = max(at, found, key=lambda pair: pair[0]) if lag and at is not None else found
        self.next_cursor = {"column": [by, tie], "at": None if at is None else _written(at)}
        if lag and at is not None:
            least = _less(at[0], lag)
            self.next_cursor["recent"] = [[mark, _written(value)] for mark, value in recent.items() if value >= least]


#: What makes a transaction read-only, one state for all of it to see, and values written as they are sent.
_SESSION = {
    "postgresql": ["SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", "SET LOCAL intervalstyle = 'iso_8601'"],
    "mysql": ["SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"],
    "mariadb": ["SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"],
    "sqlite": ["PRAGMA query_only = ON", "BEGIN"],
    "oracle": ["SET TRANSACTION READ ONLY"],
}  # fmt: skip


#: The two values of a column of `booleans`; a BIT(1) of MySQL is a byte.
_TRUTH: dict[object, bool] = {0: False, 1: True, b"\0": False, b"\1": True}


def _column(name: str, cells: list[Any], *, boolean: bool) -> tuple[pl.Series, bool]:
    """A column of a page, and whether it is of numbers as text, which keeps all their digits."""
    if boolean:
        cells = [_TRUTH.get(cell, cell) if isinstance(cell, int | float | Decimal | bytes) else cell for cell in cells]
    kinds = set(map(type, cells)) - {type(None)}
    if kinds == {Decimal}:
        digits = pl.Series(name, [None if cell is None else format(cell, "f") for cell in cells], dtype=pl.String)
        if not digits.str.contains("[NI]").any():  # NaN, Infinity: the schema's check reports them
            return digits, True
    if kinds & {UUID, timedelta, bytes, memoryview}:
        cells = [_plain(name, cell) for cell in cells]
    return column(name, cells), False


def _plain(name: str, value: Any) -> Any:
    """Values that have no JSON form, as text."""
    match value:
        case UUID():
            return str(value)
        case timedelta():  # MySQL's TIME, as MySQL writes it: it has a sign, and may have more than 24 hours
            length = abs(value)
            minutes, seconds = divmod(length.days * 86_400 + length.seconds, 60)
            clock = f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"
            part = f".{length.microseconds:06}".rstrip("0") if length.microseconds else ""
            return ("-" if value < timedelta() else "") + clock + part
        case bytes() | memoryview():
            raise SourceError(f"the column {name!r} holds bytes, which JSON cannot; leave it out, or make it text in the query")
    return value


def _less(value: Any, lag: str | int) -> Any:
    """The value minus a length of time, or minus a number."""
    if isinstance(value, datetime | date):
        match = _LAG.fullmatch(str(lag))
        assert match is not None
        return value - timedelta(seconds=float(match[1]) * _SECONDS[match[2] or "s"])
    kind: Any = type(value)
    return value - kind(str(lag)) if isinstance(value, int | float | Decimal) else value


def _mark(*values: Any) -> str:
    return blake2b(repr(values).encode(), digest_size=12).hexdigest()


_KINDS: dict[str, Callable[[str], Any]] = {
    "datetime": datetime.fromisoformat, "date": date.fromisoformat, "decimal": Decimal, "uuid": UUID, "float": float,
}  # fmt: skip


def _written(value: Any) -> Any:
    """A cursor's value in a form that JSON can hold."""
    match value:
        case tuple():
            return [_written(item) for item in value]
        case datetime():
            return {"datetime": value.isoformat()}
        case date():
            return {"date": value.isoformat()}
        case Decimal() | UUID() | float():
            return {type(value).__name__.lower(): repr(value) if isinstance(value, float) else str(value)}
        case int() | str() | None:
            return value
    raise SourceError(f"a cursor is a number, a date, a time or text; {type(value).__name__} cannot be kept")


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_read(item) for item in value)
    if isinstance(value, dict):
        ((kind, text),) = value.items()
        return _KINDS[kind](text)
    return value


@hookimpl
def sendoff_sources() -> list[type[Source]]:
    return [Sql]
