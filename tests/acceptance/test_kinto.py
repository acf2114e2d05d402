"""Kinto: two envelopes, and a 200 with a status for every record inside."""

from __future__ import annotations

import subprocess
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from sendoff.ledger import open_history
from sendoff.testing import Project
from tests.servers import free_port, running, wanted

from .servers import KINTO, connector, get

LOGIN = "Basic " + b64encode(b"admin:s3cret").decode()
SCHEMA = {
    "type": "object",
    "properties": {"email": {"type": "string", "pattern": "@"}},
    "required": ["email"],
}


@pytest.fixture
def kinto(tmp_path: Path) -> Iterator[str]:
    home = tmp_path / "kinto"
    home.mkdir()
    program, port = wanted(KINTO), free_port()
    backends = ["--backend", "memory", "--cache-backend", "memory"]
    subprocess.run(
        [program, "init", *backends, "--ini", "k.ini", "--host", "127.0.0.1"], cwd=home, check=True, capture_output=True
    )
    ini = home / "k.ini"
    ini.write_text(
        ini.read_text().replace("[app:main]", "[app:main]\nkinto.experimental_collection_schema_validation = true", 1)
    )
    with running([program, "start", "--ini", "k.ini", "--port", str(port)], port, home) as url:
        get(f"{url}/v1/accounts/admin", method="PUT", body={"data": {"password": "s3cret"}})
        get(f"{url}/v1/buckets/crm", method="PUT", body={}, Authorization=LOGIN)
        get(f"{url}/v1/buckets/crm/collections/people", method="PUT", body={"data": {"schema": SCHEMA}}, Authorization=LOGIN)
        yield url


def stored(url: str) -> list[dict[str, object]]:
    records = get(f"{url}/v1/buckets/crm/collections/people/records?_limit=1000", Authorization=LOGIN)["data"]
    assert isinstance(records, list)
    return records


def test_each_record_is_judged_by_its_own_status(project: Project, kinto: str) -> None:
    bad = {3: "", 26: "nowhere", 77: ""}
    rows = "".join(f"{at},{bad.get(at, f'p{at}@example.com')}\n" for at in range(1, 101))
    project({"people.csv": f"id,email\n{rows}", **connector("kinto", kinto)})
    # Kinto makes up its own ids; ours travel under another name.
    text = (project.home / "connectors.d/kinto.yaml").read_text().replace("{type: integer}", "{type: integer, rename: number}")
    report = project({"connectors.d/kinto.yaml": text}).run("kinto")
    assert (report.state, report.delivered, report.rejected, report.requests) == ("incomplete", 97, 3, 4)
    there = stored(kinto)
    assert {record["number"] for record in there} == set(range(1, 101)) - set(bad)
    state = project.home / ".sendoff"
    reasons = {row["record"]["id"]: row["reason"] for row in open_history(state).failures(report.run)}
    assert "'email' is a required property" in reasons["3"]
    assert "does not match '@'" in reasons["26"]
    kept = {row["captured"]["kinto_id"]: row["line"] - 1 for row in open_history(state).results(report.run)}
    assert kept == {record["id"]: record["number"] for record in there}


def test_a_batch_over_its_limit_is_refused_whole_and_learned_from_where_told(project: Project, kinto: str) -> None:
    rows = "".join(f"{at},p{at}@example.com\n" for at in range(1, 101))
    changes = {
        "max_records: 25": "max_records: 100",
        "  response:\n": "  response:\n    too_large_when: {status: 400, text: limited to 25}\n",
    }
    project({"people.csv": f"id,email\n{rows}", **connector("kinto", kinto, **changes)})
    text = (project.home / "connectors.d/kinto.yaml").read_text().replace("{type: integer}", "{type: integer, rename: number}")
    report = project({"connectors.d/kinto.yaml": text}).run("kinto")
    assert (report.state, report.delivered) == ("complete", 100)
    assert len(stored(kinto)) == 100
    assert report.requests == 2 + 4  # 100 and 50 are too many
