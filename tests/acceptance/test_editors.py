"""Connector files in an editor, by the language server that editors use."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import wanted

from .language_server import LanguageServer
from .servers import YAML_LANGUAGE_SERVER

PLUGIN = '''
from sendoff.plugin import Source, hookimpl, option, optional


class HouseQueue(Source):
    """The queue of the house."""

    name = "house_queue"
    options = {
        "topic": option("What is read from `the` queue.", type="string"),
        "start": option("Where it begins.", type="string", allowed=["first", "last"], default="first"),
        "most": optional("Maximum messages.", type="integer", min=1, max=1000),
    }

    def read(self, cursor):
        yield {"id": 1}


@hookimpl
def sendoff_sources():
    return [HouseQueue]
'''

WRONG = """\
source:
  use: house_queue
  start: middle
  most: 2000
  topik: orders
schema:
  email: strin
  id: {type: integer, minlenght: 2}
destination:
  url: https://api.example.com/v1
  metod: POST
  timeout: 90000
  concurrency: [1]
  rate_limit: 10
  response: {stop_when: {status: [500]}}
  auth: {use: basic, user: x}
send: {use: batch, max_records: 0}
on_failure: splt
notify: [webhook]
"""

RIGHT = """\
source: {use: house_queue, topic: orders}
schema:
  email: string
  name:
  id: {type: [integer, string]}
destination:
  url: https://api.example.com/v1
  method: ${env:METHOD:-POST}
  headers:
  rate_limit: 10/s
  idempotency: false
  response: {stop_when: {status: 400}}
send: batch
on_failure: {use: split}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    wanted(YAML_LANGUAGE_SERVER)
    (tmp_path / "plugins.d").mkdir()
    (tmp_path / "plugins.d/queue.py").write_text(PLUGIN)
    assert sendoff(tmp_path, "init").returncode == 0
    return tmp_path


@pytest.fixture
def editor(home: Path) -> Iterator[LanguageServer]:
    with LanguageServer(YAML_LANGUAGE_SERVER, home) as server:
        yield server


def sendoff(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sendoff", *arguments]
    return subprocess.run(command, cwd=home, capture_output=True, text=True)


def connector(home: Path, text: str, name: str = "orders.yaml") -> Path:
    file = home / "connectors.d" / name
    file.parent.mkdir(exist_ok=True)
    leads = "# yaml-language-server: $schema=" + "../" * name.count("/") + ".connector.schema.json"
    file.write_text(f"{leads}\n{text}")
    return file


def test_the_editor_finds_the_mistakes_that_check_finds_in_the_same_lines(home: Path, editor: LanguageServer) -> None:
    file = connector(home, WRONG)
    shown = editor.open(file)
    found = json.loads(sendoff(home, "check", "--offline", "--json").stdout)["problems"]
    missing = [problem for problem in found if problem["sentence"] == "is missing"]
    lines = {problem["line"] for problem in found if problem not in missing}
    assert lines == {4, 5, 6, 8, 9, 12, 13, 14, 15, 16, 18, 19}, found
    # What is missing the editor shows where the mapping's key is, and `check` where the mapping is.
    assert {each["range"]["start"]["line"] + 1 for each in shown} == lines | {2, 17, 20}, shown
    assert {problem["path"] for problem in missing} == {"source.topic", "destination.auth.password", "notify[0].url"}
    said = " ".join(each["message"] for each in shown)
    assert 'Missing property "topic"' in said
    assert 'Missing property "password"' in said
    assert "No failure strategy that may stand alone has this name. There are fail, split." in said


def test_a_right_file_has_no_mistake_whether_its_first_line_or_the_settings_lead_to_the_schema(home: Path) -> None:
    settings = json.loads((home / ".vscode/settings.json").read_text())
    plain = home / "connectors.d/plain.yaml"
    plain.write_text(RIGHT)
    files = [connector(home, RIGHT), connector(home, RIGHT, "crm/inside.yaml"), plain]
    assert sendoff(home, "check", "--offline").returncode == 0
    with LanguageServer(
        YAML_LANGUAGE_SERVER, home, {"yaml": {"schemas": settings["yaml.schemas"], "validate": True}}
    ) as editor:
        assert [editor.open(file) for file in files] == [[], [], []]
        other = home / "connectors.d/other.yaml"
        other.write_text(RIGHT.replace("method:", "metod:"))
        assert [each["message"] for each in editor.open(other)] == ["Property metod is not allowed."]


def test_the_editor_completes_components_their_options_and_keys(home: Path, editor: LanguageServer) -> None:
    file = connector(
        home,
        "source:\n  use: \ndestination:\n  url: https://x.example.com/a\n  \nsend:\n  use: batch\n  \n"
        "schema:\n  id: {type: }\n  name: \non_failure: \n",
    )
    editor.open(file)
    assert {"house_queue", "csv", "sql"} <= set(editor.complete(file, 2, 7))
    assert {"method", "headers", "rate_limit", "auth"} <= set(editor.complete(file, 5, 2))
    assert {"max_records", "max_bytes", "envelope"} <= set(editor.complete(file, 8, 2))
    assert {"string", "datetime", "decimal"} <= set(editor.complete(file, 10, 13))
    assert {"string", "datetime", "decimal"} <= set(editor.complete(file, 11, 8))
    assert editor.complete(file, 12, 12) == ["fail", "split"]
    inside = connector(home, "source:\n  use: house_queue\n  \ndestination: {url: https://x.example.com/a}\n", "other.yaml")
    editor.open(inside)
    assert {"topic", "start", "most", "timezone"} <= set(editor.complete(inside, 3, 2))
    assert "path" not in editor.complete(inside, 3, 2)


def test_the_editor_shows_the_help_of_keys_and_of_a_plugins_options(home: Path, editor: LanguageServer) -> None:
    file = connector(
        home, "source:\n  use: house_queue\n  topic: orders\ndestination:\n  timeout: 5\n  url: https://x.example.com/a\n"
    )
    editor.open(file)
    assert "What is read from `the` queue." in editor.hover(file, 3, 4)
    assert "Seconds a whole attempt may take" in editor.hover(file, 5, 4)
    assert "The queue of the house. From plugins.d/queue.py." in editor.hover(file, 2, 8)
