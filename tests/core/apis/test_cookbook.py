"""The cookbook: each connector file is right, and does with the responses that an API documents what they mean.

`NAME.yaml` beside this file has the responses of an API as its documentation gives them, for four situations:

* ``sends``: the first request that the records of ``file`` must become.
* ``accepted``: whether the API works on them still when it has responded.
* ``success``, ``limited`` and ``unauthorized``: the responses, in turn; those of ``success`` follow those of ``limited``. One with
  ``when`` is given to every request whose body contains that text. The last one is repeated.
* ``one_bad``: its ``responses``, and the ``rejected`` records by their ``key``, each with some words of its reason.
* ``killed``: what the API responds to a request that it has had, and whose sender was killed before the response. Without it the
  API knows no repeat, and nothing is said of it here.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs.generator import apis
from sendoff.cli import cookbook
from sendoff.cli.schema import as_scalar
from sendoff.ledger import open_history
from sendoff.testing import Project, Received, Receiver, Reply
from tests.docs.pages import variables

FAKES = sorted(path.stem for path in Path(__file__).parent.glob("*.yaml"))
KILLED = [name for name in FAKES if "killed:" in (Path(__file__).parent / f"{name}.yaml").read_text()]
FAKED = "responses of the form that its documentation describes"
UNTESTED = "not tested against the API"
TOKEN = Reply(200, b'{"access_token": "a-token-of-the-fake", "token_type": "Bearer", "expires_in": 3600}')


class Fake:
    """An API as its documentation describes it, with a project that delivers to it."""

    def __init__(self, name: str, project: Project) -> None:
        self.name, self.project = name, project
        self.told: Mapping[str, Any] = yaml.safe_load((Path(__file__).parent / f"{name}.yaml").read_text())
        self.requests: list[Received] = []
        self.left: list[Mapping[str, Any]] = []
        self.seen = threading.Event()
        self.receiver = Receiver(self._respond)
        project(self.told["file"])
        self.records = sum(len(text.splitlines()) - name.endswith(".csv") for name, text in self.told["file"].items())

    def run(self, *responses: Mapping[str, Any], early_stop: bool = True) -> Any:
        self.left = list(responses)
        self.project({f"connectors.d/{self.name}.yaml": self.connector()})
        return self.project.runner(env=self.env()).run(self.name, early_stop=early_stop)

    def connector(self) -> str:
        """The cookbook's file, to the fake and without a wait before a retry."""
        text = re.sub(r"https?://(?=[^/\s]+/)(?!json-schema)[^/\s]+", self.receiver.url, cookbook.recipe(self.name).connector)
        text = re.sub(r"(?m)^  retry: .*\n", "", text)
        return text.replace("\ndestination:\n", "\ndestination:\n  retry: {initial_backoff: 0}\n", 1)

    def env(self) -> dict[str, str]:
        told: Mapping[str, str] = self.told.get("env", {})
        return {**variables(self.connector()), **told}

    def _respond(self, request: Received) -> Reply:
        if request.path.endswith("/token") and request.headers["content-type"] == "application/x-www-form-urlencoded":
            return TOKEN
        self.requests.append(request)
        self.seen.set()
        body = request.body.decode(errors="replace")
        conditional = [each for each in self.left if "when" in each]
        found = next((each for each in conditional if each["when"] in body), None)
        if found is None:
            turn = [each for each in self.left if "when" not in each]
            found = turn[0]
            if len(turn) > 1:
                self.left.remove(found)
        return reply(found)


def reply(told: Mapping[str, Any]) -> Reply:
    body = told.get("body", "")
    headers = {"Content-Type": "text/plain" if isinstance(body, str) else "application/json"} | told.get("headers", {})
    return Reply(told["status"], body.encode() if isinstance(body, str) else json.dumps(body).encode(), headers)


@pytest.fixture
def fake(request: pytest.FixtureRequest, project: Project) -> Iterator[Fake]:
    server = Fake(request.param, project)
    with server.receiver:
        yield server


@pytest.mark.parametrize("name", cookbook.names())
def test_a_recipe_passes_check_and_says_all_of_its_facts(name: str, project: Project) -> None:
    recipe = cookbook.recipe(name)
    assert tuple(recipe.facts) == cookbook.FACTS
    assert recipe.facts["documentation"].startswith("https://")
    assert re.search(r"\((2026-11-27|address known, page not read)\)$", recipe.facts["documentation"])
    project({f"connectors.d/{name}.yaml": recipe.text})
    project.runner(env=variables(recipe.text)).connector(name)


@pytest.mark.parametrize("name", cookbook.names())
def test_a_recipe_fits_another_source_and_another_address(name: str, project: Project) -> None:
    """A source has the fields that are needed, in other letters, and a column that the recipe does not know."""
    recipe = cookbook.recipe(name)
    fields = yaml.safe_load(recipe.text)["schema"]
    needed = [field for field, rules in fields.items() if not {"value", "nullable", "required"} & rules.keys()]
    assert recipe.missing([]) == needed
    columns = {f"{field}".upper(): f"  {field.upper()}: {{type: string}}" for field in needed} | {
        "Extra": "  Extra: {type: string}"
    }
    assert recipe.missing(list(columns)) == []
    changed = recipe.reading("source: {use: csv, path: other.csv}", columns).to("https://other.example.com/v1/x").text
    project({f"connectors.d/{name}.yaml": changed})
    connector = project.runner(env=variables(changed)).connector(name)
    assert connector.destination.url == "https://other.example.com/v1/x"
    assert {field.name for field in connector.schema.fields} >= {*columns}


@pytest.mark.parametrize("columns", [["E Mail", "email"], ["email", "E Mail", "e-mail"], ["E Mail", "EMAIL", "Email"]])
def test_columns_of_names_that_are_alike_pass_check(project: Project, columns: list[str]) -> None:
    lines = {name: f"  {as_scalar(name)}: {{type: string}}   # always empty" for name in columns}
    written = cookbook.recipe("hubspot").reading("source: {use: csv, path: c.csv}", lines)
    project({"c.csv": ",".join(columns) + "\n", "connectors.d/h.yaml": written.text})
    fields = project.runner(env={"HUBSPOT_TOKEN": "a-token-that-is-made-up"}).connector("h").schema.fields
    sent = {field.name: field.output_name for field in fields}
    assert set(columns) <= set(sent)
    assert sent["email" if "email" in columns else columns[0]] == "email"


def test_a_column_of_the_name_that_another_field_is_sent_under_gets_one_of_its_own() -> None:
    text = "# It\n\nsource: csv\nschema:\n  Email: {type: string, rename: mail}\n"
    written = cookbook.Recipe("it", "It", {}, text).reading(
        "source: jsonl", {"Email": "  Email: {type: string}", "mail": "  mail: {type: string}   # always empty"}
    )
    assert "  mail:  {type: string, rename: mail_2}   # always empty\n" in written.text


def test_check_has_no_warning_for_any_recipe(project: Project) -> None:
    for name in cookbook.names():
        project({f"connectors.d/{name}.yaml": cookbook.recipe(name).text})
    command = [sys.executable, "-c", "from sendoff.cli import main; main()", "check", "--offline", "--json"]
    done = subprocess.run(command, cwd=project.home, capture_output=True, text=True)
    said = json.loads(done.stdout)
    assert (done.returncode, said["problems"], said["warnings"]) == (0, [], [])


@pytest.mark.parametrize("name", cookbook.names())
def test_a_recipe_says_what_it_was_tested_against(name: str) -> None:
    """With the documented responses if they are beside this file; with a real server if an acceptance test names it."""
    tested = cookbook.recipe(name).facts["tested"]
    real = Path(__file__).parents[2] / "acceptance"
    driven = {api for path in real.glob("test_*.py") for api in re.findall(r'(?:connector|aws)\("([\w-]+)"', path.read_text())}
    if name in driven:
        assert tested not in (FAKED, UNTESTED), "say which server, and its version"
    else:
        assert tested == (FAKED if name in FAKES else UNTESTED)


def test_at_least_forty_apis_are_there_and_fifteen_are_tested() -> None:
    tested = [name for name in cookbook.names() if cookbook.recipe(name).facts["tested"] != UNTESTED]
    assert len(cookbook.names()) >= 40
    assert len(tested) >= 15


def test_the_pages_are_as_generated() -> None:
    assert {page: page.read_text() for page in apis.APIS.glob("*.md")} == apis.pages(), "run `make docs`"


@pytest.mark.parametrize("fake", FAKES, indirect=True)
def test_records_become_the_request_that_the_documentation_shows_and_are_delivered(fake: Fake) -> None:
    report = fake.run(*fake.told["success"])
    assert (report.state, report.delivered, report.pending) == ("complete", fake.records, 0), report
    assert report.accepted == (fake.records if fake.told.get("accepted") else 0)
    sends, first = fake.told["sends"], fake.requests[0]
    assert masked(f"{first.method} {first.path}") == sends["request"]
    for name, value in sends.get("headers", {}).items():
        assert first.headers[name.lower()] == value
    body = sends["body"]
    sent: Any = decoded(first)
    assert masked(sent if isinstance(body, str) else json.loads(sent)) == body


@pytest.mark.parametrize("fake", FAKES, indirect=True)
def test_one_bad_record_is_rejected_with_its_reason_and_no_other(fake: Fake) -> None:
    told = fake.told["one_bad"]
    report = fake.run(*told["responses"])
    rejected = told["rejected"]
    assert (report.state, report.rejected, report.pending) == ("incomplete", len(rejected), 0), report
    assert report.delivered == fake.records - len(rejected)
    failed = {
        row["record"][fake.told["key"]]: row["reason"]
        for row in open_history(fake.project.home / ".sendoff").failures(report.run)
    }
    assert set(failed) == set(rejected)
    for key, words in rejected.items():
        assert words in failed[key]


@pytest.mark.parametrize("fake", FAKES, indirect=True)
def test_a_limit_that_was_reached_is_waited_for_and_blames_no_record(fake: Fake) -> None:
    report = fake.run(*fake.told["limited"], *fake.told["success"])
    assert (report.state, report.delivered, report.rejected, report.pending) == ("complete", fake.records, 0, 0), report
    if fake.told["limited"][0]["status"] == 429:
        first, again = fake.requests[:2]
        assert (first.body, first.headers.get("idempotency-key")) == (again.body, again.headers.get("idempotency-key"))


@pytest.mark.parametrize("fake", FAKES, indirect=True)
def test_credentials_that_are_not_taken_stop_the_run_and_blame_no_record(fake: Fake) -> None:
    report = fake.run(*fake.told["unauthorized"])
    assert (report.state, report.delivered, report.rejected, report.pending) == ("stopped", 0, 0, fake.records), report
    assert len(fake.requests) <= 2


@pytest.mark.parametrize("fake", KILLED, indirect=True)
def test_a_killed_run_goes_on_and_what_the_api_had_counts_once(fake: Fake) -> None:
    told, held = fake.told["killed"], threading.Event()
    fake.project({f"connectors.d/{fake.name}.yaml": fake.connector()})
    fake.left = list(told)
    respond = fake.receiver.script
    assert callable(respond)

    def hold(request: Received) -> Reply:
        answer = respond(request)
        if len(fake.requests) == 1:
            held.wait(60)
        return answer

    fake.receiver.script = hold
    command = [sys.executable, "-c", "from sendoff.cli import main; main()", "run", "--quiet", fake.name]
    environment = {**os.environ, **fake.env()}
    first = subprocess.Popen(
        command, cwd=fake.project.home, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    assert fake.seen.wait(60)
    first.send_signal(signal.SIGKILL)
    first.wait()
    held.set()
    again = subprocess.run(command, cwd=fake.project.home, env=environment, capture_output=True, text=True)
    assert again.returncode == 0, again.stdout + again.stderr
    (run, *_) = open_history(fake.project.home / ".sendoff").runs()
    assert (run["delivered"], run["rejected"], run["pending"]) == (fake.records, 0, 0)
    assert fake.requests[0].body == fake.requests[1].body
    assert fake.requests[0].headers.get("idempotency-key") == fake.requests[1].headers.get("idempotency-key")


def decoded(request: Received) -> str:
    if request.headers.get("content-encoding") == "gzip":
        import gzip

        return gzip.decompress(request.body).decode()
    return request.body.decode()


def masked(value: Any) -> Any:
    """The body with its keys, which are of each run, as KEY."""
    text = value if isinstance(value, str) else json.dumps(value)
    text = re.sub(r"[0-9a-f]{32}", "KEY", text)
    return text if isinstance(value, str) else json.loads(text)
