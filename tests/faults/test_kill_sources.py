"""C13 for every kind of source: a process killed while it reads or sends, then run again, loses nothing and repeats little.

``SENDOFF_KILLS=40`` kills each kind as often.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sendoff.ledger.opening import open_inboxes
from sendoff.sandbox import Sandbox
from sendoff.testing import Project, Receiver, Reply
from sendoff_plugins.sources.google_sheets import GoogleSheets
from tests.oracle import account
from tests.plugins.sources import samples, servers, tables
from tests.plugins.sources.test_identical import Api

KILLS = max(2, int(os.environ.get("SENDOFF_KILLS", "20")) // 8)
ROWS = 12_000
KINDS = (
    "csv", "csv-gzip", "jsonl", "json", "parquet", "arrow", "excel", "once", "only-new", "s3", "sheet", "postgres", "cursor",
    "command", "python", "singer", "http", "inbox", "stdin",
    "failed",
)  # fmt: skip


@pytest.fixture
def source(request: pytest.FixtureRequest, project: Project) -> Iterator[str]:  # noqa: PLR0912, PLR0915  # one branch for each source
    """What a connector of the kind says, with its records in place."""
    kind, rows, home = request.param, samples.records(ROWS), project.home
    match kind:
        case "once":
            samples.write("csv", rows, home)
            yield "source: {use: csv, path: in.csv, once: true}"
        case "only-new":
            yield f"source: {samples.write('csv', rows, home)}\nincremental: {{key: [id], initial_load: send}}"
        case "s3":
            samples.write("csv", rows, home)
            with servers.s3() as url:
                subprocess.run(["curl", "-sf", "-X", "PUT", f"{url}/bucket"], check=True)
                subprocess.run(["curl", "-sf", "-X", "PUT", "-T", home / "in.csv", f"{url}/bucket/in.csv"], check=True)
                storage = f"{{endpoint: '{url}', access_key_id: k, secret_access_key: s, region: us-east-1}}"
                yield f"source: {{use: csv, path: 's3://bucket/*.csv', storage: {storage}}}"
        case "sheet":
            samples.write("csv", rows, home)
            with Sandbox(stand_ins=[GoogleSheets.stand_in(home / "in.csv")]) as google:
                yield f"source: {{use: google_sheets, spreadsheet: 1AbCdEfGhIjK, docs_root: '{google.url}'}}"
        case "postgres" | "cursor":
            with servers.postgres() as url:
                tables.in_postgres(url, rows)
                more = ", cursor: {column: seen, tie_break: id}" if kind == "cursor" else ""
                yield f"source: {{use: sql, url: '{url}', table: people{more}}}"
        case "command":
            samples.write("jsonl", rows, home)
            yield "source: {use: command, command: [cat, in.jsonl]}"
        case "python":
            function = f"def people():\n    yield from samples.records({ROWS})\n"
            project({"rows.py": f"from tests.plugins.sources import samples\n\n{function}"})
            yield "source: {use: python, call: 'rows.py:people'}"
        case "singer":
            messages = (f'{{"type": "RECORD", "stream": "s", "record": {samples.line(row)}}}' for row in rows)
            project({"tap.txt": "\n".join([*messages, '{"type": "STATE", "value": {"at": 1}}'])})
            project({"tap.sh": 'case "$*" in *--state*) ;; *) cat tap.txt ;; esac'})
            yield "source: {use: singer, command: [sh, tap.sh]}"
        case "http":
            with Api(rows) as api:
                yield f"source: {{use: http, url: '{api.url}/p', records: $.data, paging: {{by: offset, size: 3000, size_parameter: limit}}}}"
        case "inbox":
            inboxes = open_inboxes(home / ".sendoff")
            for at in range(0, ROWS, 1_000):
                lines = "\n".join(samples.line(row) for row in rows[at : at + 1_000])
                inboxes.put("c", "jsonl", lines.encode(), key=str(at), most_bytes=1 << 30)
            inboxes.close()
            yield "source: {use: inbox, token: a-token-of-24-characters}"
        case "failed":
            other = samples.write("csv", rows, home)
            with Receiver(lambda _: Reply(400)) as api:
                send = "send: {use: batch, max_records: 1000}"
                text = f"source: {other}\n{samples.SCHEMA}\ndestination: {{url: '{api.url}'}}\n{send}\n"
                project({"connectors.d/other.yaml": text})
                project.runner().run("other", early_stop=False)
            yield "source: {use: failed, connector: other}"
        case "stdin":
            samples.write("jsonl", rows, home)
            yield "source: stdin"
        case _:
            yield f"source: {samples.write(kind, rows, home)}"


def start(home: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", "from sendoff.cli import main; main()", "run", "c", "--json", "-q"]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    given = home / "in.jsonl"
    with (given if given.exists() else Path(os.devnull)).open("rb") as stdin:
        return subprocess.Popen(command, cwd=home, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("source", KINDS, indirect=True, ids=KINDS)
def test_c13_killed_while_it_reads_or_sends_it_goes_on_and_each_record_counts_once(
    project: Project, source: str, request: pytest.FixtureRequest
) -> None:
    chance = random.Random(request.node.callspec.id)
    with Sandbox(["slow 0.03 if always"]) as api:
        text = f"{source}\n{samples.SCHEMA}\ndestination: {{url: '{api.url}/x', concurrency: 2}}\nsend: {{use: batch, max_records: 100}}\n"
        project({"connectors.d/c.yaml": text})
        code = None
        for _ in range(KILLS):
            run = start(project.home)
            try:
                run.wait(chance.uniform(0.3, 1.6))
            except subprocess.TimeoutExpired:
                run.kill()
            _, err = run.communicate()
            account(project.home / ".sendoff")
            code = run.returncode
            if code == 0:
                break
            assert code == -9, err
        if code:
            out, err = start(project.home).communicate(timeout=120)
            (report,) = json.loads(out)["runs"]
            assert report["state"] == "complete", err
        ids = [record["id"] for record in api.records]
        assert len(ids) == len(set(ids)), "a record was applied twice"
        assert set(ids) == set(range(ROWS))
        assert api.counts["conflicts"] == 0, "a key came with other bytes"
        assert again_is_nothing_new(project, source, api)


def again_is_nothing_new(project: Project, source: str, api: Sandbox) -> bool:
    """Sources that give a record once give nothing more now."""
    if not any(word in source for word in ("once", "incremental", "cursor", "singer", "inbox", "failed")):
        return True
    before = len(api.records)
    out, _ = start(project.home).communicate(timeout=60)
    report: Any = json.loads(out)["runs"][0]
    return report["read"] == 0 and len(api.records) == before


def test_c13_the_kinds_are_all_there_are() -> None:
    """A new kind of source is killed as well, or this says so."""
    from sendoff.registry import Registry

    named = {"once": "csv", "only-new": "csv", "s3": "csv", "sheet": "google_sheets", "postgres": "sql", "cursor": "sql"}
    assert {named.get(kind, kind.partition("-")[0]) for kind in KINDS} == set(Registry().offers("sources"))
