"""What `sendoff check --format sarif` writes, by the schema that SARIF's own tool brings."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from sendoff.cli.group import sendoff
from sendoff.testing import Project
from tests.acceptance.servers import suite

GOOD = "source: {use: csv, path: a.csv}\ndestination: {url: 'https://api.example.com/v1'}\n"
FILES = {
    "good": {"connectors.d/a.yaml": GOOD, "a.csv": "id\n1\n"},
    "mistakes": {"connectors.d/a b.yaml": GOOD.replace("url", "ulr"), "connectors.d/é.yaml": "source: [\n"},
    "warnings": {"connectors.d/a.yaml": GOOD + "on_failure: split\n", "a.csv": "id\n1\n"},
    "no connector": {},
}


@pytest.mark.parametrize("files", FILES.values(), ids=FILES)
def test_what_check_writes_as_sarif_is_sarif(project: Project, monkeypatch: pytest.MonkeyPatch, files: dict[str, str]) -> None:
    monkeypatch.chdir(project.home)
    project(files)
    log: dict[str, Any] = json.loads(CliRunner().invoke(sendoff, ["check", "--format", "sarif"]).stdout)
    rules = json.loads((suite("sarif") / "sarif-2.1.0.json").read_text())
    validator = jsonschema.validators.validator_for(rules)(rules)
    assert [error.message for error in validator.iter_errors(log)] == []
    log["runs"][0]["tool"]["driver"]["name"] = 1
    assert list(validator.iter_errors(log)), "and it would see a mistake"
