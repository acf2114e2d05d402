"""The same 200,000 records, from wherever they are kept, are the same bytes at the API."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import obstore.store
import pytest

from sendoff.sandbox import Sandbox
from sendoff.testing import Project, Received, Receiver, Reply
from sendoff_plugins.sources.google_sheets import GoogleSheets
from tests.plugins.sources import exact, samples, servers, tables
from tests.servers import wanted

COUNT = int(os.environ.get("SENDOFF_SAMPLES", "200000"))
TAP = Path(__file__).parents[2] / "acceptance/.servers/tap/bin/tap-rest-api-msdk"


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return samples.records(COUNT)


@pytest.fixture(scope="module")
def expected(rows: list[dict[str, Any]]) -> str:
    """The body there should be, made without sendoff."""
    return hashlib.sha256(("[" + ",".join(map(samples.line, rows)) + "]").encode()).hexdigest()


Rows = list[dict[str, Any]]
Prepared = tuple[str, Callable[[], None]]


class Api(Receiver):
    """Pages of the samples, for sources that ask for them; takes whatever is posted."""

    def __init__(self, rows: Rows) -> None:
        self.lines = [samples.line(row) for row in rows]
        super().__init__(self._served)

    def _served(self, request: Received) -> Reply:
        if request.method != "GET":
            return Reply()
        asked = {name: int(values[0]) for name, values in parse_qs(urlsplit(request.path).query).items()}
        at = asked.get("offset", 0)
        size = asked.get("limit", COUNT)
        return Reply(200, ('{"data": [' + ",".join(self.lines[at : at + size]) + "]}").encode())


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", samples.FILES)
def test_from_a_file(project: Project, rows: Rows, expected: str, kind: str) -> None:
    arrives_as(expected, project, samples.write(kind, rows, project.home))


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("where", ["s3", "https", "sftp"])
def test_from_a_file_far_away(project: Project, rows: Rows, expected: str, where: str, tmp_path_factory: Any) -> None:
    samples.write("csv-gzip", rows, project.home)
    file = project.home / "in.csv.gz"
    if where == "s3":
        with servers.s3() as url:
            store = obstore.store.S3Store(
                "bucket",
                config={"endpoint": url, "access_key_id": "k", "secret_access_key": "s", "region": "us-east-1"},
                client_options={"allow_http": True},
            )
            subprocess.run(["curl", "-sf", "-X", "PUT", f"{url}/bucket"], check=True)
            obstore.put(store, "in/a.csv.gz", file)
            obstore.put(store, "in/b.txt", b"something else")
            storage = f"{{endpoint: '{url}', access_key_id: k, secret_access_key: s, region: us-east-1}}"
            arrives_as(expected, project, f"{{use: csv, path: 's3://bucket/in/*.csv.gz', storage: {storage}}}")
    elif where == "https":
        with Receiver(lambda request: Reply(200, file.read_bytes(), {})) as site:
            arrives_as(expected, project, f"{{use: csv, path: '{site.url}/in.csv.gz'}}")
    else:
        with servers.sftp(tmp_path_factory.mktemp("ssh")) as (url, key, known):
            arrives_as(
                expected,
                project,
                f"{{use: csv, path: '{url}{project.home}/*.csv.gz', storage: {{key: '{key}', known_hosts: '{known}'}}}}",
            )


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("database", ["postgres", "mariadb", "sqlite"])
def test_from_a_table(project: Project, rows: Rows, expected: str, database: str) -> None:
    order = "query: SELECT * FROM people ORDER BY id"
    if database == "sqlite":
        tables.in_sqlite(project.home / "people.db", rows)
        arrives_as(expected, project, f"{{use: sql, url: 'sqlite:///people.db', {order}, booleans: [active]}}")
    elif database == "postgres":
        with servers.postgres() as url:
            tables.in_postgres(url, rows)
            arrives_as(expected, project, f"{{use: sql, url: '{url}', {order}}}")
    else:
        with servers.mariadb() as url:
            tables.in_mariadb(url, rows)
            arrives_as(expected, project, f"{{use: sql, url: '{url}', {order}, booleans: [active]}}")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", ["command", "python", "http", "singer"])
def test_from_a_program_or_an_api(project: Project, rows: Rows, expected: str, way: str) -> None:
    if way == "command":
        samples.write("jsonl", rows, project.home)
        arrives_as(expected, project, "{use: command, command: [cat, in.jsonl]}")
    elif way == "python":
        (project.home / "rows.py").write_text(
            "from tests.plugins.sources import samples\n\ndef people(count):\n    yield from samples.records(count)\n"
        )
        arrives_as(expected, project, f"{{use: python, call: 'rows.py:people', arguments: {{count: {COUNT}}}}}")
    elif way == "http":
        with Api(rows) as api:
            paging = "{by: offset, size: 30000, size_parameter: limit}"
            arrives_as(expected, project, f"{{use: http, url: '{api.url}/people', records: $.data, paging: {paging}}}")
    else:
        command = wanted(TAP)
        with Api(rows) as api:
            stream = {
                "name": "people",
                "path": "/people",
                "records_path": "$.data[*]",
                "num_inference_records": 100,
                "primary_keys": ["id"],
            }
            config = json.dumps({"api_url": api.url, "streams": [stream]})
            arrives_as(expected, project, f"{{use: singer, command: ['{command}'], stream: people, config: {config}}}")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", ["link", "account"])
def test_from_a_google_sheet(project: Project, rows: Rows, expected: str, way: str, google_key: str) -> None:
    text = samples.csv_text(rows)
    if way == "account":  # a sheet's booleans are its own
        text = text.replace(",true,", ",TRUE,").replace(",false,", ",FALSE,")
    (project.home / "sheet.csv").write_text(text)
    with Sandbox(stand_ins=[GoogleSheets.stand_in(project.home / "sheet.csv")]) as google:
        key = google_key.replace("TOKEN_URI", f"{google.url}/token")
        (project.home / "key.json").write_text(key)
        more = f"docs_root: '{google.url}'" if way == "link" else f"api_root: '{google.url}', credentials: '${{file:key.json}}'"
        arrives_as(
            expected,
            project,
            f"{{use: google_sheets, spreadsheet: 'https://docs.google.com/spreadsheets/d/1AbCdEfGhIjK/edit#gid=0', {more}}}",
        )


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_from_standard_input(project: Project, rows: Rows, expected: str, format: str) -> None:
    samples.write(format, rows, project.home)
    with Receiver() as api:
        project({"connectors.d/c.yaml": connector(f"{{use: stdin, format: {format}}}", api.url)})
        with (project.home / f"in.{format}").open() as stdin:
            command = [sys.executable, "-c", "from sendoff.cli import main; main()", "run", "c", "-q"]
            done = subprocess.run(command, cwd=project.home, stdin=stdin, capture_output=True, text=True)
        assert (done.returncode, len(api.requests)) == (0, 1), done.stdout + done.stderr
        assert hashlib.sha256(api.requests[0].body).hexdigest() == expected


@pytest.fixture(scope="module")
def exact_rows() -> list[exact.Row]:
    return exact.records(COUNT // 10)


def exact_arrives(project: Project, rows: list[exact.Row], source: str, fields: Sequence[str] = exact.FIELDS) -> None:
    """The rows arrive from a source, exact to the byte, with these of their fields."""
    schema = "schema:\n" + "".join(
        line + "\n" for line in exact.SCHEMA.splitlines() if line.strip().partition(":")[0] in fields
    )
    if "use: excel" in source:
        schema = schema.replace("big: {type: integer", "big: {type: decimal")  # a decimal may be text, so its digits are kept
    with Receiver() as api:
        project({"connectors.d/c.yaml": connector(source, api.url, schema)})
        report = project.run("c")
        assert (report.delivered, report.invalid, len(api.requests)) == (len(rows), 0, 1)
        lines = api.requests[0].body.decode().removeprefix("[{").removesuffix("}]").split("},{")
    for row, line in zip(rows, lines, strict=True):
        assert "{" + line + "}" == exact.line(row, fields)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "kind", ["csv", "jsonl", "json", "command", "python", "http", "parquet", "arrow", "arrow-stream", "excel"]
)
def test_what_each_source_keeps_in_its_own_way_is_exact_from_a_file(
    project: Project, exact_rows: list[exact.Row], kind: str
) -> None:
    lines = [exact.line(row) for row in exact_rows]
    home = project.home
    whole = "[" + ",\n".join(lines) + "]"
    match kind:
        case "csv":
            exact.write_csv(home / "in.csv", exact_rows)
            exact_arrives(project, exact_rows, "{use: csv, path: in.csv, null_values: ['\\N', 'NULL']}")
        case "jsonl" | "command":
            (home / "in.jsonl").write_text("".join(line + "\n" for line in lines))
            more = "path: in.jsonl" if kind == "jsonl" else "command: [cat, in.jsonl]"
            exact_arrives(project, exact_rows, f"{{use: {kind}, {more}}}")
        case "json":
            (home / "in.json").write_text(whole)
            exact_arrives(project, exact_rows, "{use: json, path: in.json}")
        case "python":
            (home / "rows.py").write_text(
                "import json\nfrom decimal import Decimal\nfrom tests.plugins.sources import exact\n\n\ndef all(count):\n"
                "    for row in exact.records(count):\n"
                "        nested = {name: value and json.loads(value, parse_float=Decimal) for name, value in (('doc', row.doc), ('tags', row.tags))}\n"
                "        yield {**row._asdict(), **nested}\n"
            )
            exact_arrives(project, exact_rows, f"{{use: python, call: 'rows.py:all', arguments: {{count: {len(exact_rows)}}}}}")
        case "http":
            with Receiver(lambda request: Reply(200, whole.encode())) as api:
                exact_arrives(project, exact_rows, f"{{use: http, url: '{api.url}/all', records: $}}")
        case "excel":
            exact.write_xlsx(home / "in.xlsx", exact_rows)
            exact_arrives(project, exact_rows, "{use: excel, path: in.xlsx}", exact.FIELDS[:6])
        case _:
            name, frame = f"in.{kind}", exact.frame(exact_rows)
            if kind == "parquet":
                frame.write_parquet(home / name)
            elif kind == "arrow":
                frame.write_ipc(home / name)
            else:
                frame.write_ipc_stream(home / name)
            exact_arrives(project, exact_rows, f"{{use: {kind.partition('-')[0]}, path: {name}}}", exact.FIELDS[:7])


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("database", ["postgres", "mariadb", "sqlite"])
def test_what_each_source_keeps_in_its_own_way_is_exact_from_a_table(
    project: Project, exact_rows: list[exact.Row], database: str
) -> None:
    query = "query: SELECT * FROM exact ORDER BY id"
    if database == "sqlite":
        exact.in_sqlite(project.home / "exact.db", exact_rows)
        exact_arrives(project, exact_rows, f"{{use: sql, url: 'sqlite:///exact.db', {query}, json: [doc, tags]}}")
    elif database == "postgres":
        with servers.postgres() as url:
            exact.in_postgres(url, exact_rows)
            exact_arrives(project, exact_rows, f"{{use: sql, url: '{url}?options=-ctimezone%3DUTC', {query}}}")
    else:
        with servers.mariadb() as url:
            exact.in_mariadb(url, exact_rows)
            exact_arrives(project, exact_rows, f"{{use: sql, url: '{url}', {query}, json: [doc, tags]}}")


def connector(source: str, url: str, schema: str = samples.SCHEMA) -> str:
    return f"source: {source}\n{schema}\ndestination: {{url: '{url}', concurrency: 1}}\nsend: {{use: batch, max_records: 250000}}\n"


def arrives_as(expected: str, project: Project, source: str) -> None:
    with Receiver() as api:
        project({"connectors.d/c.yaml": connector(source, api.url)})
        report = project.run("c")
        assert (report.delivered, report.invalid, len(api.requests)) == (COUNT, 0, 1)
        assert hashlib.sha256(api.requests[0].body).hexdigest() == expected


@pytest.fixture(scope="module")
def google_key() -> str:
    return samples.google_key()
