"""Retrying some of the failed records of a run, corrected or as they were: none is lost, and none is sent again.

The kind: what a person corrects and gives back is matched with what failed, by name. Looked at beside it: files of text
and of JSON, rows from Python, retries of retries, `incremental`, a retry that is discarded, stopped or interrupted before
it planned anything, fields of the records' own with the names that the export adds, and several files of one source.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sendoff import ConfigError, SourceError
from sendoff.cli.group import sendoff
from sendoff.ledger import open_history
from sendoff.testing import Project, Receiver, Reply

CONNECTOR = """\
source: {{use: {source}}}
schema: {schema}
destination: {{url: "{url}/x", response: {{statuses: {{409: rejected}}}}{more}}}
"""


class People:
    """A connector with four records, an API that rejects some of them, and what people do with those."""

    def __init__(self, project: Project, receiver: Receiver) -> None:
        self.project, self.receiver = project, receiver
        self.bad = {"2", "3"}
        receiver.script = lambda request: Reply(400 if str(json.loads(request.body)["id"]) in self.bad else 200)
        self.write("csv, path: 'in*.csv'", {"in.csv": "id,name\n1,ann\n2,bob\n3,cee\n4,dee\n"})

    def write(self, source: str, files: Mapping[str, str], schema: str = "{id: integer, name: string}", more: str = "") -> None:
        text = CONNECTOR.format(source=source, schema=schema, url=self.receiver.url, more="") + f"send: single\n{more}"
        self.project({"connectors.d/c.yaml": text, **files})

    @property
    def state(self) -> Path:
        return self.project.home / ".sendoff"

    def run(self, **settings: Any) -> Any:
        return self.project.run("c", **settings)

    def export(self, run: int, form: str = "csv") -> str:
        done = CliRunner().invoke(sendoff, ["-d", str(self.project.home / "connectors.d"), "failed", str(run), f"--{form}"])
        assert done.exit_code == 0, done.output
        return done.output

    def rows(self, run: int) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.export(run))))

    def file(self, rows: list[dict[str, str]] | str, name: str = "fix.csv") -> Path:
        out = io.StringIO()
        if isinstance(rows, str):
            out.write(rows)
        else:
            writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        self.project({name: out.getvalue()})
        return self.project.home / name

    def sent(self) -> list[Any]:
        """What was sent since the last time."""
        found = self.receiver.bodies
        self.receiver.requests.clear()
        return found

    def command(self, *words: str) -> tuple[int, str]:
        done = CliRunner().invoke(
            sendoff, ["-d", str(self.project.home / "connectors.d"), *words], standalone_mode=False, catch_exceptions=True
        )
        if isinstance(done.exception, ConfigError):
            return 2, str(done.exception)
        return done.exit_code, done.output


@pytest.fixture
def people(project: Project, receiver: Receiver) -> People:
    return People(project, receiver)


def test_a_retry_of_some_leaves_the_others_open(people: People) -> None:
    first = people.run()
    assert (first.delivered, first.rejected) == (2, 2)
    two, three = people.rows(1)
    assert [two["_record"], three["_record"]] == ["1-rejected-1", "1-rejected-2"]
    people.bad, runner = set(), people.project.runner()
    people.sent()
    assert runner.retry(1, people.file([two | {"name": "rob"}])).delivered == 1
    assert people.sent() == [{"id": 2, "name": "rob"}]
    assert open_history(people.state).open_failures(2) == {1: 1}
    assert runner.retry(1).delivered == 1, "the one that was left"
    assert people.sent() == [{"id": 3, "name": "cee"}]


def test_a_whole_export_sends_nothing_that_a_retry_has_delivered(people: People) -> None:
    people.run()
    whole = people.rows(1)
    people.bad, runner = {"3"}, people.project.runner()
    runner.retry(1, people.file(whole[:1]), early_stop=False)
    people.bad = set()
    people.sent()
    report = runner.retry(1, people.file(whole))
    assert people.sent() == [{"id": 3, "name": "cee"}]
    assert (report.read, report.unchanged) == (1, 1)
    with pytest.raises(
        ConfigError, match="none of the records in the corrections is open there: 1 delivered by run 2; 1 .* 3$"
    ):
        runner.retry(1, people.file(whole))
    assert people.sent() == []


def test_a_name_stays_through_retries_of_retries(people: People) -> None:
    people.run()
    whole, runner = people.rows(1), people.project.runner()
    again = runner.retry(1, people.file(whole[1:]), early_stop=False)
    assert (again.rejected, again.run) == (1, 2)
    assert people.rows(2) == [whole[1]], "with the file and line it had first"
    with pytest.raises(ConfigError, match="1 failed again in run 2, .*sendoff retry 2"):
        runner.retry(1, people.file(whole[1:]))
    assert runner.retry(2, people.file(whole[1:]), early_stop=False).rejected == 1
    people.bad = set()
    # The whole export, given to any run of the family: what is open there is sent.
    assert runner.examine(3, people.file(whole)).elsewhere == {1: 1}
    assert runner.retry(3, people.file(whole)).delivered == 1
    assert runner.retry(1, people.file(whole)).delivered == 1
    with pytest.raises(ConfigError, match="none of the failed records of run 1 is open there: 1 delivered by run 4; 1 .* 5"):
        runner.retry(1)


def test_rows_that_name_no_failed_record_are_refused_with_their_lines(people: People) -> None:
    people.run()
    (two, three), runner = people.rows(1), people.project.runner()
    people.sent()
    file = people.file([two, {**three, "_record": ""}, {**three, "_record": "1-rejected-0"}, {**three, "_record": "9:3"}])
    with pytest.raises(ConfigError) as caught:
        runner.retry(1, file)
    assert [str(problem).partition("fix.csv:")[2] for problem in caught.value.problems[:3]] == [
        "3: _record names no record",
        "4: no failed record of run 1 is named '1-rejected-0'",
        "5: no failed record of run 1 is named '9:3'",
    ]
    assert "--all" in str(caught.value)
    assert people.sent() == []
    assert open_history(people.state).open_failures(1) == {1: 2}, "nothing was claimed"
    people.bad = set()
    report = runner.retry(1, file, add_new=True)
    assert people.sent() == [{"id": 2, "name": "bob"}, *[{"id": 3, "name": "cee"}] * 3]
    assert report.delivered == 4
    assert open_history(people.state).open_failures(1) == {1: 1}


def test_a_file_without_names_is_refused_and_its_rows_are_new_where_all_are_sent(people: People) -> None:
    people.run()
    runner, file = people.project.runner(), people.file("id,name\n2,rob\n5,new\n")
    with pytest.raises(ConfigError, match="neither this row nor another one names a failed record of run 1"):
        runner.retry(1, file)
    people.bad = set()
    assert runner.retry(1, file, add_new=True).delivered == 2
    assert open_history(people.state).open_failures(1) == {1: 2}
    assert people.command("retry", "1", "--all")[0] == 1, "it is for a file"


def test_a_record_that_is_named_twice_is_refused_with_both_lines(people: People) -> None:
    people.run()
    two, three = people.rows(1)
    with pytest.raises(ConfigError, match=r"fix.csv:4: record 1-rejected-1 is in line 2 already"):
        people.project.runner().retry(1, people.file([two, three, two | {"name": "rob"}]))
    assert open_history(people.state).open_failures(1) == {1: 2}


def test_a_row_that_cannot_be_read_and_a_column_that_is_gone_are_refused_and_nothing_is_claimed(people: People) -> None:
    people.run()
    runner = people.project.runner()
    with pytest.raises(ConfigError, match=r"fix.csv:2: ragged"):
        runner.retry(1, people.file("id,name,_record\n2,b,o,1-rejected-1\n3,cee,1-rejected-2\n"))
    with pytest.raises(SourceError, match="no column 'name'"):
        runner.retry(1, people.file("id,nom,_record\n2,rob,1-rejected-1\n"))
    assert open_history(people.state).open_failures(1) == {1: 2}


def test_what_comes_before_the_correction_is_examined(people: People) -> None:
    people.run()
    two, three = people.rows(1)
    runner = people.project.runner()
    rows = [two, {"_record": three["_record"], "id": "x"}, {"id": 9}]
    found = runner.examine(1, rows)
    assert (found.claimed, found.unchanged) == (("1-rejected-1", "1-rejected-2"), ("1-rejected-1",))
    assert (found.delivered, found.elsewhere, found.unknown, found.left) == ((), {}, ("row 3",), 0)
    assert [(failure.file.rpartition("/")[2], failure.line) for failure in found.invalid] == [("in.csv", 4)]
    assert open_history(people.state).open_failures(1) == {1: 2}


def test_rows_from_python_may_have_only_what_is_corrected(people: People) -> None:
    people.run()
    people.bad, runner = {"2"}, people.project.runner()
    people.sent()
    report = runner.retry(1, [{"_record": "1-rejected-2", "id": 7}], only=["1-rejected-2"])
    assert people.sent() == [{"id": 7, "name": "cee"}]
    assert (report.read, open_history(people.state).open_failures(1)) == (1, {1: 1})


def test_only_some_are_retried_as_they_were(people: People) -> None:
    people.run()
    people.bad, runner = set(), people.project.runner()
    people.sent()
    assert runner.retry(1, only=["1-rejected-2"]).delivered == 1
    assert people.sent() == [{"id": 3, "name": "cee"}]
    with pytest.raises(ConfigError, match="record 1-rejected-2 is not open in run 1: 1 delivered by run 2"):
        runner.retry(1, only=["1-rejected-2"])
    with pytest.raises(ConfigError, match="no failed record of run 1 is named 'x'"):
        runner.retry(1, only=["x"])


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize(
    ("source", "file", "schema"),
    [
        ("csv, path: in.csv", "id,_row,_reason,__status\n1,17,refund,open\n", "{id: integer, _row: integer, _reason: string, __status: string}"),
        ("jsonl, path: in.jsonl", '{"id":1,"_row":17,"_reason":"refund","__status":"open"}\n', "{}"),
    ],
)  # fmt: skip
def test_a_record_s_own_fields_with_the_names_of_the_export_are_kept_and_travel(
    people: People, source: str, file: str, schema: str, form: str
) -> None:
    """The kind: names of two owners in one room. `_record`, `_row`, `_reason` and `_status` were looked at, in both forms."""
    people.write(source, {source.rpartition(" ")[2]: file}, schema=schema)
    people.bad = {"1"}
    people.run(early_stop=False)
    before = people.sent()
    assert before == [{"id": 1, "_row": 17, "_reason": "refund", "__status": "open"}]
    text = people.export(1, form)
    assert "___record" in text
    people.bad = set()
    people.project.runner().retry(1, people.file(text, f"fix.{form}"))
    assert people.sent() == before


VALUES = '{"id":1,"a":null,"b":[1,2.50],"c":"01","d":"","e":{"x":true},"f":9007199254740993}\n{"id":2,"a":"x"}\n'


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_record_that_was_not_corrected_is_sent_byte_for_byte_as_before(people: People, form: str) -> None:
    people.write("jsonl, path: in.jsonl", {"in.jsonl": VALUES}, schema="{}")
    people.bad = {"1", "2"}
    people.run(early_stop=False)
    before = [request.body for request in people.receiver.requests]
    people.receiver.requests.clear()
    people.bad = set()
    people.project.runner().retry(1, people.file(people.export(1, form), f"fix.{form}"))
    assert [json.loads(request.body) for request in people.receiver.requests] == [json.loads(body) for body in before]


@pytest.mark.parametrize(
    ("correction", "sent"),
    [({"born": date(2001, 1, 31)}, "2001-01-31"), ({"born": "2001-01-30"}, "2001-01-30")],
)
def test_a_record_of_text_takes_corrections_with_types(people: People, correction: dict[str, Any], sent: str) -> None:
    people.write(
        "csv, path: in.csv", {"in.csv": "id,born,n\n1,31.31.2001,1.50\n"}, schema="{id: integer, born: date, n: decimal}"
    )
    assert people.run().invalid == 1
    people.project.runner().retry(1, [{"_record": "1-invalid-0", **correction, "n": Decimal("2.50")}])
    assert people.sent() == [{"id": 1, "born": sent, "n": 2.5}]


def test_failures_of_the_second_run_keep_the_file_and_line_they_had_first(people: People) -> None:
    """The kind: a place taken from a neighbour. Looked at: retries as they were, corrected ones, and where a reason came first."""
    people.write(
        "jsonl, path: 'in*.jsonl'", {"in-a.jsonl": '{"id":1}\n{"id":2}\n', "in-b.jsonl": '{"id":4}\n{"id":5}\n{"id":3}\n'}
    )
    people.write("jsonl, path: 'in*.jsonl'", {}, schema="{}")
    people.run()

    def places(run: int) -> list[tuple[str, int]]:
        return [(row["file"].rpartition("/")[2], row["line"]) for row in open_history(people.state).failures(run)]

    runner, expected = people.project.runner(), [("in-a.jsonl", 2), ("in-b.jsonl", 3)]
    assert places(1) == expected
    runner.retry(1, early_stop=False)
    assert places(2) == expected
    runner.retry(2, people.file(people.export(2, "jsonl"), "fix.jsonl"), early_stop=False)
    assert places(3) == expected
    (reason,) = open_history(people.state).reasons(3)
    assert (reason["file"].rpartition("/")[2], reason["line"], reason["count"]) == ("in-a.jsonl", 2, 2)


def test_incremental_does_not_send_what_another_run_delivered_in_the_meantime(people: People) -> None:
    people.write("csv, path: in.csv", {}, more="incremental: {key: [id], initial_load: send, changed: resend}\n")
    people.run()
    whole, runner = people.rows(1), people.project.runner()
    people.bad = {"3"}
    second = people.run(early_stop=False)
    assert (second.delivered, second.rejected) == (1, 1)
    people.sent()
    report = runner.retry(1, people.file(whole), early_stop=False)
    assert (report.read, report.unchanged, report.rejected) == (1, 1, 1)
    people.bad = set()
    assert people.rows(3) == [whole[1]]
    assert runner.retry(3, people.file(whole)).delivered == 1


def test_a_retry_that_is_discarded_half_way_leaves_what_it_did_not_settle_with_its_corrections_to_be_made_again(
    people: People,
) -> None:
    people.bad = {"1", "2", "3", "4"}
    people.run(early_stop=False)
    whole, runner = people.rows(1), people.project.runner()
    seen: list[int] = []

    def third_is_unauthorised(request: Any) -> Reply:
        seen.append(1)
        return Reply(401 if len(seen) >= 3 else 200)

    people.receiver.script = third_is_unauthorised
    people.write("csv, path: 'in*.csv'", {}, more="")
    text = (people.project.home / "connectors.d/c.yaml").read_text().replace("destination: {", "destination: {concurrency: 1, ")
    people.project({"connectors.d/c.yaml": text})
    report = runner.retry(1, people.file(whole))
    assert (report.state, report.delivered) == ("stopped", 2)
    people.receiver.script = ()
    people.project({"in.csv": "id,name\n"})
    people.run(restart=True)
    assert runner.retry(1, people.file(whole)).delivered == 2


def test_a_retry_stopped_before_it_planned_anything_keeps_no_claim(people: People) -> None:
    """The kind: a claim of a run that can never be resumed.

    Looked at: a destination at rest, an interruption before the first plan, `on_invalid: stop`, and a process that is
    killed (in tests/faults).
    """
    people.run()
    runner = people.project.runner()
    people.receiver.script = lambda request: Reply(429, headers={"Retry-After": "7200"})
    people.project({"connectors.d/d.yaml": (people.project.home / "connectors.d/c.yaml").read_text()})
    assert people.project.run("d").state == "stopped"
    people.receiver.script = ()
    assert (runner.retry(1).state, runner.retry(1).read) == ("stopped", 0)
    code, shown = people.command("retry", "1", "-q")
    assert code == 3
    assert "sendoff retry 1 " in shown or "retry 1" in shown.partition("Next:")[2]
    assert "run c" not in shown, "that would be a full load"
    with pytest.raises(ConfigError, match="sent nothing, and its records are still open in run 1: sendoff retry 1"):
        runner.retry(3)
    assert runner.retry(1, early_stop=False).delivered == 2


def test_a_retry_interrupted_at_once_keeps_no_claim(people: People) -> None:
    people.run()
    runner = people.project.runner()
    runner.interrupt("by a test")
    assert runner.retry(1).state == "interrupted"
    people.bad = set()
    assert people.project.runner().retry(1).delivered == 2


def test_a_retry_with_invalid_records_where_they_stop_it_can_be_corrected_and_retried(people: People) -> None:
    people.write("csv, path: 'in*.csv'", {}, more="on_invalid: stop\n")
    people.run()
    two, three = people.rows(1)
    people.bad, runner = set(), people.project.runner()
    assert runner.retry(1, people.file([two | {"id": "x"}, three])).state == "stopped"
    assert open_history(people.state).open_failures(2) == {1: 2}
    assert [row["_record"] for row in people.rows(2)] == ["1-rejected-1"]
    assert runner.retry(1, people.file([two, three])).delivered == 2


@pytest.mark.parametrize("early_stop", [True, False])
def test_a_run_without_failed_records_says_so(people: People, early_stop: bool) -> None:
    people.bad = set()
    people.run()
    with pytest.raises(ConfigError, match="run 1 has no failed records"):
        people.project.runner().retry(1, early_stop=early_stop)


def test_people_see_what_is_left_and_the_next_command(people: People) -> None:
    people.run()
    two, three = people.rows(1)
    people.bad = {"3"}
    code, shown = people.command("retry", "1", "-q", "--from", str(people.file([two])))
    assert code == 0
    assert "retry 1" in shown
    assert "open in run 1: 1 failed record\n" in shown
    code, shown = people.command("retry", "1", "-q", "--from", str(people.file([two, three])))
    assert "1 record delivered already, not sent again" in shown
    assert people.command("failed", "1")[0] == 0


def test_dismissed_records_are_not_retried_until_they_are_reopened(people: People) -> None:
    people.run()
    runner = people.project.runner()
    one, two = (row["_record"] for row in people.rows(1))
    fixed = people.file(people.rows(1))
    assert runner.dismiss(1, only=[one]) == 1
    with pytest.raises(
        ConfigError, match=f"record {one} is not open in run 1: 1 dismissed in run 1, sendoff failed 1 --reopen"
    ):
        runner.retry(1, only=[one])
    with pytest.raises(ConfigError, match=f"record {one} is dismissed; leave the row out, or .*--reopen --record {one}"):
        runner.retry(1, fixed)
    people.bad = set()
    assert runner.retry(1).delivered == 1
    with pytest.raises(
        ConfigError, match="none of the failed records of run 1 is open there: 1 delivered by run 2; 1 dismissed"
    ):
        runner.dismiss(1)
    with pytest.raises(ConfigError, match=f"record {two} is not dismissed in run 1: 1 delivered by run 2"):
        runner.reopen(1, only=[two])
    assert runner.reopen(1) == 1
    with pytest.raises(ConfigError, match="no failed record of run 1 is dismissed"):
        runner.reopen(1)
    assert runner.retry(1).delivered == 1


def test_what_a_retry_has_pending_or_failed_again_is_not_dismissed_in_the_first_run(people: People) -> None:
    people.run()
    runner = people.project.runner()
    assert runner.retry(1, early_stop=False).rejected == 2
    with pytest.raises(ConfigError, match="2 failed again in run 2, sendoff failed 2 --dismiss"):
        runner.dismiss(1)
    people.receiver.script = lambda request: Reply(401)
    assert runner.retry(2).pending == 2
    with pytest.raises(ConfigError, match="none of the failed records of run 2 is open there: 2 pending by run 3"):
        runner.dismiss(2)
