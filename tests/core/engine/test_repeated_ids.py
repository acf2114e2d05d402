"""Two records with one id are put in different requests, where results name records by ids.

The kind: what can be known before sending is noticed after it, so that the run stops at a response that cannot be read, and
again at each resume. Looked at as well: ids that are equal only as `match` compares them, ids inside a record or made by its
template, records without an id, ids in several blocks and pages, one id in every record, requests that are addressed by
their records, a request that was planned before a crash, previews.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from sendoff.records import PAGE_ROWS
from sendoff.testing import Project, Received, Receiver, Reply


def connector(url: str, more: str = "", send: str = "batch", field: str = "email", kind: str = "csv") -> str:
    return (
        f"source: {{use: {kind}, path: in}}\n"
        f'destination: {{url: "{url}", response: {{records: {{at: $.errors, id: $.id, field: {field}, reason: $.error{more}}}}}}}\n'
        f"send: {send}\n"
    )


def fails(*bad: str, by: str = "email") -> Receiver:
    """An API that rejects the records with these ids."""

    def answer(request: Received) -> Reply:
        errors = [{"id": row[by], "error": "no"} for row in json.loads(request.body) if row[by] in bad]
        return Reply(200, json.dumps({"errors": errors}).encode())

    return Receiver(answer)


def numbers(api: Receiver) -> list[list[int]]:
    return sorted([int(row["n"]) for row in body] for body in api.bodies)


def csv(emails: Sequence[str]) -> str:
    return "n,email\n" + "".join(f"{at},{email}\n" for at, email in enumerate(emails))


def test_the_second_record_with_an_id_travels_in_the_next_request_and_each_is_rejected_by_itself(project: Project) -> None:
    with fails("bad") as api:
        files = {"in": csv(["a", "bad", "b", "bad", "a"]), "connectors.d/c.yaml": connector(api.url)}
        report = project(files).run("c")
    assert (report.state, report.delivered, report.rejected) == ("incomplete", 3, 2)
    assert numbers(api) == [[0, 1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("match", "requests"),
    [("exact", [[0, 1, 2]]), ("trimmed", [[0, 1], [2]]), ("case_insensitive", [[0], [1], [2]])],
)
def test_ids_are_equal_as_match_compares_them(project: Project, match: str, requests: list[list[int]]) -> None:
    lines = "".join(json.dumps({"n": at, "email": email}) + "\n" for at, email in enumerate(["a", "A", " a "]))
    with fails() as api:
        project({"in": lines, "connectors.d/c.yaml": connector(api.url, f", match: {match}", kind="jsonl")}).run("c")
    assert numbers(api) == requests


@pytest.mark.parametrize(
    ("field", "send"),
    [
        ("$.who.mail", "batch"),
        ("mail", "{use: batch, record: {n: $n, mail: $who}}"),
        ("$.who", "ndjson"),
    ],
)
def test_ids_inside_a_record_or_made_by_its_template_are_seen_as_well(project: Project, field: str, send: str) -> None:
    whos = [{"mail": "a"}, {"mail": "b"}, {"mail": "a"}] if field == "$.who.mail" else ["a", "b", "a"]
    lines = "".join(json.dumps({"n": at, "who": who}) + "\n" for at, who in enumerate(whos))
    with Receiver([Reply(200, b'{"errors": []}')] * 3) as api:
        text = connector(api.url, field=field, kind="jsonl", send=send)
        assert project({"in": lines, "connectors.d/c.yaml": text}).run("c").delivered == 3
    assert [request.body.count(b'"n":') for request in sorted(api.requests, key=lambda found: len(found.body))] == [1, 2]


def test_records_without_an_id_and_ids_that_differ_share_a_request(project: Project) -> None:
    lines = "".join(json.dumps({"n": at, "email": None if at % 2 else str(at)}) + "\n" for at in range(40))
    with fails() as api:
        project({"in": lines, "connectors.d/c.yaml": connector(api.url, kind="jsonl")}).run("c")
    assert numbers(api) == [[*range(40)]]


def test_an_id_in_every_record_is_one_record_a_request_and_one_in_two_pages_is_seen(project: Project) -> None:
    with fails() as api:
        project({"in": csv(["same"] * 40), "connectors.d/c.yaml": connector(api.url)})
        assert project.run("c").delivered == 40
    assert numbers(api) == [[at] for at in range(40)]
    emails = [str(at) for at in range(PAGE_ROWS + 10)]
    emails[-1] = "0"
    with fails() as api:
        project({"in": csv(emails), "connectors.d/c.yaml": connector(api.url)})
        assert project.run("c", restart=True).delivered == len(emails)
    assert [len(body) for body in numbers(api)] == [len(emails) - 1, 1]


def test_a_request_planned_before_an_interruption_is_sent_again_as_it_was(project: Project) -> None:
    runner = project.runner()

    def answer(request: Received) -> Reply:
        runner.interrupt("by the test")
        return Reply(503) if len(api.requests) == 1 else Reply(200, b'{"errors": []}')

    with Receiver(answer) as api:
        project({"in": csv(["a", "a", "b", "b", "c"]), "connectors.d/c.yaml": connector(api.url)})
        assert runner.run("c").state == "interrupted"
        assert project.run("c").delivered == 5
    first = api.requests[0]
    again = [request for request in api.requests[1:] if request.headers["idempotency-key"] == first.headers["idempotency-key"]]
    assert [request.body for request in again] == [first.body]
    assert numbers(api) == [[0, 2, 4], [0, 2, 4], [1, 3]]
