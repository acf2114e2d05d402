"""The reference has what programs rely on: JSON fields, environment variables, options with what they allow."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import click
import pytest
from click.testing import CliRunner

from docs.generator import outputs
from docs.generator.page import REFERENCE
from sendoff.cli.group import COMMANDS, Commands, sendoff
from sendoff.config.spec import CONNECTOR
from sendoff.monitoring.report import Report
from sendoff.testing import Project, Receiver

from .pages import ROOT


def printed(project: Project, command: str) -> Any:
    """What a command prints as JSON."""
    arguments = ["-d", str(project.home / "connectors.d"), *command.split()]
    return json.loads(CliRunner().invoke(sendoff, arguments).stdout)


def test_the_json_of_every_command_has_the_fields_on_the_page(project: Project, receiver: Receiver) -> None:
    (project.home / "a.csv").write_text("id\n1\n")
    (project.home / "connectors.d/a.yaml").write_text(
        f"source: {{use: csv, path: a.csv}}\nschema: {{id: integer}}\ndestination: {{url: {receiver.url}}}\n"
        "schedule: {cron: 0 7 * * *, timezone: Europe/Berlin}\n"
    )
    for command, fields in outputs.JSON.items():
        shown = printed(project, command.replace("RUN", "1"))
        one = shown[0] if isinstance(shown, list) else shown
        assert set(one) == set(fields), command
        if command == "run --json":
            assert [*one["runs"][0]] == [*Report.FIELDS]


def test_every_command_that_prints_json_is_on_the_page() -> None:
    """`infer` prints a schema, `retry` what `run` prints, and `failed` the records' own fields."""
    printing = set()
    for name in COMMANDS:
        command = Commands("sendoff").get_command(click.Context(sendoff), name)
        each = [(name, command), *(command.commands.items() if isinstance(command, click.Group) else ())]
        printing |= {inner for inner, one in each if one and any("--json" in option.opts for option in one.params)}
    described = {command.split()[0] for command in outputs.JSON}
    assert printing - described <= {"infer", "retry", "failed"}
    assert described <= printing


def test_every_variable_that_the_code_names_is_on_the_page() -> None:
    code = "".join(path.read_text() for room in ("core", "plugins") for path in (ROOT / room).rglob("*.py"))
    named = set(re.findall(r"[\"'](SENDOFF_[A-Z_]+)[\"']", code))
    assert named
    assert named <= set(outputs.environment())


def test_every_command_and_each_of_its_options_is_on_the_page() -> None:
    page = (REFERENCE / "commands.md").read_text()
    for name in COMMANDS:
        command = Commands("sendoff").get_command(click.Context(sendoff), name)
        for each in [command, *(command.commands.values() if isinstance(command, click.Group) else ())]:
            assert each
            for option in each.params:
                if isinstance(option, click.Option):
                    assert all(f"`{spelled}`" in page for spelled in option.opts), option


@pytest.mark.parametrize("page", ["connector-file", "destination", "response"])
def test_options_with_a_list_of_values_show_them(page: str) -> None:
    """Of the options of connector files; nearly all have an example from the pages, too."""
    text = (REFERENCE / f"{page}.md").read_text()

    lists: dict[str, list[str | None]] = {}

    def look(rules: Mapping[str, Any]) -> None:
        for name, rule in rules.items():
            allowed = rule.get("allowed")
            lists.setdefault(name, []).append(", ".join(f"`{value}`" for value in allowed) if allowed else None)
            if isinstance(rule.get("schema"), Mapping):
                look({key: each for key, each in rule["schema"].items() if isinstance(each, Mapping)})

    look(CONNECTOR)
    for name, values in lists.items():
        for row in re.findall(rf"^\| `{name}` \|.*", text, re.MULTILINE):
            assert None in values or any(str(each) in row for each in values), row
    options = re.findall(r"^\| `\w+` \|.*", text, re.MULTILINE)
    assert sum("See [" in option for option in options) > 0.75 * len(options)
