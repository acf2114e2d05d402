"""`--env-file`: variables from a file, only if asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from sendoff.cli.group import sendoff as command
from sendoff.config.env_file import EnvFile
from sendoff.errors import ConfigError
from sendoff.testing import Project, Receiver

CONNECTOR = """\
source: {{use: csv, path: people.csv}}
destination: {{url: "{url}/p", headers: {{X-Token: "${{env:TOKEN}}"}}}}
"""


@pytest.fixture
def home(project: Project, receiver: Receiver) -> Path:
    project({"people.csv": "id\n1\n", "connectors.d/people.yaml": CONNECTOR.format(url=receiver.url)})
    (project.home / ".env").write_text("# ours\nexport TOKEN='from the file'\n")
    (project.home / ".env").chmod(0o600)
    return project.home


def run(home: Path, *words: str, env: Mapping[str, str | None] | None = None, code: int = 0) -> str:
    with contextlib.chdir(home):
        done = CliRunner().invoke(command, words, env={"TOKEN": None, "SENDOFF_ENV_FILE": None, **(env or {})})
    assert (2 if isinstance(done.exception, ConfigError) else done.exit_code) == code, (done.output, done.exception)
    return done.output + (str(done.exception) if code else "")


def test_a_file_is_read_where_it_is_asked_for_by_option_or_by_variable_and_never_by_itself(
    home: Path, receiver: Receiver
) -> None:
    assert "the environment variable TOKEN is not set; set it" in run(home, "run", code=2)
    run(home, "--env-file", ".env", "run")
    run(home, "run", env={"SENDOFF_ENV_FILE": ".env"})
    assert [request.headers["x-token"] for request in receiver.requests] == ["from the file"] * 2


def test_a_variable_that_is_set_already_holds(home: Path, receiver: Receiver) -> None:
    run(home, "--env-file", ".env", "run", env={"TOKEN": "from outside"})
    assert receiver.requests[0].headers["x-token"] == "from outside"


def test_a_value_from_the_file_is_never_shown(home: Path) -> None:
    shown = run(home, "--env-file", ".env", "preview", "people", "--as", "curl")
    assert "from the file" not in shown
    assert "${TOKEN}" in shown


def test_a_variable_that_is_in_neither_place_is_named_with_the_file(home: Path) -> None:
    (home / ".env").write_text("OTHER=1\n")
    said = run(home, "--env-file", ".env", "check", code=2)
    assert "connectors.d/people.yaml:2" in said
    assert "the environment variable TOKEN is not set, neither in .env nor outside" in said


def test_every_mistake_in_the_file_is_reported_with_its_line_and_without_its_value(home: Path) -> None:
    (home / ".env").write_text("A=1\n\n# a note\nhunter2secret\n\nB='unclosed-hunter3\nA=2\n")
    said = run(home, "--env-file", ".env", "run", code=2)
    assert ".env:4:1: must be NAME=value" in said
    assert ".env:6:1: must be NAME=value" in said
    assert ".env:7:1: A is set already in line 1" in said
    assert "hunter" not in said


def test_a_file_that_cannot_be_read_is_named(home: Path) -> None:
    assert "odd.env: cannot be read: No such file or directory" in run(home, "--env-file", "odd.env", "run", code=2)


@pytest.mark.parametrize("begin", [b"A=1\nB=", b"\xef\xbb\xbfA=1\nB="])
def test_what_is_not_utf_8_is_told_with_its_place(home: Path, begin: bytes) -> None:
    (home / "odd.env").write_bytes(begin + b"\xe9\n")
    assert "odd.env:2:3: is not UTF-8: there is the byte 0xE9" in run(home, "--env-file", "odd.env", "run", code=2)


def test_a_value_without_quotes_ends_before_a_blank_and_a_number_sign(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=abc #1\nB='abc #1'\nC=abc#1\n")
    found = EnvFile.read(tmp_path / ".env")
    assert [found[name] for name in "ABC"] == ["abc", "abc #1", "abc#1"]


def test_doctor_says_which_file_was_read_and_who_can_read_it(home: Path) -> None:
    assert "ok  env file     .env, 1 variable\n" in run(home, "--env-file", ".env", "doctor")
    assert "env file     none is read; --env-file or SENDOFF_ENV_FILE names one" in run(home, "doctor")
    (home / ".env").chmod(0o644)
    assert "!!  env file     .env, 1 variable: other users can read it; chmod 600" in run(
        home, "--env-file", ".env", "doctor", code=2
    )
    (home / ".env").write_text("oops\n")
    assert "!!  env file     .env: .env:1:1: must be NAME=value" in run(home, "--env-file", ".env", "doctor", code=2)


def test_values_stand_in_quotes_over_lines_and_with_comments_as_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PLAIN", "KEY", "DOLLAR", "EMPTY"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "a.env"
    file.write_text('\ufeffPLAIN = a b # note\nKEY="-----BEGIN\nEND-----\\n"\nDOLLAR=a${PLAIN}$b\nEMPTY=\n', encoding="utf-8")
    read = EnvFile.read(file)
    assert (read["PLAIN"], read["KEY"], read["DOLLAR"], read["EMPTY"]) == ("a b", "-----BEGIN\nEND-----\n", "a${PLAIN}$b", "")
    assert read.count == 4
