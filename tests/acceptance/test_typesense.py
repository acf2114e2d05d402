"""Typesense's bulk import: a line for each document, in the request and in the response, which is of the type text/plain."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sendoff.testing import Project
from tests.servers import free_port, running, wanted

from .servers import SECRETS, TYPESENSE, connector, get, kill_when, reasons

KEY = SECRETS["TYPESENSE_KEY"]
FIELDS = [{"name": "name", "type": "string"}, {"name": "city", "type": "string", "optional": True}]
SMALL = {"max_records: 1000": "max_records: 25"}


@pytest.fixture
def typesense(tmp_path: Path) -> Iterator[str]:
    home, port = tmp_path / "typesense", free_port()
    (home / "data").mkdir(parents=True)
    options = {
        "data-dir": "data",
        "api-key": KEY,
        "api-address": "127.0.0.1",
        "api-port": port,
        "peering-address": "127.0.0.1",
        "peering-port": free_port(),
        "thread-pool-size": 4,
    }
    command = [wanted(TYPESENSE), *(f"--{name}={value}" for name, value in options.items())]
    body = {"name": "people", "fields": FIELDS}

    def create() -> None:
        get(f"http://127.0.0.1:{port}/collections", method="POST", body=body, X_TYPESENSE_API_KEY=KEY)

    with running(command, port, home, asked=create) as url:
        yield url


def held(url: str) -> int:
    return int(get(f"{url}/collections/people", X_TYPESENSE_API_KEY=KEY)["num_documents"])


def people(count: int, bad: int = -1) -> str:
    return "id,name,city\n" + "".join(
        f"p{at},{'' if at == bad else f'Zoë {at}'},{'Åre' if at % 2 else ''}\n" for at in range(count)
    )


def test_killed_and_resumed_it_has_every_document_once_and_says_which_it_refused(project: Project, typesense: str) -> None:
    changes = {**SMALL, "name: {type: string}": "name: {type: string, nullable: true}"}
    project({"people.csv": people(600, bad=444), **connector("typesense", typesense, **changes)})
    kill_when(project, "typesense", lambda: held(typesense), 100, "4/s")
    assert held(typesense) < 599
    report = project.run("typesense")
    assert (report.state, report.delivered, report.rejected) == ("incomplete", 599, 1)
    assert reasons(project, report) == {
        "p444": "200: Field `name` has been declared in the schema, but is not found in the document."
    }
    query = "q=*&query_by=name&per_page=250&sort_by=_text_match:desc"
    pages = [
        get(f"{typesense}/collections/people/documents/search?{query}&page={page}", X_TYPESENSE_API_KEY=KEY)
        for page in (1, 2, 3)
    ]
    found = [hit["document"] for page in pages for hit in page["hits"]]
    assert len(found) == held(typesense) == 599
    assert {one["id"]: (one["name"], one.get("city")) for one in found} == {
        f"p{at}": (f"Zoë {at}", "Åre" if at % 2 else None) for at in range(600) if at != 444
    }


def test_a_key_it_does_not_know_stops_the_run_after_one_request(project: Project, typesense: str) -> None:
    project({"people.csv": people(500), **connector("typesense", typesense, **SMALL, **{f'"{KEY}"': '"another"'})})
    report = project.run("typesense")
    assert (report.state, report.requests, report.pending) == ("stopped", 1, 500)
    assert "x-typesense-api-key" in (report.stopped_because or "")
    assert held(typesense) == 0
