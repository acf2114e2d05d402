"""`sendoff check`: where neither secrets nor data are, and where there is nothing to check."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sendoff.cli import group
from sendoff.cli.group import COMMANDS, sendoff
from sendoff.errors import ConfigError
from sendoff.testing import Project

GOOD = """
source: {use: csv, path: gone.csv}
schema: {id: {type: integer}}
destination:
  url: "${env:API_URL}/v1"
  headers: {Authorization: "Bearer ${file:secrets/token}"}
  tls: {ca: gone.pem}
send: batch
"""


def run(project: Project, monkeypatch: pytest.MonkeyPatch, *words: str, environment: Mapping[str, str] | None = None) -> Result:
    monkeypatch.chdir(project.home)
    return CliRunner().invoke(sendoff, words, env={"SENDOFF_PLUGINS": None, **(environment or {})})


def test_offline_takes_no_secret_in_a_body_for_a_field(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unset `${env:KEY}` by itself began with a dollar, as a field does. Kind: text that stands for what is not known."""
    text = "source: {use: csv, path: a.csv}\ndestination: {url: 'https://api.example.com/v1'}\n"
    sent = "send: {use: batch, envelope: {key: '${env:KEY}', rows: $records}, record: {token: '${env:KEY}', row: $record}}\n"
    project({"connectors.d/a.yaml": text + sent})
    done = run(project, monkeypatch, "check", "--offline")
    assert (done.exit_code, done.output) == (0, "1 connector: nothing wrong\n")


def test_offline_needs_no_secret_and_no_file_and_finds_what_is_wrong_in_the_files(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For continuous integration, which has neither. Brother: a shared destination, whose secrets are not there either."""
    project({"connectors.d/a.yaml": GOOD})
    assert run(project, monkeypatch, "check").exit_code == 2
    done = run(project, monkeypatch, "check", "--offline")
    assert (done.exit_code, done.output) == (0, "1 connector: nothing wrong\n")
    project({"destinations.d/api.yaml": 'url: "${env:API_URL}"\n'})
    project({"connectors.d/a.yaml": GOOD.replace('url: "${env:API_URL}/v1"', "extends: api\n  concurency: 3")})
    done = run(project, monkeypatch, "check", "--offline", "--json")
    assert done.exit_code == 2
    (problem,) = json.loads(done.output)["problems"]
    assert (problem["line"], problem["path"]) == (6, "destination.concurency")


def test_offline_warns_of_what_needs_no_secret_and_counts_it(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kind: "nothing wrong" below a warning. Brother: with secrets and data, where the warnings are the same."""
    warned = GOOD.replace("tls: {ca: gone.pem}", "tls: {verify: false}") + "on_failure: split\n"
    project({"connectors.d/a.yaml": warned, "gone.csv": "id\n1\n", "secrets/token": "long-enough"})
    done = run(project, monkeypatch, "check", "--offline")
    with_all = run(project, monkeypatch, "check", environment={"API_URL": "https://api.example.com"})
    assert (done.exit_code, done.output) == (0, with_all.output)
    first, second, last = done.output.splitlines()
    assert first.endswith(" [double-delivery]") != second.endswith(" [double-delivery]")
    assert "connectors.d/a.yaml:7:17: destination.tls.verify: any server is accepted" in done.output
    assert last == "1 connector: 2 warnings"


def test_a_secret_that_is_not_set_is_one_mistake_and_not_two(project: Project) -> None:
    project({"connectors.d/a.yaml": GOOD.replace("  tls: {ca: gone.pem}\n", "").replace("${file:secrets/token}", "x")})
    with pytest.raises(ConfigError) as raised:
        project.runner().connector("a")
    (problem,) = raised.value.problems
    assert "API_URL" in str(problem)


def test_a_directory_without_connectors_is_no_silent_success(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind: a check that found nothing wrong, as it found nothing. Brother: one whose files are all empty."""
    for files in ({}, {"connectors.d/a.yaml": ""}):
        project(files)
        done = run(project, monkeypatch, "check")
        assert done.exit_code == 2
        assert ("`sendoff new NAME` creates one" in done.output) != bool(files)


@pytest.mark.parametrize(
    "rest", ["", "# who to ask: somebody\n", "source: {use: csv, pa", "source: {use: csv, path: gone.csv}\n"]
)
def test_an_empty_or_cut_off_connector_file_is_a_mistake(project: Project, monkeypatch: pytest.MonkeyPatch, rest: str) -> None:
    project({"connectors.d/a.yaml": GOOD, "connectors.d/cut.yaml": rest})
    done = run(project, monkeypatch, "check", "--offline")
    assert done.exit_code == 2
    assert done.output.startswith("connectors.d/cut.yaml:1:")
    assert run(project, monkeypatch, "check", "--offline", "a").exit_code == 0


def test_a_directory_that_is_not_there_is_a_mistake_in_every_format(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(project, monkeypatch, "-d", "elsewhere", "check", "--format", "json")
    assert (done.exit_code, json.loads(done.output)["problems"][0]["code"]) == (2, "project")


def test_two_files_of_one_name_in_two_folders_are_both_checked(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project({"y/c.yaml": "source: 1\n", "x/c.yaml": GOOD})
    done = run(project, monkeypatch, "check", "--offline", "y/c.yaml", "x/c.yaml")
    assert done.exit_code == 2
    assert "y/c.yaml:1:" in done.output


def test_a_bare_name_is_the_connector_and_else_the_file(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kind: a name that means one thing to `run` and another to `check`."""
    project({"connectors.d/a.yaml": GOOD, "a": "source: 1\n", "b": "source: 1\n"})
    assert run(project, monkeypatch, "check", "--offline", "a").output == "1 connector: nothing wrong\n"
    assert run(project, monkeypatch, "check", "--offline", "b").output.startswith("b:1:1: ")
    assert run(project, monkeypatch, "check", "--offline", "./a").output.startswith("a:1:1: ")


WORDS: dict[str, tuple[str, ...]] = {
    "new": ("fresh",), "preview": ("a",), "failed": ("1",), "results": ("1",), "retry": ("1",), "reset": ("a",),
    "schedule": ("export", "cron"), "schema": ("infer", "people.csv"), "duplicate": ("a", "b"), "edit": ("a",),
    "delete": ("a", "--yes"), "sandbox": ("--port", "0", "--", "true"),
}  # fmt: skip


@pytest.mark.parametrize("way", ["option", "variable"])
@pytest.mark.parametrize("command", COMMANDS)
def test_plugins_that_are_not_allowed_are_loaded_by_no_command(
    project: Project, monkeypatch: pytest.MonkeyPatch, command: str, way: str
) -> None:
    """The kind: a guard that one door does not have. Brother: the variable, and an empty one."""
    mark = project.home / "loaded"
    text = GOOD + 'schedule: {cron: "0 7 * * *", timezone: UTC}\n'
    project({"plugins.d/x.py": f"open({str(mark)!r}, 'w')\n", "people.csv": "id\n1\n", "connectors.d/a.yaml": text})
    monkeypatch.setenv("EDITOR", "true")
    if way == "option":
        run(project, monkeypatch, "--plugins", "", command, *WORDS.get(command, ()))
    else:
        run(project, monkeypatch, command, *WORDS.get(command, ()), environment={"SENDOFF_PLUGINS": ""})
    assert not mark.exists()


def test_commands_make_a_runner_in_one_place() -> None:
    commands = Path(group.__file__).parent
    made = [file.name for file in commands.glob("*.py") if " Runner(" in file.read_text()]
    assert made == ["group.py"]
