"""The failed records of a connector as the source of another one: each arrives once, with what became of it."""

from __future__ import annotations

import json
from collections.abc import Collection

import pytest
from click.testing import CliRunner

from sendoff import ConfigError, SourceError
from sendoff.cli.group import sendoff
from sendoff.testing import Project, Received, Receiver, Reply

PEOPLE = """
source: {{use: csv, path: people.csv}}
schema: {{id: integer, city: {{type: string, nullable: true}}}}
destination: {{url: "{url}/people"}}
send: {{use: batch, max_records: 2}}
on_failure: split
"""
DEAD = """
source: {{use: failed, connector: people{more}}}
destination: {{url: "{url}/dead"}}
send: batch
"""


class Api(Receiver):
    """Takes people, but for those whose ids it does not like; and dead letters."""

    def __init__(self, bad: Collection[int]) -> None:
        self.bad = set(bad)
        self.dead_status = 200
        super().__init__(self._reply_to)

    def _reply_to(self, request: Received) -> Reply:
        if request.path == "/dead":
            return Reply(self.dead_status)
        ids = {record["id"] for record in json.loads(request.body)}
        return Reply(400, b'{"error": "not liked"}') if ids & self.bad else Reply()

    @property
    def dead(self) -> list[dict[str, object]]:
        return [record for r in self.requests if r.path == "/dead" for record in json.loads(r.body)]


def files(api: Api, ids: Collection[object], more: str = "") -> dict[str, str | bytes]:
    rows = "".join(f"{at},c{at}\n" for at in ids)
    return {
        "people.csv": f"id,city\n{rows}",
        "connectors.d/people.yaml": PEOPLE.format(url=api.url),
        "connectors.d/dead.yaml": DEAD.format(url=api.url, more=more),
    }


def test_a_failed_record_arrives_with_its_fields_and_what_became_of_it(project: Project) -> None:
    with Api({3}) as api:
        project(files(api, [1, 2, 3, 4, "five"]))
        assert project.run("people").delivered == 3
        report = project.run("dead")
    assert (report.state, report.read, report.delivered) == ("complete", 2, 2)
    assert sorted(api.dead, key=lambda record: str(record["_row"])) == [
        {
            "id": "3", "city": "c3", "_record": "1-rejected-2", "_reason": "400: not liked", "_status": "400",
            "_row": "people.csv:4", "_run": "1",
        },
        {
            "id": "five", "city": "cfive", "_record": "1-invalid-4", "_reason": "id: must be of integer type (got 'five')", "_status": None,
            "_row": "people.csv:6", "_run": "1",
        },
    ]  # fmt: skip


def test_each_arrives_once_and_later_ones_follow(project: Project) -> None:
    with Api({3}) as api:
        project(files(api, [1, 2, 3]))
        project.run("people")
        assert [project.run("dead").read for _ in range(2)] == [1, 0]
        project(files(api, [3, 8]))
        project.run("people")
        assert [project.run("dead").read for _ in range(2)] == [1, 0]
    assert [record["_record"] for record in api.dead] == ["1-rejected-2", "4-rejected-0"]


def test_what_a_retry_delivered_is_left_out_and_what_failed_again_is_not_sent_twice(project: Project) -> None:
    with Api({2, 3, 4}) as api:
        project(files(api, [1, 2, 3, 4]))
        project.run("people")
        api.bad = {4}
        assert project.runner().retry(1).delivered == 2
        assert project.run("dead").read == 1
        assert project.runner().retry(2).rejected == 1
        assert project.run("dead").read == 0
    assert [record["_record"] for record in api.dead] == ["1-rejected-3"]


def test_what_only_some_were_retried_of_is_left_out_by_the_record(project: Project) -> None:
    with Api({2, 3, 4}) as api:
        project(files(api, [1, 2, 3, 4]))
        project.run("people")
        api.bad = {4}
        assert project.runner().retry(1, only=["1-rejected-1"]).delivered == 1
        assert project.run("dead").read == 2
    assert [record["_record"] for record in api.dead] == ["1-rejected-2", "1-rejected-3"]


def test_a_dead_letter_that_could_not_be_delivered_is_in_the_account_of_its_own_connector(project: Project) -> None:
    with Api({1, 2}) as api:
        project(files(api, [1, 2, 3]))
        project.run("people")
        api.dead_status = 503
        first = project.run("dead", early_stop=True)
        assert (first.state, first.pending) == ("stopped", 2)
        api.dead_status = 200
        again = project.run("dead", early_stop=False)
        assert (again.state, again.run, again.delivered) == ("complete", first.run, 2)
        assert project.run("dead").read == 0


def test_only_some_kinds(project: Project) -> None:
    with Api({1}) as api:
        project(files(api, [1, 2, "x"], ", kinds: [invalid]"))
        project.run("people")
        assert project.run("dead").read == 1
    assert [record["_record"] for record in api.dead] == ["1-invalid-2"]


def test_it_is_read_while_the_other_connector_runs(project: Project) -> None:
    """The other run is in the middle: what it has written down of failed records is read, and the rest later."""
    seen: list[int] = []

    def reply(request: Received) -> Reply:
        if request.path == "/dead":
            return Reply()
        ids = [record["id"] for record in json.loads(request.body)]
        if ids[0] == 31 and not seen:
            seen.append(project.run("dead").read)
        return Reply(400) if ids[-1] % 10 == 0 else Reply()

    with Receiver(reply) as api:
        given = files(api, range(1, 41))
        text = str(given["connectors.d/people.yaml"]).replace("max_records: 2", "max_records: 1").replace("split", "fail")
        project({**given, "connectors.d/people.yaml": text.replace('people"}', 'people", concurrency: 1}')})
        assert project.run("people").rejected == 4
        seen.append(project.run("dead").read)
    names = [record["_record"] for r in api.requests if r.path == "/dead" for record in json.loads(r.body)]
    assert sum(seen) == len(names) == len(set(names)) == 4


def test_fields_named_like_the_columns_keep_their_names(project: Project, receiver: Receiver) -> None:
    receiver.script = lambda request: Reply(400) if request.path == "/people" else Reply()
    project({
        "people.jsonl": '{"_reason": "mine", "n": {"a": [1.10]}}\n',
        "connectors.d/people.yaml": f'source: {{use: jsonl, path: people.jsonl}}\ndestination: {{url: "{receiver.url}/people"}}\n',
        "connectors.d/dead.yaml": DEAD.format(url=receiver.url, more=""),
    })  # fmt: skip
    project.run("people")
    assert project.run("dead").delivered == 1
    body = receiver.requests[-1].body
    assert b'"_reason":"mine"' in body
    assert b'"n":{"a":[1.10]}' in body
    assert b'"__status":400' in body


def test_a_name_that_no_connector_has_is_a_mistake_and_one_that_has_not_run_yet_is_not(project: Project) -> None:
    with Api(()) as api:
        given = files(api, [1])
        project({**given, "connectors.d/other.yaml": DEAD.format(url=api.url, more="").replace("people", "peopel")})
        assert project.run("dead").read == 0
        with pytest.raises(SourceError, match="failed: no connector is named 'peopel', and none of that name has run"):
            project.run("other")


def test_a_connector_is_not_its_own_source_and_no_stranger_reads_another_s_records(project: Project) -> None:
    with Api(()) as api:
        project({"connectors.d/people.yaml": DEAD.format(url=api.url, more="")})
        with pytest.raises(SourceError, match="people cannot be its own source; `sendoff retry` sends"):
            project.run("people")
        with pytest.raises(ConfigError, match="failed reads the records of another connector, which is not allowed"):
            project.runner(egress="public").connector("people")


def test_the_columns_are_named_alike_in_all_records_of_a_run(project: Project, receiver: Receiver) -> None:
    receiver.script = lambda request: Reply(400) if request.path == "/people" else Reply()
    source = f'source: {{use: jsonl, path: people.jsonl}}\ndestination: {{url: "{receiver.url}/people"}}\nsend: single\n'
    project({
        "people.jsonl": '{"id": 1}\n{"id": 2, "_run": "mine"}\n', "connectors.d/people.yaml": source,
        "connectors.d/dead.yaml": DEAD.format(url=receiver.url, more=""),
    })  # fmt: skip
    project.run("people")
    assert project.run("dead").delivered == 2
    records = json.loads(receiver.requests[-1].body)
    assert [{name for name in record if name.startswith("_")} - {"_run"} for record in records] == [
        {"__record", "__reason", "__status", "__row", "__run"}
    ] * 2


@pytest.mark.parametrize("other", ["dead", "peopel"])
def test_check_finds_a_connector_that_is_its_own_source_or_not_there(project: Project, other: str) -> None:
    text = DEAD.format(url="http://127.0.0.1:9", more="").replace("people", other)
    project({"connectors.d/dead.yaml": text})
    result = CliRunner().invoke(sendoff, ["-d", str(project.home / "connectors.d"), "check"])
    assert result.exit_code == 2
    told = {"dead": "dead cannot be its own source", "peopel": "no connector is named 'peopel', and none of that name has run"}
    assert f"dead.yaml:2:9: source: failed: {told[other]}" in result.output


def test_what_is_dismissed_is_left_out_until_it_is_reopened(project: Project) -> None:
    with Api({3}) as api:
        project(files(api, [1, 2, 3, 4]))
        project.run("people")
        project.runner().dismiss(1)
        assert project.run("dead").read == 0
        project.runner().reopen(1)
        assert project.run("dead").delivered == 1
