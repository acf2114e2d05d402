"""The files that lead an editor to the schema."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from sendoff.cli.group import sendoff as command
from sendoff.editors.project import CHECKED_LINE, with_modeline
from sendoff.errors import ConfigError

PLUGIN = '''
from sendoff.plugin import Source, hookimpl, option


class HouseQueue(Source):
    """The queue of the house."""

    name = "house_queue"
    options = {"topic": option("What is read.", type="string")}

    def read(self, cursor):
        yield {"id": 1}


@hookimpl
def sendoff_sources():
    return [HouseQueue]
'''


def sendoff(home: Path, *words: str, code: int = 0) -> str:
    """What a command prints; in this process, as what imports every component takes a while."""
    with contextlib.chdir(home):
        done = CliRunner().invoke(command, words)
    assert (2 if isinstance(done.exception, ConfigError) else done.exit_code) == code, done.output
    return done.output + (str(done.exception) if code else "")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("project")
    sendoff(home, "init")
    (home / "people.csv").write_text("id,email\n1,ann@example.com\n")
    return home


def test_a_schema_is_stale_once_a_plugin_has_come_and_is_written_anew(home: Path) -> None:
    file = home / "connectors.d/.connector.schema.json"
    assert "up to date" in sendoff(home, "schema", "editor", "--check")
    (home / "plugins.d").mkdir()
    (home / "plugins.d/queue.py").write_text(PLUGIN)
    before = file.read_text()
    assert "connectors.d/.connector.schema.json is stale; `sendoff schema editor` writes it" in sendoff(
        home, "schema", "editor", "--check", code=2
    )
    printed = sendoff(home, "schema", "editor", "--print")
    assert file.read_text() == before
    said = sendoff(home, "schema", "editor")
    assert re.search(r"written, for the components of plugins.d/queue.py, sendoff [\d.]+\n", said)
    assert "# yaml-language-server: $schema=.connector.schema.json" in said
    assert file.read_text() == printed
    assert "sources.house_queue" in json.loads(printed)["definitions"]
    file.unlink()
    assert "is not there" in sendoff(home, "schema", "editor", "--check", code=2)
    assert "no such directory; `sendoff -d DIRECTORY` names another, `sendoff init` creates one" in sendoff(
        home, "-d", "none", "schema", "editor", code=2
    )
    sendoff(home, "schema", "editor")


def test_new_files_name_the_schema_in_their_first_line_and_copies_from_where_they_are(home: Path) -> None:
    sendoff(home, "new", "people", "--from", "people.csv")
    sendoff(home, "new", "contacts", "--api", "hubspot")
    leads = "# yaml-language-server: $schema=.connector.schema.json\n"
    for name in ("people", "contacts"):
        assert (home / f"connectors.d/{name}.yaml").read_text().startswith(leads)
    inside = home / "connectors.d/crm/inside.yaml"
    inside.parent.mkdir()
    text = (home / "connectors.d/people.yaml").read_text().removeprefix(leads)
    inside.write_bytes(f"\ufeff{leads.replace('=', '=../')}{text}".replace("\n", "\r\n").encode())
    sendoff(home, "duplicate", "inside", "copy")
    assert (home / "connectors.d/copy.yaml").read_bytes() == f"{leads}{text}".replace("\n", "\r\n").encode()
    sendoff(home, "check", "copy")
    plain = home / "plain"
    (plain / "connectors.d").mkdir(parents=True)
    sendoff(plain, "new", "people")
    assert (plain / "connectors.d/people.yaml").read_text().startswith("# people:")


@pytest.mark.parametrize("has_schema", [True, False])
def test_a_line_to_another_schema_stays(tmp_path: Path, has_schema: bool) -> None:
    if has_schema:
        (tmp_path / ".connector.schema.json").write_text("{}")
    text = "# yaml-language-server: $schema=https://example.com/ours.json\nsource: stdin\n"
    assert with_modeline(text, tmp_path / "a.yaml", tmp_path) == text
    ours = "# yaml-language-server: $schema=../.connector.schema.json\n"
    leads = ours.replace("../", "") if has_schema else ""
    assert with_modeline(f"{ours}source: stdin\n", tmp_path / "a.yaml", tmp_path) == f"{leads}source: stdin\n"


def test_settings_for_vs_code_are_written_where_there_are_none_and_left_alone_where_there_are(
    home: Path, tmp_path: Path
) -> None:
    settings = json.loads((home / ".vscode/settings.json").read_text())
    (schema,) = settings["yaml.schemas"]
    assert (home / schema).is_file()
    assert settings["yaml.schemas"][schema] == ["connectors.d/**/*.yaml", "connectors.d/**/*.yml"]
    assert json.loads((home / ".vscode/extensions.json").read_text()) == {"recommendations": ["redhat.vscode-yaml"]}
    (tmp_path / ".vscode").mkdir()
    sendoff(tmp_path, "init")
    assert list((tmp_path / ".vscode").iterdir()) == []
    assert (tmp_path / "connectors.d/.connector.schema.json").is_file()


def test_the_problem_matcher_reads_what_check_prints(home: Path) -> None:
    (task,) = json.loads((home / ".vscode/tasks.json").read_text())["tasks"]
    pattern = task["problemMatcher"]["pattern"]
    assert pattern["regexp"] == CHECKED_LINE
    (home / "connectors.d/wrong.yaml").write_text(
        "source: {use: csv, path: people.csv}\ndestination:\n  url: https://api.example.com/a\n  metod: PUT\nsend: {record: {a: a$$b}}\n"
    )
    read = [match for line in sendoff(home, "check", "wrong", code=2).splitlines() if (match := re.match(CHECKED_LINE, line))]
    assert [(match[pattern["file"]], match[pattern["line"]], match[pattern["column"]]) for match in read] == [
        ("connectors.d/wrong.yaml", "4", "3")
    ]
    assert read[0][pattern["message"]] == "destination.metod: unknown key; did you mean 'method'?"
    assert read[0][pattern["code"]] == "unknown-key"
    (home / "connectors.d/wrong.yaml").unlink()
