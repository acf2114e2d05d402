"""What `sendoff check` writes for machines: GitHub, SARIF, pre-commit, an editor's problem matcher."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from sendoff.cli import check_again, check_formats
from sendoff.cli.check import check
from sendoff.cli.check_formats import Checked, as_github, as_sarif
from sendoff.cli.group import Project as Chosen
from sendoff.cli.group import sendoff
from sendoff.errors import Problem
from sendoff.errors.codes import CODES, Code
from sendoff.testing import Project

ROOT = Path(__file__).parents[2]
GOOD = "source: {use: csv, path: a.csv}\ndestination: {url: 'https://api.example.com/v1'}\n"
BAD = GOOD.replace("url", "ulr")


def test_every_code_has_a_cause_and_a_fix_and_is_used() -> None:
    assert set(CODES) == set(Code)
    core = "".join(file.read_text() for file in (ROOT / "core").rglob("*.py") if file.name != "codes.py")
    plugins = "".join(file.read_text() for file in (ROOT / "plugins").rglob("*.py"))
    unused = [code for code in Code if f"Code.{code.name}" not in core and f'code="{code}"' not in plugins]
    assert unused == []


#: A file, and the code of its first problem: what people do.
REACHED: dict[Code, str] = {
    Code.YAML: "source: [\n", Code.DUPLICATE_KEY: GOOD + "source: x\n", Code.EMPTY: "# nothing\n", Code.UNKNOWN_KEY: GOOD + "sorce: x\n",
    Code.MISSING: "source: {use: csv, path: a.csv}\n", Code.TYPE: GOOD + "deadline: soon\n", Code.LIMIT: GOOD + "deadline: 0\n",
    Code.CHOICE: GOOD + "unknown: maybe\n", Code.COMPONENT: GOOD + "send: bacth\n", Code.VALUE: GOOD.replace("https", "ftp"),
    Code.RULE: GOOD + "schema: {id: {type: string, format: '%Y'}}\n", Code.CONFLICT: GOOD + "send: single\non_failure: split\n",
    Code.SECRET: GOOD + "order_by: '${env:NOT_SET_ANYWHERE}'\n", Code.REFERENCE: GOOD + "schema: {id: integer}\norder_by: di\n",
    Code.FILE: GOOD,
}  # fmt: skip


@pytest.mark.parametrize("code", REACHED)
def test_what_people_do_has_its_code(project: Project, code: Code, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.home)
    project({"connectors.d/a.yaml": REACHED[code]})
    done = CliRunner().invoke(sendoff, ["check", "--json"])
    assert code in [problem["code"] for problem in json.loads(done.output)["problems"]], done.output


def test_lines_for_github_are_escaped_as_its_rules_have_it(capsys: pytest.CaptureFixture[str]) -> None:
    as_github(Checked(problems=[Problem("a,b:c%.yaml", 2, 3, "k", "50% of\r\nit: a, b\x1b[2J", Code.VALUE)]), False)
    assert capsys.readouterr().out == "::error file=a%2Cb%3Ac%25.yaml,line=2,col=3,title=value::k: 50%25 of  it: a, b [2J\n"


def test_a_place_is_given_as_far_as_it_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    """The kind: a place that a machine needs and nobody knows. SARIF and GitHub count columns from 1."""
    checked = Checked(problems=[Problem("a", 0, 0, "", "s", Code.PLUGIN), Problem("b", 2, 0, "", "s", Code.VALUE)])
    as_github(checked, False)
    assert capsys.readouterr().out == "::error file=a,title=plugin::s\n::error file=b,line=2,col=1,title=value::s\n"
    as_sarif(checked, False)
    places = [
        result["locations"][0]["physicalLocation"] for result in json.loads(capsys.readouterr().out)["runs"][0]["results"]
    ]
    assert [place.get("region") for place in places] == [None, {"startLine": 2, "startColumn": 1}]


def test_sarif_names_a_rule_and_a_place_for_each_result(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.home)
    project({"connectors.d/a b.yaml": BAD, "connectors.d/b.yaml": BAD})
    log: dict[str, Any] = json.loads(
        CliRunner().invoke(sendoff, ["check", "--format", "sarif", "connectors.d/a b.yaml"]).output
    )
    (run,) = log["runs"]
    assert log["version"] == "2.1.0"
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == set(Code)
    assert run["results"]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        (place,) = result["locations"]
        assert place["physicalLocation"]["artifactLocation"]["uri"] == "connectors.d/a%20b.yaml"
        assert place["physicalLocation"]["region"]["startLine"] >= 1


def test_the_workflow_of_the_page_is_one_to_github(tmp_path: Path) -> None:
    page = (ROOT / "docs/how-to/check-in-ci.md").read_text()
    found = re.search(r"```yaml file=\.github/workflows/connectors\.yaml\n(.*?)```", page, re.DOTALL)
    assert found
    (tmp_path / "workflow.yaml").write_text(found[1])
    words = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.github-workflows",
        str(tmp_path / "workflow.yaml"),
    ]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_hook_checks_the_files_that_it_is_given_and_only_these(project: Project) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    project({"connectors.d/good.yaml": GOOD, "connectors.d/bad.yaml": BAD})
    program, *words = shlex.split(hook["entry"])
    for name, code in (("good", 0), ("bad", 2)):
        file = f"connectors.d/{name}.yaml"
        assert re.search(hook["files"], file)
        done = subprocess.run([sys.executable, "-m", program, *words, file], cwd=project.home, capture_output=True)
        assert done.returncode == code, done.stdout


def test_watching_checks_again_after_a_change_and_only_then(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project.home)
    project({"connectors.d/a.yaml": GOOD, "a.csv": "id\n1\n"})
    changes: list[dict[str, str]] = [
        {},
        {"connectors.d/a.yaml": BAD},
        {},
        {"connectors.d/a.yaml": GOOD},
        {"a.csv": "id\n1\n2\n"},
        {},
    ]

    def sleep(seconds: float) -> None:
        if not changes:
            raise KeyboardInterrupt
        project(changes.pop(0))

    chosen = Chosen.chosen(Path("connectors.d"), None, None, None)
    with pytest.raises(KeyboardInterrupt):
        check_again.forever(chosen, lambda now: check(now, (), offline=False), False, sleep)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("check: end")] == [
        "check: end: 0 problems, 0 warnings", "check: end: 2 problems, 0 warnings", "check: end: 0 problems, 0 warnings",
        "check: end: 0 problems, 0 warnings",
    ]  # fmt: skip
    matcher = re.compile(r"^(?:warning: )?(.+?\.ya?ml):(\d+):(\d+): (.+) \[([a-z-]+)\]$")
    assert len([line for line in lines if matcher.match(line)]) == 2
    assert check_formats.FORMATS["text"] is check_formats.as_text
