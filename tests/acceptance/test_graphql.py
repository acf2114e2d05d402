"""GraphQL Yoga: `errors` in a 200, a mutation's own `userErrors`, and variables that do not fit the schema.

By record: a bad variable is an error of the request. By list: a variable that does not fit rejects the whole list, and what the
mutation itself finds is named by its number.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sendoff.testing import Project
from tests.servers import free_port, running, wanted

from .servers import GRAPHQL, get, kill_when, reasons

SOURCE = """
source: {{use: csv, path: people.csv}}
schema: {{id: string, email: string, age: {{type: float, nullable: true}}}}
destination:
  url: {url}/graphql
  auth: {{use: bearer, token: "${{env:GRAPHQL_TOKEN}}"}}
"""
SINGLE = (
    SOURCE
    + """
  response:
    rejected_when: {{status: "200, 400", path: "$.errors[0]", exists: true}}
    on_repeat: {{delivered_when: {{path: "$.errors[0].extensions.code", equals: TAKEN}}}}
    reason: "$.errors[0].message"
send:
  use: single
  record: {{query: "mutation($person: Person!) {{ addPerson(person: $person) }}", variables: {{person: $record}}}}
"""
)
LIST = (
    SOURCE
    + """
  atomic: true                 # of a list with a value of the wrong type nothing is added
  response:
    rejected_when: {{status: "200, 400", path: "$.errors[0]", exists: true}}
    records: {{at: $.data.addPeople.userErrors, index: $.index, reason: $.message}}
    on_repeat: {{delivered_when: {{path: $.code, equals: TAKEN}}}}
    reason: "$.errors[0].message"
send:
  use: batch
  max_records: 25
  envelope:
    query: "mutation($people: [Person!]!) {{ addPeople(people: $people) {{ ids userErrors {{ code message index }} }} }}"
    variables: {{people: $records}}
on_failure: split
"""
)


@pytest.fixture
def graphql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    home, port = tmp_path / "graphql", free_port()
    home.mkdir()
    monkeypatch.setenv("GRAPHQL_TOKEN", "graphql-token")
    wanted(GRAPHQL / "package.json")
    monkeypatch.setenv("NODE_PATH", str(GRAPHQL.parent))
    script = Path(__file__).with_name("graphql_people.cjs")
    with running([wanted("node"), str(script), str(port)], port, home) as url:
        yield url


def ask(url: str, query: str) -> Any:
    body = {"query": query}
    return get(f"{url}/graphql", method="POST", body=body, Authorization="Bearer graphql-token")["data"]


def people(count: int, **bad: str) -> str:
    rows = {f"p{at}": f"p{at},p{at}@example.com,{at % 90}" for at in range(count)} | bad
    return "id,email,age\n" + "".join(f"{row}\n" for row in rows.values())


@pytest.mark.parametrize(("connector", "rate"), [(SINGLE, "60/s"), (LIST, "4/s")], ids=["single", "list"])
def test_killed_and_resumed_it_has_everybody_once_and_says_who_is_wrong(
    project: Project, graphql: str, connector: str, rate: str
) -> None:
    ask(graphql, 'mutation { addPerson(person: {id: "p3", email: "older@example.com"}) }')
    bad = {"p177": "p177,p177@example.com,7.5"} | ({} if connector is SINGLE else {"p200": "p200,nowhere,8"})
    project({"people.csv": people(300, **bad), "connectors.d/people.yaml": connector.format(url=graphql)})
    kill_when(project, "people", lambda: int(ask(graphql, "{ count }")["count"]), 50, rate)
    assert ask(graphql, "{ count }")["count"] < 298
    report = project.run("people")
    assert (report.state, report.rejected, report.pending) == ("incomplete", 1 + len(bad), 0), report
    said = reasons(project, report)
    assert said.keys() == {"p3", *bad}
    assert "id is taken" in said["p3"]
    assert "Int cannot represent non-integer value: 7.5" in said["p177"]
    assert said.get("p200", "email is not an address").endswith("email is not an address")
    there = sorted((person["id"], person["email"]) for person in ask(graphql, "{ people { id email } }")["people"])
    expected = {f"p{at}": f"p{at}@example.com" for at in range(300) if f"p{at}" not in bad} | {"p3": "older@example.com"}
    assert there == sorted(expected.items())


def test_a_token_it_does_not_know_stops_the_run_after_one_request(
    project: Project, graphql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAPHQL_TOKEN", "another-token")
    project({"people.csv": people(500), "connectors.d/people.yaml": LIST.format(url=graphql)})
    report = project.run("people")
    assert (report.state, report.requests, report.pending) == ("stopped", 1, 500)
    assert ask(graphql, "{ count }")["count"] == 0
    assert "who are you?" in (report.stopped_because or "")
