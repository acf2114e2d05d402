"""R21: tables read whole and from where the last run ended, over real databases."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sendoff import SourceError
from sendoff.ledger import open_history
from sendoff.testing import Project, Receiver, Reply
from sendoff_plugins.sources.sql import Sql
from tests.plugins.sources import servers, tables

ROWS = int(os.environ.get("SENDOFF_ROWS", "1000000"))


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with servers.postgres() as url:
        yield url


@pytest.fixture(scope="module")
def mariadb() -> Iterator[str]:
    with servers.mariadb() as url:
        yield url


class Database:
    """A database that statements can be given to."""

    def __init__(self, url: str, do: Callable[[str], Any]) -> None:
        self.url, self.do = url, do


@pytest.fixture(params=["postgres", "mariadb", "sqlite"])
def database(request: pytest.FixtureRequest, project: Project) -> Database:
    kind = request.param
    if kind == "sqlite":
        file = project.home / "data.db"

        def do(statement: str) -> None:
            with closing(sqlite3.connect(file)) as db, db:
                db.execute(statement)

        made = Database("sqlite:///data.db", do)
    elif kind == "postgres":
        url = request.getfixturevalue("postgres")

        def do(statement: str) -> None:
            with psycopg.connect(url, autocommit=True) as db:
                db.execute(statement)

        made = Database(url, do)
    else:
        url = request.getfixturevalue("mariadb")

        def do(statement: str) -> None:
            with closing(tables.mysql(url)) as db, db.cursor() as cursor:
                cursor.execute(statement)

        made = Database(url, do)
    made.do("DROP TABLE IF EXISTS event")
    made.do(f"CREATE TABLE event(id integer, at {'text' if kind == 'sqlite' else 'timestamp(6) NULL'}, n integer)")
    return made


def put(database: Database, *rows: tuple[int, str | None, int]) -> None:
    moments = [f"'2026-01-01 {when}'" if when else "NULL" for _, when, _ in rows]
    values = ", ".join(f"({at}, {moment}, {n})" for (at, _, n), moment in zip(rows, moments, strict=True))
    database.do(f"INSERT INTO event VALUES {values}")


def connector(project: Project, database: Database, receiver: Receiver, more: str) -> None:
    text = f"source: {{use: sql, url: '{database.url}', table: event, {more}}}\nunknown: keep\ndestination: {{url: '{receiver.url}'}}\n"
    project({"connectors.d/c.yaml": text})


def told(receiver: Receiver) -> list[int]:
    found = [row["id"] for body in receiver.bodies for row in body]
    receiver.requests.clear()
    return found


CURSOR = "cursor: {column: at, tie_break: id}"


def test_a_run_reads_what_lies_behind_the_last_row_of_the_run_before(
    project: Project, receiver: Receiver, database: Database
) -> None:
    connector(project, database, receiver, CURSOR)
    put(database, (2, "10:00", 0), (1, "09:00", 0))
    project.run("c")
    assert told(receiver) == [1, 2]
    assert project.run("c").read == 0
    put(database, (3, "10:30", 0))
    project.run("c")
    assert told(receiver) == [3]


def test_r21_rows_with_equal_cursors_are_told_apart_by_the_tie_break(
    project: Project, receiver: Receiver, database: Database
) -> None:
    connector(project, database, receiver, CURSOR)
    put(database, *((at, "10:00", 0) for at in (5, 1, 3)))
    project.run("c")
    put(database, (7, "10:00", 0), (6, "10:00", 0))
    project.run("c")
    assert told(receiver) == [1, 3, 5, 6, 7]
    assert project.run("c").read == 0, "the cursor went on within the equal ones"


def test_r21_rows_without_a_cursor_are_refused_and_counted(project: Project, receiver: Receiver, database: Database) -> None:
    connector(project, database, receiver, CURSOR)
    put(database, (1, "10:00", 0), (2, None, 0), (3, None, 0))
    with pytest.raises(SourceError, match="2 rows have no at or no id"):
        project.run("c")
    assert receiver.requests == []


def test_r21_a_row_that_was_committed_late_is_found_within_the_lag(
    project: Project, receiver: Receiver, database: Database
) -> None:
    if database.url.startswith("sqlite"):
        pytest.skip("a lag needs a column of times or numbers; SQLite's times are text")
    connector(project, database, receiver, "cursor: {column: at, tie_break: id, lag: 15m}")
    put(database, (1, "10:00", 0), (2, "10:20", 0))
    project.run("c")
    put(database, (3, "10:10", 0), (4, "10:01", 0), (5, "10:30", 0))
    project.run("c")
    assert told(receiver) == [1, 2, 3, 5], "10:01 is more than a quarter of an hour behind 10:20"
    assert project.run("c").read == 0


def test_a_lag_may_be_a_number(project: Project, receiver: Receiver, database: Database) -> None:
    connector(project, database, receiver, "cursor: {column: n, tie_break: id, lag: 10}")
    put(database, (1, "10:00", 100), (2, "10:00", 120))
    project.run("c")
    put(database, (3, "10:00", 112), (4, "10:00", 105), (2, "10:00", 121))
    project.run("c")
    assert told(receiver) == [1, 2, 3, 2]
    assert project.run("c").read == 0


def test_the_first_run_begins_where_it_is_told(project: Project, receiver: Receiver, database: Database) -> None:
    connector(project, database, receiver, "cursor: {column: n, tie_break: id, start: 5}")
    put(database, (1, "10:00", 4), (2, "10:00", 5), (3, "10:00", 6))
    project.run("c")
    assert told(receiver) == [2, 3]


def test_a_run_that_was_given_up_gives_its_rows_back(project: Project, receiver: Receiver, database: Database) -> None:
    connector(project, database, receiver, CURSOR)
    put(database, (1, "10:00", 0))
    receiver.script = [Reply(401)]
    assert project.run("c").state == "stopped"
    put(database, (2, "11:00", 0))
    told(receiver)
    receiver.script = ()
    project.run("c", restart=True)
    assert told(receiver) == [1, 2]


def test_what_was_begun_is_ended_with_the_rows_it_had(project: Project, receiver: Receiver, database: Database) -> None:
    connector(project, database, receiver, CURSOR)
    put(database, (1, "10:00", 0))
    receiver.script = [Reply(401)]
    project.run("c")
    database.do("UPDATE event SET n = 7")
    put(database, (2, "09:00", 0), (3, "11:00", 0))
    receiver.requests.clear()
    receiver.script = ()
    project.run("c")
    assert receiver.bodies[0][0]["n"] == 0
    told(receiver)
    project.run("c")
    assert told(receiver) == [3]


def test_another_cursor_is_refused_until_the_old_one_is_forgotten(
    project: Project, receiver: Receiver, database: Database
) -> None:
    connector(project, database, receiver, CURSOR)
    put(database, (1, "10:00", 0))
    project.run("c")
    connector(project, database, receiver, "cursor: {column: n, tie_break: id}")
    with pytest.raises(SourceError, match="source.cursor was at, id so far; `sendoff reset`"):
        project.run("c")
    project.runner().reset("c")
    assert project.run("c").delivered == 1


def test_r21_a_cursor_whose_column_has_another_type_now_is_told(project: Project, receiver: Receiver, postgres: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as db:
        db.execute("DROP TABLE IF EXISTS event")
        db.execute("CREATE TABLE event AS SELECT 1 AS id, 5 AS n")
        source = Sql(home=project.home, url=postgres, table="event", cursor={"column": "n", "tie_break": "id"})
        list(source.read(None))
        db.execute("ALTER TABLE event ALTER COLUMN n TYPE text")
        with pytest.raises(SourceError, match="postgresql: .*operator does not exist"):
            list(source.read(source.next_cursor))


def test_a_query_may_hold_colons_and_percent_signs(project: Project, database: Database) -> None:
    put(database, (1, "10:00", 0))
    source = Sql(home=project.home, url=database.url, query="SELECT id, ':x' AS a, '10%' AS b FROM event WHERE id = 1;")
    assert [row for page in source.read(None) for row in page.frame.rows()] == [(1, ":x", "10%")]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"table": "nothing"}, "nothing"),
        ({"query": "SELEC 1"}, "postgresql: |mariadb: |mysql: |sqlite: "),
        ({"query": "DELETE FROM event"}, "read.?only|READ ONLY|does not return rows|query_only|syntax error"),
        ({"query": "SELECT 1 AS a, 2 AS a"}, "two columns of the query are named 'a'"),
        ({}, "give `table` or `query`"),
        ({"table": "event", "cursor": {"column": "nope", "tie_break": "id"}}, "nope"),
        ({"table": "event", "booleans": ["x"]}, "source.booleans: there is no column 'x'"),
        ({"table": "event", "json": ["x"]}, "source.json: there is no column 'x'"),
    ],
    ids=range(8),
)
def test_what_is_wrong_with_a_query_is_told_in_the_databases_words(
    project: Project, database: Database, options: dict[str, Any], sentence: str
) -> None:
    put(database, (1, "10:00", 0))
    with pytest.raises(SourceError, match=sentence):
        list(Sql(home=project.home, url=database.url, **options).read(None))
    (page,) = Sql(home=project.home, url=database.url, table="event").read(None)
    assert page.frame["id"].to_list() == [1]


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://sendoff:hunter22@127.0.0.1:1/x", "connection failed|refused"),
        ("mysql://root@127.0.0.1:1/x", "Can't connect"),
        ("sqlite:///none.db", "none.db: no such file"),
        ("oracle+oracledb://x/y", "the driver oracledb is not installed: pip install 'oracledb'"),
        ("nonsense://x", "source.url: "),
        ("no url", "source.url: "),
    ],
)
def test_a_database_that_cannot_be_reached_is_told_without_its_password(tmp_path: Path, url: str, sentence: str) -> None:
    with pytest.raises(SourceError, match=sentence) as caught:
        list(Sql(home=tmp_path, url=url, table="x").read(None))
    assert "hunter22" not in str(caught.value)


def test_r21_a_connection_that_is_lost_on_the_way_sends_nothing(project: Project, receiver: Receiver, postgres: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as db:
        db.execute("DROP TABLE IF EXISTS long")
        db.execute("CREATE TABLE long AS SELECT at AS id, repeat('x', 100) AS pad FROM generate_series(1, 300000) at")
        source = Sql(home=project.home, url=postgres, table="long")
        reading = iter(source.read(None))
        next(reading)
        db.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        with pytest.raises(SourceError, match="postgresql: "):
            list(reading)


def test_r21_one_state_of_the_table_is_read_whatever_is_written_meanwhile(project: Project, postgres: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as db:
        db.execute("DROP TABLE IF EXISTS busy")
        db.execute("CREATE TABLE busy AS SELECT at AS id, 0 AS n FROM generate_series(1, 100000) at")
        source = Sql(home=project.home, url=postgres, table="busy")
        reading = iter(source.read(None))
        first = next(reading)
        db.execute("UPDATE busy SET n = 1")
        db.execute("INSERT INTO busy SELECT at, 1 FROM generate_series(200000, 200100) at")
        rows = [row for page in (first, *reading) for row in page.frame.rows()]
    assert len(rows) == 100_000
    assert {n for _, n in rows} == {0}


READ = """
import resource, sys
from sendoff_plugins.sources.sql import Sql
source = Sql(url=sys.argv[1], table="many", cursor={"column": "id", "tie_break": "id"})
peaks, rows = [], 0
for page in source.read(None):
    rows += page.frame.height
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print(rows, peaks[len(peaks) // 10], peaks[-1], source.next_cursor["at"][0])
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["postgres", "sqlite"])
def test_r21_ten_million_rows_take_no_more_memory_than_one(project: Project, kind: str, request: pytest.FixtureRequest) -> None:
    """``SENDOFF_ROWS=10000000`` runs the long version."""
    if kind == "postgres":
        url = request.getfixturevalue("postgres")
        with psycopg.connect(url, autocommit=True) as db:
            db.execute("DROP TABLE IF EXISTS many")
            db.execute(
                f"CREATE TABLE many AS SELECT at::bigint AS id, 'name ' || at AS name FROM generate_series(1, {ROWS}) at"
            )
    else:
        url = f"sqlite:///{project.home / 'many.db'}"
        with closing(sqlite3.connect(project.home / "many.db")) as file, file:
            file.execute("CREATE TABLE many(id integer PRIMARY KEY, name text)")
            file.executemany("INSERT INTO many VALUES (?, ?)", ((at, f"name {at}") for at in range(1, ROWS + 1)))
    done = subprocess.run([sys.executable, "-c", READ, url], capture_output=True, text=True, check=True)
    rows, early, late, reached = map(int, done.stdout.split())
    assert (rows, reached) == (ROWS, ROWS)
    assert late < early * 1.15, f"the peak grew from {early:,} to {late:,} KiB"


def test_a_reader_in_another_thread_is_no_matter(project: Project, database: Database) -> None:
    put(database, (1, "10:00", 0))
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.extend(Sql(home=project.home, url=database.url, table="event").read(None)))
    thread.start()
    thread.join()
    assert len(found) == 1


def test_a_time_that_python_has_not_is_its_rows_fault(project: Project, receiver: Receiver, postgres: str) -> None:
    """Kind: one value that cannot be converted refuses the whole source.

    Brothers looked at: dates, times and moments at either end, with and without a zone; MySQL's zero dates, which are text already;
    Parquet and Arrow; a cursor's own column.
    """
    with psycopg.connect(postgres, autocommit=True) as db:
        db.execute("CREATE TABLE odd (id int, born date, at timestamp, zoned timestamptz, clock time)")
        db.execute("INSERT INTO odd VALUES (1, '2026-01-31', '2026-01-31 08:00', '2026-01-31 08:00Z', '08:00')")
        db.execute("INSERT INTO odd VALUES (2, 'infinity', '2026-01-31 08:00', '2026-01-31 08:00Z', '08:00')")
        db.execute("INSERT INTO odd VALUES (3, '12000-01-01', '-infinity', '2026-01-31 08:00Z', '08:00')")
        db.execute("INSERT INTO odd VALUES (4, '2026-01-31', '2026-01-31 08:00', 'infinity', '08:00')")
        db.execute("INSERT INTO odd VALUES (5, '2026-01-31', '2026-01-31 08:00', '2026-01-31 08:00Z', '24:00:00')")
    connector = f"""source: {{use: sql, url: "{postgres}", table: odd}}
schema: {{id: integer, born: date, at: datetime, zoned: datetime, clock: time}}
send: batch
destination: {{url: "{receiver.url}"}}
"""
    report = project({"connectors.d/a.yaml": connector}).run("a")
    assert (report.state, report.delivered, report.invalid) == ("incomplete", 1, 4)
    assert [record["id"] for record in receiver.bodies[0]] == [1]
    reasons = {reason["reason"] for reason in open_history(project.home / ".sendoff").reasons(report.run)}
    assert any("infinity" in reason for reason in reasons)
    source = Sql(home=project.home, url=postgres, table="odd", booleans=[], cursor={"column": "at", "tie_break": "id"})
    with pytest.raises(SourceError, match="the cursor's column at has '-infinity'"):
        list(source.read(None))


def test_numbers_inside_json_keep_their_digits(project: Project, receiver: Receiver, postgres: str) -> None:
    """Kind: a driver's own conversion that loses part of a value. Brothers looked at: json with a key twice, which is text."""
    text = """SELECT 1 AS id, '{"a": 1.10, "b": 12345678901234567.89}'::jsonb AS j, '{"a":1,"a":2}'::json AS k"""
    connector = (
        f"source:\n  use: sql\n  url: {postgres}\n  query: |\n    {text}\nsend: batch\ndestination: {{url: '{receiver.url}'}}\n"
    )
    assert project({"connectors.d/a.yaml": connector}).run("a").delivered == 1
    assert b'"j":{"a":1.10,"b":12345678901234567.89}' in bytes(receiver.requests[0].body)
    assert receiver.bodies[0][0]["k"] == '{"a":1,"a":2}'


def test_values_of_postgresql_arrive_whole_or_are_their_rows_fault(project: Project, receiver: Receiver, postgres: str) -> None:
    """Kind: a driver's conversion that loses a part of a value. Brothers: JSON's digits, and what Python's dates cannot hold."""
    with psycopg.connect(postgres, autocommit=True) as db:
        db.execute(
            "CREATE TABLE exact(id bigint, j jsonb, long interval, at timetz, net inet, span int4range, flags bit(4), ts timestamp)"
        )
        db.execute(
            """INSERT INTO exact(id, j, long, at, net, span, flags, ts) VALUES
            (1, '{"amount": 12345678901234567.89, "x": 1.10}', '1 year 2 mons 3 days 04:05:06.7', '08:30:00+02',
             '10.0.0.1/8', '[1,5)', B'0101', '2026-01-31 08:00'),
            (2, NULL, '-1 mon', '08:30:00-03:30', NULL, NULL, NULL, 'infinity')"""
        )
    nullable = ", nullable: true}"
    project(
        {
            "connectors.d/c.yaml": f"source: {{use: sql, url: '{postgres}', query: SELECT * FROM exact ORDER BY id}}\n"
            f"schema: {{id: integer, j: {{type: dict{nullable}, long: duration, at: string, net: {{type: string{nullable}, "
            f"span: {{type: string{nullable}, flags: {{type: string{nullable}, ts: datetime}}\n"
            f"destination: {{url: '{receiver.url}'}}\n"
        }
    )
    report = project.run("c")
    assert (report.delivered, report.invalid) == (1, 1)
    sent = receiver.requests[0].body.decode()
    assert '"j":{"x":1.10,"amount":12345678901234567.89}' in sent
    assert '"long":"P1Y2M3DT4H5M6.7S","at":"08:30:00+02:00","net":"10.0.0.1/8","span":"[1,5)","flags":"0101"' in sent
    assert [row["reason"] for row in open_history(project.home / ".sendoff").failures(1)] == [
        "ts: must be of datetime type (got 'infinity')"
    ]


def test_a_time_of_mariadb_keeps_its_sign_and_its_hours(project: Project, mariadb: str) -> None:
    times = ["-01:30:00", "-00:00:01.500000", "838:59:59", "00:00:00", "26:05:00.25"]
    query = "SELECT " + ", ".join(f"CAST('{each}' AS time(6)) AS t{at}" for at, each in enumerate(times))
    (page,) = Sql(home=project.home, url=mariadb, query=query, booleans=[]).read(None)
    assert page.frame.row(0) == ("-01:30:00", "-00:00:01.5", "838:59:59", "00:00:00", "26:05:00.25")


def _tables(mariadb: str, *statements: str) -> None:
    with closing(tables.mysql(mariadb)) as db, db.cursor() as cursor:
        for statement in ("SET sql_mode = ''", "DROP TABLE IF EXISTS odd", *statements):
            cursor.execute(statement)


def test_mariadbs_own_types_arrive_whole(project: Project, receiver: Receiver, mariadb: str) -> None:
    _tables(
        mariadb,
        "CREATE TABLE odd(id int, made year, flag bit(1), big bigint unsigned, sum decimal(40,10), doc json, kinds set('a','b'))",
        "INSERT INTO odd VALUES (1, 2026, b'1', 18446744073709551615, 123456789012345678901234567890.1234567890,"
        """ '{"a": 1.10, "b": 12345678901234567.89}', 'a,b')""",
    )
    source = f"{{use: sql, url: '{mariadb}', table: odd, booleans: [flag], json: [doc]}}"
    project({"connectors.d/c.yaml": f"source: {source}\nunknown: keep\ndestination: {{url: '{receiver.url}'}}\n"})
    assert project.run("c").delivered == 1
    assert receiver.requests[0].body.decode() == (
        '[{"id":1,"made":2026,"flag":true,"big":18446744073709551615,"sum":123456789012345678901234567890.1234567890,'
        '"doc":{"a":1.10,"b":12345678901234567.89},"kinds":"a,b"}]'
    )


def test_a_zero_date_of_mariadb_is_its_rows_fault(project: Project, receiver: Receiver, mariadb: str) -> None:
    _tables(
        mariadb,
        "CREATE TABLE odd(id int, born date, at datetime)",
        "INSERT INTO odd VALUES (1, '2026-01-31', '2026-01-31 08:00'), (2, '0000-00-00', '2026-01-31 08:00'),"
        " (3, '2026-01-31', '0000-00-00 00:00:00'), (4, '2026-00-31', '2026-01-31 08:00')",
    )
    schema = "schema: {id: integer, born: date, at: datetime}"
    source = f"source: {{use: sql, url: '{mariadb}', table: odd}}"
    project({"connectors.d/c.yaml": f"{source}\n{schema}\ndestination: {{url: '{receiver.url}'}}\n"})
    report = project.run("c")
    assert (report.delivered, report.invalid) == (1, 3)
    assert [row["reason"] for row in open_history(project.home / ".sendoff").failures(report.run)] == [
        "born: must be of date type (got '0000-00-00')",
        "at: must be of datetime type (got '0000-00-00 00:00:00')",
        "born: must be of date type (got '2026-00-31')",
    ]


@pytest.mark.parametrize("type_", ["bit(8)", "geometry", "blob", "varbinary(4)"])
def test_a_column_of_bytes_is_named(mariadb: str, tmp_path: Path, type_: str) -> None:
    value = "point(1, 2)" if type_ == "geometry" else "b'101'"
    _tables(mariadb, f"CREATE TABLE odd(id int, place {type_})", f"INSERT INTO odd VALUES (1, {value})")
    with pytest.raises(SourceError, match=r"the column 'place' holds bytes, which JSON cannot; leave it out, or make it text"):
        list(Sql(home=tmp_path, url=mariadb, table="odd").read(None))


def test_a_value_that_sqlites_driver_cannot_read_is_told_with_its_column(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "data.db")) as db, db:
        db.execute("CREATE TABLE odd(id integer, name text)")
        db.execute("INSERT INTO odd VALUES (1, CAST(x'ff41' AS text))")
    with pytest.raises(SourceError, match="sqlite: Could not decode to UTF-8 column 'name'"):
        list(Sql(home=tmp_path, url="sqlite:///data.db", table="odd").read(None))


def test_a_value_that_mariadb_cannot_compute_is_told_in_its_words(tmp_path: Path, mariadb: str) -> None:
    with pytest.raises(SourceError, match=r"mysql: DOUBLE value is out of range in 'exp\(1000\)' \(1690\)"):
        list(Sql(home=tmp_path, url=mariadb, query="SELECT exp(1000) AS q").read(None))


def test_text_that_is_json_is_sent_as_json_if_its_column_is_named(project: Project, receiver: Receiver) -> None:
    with closing(sqlite3.connect(project.home / "data.db")) as db, db:
        db.execute("CREATE TABLE odd(id integer, doc text)")
        db.execute(
            """INSERT INTO odd VALUES (1, '{"a": 1.10, "b": [12345678901234567.89]}'), (2, NULL), (3, '{"a": '), (4, '5')"""
        )
    text = "source: {use: sql, url: 'sqlite:///data.db', table: odd, json: [doc]}\nschema: {id: integer, doc: {type: dict, nullable: true}}"
    project({"connectors.d/c.yaml": f"{text}\nsend: batch\ndestination: {{url: '{receiver.url}'}}\n"})
    report = project.run("c")
    assert (report.delivered, report.invalid) == (2, 2)
    assert receiver.requests[0].body == b'[{"id":1,"doc":{"a":1.10,"b":[12345678901234567.89]}},{"id":2,"doc":null}]'
    project({"connectors.d/c.yaml": f"{text.partition(chr(10))[0]}\nsend: batch\ndestination: {{url: '{receiver.url}'}}\n"})
    untyped = project.run("c")
    assert (untyped.delivered, untyped.invalid) == (3, 1), "without a type, text that is not JSON is not sent either"
