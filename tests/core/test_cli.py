"""The command line, as a person and as a script use it."""

from __future__ import annotations

import csv
import importlib
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import sendoff
import sendoff.plugin
from sendoff.cli.group import COMMANDS
from sendoff.cli.group import sendoff as sendoff_command
from sendoff.errors import ConfigError
from sendoff.sandbox import Sandbox, rules
from sendoff.testing import Project, Received, Receiver, Reply

CSV = "id,email,age\n1,ann@example.com,30\n2,bad@example.com,31\n3,cee@example.com,x\n4,dee@example.com,33\n"
CONNECTOR = """\
# People, with care.
source: {{use: csv, path: people.csv}}
schema:
  id:    {{type: integer}}
  email: {{type: string}}
destination: {{url: "{url}/people"{more}}}
send: {{use: batch, max_records: 10}}
on_failure: split
"""


class Terminal:
    """Runs sendoff in a project, as its own process."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, *words: str, code: int | None = 0, stdin: str | None = None, **environment: str) -> str:
        done = subprocess.run(
            self.command(*words), cwd=self.home, input=stdin, capture_output=True, text=True, timeout=60,
            env={**os.environ, "NO_COLOR": "1", **environment},
        )  # fmt: skip
        assert code is None or done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        self.err = done.stderr
        return done.stdout

    @staticmethod
    def command(*words: str) -> list[str]:
        return [sys.executable, "-c", "from sendoff.cli import main; main()", *words]


@pytest.fixture
def terminal(project: Project) -> Terminal:
    return Terminal(project.home)


@pytest.fixture
def people(project: Project) -> Iterator[Sandbox]:
    with Sandbox(["400 if email ~ ^bad"]) as api:
        project({"people.csv": CSV, "connectors.d/people.yaml": CONNECTOR.format(url=api.url, more="")})
        yield api


def test_run_tells_machines_what_it_did(people: Sandbox, terminal: Terminal) -> None:
    found = json.loads(terminal("run", "--json", code=1))
    (run,) = found["runs"]
    assert found["exit_code"] == 1
    assert {name: run[name] for name in ("connector", "run", "state", "read", "delivered", "invalid", "rejected", "pending")} == {
        "connector": "people", "run": 1, "state": "incomplete", "read": 4, "delivered": 3, "invalid": 0, "rejected": 1, "pending": 0
    }  # fmt: skip
    assert set(run) >= {"requests", "retries", "bytes", "seconds", "stopped_because"}
    assert sorted(record["id"] for record in people.records) == [1, 3, 4]


def test_run_tells_people_what_it_did_and_what_to_do_next(people: Sandbox, terminal: Terminal) -> None:
    shown = terminal("run", "people", code=1)
    assert "people: 1 not delivered" in shown
    assert "400: rejected because: email ~ ^bad  (first: people.csv:3)" in shown
    assert "failed 1 --csv > fix.csv" in shown


def test_failed_records_are_corrected_in_a_spreadsheet_and_retried(
    people: Sandbox, terminal: Terminal, project: Project
) -> None:
    terminal("run", "people", code=1)
    rows = list(csv.DictReader(io.StringIO(terminal("failed", "1", "--csv"))))
    assert rows == [
        {
            "id": "2",
            "email": "bad@example.com",
            "age": "31",
            "_record": "1-rejected-1",
            "_reason": "400: rejected because: email ~ ^bad",
            "_status": "400",
            "_row": "people.csv:3",
        }
    ]
    project({"fixed.csv": terminal("failed", "1", "--csv").replace("bad@", "good@")})
    (run,) = json.loads(terminal("retry", "1", "--from", "fixed.csv", "--json"))["runs"]
    assert (run["run"], run["state"], run["delivered"]) == (2, "complete", 1)
    assert people.records[-1] == {"id": 2, "email": "good@example.com"}
    terminal("retry", "1", code=2)
    assert "none of the failed records of run 1 is open there: 1 delivered by run 2" in terminal.err


def test_failed_records_are_retried_as_they_were(people: Sandbox, terminal: Terminal) -> None:
    terminal("run", "people", code=1)
    people.rules.clear()
    (run,) = json.loads(terminal("retry", "1", "--json"))["runs"]
    assert (run["state"], run["delivered"]) == ("complete", 1)
    assert people.records[-1]["id"] == 2


def test_a_corrected_file_without_a_column_is_refused_and_the_records_stay_to_be_retried(
    people: Sandbox, terminal: Terminal, project: Project
) -> None:
    terminal("run", "people", code=1)
    project({"fixed.csv": "id,mail,_record\n2,good@example.com,1-rejected-1\n"})
    terminal("retry", "1", "--from", "fixed.csv", code=2)
    assert "no column 'email'" in terminal.err
    people.rules.clear()
    assert json.loads(terminal("retry", "1", "--json"))["runs"][0]["delivered"] == 1


def test_a_retry_that_was_cut_short_and_given_up_leaves_its_records_to_be_retried(people: Sandbox, terminal: Terminal) -> None:
    terminal("run", "people", code=1)
    people.rules[:] = [rules.parse("401 if always")]
    terminal("retry", "1", code=2)
    people.rules.clear()
    terminal("run", "people", "--restart")
    assert json.loads(terminal("retry", "1", "--json"))["runs"][0]["delivered"] == 1


def test_of_a_retry_given_up_half_way_only_the_other_half_is_left(project: Project, terminal: Terminal) -> None:
    with Sandbox(["400 if always"]) as api:
        text = (
            CONNECTOR.format(url=api.url, more=", concurrency: 1")
            .replace("{use: batch, max_records: 10}", "single")
            .replace("split", "fail")
        )
        rows = "".join(f"{at},p{at}@example.com,1\n" for at in range(6))
        project({"people.csv": "id,email,age\n" + rows, "connectors.d/people.yaml": text})
        terminal("run", "--no-early-stop", code=1)
        api.rules[:] = [rules.parse("401 if id = 4")]
        terminal("retry", "1", code=2)
        assert [record["id"] for record in api.records] == [0, 1, 2, 3]
        api.rules.clear()
        project({"people.csv": "id,email,age\n"})
        terminal("run", "--restart")
        assert json.loads(terminal("retry", "1", "--json"))["runs"][0]["delivered"] == 2
        assert [record["id"] for record in api.records] == [0, 1, 2, 3, 4, 5]


def test_a_retry_that_was_cut_short_is_gone_on_with(people: Sandbox, terminal: Terminal) -> None:
    terminal("run", "people", code=1)
    people.rules[:] = [rules.parse("401 if always")]
    terminal("retry", "1", code=2)
    people.rules.clear()
    (run,) = json.loads(terminal("run", "people", "--json"))["runs"]
    assert (run["run"], run["state"], run["delivered"]) == (2, "complete", 1)
    assert people.records[-1]["email"] == "bad@example.com"


def test_failed_as_json_lines(people: Sandbox, terminal: Terminal) -> None:
    terminal("run", code=1)
    (line,) = terminal("failed", "1", "--jsonl").splitlines()
    assert json.loads(line)["email"] == "bad@example.com"


def test_m6_the_apis_words_are_no_formula_and_no_escape_sequence(
    project: Project, terminal: Terminal, receiver: Receiver
) -> None:
    receiver.script = lambda request: Reply(400, b'{"detail": "\\u001b[31m=cmd|calc\\r\\nX: y\\u202e"}')
    project(
        {"people.csv": CSV, "connectors.d/people.yaml": CONNECTOR.format(url=receiver.url, more="").replace("split", "fail")}
    )
    terminal("run", code=1)
    (reason,) = {row["_reason"] for row in csv.DictReader(io.StringIO(terminal("failed", "1", "--csv")))}
    assert reason == "400: [31m=cmd|calc X: y"


def test_a_wrong_token_costs_one_request_and_the_run_goes_on_when_it_is_mended(project: Project, terminal: Terminal) -> None:
    with Sandbox(["401 if header authorization != Bearer right-token"]) as api:
        rows = "".join(f"{at},p{at}@example.com,1\n" for at in range(250_000))
        more = ', headers: {Authorization: "Bearer ${env:TOKEN}"}'
        project({"people.csv": "id,email,age\n" + rows, "connectors.d/people.yaml": CONNECTOR.format(url=api.url, more=more)})
        wrong = json.loads(terminal("run", "--json", code=2, TOKEN="wrong-token"))["runs"][0]
        assert wrong["state"] == "stopped"
        assert wrong["requests"] == api.counts["requests"] == 1
        assert "check the token or key under destination.headers" in wrong["stopped_because"]
        assert wrong["read"] == wrong["pending"]

        project(
            {
                "connectors.d/people.yaml": CONNECTOR.format(url=api.url, more=more).replace(
                    "max_records: 10", "max_records: 50000"
                )
            }
        )
        right = json.loads(terminal("run", "--json", TOKEN="right-token"))["runs"][0]
        assert (right["run"], right["state"], right["delivered"]) == (1, "complete", 250_000)
        assert len({record["id"] for record in api.records}) == len(api.records) == 250_000


def test_a_source_that_changed_is_refused_and_restart_begins_anew(project: Project, terminal: Terminal) -> None:
    with Sandbox(["401 if header x != y"]) as api:
        project({"people.csv": CSV, "connectors.d/people.yaml": CONNECTOR.format(url=api.url, more="")})
        terminal("run", code=2)
        project({"people.csv": CSV.replace("30", "39")})
        terminal("run", code=2)
        assert "its source changed since then" in terminal.err
        assert "sendoff run people --restart" in terminal.err
        api.rules.clear()
        assert json.loads(terminal("run", "--restart", "--json"))["runs"][0]["run"] == 2


def test_k14_a_connector_whose_records_would_look_different_is_refused(project: Project, terminal: Terminal) -> None:
    with Sandbox(["401 if header x != y"]) as api:
        project({"people.csv": CSV, "connectors.d/people.yaml": CONNECTOR.format(url=api.url, more="")})
        terminal("run", code=2)
        project(
            {"connectors.d/people.yaml": CONNECTOR.format(url=api.url, more="").replace("id:    {", "id:    {rename: number, ")}
        )
        terminal("run", code=2)
        assert "changed in the connector file" in terminal.err


def test_l1_the_same_connector_started_twice_runs_once(project: Project, terminal: Terminal) -> None:
    asked, answer = threading.Event(), threading.Event()

    def respond(request: Received) -> Reply:
        asked.set()
        answer.wait(60)
        return Reply()

    with Receiver(respond) as receiver:
        project({"people.csv": CSV, "connectors.d/people.yaml": CONNECTOR.format(url=receiver.url, more="")})
        first = subprocess.Popen(
            terminal.command("run", "--json"), cwd=project.home, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert asked.wait(60)
        terminal("run", code=75)
        answer.set()
        assert f"people is running already in process {first.pid}" in terminal.err
        assert json.loads(first.communicate()[0])["exit_code"] == 0
        assert len(receiver.requests) == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_c17_a_signal_lets_the_request_under_way_end(
    project: Project, terminal: Terminal, number: signal.Signals, code: int
) -> None:
    """The request is answered when the signal has arrived, however long that takes."""
    asked, answer = threading.Event(), threading.Event()

    def respond(request: Received) -> Reply:
        asked.set()
        answer.wait(60)
        return Reply()

    with Receiver(respond) as receiver:
        text = CONNECTOR.format(url=receiver.url, more=", concurrency: 1").replace("10}", "1}").replace("split", "fail")
        project({"people.csv": CSV, "connectors.d/people.yaml": text})
        run = subprocess.Popen(
            terminal.command("run", "--json"), cwd=project.home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert asked.wait(60)
        run.send_signal(number)
        assert run.stderr is not None
        assert any("ending after the requests in flight" in line for line in run.stderr)
        answer.set()
        out, _ = run.communicate(timeout=60)
        (report,) = json.loads(out)["runs"]
        assert run.returncode == code
        assert (report["state"], report["delivered"], len(receiver.requests)) == ("interrupted", 1, 1)
        assert json.loads(terminal("run", "--json"))["runs"][0]["delivered"] == 4
        assert [record["id"] for request in receiver.requests for record in json.loads(request.body)] == [1, 2, 3, 4]


def test_c17_a_second_signal_ends_it_at_once_and_loses_nothing(project: Project, terminal: Terminal) -> None:
    with Sandbox(["slow 20 if first 1"]) as api:
        project({"people.csv": CSV, "connectors.d/people.yaml": CONNECTOR.format(url=api.url, more="")})
        run = subprocess.Popen(terminal.command("run"), cwd=project.home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not api.counts["requests"]:
            time.sleep(0.01)
        run.send_signal(signal.SIGINT)
        time.sleep(1.2)  # two within a second count as one
        run.send_signal(signal.SIGINT)
        assert run.wait(15) == 130
        terminal("run", code=0)
        assert len(api.records) == 4


def test_check_prints_every_mistake_and_ends_with_2(project: Project, terminal: Terminal) -> None:
    project(
        {
            "people.csv": CSV,
            "connectors.d/a.yaml": "source: {use: csv, path: people.csv, sep: x}\n",
            "connectors.d/b.yaml": "x: y: z\n",
        }
    )
    shown = terminal("check", code=2).splitlines()
    assert shown[0] == "connectors.d/a.yaml:1:1: destination: is missing [missing]"
    assert shown[1].startswith("connectors.d/a.yaml:1:38: source.sep: unknown key; ")
    assert shown[2].startswith("connectors.d/b.yaml:1:4: a value with a colon")
    terminal("run", code=2)
    assert terminal.err.splitlines() == [line.rpartition(" [")[0] for line in shown]


def test_k13_a_column_the_source_lacks_is_told_before_anything_is_sent(
    people: Sandbox, project: Project, terminal: Terminal
) -> None:
    project({"people.csv": CSV.replace("email", "e-mail")})
    told = "people.csv: no column 'email'; its columns are id, e-mail, age"
    assert told in terminal("check", code=2)
    terminal("run", code=2)
    assert told in terminal.err
    assert not people.counts


def test_check_v_says_what_was_skipped_and_what_is_slow(people: Sandbox, project: Project, terminal: Terminal) -> None:
    text = CONNECTOR.format(url="http://x", more="").replace("{type: string}", "{type: string, regex: '(a)\\1'}")
    project({"connectors.d/people.yaml": text, "connectors.d/_old.yaml": "x"})
    shown = terminal("check", "-v")
    assert "_old.yaml: skipped: starts with '_'" in shown
    assert "schema.email: regex run row by row, in Cerberus" in shown
    assert "1 connector: 1 warning" in shown


def test_preview_shows_the_request_and_sends_nothing(people: Sandbox, terminal: Terminal) -> None:
    shown = terminal("preview", "people", "-n", "1")
    assert shown.startswith("POST /people HTTP/1.1\nHost: 127.0.0.1:")
    assert shown.rstrip().endswith('[{"id":1,"email":"ann@example.com"}]')
    assert json.loads(terminal("preview", "people", "--as", "json"))["method"] == "POST"
    assert not people.counts


def test_previewed_curl_sends_what_a_run_sends(project: Project, terminal: Terminal, receiver: Receiver) -> None:
    more = ', headers: {Authorization: "Bearer ${env:TOKEN}", X-Quote: "it\'s"}'
    project({"people.csv": CSV, "connectors.d/people.yaml": CONNECTOR.format(url=receiver.url, more=more)})
    shown = terminal("preview", "people", "-n", "4", "--as", "curl", TOKEN="a-secret-token")
    assert "a-secret-token" not in shown
    subprocess.run(["bash", "-c", shown], env={**os.environ, "TOKEN": "a-secret-token"}, check=True, capture_output=True)
    terminal("run", TOKEN="a-secret-token")
    by_curl, by_run = receiver.requests
    assert by_curl.body == by_run.body
    differing = {name for name in {*by_curl.headers, *by_run.headers} if by_curl.headers.get(name) != by_run.headers.get(name)}
    assert differing == {"idempotency-key"}


@pytest.mark.parametrize(
    ("secret", "send"),
    [
        ("averylongsecret0123456789", '{use: batch, envelope: {token: "${env:TOKEN}", rows: $records}}'),
        ("p1n", '{use: batch, record: {auth: {keys: ["${env:TOKEN}"]}, of: $record}}'),
        ('with "quotes" and \\', '{use: ndjson, before: {token: "${env:TOKEN}"}}'),
        ("averylongsecret0123456789", '{use: single, record: {token: "${env:TOKEN}", cost: "for $$5 `x`", of: $record}}'),
    ],
)
def test_a_secret_in_the_body_is_previewed_by_its_name(
    project: Project, terminal: Terminal, receiver: Receiver, secret: str, send: str
) -> None:
    """Kind: a secret shown where it stands in the body. Brothers: envelope, record, before; short ones; each form of preview."""
    text = CONNECTOR.format(url=receiver.url, more="").partition("send:")[0] + f"send: {send}\n"
    project({"people.csv": CSV, "connectors.d/people.yaml": text})
    shown = ""
    for form, name in (("http", "${env:TOKEN}"), ("json", "${env:TOKEN}"), ("curl", "${TOKEN}")):
        shown = terminal("preview", "people", "-n", "1", "--as", form, TOKEN=secret)
        assert secret not in shown
        assert json.dumps(secret)[1:-1] not in shown
        assert name in shown
    subprocess.run(
        ["bash", "-c", shown], env={**os.environ, "TOKEN": json.dumps(secret)[1:-1]}, check=True, capture_output=True
    )
    terminal("run", TOKEN=secret)
    by_curl, by_run = (request.body.partition(b"\n")[0] for request in receiver.requests[:2])
    assert by_curl == by_run or send.startswith("{use: batch")
    assert json.dumps(secret).encode() in by_curl


def test_a_literal_credential_is_hidden(project: Project, terminal: Terminal) -> None:
    project(
        {
            "people.csv": CSV,
            "connectors.d/people.yaml": CONNECTOR.format(url="http://x", more=', headers: {X-Api-Key: "abcdef-123"}'),
        }
    )
    assert "abcdef-123" not in terminal("preview", "people") + terminal.err


def test_runs_lists_and_shows(people: Sandbox, terminal: Terminal) -> None:
    terminal("runs", code=2)
    assert "there are no runs yet" in terminal.err
    terminal("run", code=1)
    assert "people" in terminal("runs")
    assert json.loads(terminal("runs", "1", "--json"))[0]["delivered"] == 3
    terminal("runs", "9", code=2)
    assert "there is no run 9" in terminal.err


def test_names_close_to_a_connector_or_a_command_are_suggested(people: Sandbox, terminal: Terminal) -> None:
    terminal("run", "peeple", code=2)
    assert "no connector is named 'peeple'; did you mean 'people'?" in terminal.err
    terminal("chekc", code=2)
    assert "Did you mean 'check'?" in terminal.err


def test_a_connector_is_made_from_a_sample_checked_and_run(project: Project, terminal: Terminal, receiver: Receiver) -> None:
    terminal("init")
    project({"inbox/people.csv": "id,zip,born,score,ok\n1,02134,2000-01-31,1.5,true\n2,,1999-12-31,2,false\n"})
    assert terminal("schema", "infer", "inbox/people.csv") == (
        "schema:   # inferred from 2 rows\n  id:    {type: integer}\n"
        "  zip:   {type: string, nullable: true}   # text, as a number would lose the leading zeros\n  born:  {type: date}\n"
        "  score: {type: decimal}\n  ok:    {type: boolean}\n"
    )
    terminal("new", "people", "--from", "inbox/people.csv", "--url", f"{receiver.url}/p")
    terminal("check")
    terminal("run")
    assert receiver.bodies[0][1] == {"id": 2, "zip": None, "born": "1999-12-31", "score": 2, "ok": False}
    terminal("new", "people", code=2)
    assert "exists already" in terminal.err
    assert ".sendoff/" in (project.home / ".gitignore").read_text()


def test_a_spreadsheets_export_is_read_as_it_shows_itself_and_its_corrections_too(
    project: Project, terminal: Terminal, receiver: Receiver
) -> None:
    terminal("init")
    rows = "1;M\u00fcller;8.101,11;\n2;Ann;9,20;\n3;Bob;1,00;\n"
    project({"export.csv": f"Clients of May;;;\n\nid;name;balance;\n{rows}".encode("cp1252")})
    terminal("new", "clients", "--from", "export.csv", "--url", f"{receiver.url}/c")
    written = (project.home / "connectors.d/clients.yaml").read_text()
    assert 'path: export.csv, delimiter: ";", encoding: "cp1252", skip_rows: 2, decimal: ",", thousands: "."}' in written
    assert terminal("schema", "infer", "export.csv").splitlines()[-1] == "  balance: {type: decimal}"
    (project.home / "connectors.d/clients.yaml").write_text(
        written.replace("id:      {type: integer}", "id: {type: integer, min: 2}")
    )
    terminal("run", code=1)
    assert receiver.bodies[0] == [{"id": 2, "name": "Ann", "balance": 9.2}, {"id": 3, "name": "Bob", "balance": 1}]
    project({"fixed.csv": "_record;id;name;balance\n1-invalid-0;4;M\u00fcller;8.101,11\n".encode("cp1252")})
    terminal("retry", "1", "--from", "fixed.csv", "--sheet", "x", code=2)
    assert "is read by the csv source, which has no option `sheet`" in terminal.err
    terminal("retry", "1", "--encoding", "cp1252", code=2)
    assert "--encoding is for --from FILE" in terminal.err
    terminal("retry", "1", "--from", "fixed.csv", "--encoding", "utf-8", code=2)
    terminal("retry", "1", "--from", "fixed.csv", "--encoding", "latin-1")
    assert receiver.bodies[1] == [{"id": 4, "name": "M\u00fcller", "balance": 8101.11}]


def test_new_without_a_sample_is_a_file_that_checks_but_for_its_source(project: Project, terminal: Terminal) -> None:
    terminal("new", "things")
    assert "inbox/*.csv: no such file" in terminal("check", code=2)


def test_a_connector_begins_with_what_is_known_of_an_api(project: Project, terminal: Terminal, receiver: Receiver) -> None:
    """A column is found but for its capitals, an optional field needs none, and other columns are sent as well."""
    project({"contacts.csv": "E-Mail,First name,Score\nann@example.com,Ann,3\n"})
    terminal("new", "customers", "--api", "hubspot", "--from", "contacts.csv", "--url", f"{receiver.url}/batch/upsert")
    receiver.script = [Reply(200, b'{"status": "COMPLETE", "results": [{"id": "1"}]}')]
    terminal("run", HUBSPOT_TOKEN="a-token-of-hubspot")
    properties = {"email": "ann@example.com", "firstname": "Ann", "Score": 3}
    record = {"id": "ann@example.com", "idProperty": "email", "objectWriteTraceId": "ann@example.com", "properties": properties}
    assert receiver.bodies == [{"inputs": [record]}]


def test_what_a_connector_of_the_cookbook_still_needs_is_said(project: Project, terminal: Terminal) -> None:
    project({"people.csv": "mail\nann@example.com\n"})
    said = terminal("new", "people", "--api", "hubspot", "--from", "people.csv")
    assert "The file has no column named email: say in the connector's schema which one that is" in said
    assert "It needs: the token of a private app" in said
    assert "no column has this name: which one is it?" in (project.home / "connectors.d/people.yaml").read_text()


def test_an_api_is_chosen_by_its_name(terminal: Terminal) -> None:
    assert "create or update contacts by their e-mail address" in terminal("new", "--list-apis")
    terminal("new", "people", "--api", "hubspott", code=2)
    assert "the cookbook has no API named 'hubspott'; did you mean 'hubspot'?" in terminal.err


def test_duplicate_edit_and_delete(people: Sandbox, project: Project, terminal: Terminal) -> None:
    terminal("duplicate", "people", "folk")
    assert "# People, with care." in (project.home / "connectors.d/folk.yaml").read_text()
    terminal("duplicate", "people", stdin="others\n")
    assert (project.home / "connectors.d/others.yaml").exists()
    terminal("duplicate", "people", "folk", code=2)
    terminal("edit", "folk", EDITOR="sed -i s/csv,/cvs,/", code=2)
    assert "did you mean 'csv'?" in terminal.err
    terminal("delete", "folk", stdin="n\n", code=130)
    terminal("delete", "folk", stdin="y\n")
    terminal("delete", "others", "--yes")
    assert [file.name for file in (project.home / "connectors.d").iterdir()] == ["people.yaml"]


def test_plugins_are_listed_and_explained(terminal: Terminal) -> None:
    assert "failure_strategies  split" in terminal("plugins")
    shown = terminal("plugins", "batch")
    assert re.search("max_records +integer +250000 +Maximum records in one request.", shown)
    terminal("plugins", "nothing", code=2)
    assert {item["name"] for item in json.loads(terminal("plugins", "--json"))} >= {
        "csv",
        "batch",
        "single",
        "split",
        "urllib3",
    }


def test_standard_input_is_a_source_and_can_be_resumed(project: Project, terminal: Terminal) -> None:
    with Sandbox(["401 if header x != y"]) as api:
        project({"connectors.d/pipe.yaml": f'source: stdin\ndestination: {{url: "{api.url}/p"}}\nsend: single\n'})
        terminal("run", stdin='{"a": 1}\n{"a": 2}\n', code=2)
        api.rules.clear()
        terminal("run", stdin="")
        assert api.records == [{"a": 1}, {"a": 2}]
        assert not list((project.home / ".sendoff" / "spool").iterdir())


def test_the_state_can_be_elsewhere(people: Sandbox, project: Project, terminal: Terminal, tmp_path: Path) -> None:
    terminal("--state", "over/here", "run", code=1)
    assert (project.home / "over/here/ledger.db").exists()
    terminal("run", code=1, SENDOFF_STATE=str(tmp_path / "there"))
    assert (tmp_path / "there/ledger.db").exists()
    assert not (project.home / ".sendoff").exists()


def test_x7_the_ledger_is_private(people: Sandbox, project: Project, terminal: Terminal) -> None:
    terminal("run", code=1)
    state = project.home / ".sendoff"
    assert state.stat().st_mode & 0o777 == 0o700
    for file in state.rglob("*"):
        assert file.stat().st_mode & 0o077 == 0, file


def test_doctor_finds_nothing_wrong_here_and_reports_what_is(terminal: Terminal, project: Project) -> None:
    assert "ok  ledger" in terminal("doctor")
    ledger = project.home / ".sendoff/ledger.db"
    ledger.write_bytes(b"not a database, and quite long enough to be one" * 100)
    assert "!!  ledger" in terminal("doctor", code=2)
    ledger.unlink()


def test_nothing_but_the_result_is_on_standard_output(people: Sandbox, terminal: Terminal) -> None:
    json.loads(terminal("run", "--json", code=1))


def test_on_invalid_stop_sends_nothing_if_any_record_is_invalid(people: Sandbox, project: Project, terminal: Terminal) -> None:
    text = (
        CONNECTOR.format(url=people.url, more="").replace("email: {", "age: {type: integer}\n  email: {") + "on_invalid: stop\n"
    )
    project({"connectors.d/people.yaml": text})
    (run,) = json.loads(terminal("run", "--json", code=2))["runs"]
    assert (run["read"], run["invalid"], run["pending"], run["requests"]) == (4, 1, 3, 0)
    assert "nothing was sent" in run["stopped_because"]
    assert not people.counts
    project({"people.csv": CSV.replace(",x\n", ",7\n")})
    assert json.loads(terminal("run", "--json", code=1))["runs"][0]["delivered"] == 3


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_of_each_command_what_the_command_says_of_itself_on_one_line(name: str) -> None:
    command = importlib.import_module(f"sendoff.cli.{name}").command
    assert (command.help or "").partition("\n")[0] == COMMANDS[name]
    lines = CliRunner().invoke(sendoff_command, ["--help"], terminal_width=80).output.splitlines()
    assert [line for line in lines if line.split()[:1] == [name] and line.endswith(COMMANDS[name])]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_each_command_has_an_example_that_it_understands(name: str) -> None:
    command = importlib.import_module(f"sendoff.cli.{name}").command
    for one in command.commands.values() if isinstance(command, click.Group) else [command]:
        example = re.search(r"Example: `sendoff ([^`>]+?)( > .*)?`", one.help or "")
        assert example, one.name
        parent = click.Context(sendoff_command, info_name="sendoff", obj=None)
        parent.params = {"directory": Path("connectors.d"), "state": None, "allow": None}
        words = shlex.split(example[1])[1 + isinstance(command, click.Group) :]
        with parent, suppress(ConfigError):
            one.make_context(name, [word for word in words if word != "people.csv"], parent=parent, resilient_parsing=True)


def test_a_run_is_given_by_number_by_latest_or_by_its_connector(people: Sandbox, terminal: Terminal) -> None:
    assert "there is no run; a run is given by" in (terminal("failed", code=2) or terminal.err)
    terminal("run", "people", code=1)
    shown = terminal("failed", "1")
    assert "people.csv:3" in shown
    for words in (("failed",), ("failed", "latest"), ("failed", "people")):
        assert terminal(*words) == shown
    assert terminal("runs", "people") == terminal("runs", "1")
    terminal("failed", "peeple", code=2)
    assert "there is no run of a connector 'peeple'; a run is given by its number" in terminal.err
    terminal("failed", "--dismiss", code=2)
    assert "--dismiss needs the RUN" in terminal.err


def test_a_connector_is_given_by_its_name_or_its_file_to_every_command(people: Sandbox, terminal: Terminal) -> None:
    file = "connectors.d/people.yaml"
    assert terminal("check", "people") == terminal("check", file)
    assert terminal("preview", file) == terminal("preview", "people")
    terminal("run", file, code=1)
    terminal("rename", file, "persons")
    assert "persons" in terminal("status")
    assert "no connector is named 'people'" in terminal("check", "people", code=2)
    terminal("delete", "connectors.d/persons.yaml", "--yes")


def test_directory_may_be_the_project(people: Sandbox, terminal: Terminal, tmp_path: Path) -> None:
    home, terminal.home = terminal.home, tmp_path
    assert "1 connector: 1 warning" in terminal("-d", str(home), "check")
    terminal("-d", str(home), "run", code=1)
    assert (home / ".sendoff/ledger.db").exists()
    assert terminal("-d", str(home), "runs") == terminal("-d", str(home / "connectors.d"), "runs")


def test_status_shows_what_is_open_and_the_commands_that_go_on(people: Sandbox, terminal: Terminal, project: Project) -> None:
    def row(name: str) -> dict[str, object]:
        return next(one for one in json.loads(terminal("status", "--json"))["connectors"] if one["connector"] == name)

    project({"connectors.d/gone.yaml": CONNECTOR.format(url="http://127.0.0.1:1", more="")})
    assert row("people") == {
        "connector": "people", "run": None, "state": None, "started": None, "pending": 0, "unfinished": None, "failed": {}
    }  # fmt: skip
    terminal("run", "people", code=1)
    terminal("run", "gone", code=3)
    assert (row("people")["state"], row("people")["failed"]) == ("incomplete", {"1": 1})
    assert (row("gone")["unfinished"], row("gone")["pending"]) == (2, 4)
    shown = terminal("status")
    for words in ("run gone ", "resume run 2", "failed 1 ", "retry 1 ", "http://127.0.0.1:1: down since "):
        assert words in shown
    project({"fix.csv": terminal("failed", "1", "--csv").replace("bad@", "good@")})
    terminal("retry", "people", "--from", "fix.csv")
    assert row("people")["failed"] == {}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("sendoff ", {"run", "status", "sandbox"}),
        ("sendoff run ", {"people"}),
        ("sendoff preview pe", {"people"}),
        ("sendoff failed ", {"latest", "people", "1"}),
        ("sendoff retry l", {"latest"}),
    ],
)
def test_a_shell_completes_commands_connectors_and_runs(
    people: Sandbox, terminal: Terminal, words: str, found: set[str]
) -> None:
    terminal("run", "people", code=1)
    parts = words.split(" ")
    shown = terminal(_SENDOFF_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(len(parts) - 1))
    assert {line.partition(",")[2] for line in shown.splitlines()} >= found


@pytest.mark.parametrize("line", ["--help", "check --offline", "runs", "status", "failed 1"])
def test_what_reads_no_source_loads_no_data_frames(project: Project, receiver: Receiver, line: str) -> None:
    project({"people.csv": CSV, "connectors.d/people.yaml": CONNECTOR.format(url=receiver.url, more="")})
    project.run("people")
    code = "import sys\nfrom sendoff.cli import main\ntry: main()\nexcept SystemExit as ended: assert ended.code is None\n"
    code += "assert 'polars.dataframe' not in sys.modules, 'it does'"
    subprocess.run([sys.executable, "-c", code, *line.split()], check=True, capture_output=True, cwd=project.home)


@pytest.mark.parametrize(
    "words", [["schema", "infer", "head.csv"], ["new", "head", "--from", "head.csv"]], ids=lambda words: words[0]
)
def test_a_sample_without_rows_shows_no_types(project: Project, terminal: Terminal, words: list[str]) -> None:
    project({"head.csv": "id,name\n"})
    terminal(*words, code=2)
    assert terminal.err == "head.csv: has no rows; a schema is inferred from a header and at least one row\n"


def test_every_public_name_is_found_where_it_is_said_to_live() -> None:
    for face in (sendoff, sendoff.plugin):
        for name in face.__all__:
            assert getattr(face, name) is not None
        assert {*face.__all__} <= {*dir(face), "__version__"}


def test_what_runs_when_and_for_whom(project: Project, terminal: Terminal, receiver: Receiver) -> None:
    text = CONNECTOR.format(url=receiver.url, more="").replace("split", "fail")
    project({"people.csv": CSV, "connectors.d/people.yaml": text})
    terminal("schedule", code=2)
    assert "no connector has a schedule" in terminal.err
    assert "no digest sent" in terminal("digest")
    project({"connectors.d/people.yaml": text + "schedule: {cron: '0 7 * * *', timezone: Asia/Tokyo}\n"})
    (row,) = json.loads(terminal("schedule", "--json"))
    assert (row["connector"], row["timezone"], row["last"]) == ("people", "Asia/Tokyo", None)
    assert row["next"].endswith("07:00:00 JST")
    assert "sendoff-people.timer written" in terminal("schedule", "export", "systemd", "--to", "units")
    assert "OnCalendar=*-*-* 07:00:00 Asia/Tokyo" in (project.home / "units/sendoff-people.timer").read_text()
    assert "timeZone: Asia/Tokyo" in terminal("schedule", "export", "k8s", "people")


def test_failed_records_are_given_up_and_rows_forgotten(project: Project, terminal: Terminal, receiver: Receiver) -> None:
    receiver.script = lambda request: Reply(400 if b"bad" in request.body else 200)
    text = CONNECTOR.format(url=receiver.url, more="").replace("max_records: 10", "max_records: 1").replace("split", "fail")
    project({"people.csv": CSV, "connectors.d/people.yaml": text + "incremental: {key: [id], initial_load: send}\n"})
    terminal("run", "-q", code=1)
    terminal("run", "-q", "--no-early-stop", code=1)
    assert terminal("failed", "2", "--dismiss") == "1 record dismissed; it is not sent again\n"
    assert terminal("failed", "2").splitlines()[1:] == ["1 dismissed, not shown here; --dismissed shows them"]
    assert "people.csv:" in terminal("failed", "2", "--dismissed")
    assert json.loads(terminal("runs", "2", "--json"))[0]["dismissed"] == 1
    assert terminal("failed", "2", "--reopen") == "1 record reopened; sendoff retry 2 sends it\n"
    (record,) = json.loads(terminal("failed", "2", "--json"))
    terminal("failed", "2", "--record", record["_record"], code=2)
    assert "--record is for --dismiss and --reopen" in terminal.err
    terminal("failed", "2", "--dismiss", "--reopen", code=2)
    assert "opposites" in terminal.err
    terminal("failed", "2", "--dismiss", "--record", record["_record"])
    terminal("retry", "2", code=2)
    assert "1 dismissed in run 2, sendoff failed 2 --reopen takes that back" in terminal.err
    assert "people: 4 rows unchanged, not sent" in terminal("run", "-q")
    assert terminal("reset", "people") == "people: 4 rows forgotten; its next run is like its first\n"
