"""B9, X5: what others wrote moves no cursor, forges no line, and is no formula: names of files, fields and columns, and reasons."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sendoff.cleaning import clean, defuse_formula, escape_in_json, restore_formula
from sendoff.testing import Project, Received, Receiver, Reply
from sendoff_plugins.notifiers.webhook import Webhook

#: Sets a title, clears the screen in one character of C1, reverses what follows, and begins a line of its own.
HOSTILE = "\x1b]0;title\x07\x9b2J\u202e\nforged: all is well"
#: What sendoff itself writes: colours, and the lines of the progress, which it clears and writes anew.
OWN = re.compile(rb"\x1b\[(?:[0-9;]*m|J|[0-9]+A)|\r")


def on_a_terminal(*words: str, cwd: Path) -> bytes:
    """Everything that a command writes to a terminal, as a person's would get it."""
    ours, theirs = pty.openpty()
    done = subprocess.Popen([sys.executable, "-m", "sendoff", *words], cwd=cwd, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = b""
    try:
        while data := os.read(ours, 65536):
            said += data
    except OSError as error:
        if error.errno != errno.EIO:  # so Linux says that the other side is closed
            raise
    finally:
        os.close(ours)
        done.wait()
    return said


def check(said: bytes, *, lines_of_its_own: bool = False) -> None:
    """Nothing but lines of text, and what sendoff writes itself; a cell of CSV may have several lines, in quotes."""
    text = OWN.sub(b"", said).decode()
    for line in text.split("\n"):
        assert clean(line) == line, line
        assert lines_of_its_own or not line.startswith("forged"), line


def project_with(project: Project, case: str, url: str) -> Project:
    to = f"destination: {{url: '{url}/no'}}\n"
    files: dict[str, dict[str, str | bytes]] = {
        "the name of a file that is rejected": {
            f"in/a{HOSTILE}.jsonl": '{"a": 1}\n',
            "connectors.d/c.yaml": "source: {use: jsonl, path: in/*}\n" + to,
        },
        "the name of a file that is broken": {
            f"in/a{HOSTILE}.jsonl": b"\x1f\x8bx",
            "connectors.d/c.yaml": "source: {use: jsonl, path: in/*}\n" + to,
        },
        "the name of a field": {
            "in.jsonl": json.dumps({"a": 1, f"b{HOSTILE}": 2}) + "\n",
            "connectors.d/c.yaml": "source: {use: jsonl, path: in.jsonl}\nschema: {a: integer}\nunknown: forbid\n" + to,
        },
        "the name of a column": {
            "in.csv": f'a,"b{HOSTILE}"\n1,2\n',
            "connectors.d/c.yaml": "source: {use: csv, path: in.csv}\nschema: {a: integer}\nunknown: forbid\n" + to,
        },
        "a value": {
            "in.jsonl": json.dumps({"a": f"x{HOSTILE}"}) + "\n",
            "connectors.d/c.yaml": "source: {use: jsonl, path: in.jsonl}\nschema: {a: integer}\n" + to,
        },
        "what an API says": {
            "in.jsonl": '{"a": 1}\n',
            "connectors.d/c.yaml": "source: {use: jsonl, path: in.jsonl}\n" + to.replace("/no", "/evil"),
        },
        "what a source's API says": {
            "connectors.d/c.yaml": f"source: {{use: http, url: '{url}/evil'}}\n" + to,
        },
        "what a program says": {
            "say.sh": "printf '\\033]0;title\\007\\302\\2332J forged' >&2; exit 3",
            "connectors.d/c.yaml": "source: {use: command, command: [sh, say.sh]}\n" + to,
        },
        "what a webhook says": {
            "in.jsonl": '{"a": 1}\n',
            "connectors.d/c.yaml": "source: {use: jsonl, path: in.jsonl}\n"
            f"notify: [{{use: webhook, url: '{url}/evil'}}]\n" + to,
        },
    }
    return project(files[case])


CASES = (
    "the name of a file that is rejected", "the name of a file that is broken", "the name of a field", "the name of a column",
    "a value", "what an API says", "what a source's API says", "what a program says", "what a webhook says",
)  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_nothing_from_outside_moves_a_terminal_or_forges_a_line(project: Project, receiver: Receiver, case: str) -> None:
    def answer(request: Received) -> Reply:
        said = f"no{HOSTILE}" if request.path.endswith("evil") else "no"
        return Reply(
            403 if "source" in case or "webhook" in case else 400, json.dumps({"error": said}, ensure_ascii=False).encode()
        )

    receiver.script = answer
    project_with(project, case, receiver.url)
    commands = [("run", "c", "--no-early-stop"), ("failed", "1"), ("failed", "1", "--csv"), ("failed", "1", "--jsonl")]
    commands += [
        ("failed", "1", "--json"),
        ("runs", "1"),
        ("runs", "1", "--requests"),
        ("check",),
        ("preview", "c"),
        ("run", "c"),
    ]
    said = [on_a_terminal(*words, cwd=project.home) for words in commands]
    assert b"title" in b"".join(said)
    for words, each in zip(commands, said, strict=True):
        check(each, lines_of_its_own="--csv" in words)


def test_a_captured_value_s_name_and_text_are_clean_in_a_table_and_exact_in_json(project: Project, receiver: Receiver) -> None:
    receiver.script = lambda request: Reply(200, json.dumps({"id": HOSTILE}, ensure_ascii=False).encode())
    text = f"source: {{use: jsonl, path: in.jsonl}}\nsend: single\ndestination: {{url: '{receiver.url}', response: {{capture: {{id: $.id}}}}}}\n"
    project({"in.jsonl": '{"a": 1}\n', "connectors.d/c.yaml": text})
    project.run("c")
    check(on_a_terminal("results", "1", cwd=project.home))
    lines = on_a_terminal("results", "1", "--jsonl", cwd=project.home)
    check(lines)
    assert json.loads(lines)["id"] == HOSTILE


@given(st.text(max_size=30))
def test_escaped_json_means_the_same_and_holds_nothing_unsafe(text: str) -> None:
    written = escape_in_json(json.dumps(text, ensure_ascii=False))
    assert json.loads(written) == text
    assert clean(written) == written


@given(st.text(alphabet="'=+-@\t\r1a.e5 ", max_size=8))
def test_a_cell_that_is_defused_is_no_formula_and_is_restored_exactly(text: str) -> None:
    cell = defuse_formula(text)
    assert restore_formula(cell) == text
    assert not re.match(r"[=+\-@\t\r]", cell) or re.fullmatch(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?", cell)


NASTY = st.text(alphabet="'=+-@\t1a ,\"é", min_size=1, max_size=6).filter(lambda text: text == text.strip(" "))


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(NASTY, NASTY), min_size=1, max_size=6))
def test_an_export_has_no_formula_in_any_cell_or_name_and_a_retry_reads_back_what_was_there(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    home = tmp_path_factory.mktemp("export")
    sent: list[Any] = []
    with Receiver(lambda request: Reply(200 if sent else 400)) as api:
        records = [{"=id": f"'{at}", "'=b": one, "@c": two} for at, (one, two) in enumerate(rows)]
        project = Project(home)(
            {
                "=in.jsonl": "".join(json.dumps(record) + "\n" for record in records),
                "connectors.d/c.yaml": f"source: {{use: jsonl, path: =in.jsonl}}\ndestination: {{url: '{api.url}'}}\n",
            }
        )
        assert project.runner().run("c", early_stop=False).rejected == len(rows)
        command = [sys.executable, "-m", "sendoff", "failed", "1", "--csv"]
        text = subprocess.run(command, cwd=home, capture_output=True, check=True).stdout.decode()
        for line in csv.reader(io.StringIO(text)):
            for cell in line:
                assert not re.match(r"[=+\-@\t\r]", cell) or re.fullmatch(r"[+-]?\d+([.,]\d+)*", cell), cell
        (home / "fix.csv").write_text(text)
        sent.append(True)
        before = len(api.requests)
        retry = [sys.executable, "-m", "sendoff", "retry", "1", "--from", "fix.csv"]
        done = subprocess.run(retry, cwd=home, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert [record for body in api.bodies[before:] for record in body] == records


def test_an_apostrophe_in_a_table_of_corrections_made_by_hand_is_kept_and_one_of_the_export_is_not(project: Project) -> None:
    sent: list[Any] = []
    with Receiver(lambda request: Reply(200 if sent else 400)) as api:
        project(
            {
                "in.jsonl": '{"=a":"@x","b":"=y"}\n{"=a":"@x","b":"=y"}\n',
                "connectors.d/c.yaml": f"source: {{use: jsonl, path: in.jsonl}}\ndestination: {{url: '{api.url}'}}\n",
            }
        )
        runner = project.runner()
        runner.run("c", early_stop=False)
        one, two = (row["name"] for row in runner.history.failures(1))
        (project.home / "fix.csv").write_text(f"'=a,b,_record\n'@home,'=y,{one}\n@home,'b,{two}\n")
        sent.append(True)
        before = len(api.requests)
        retry = [sys.executable, "-m", "sendoff", "retry", "1", "--from", "fix.csv"]
        done = subprocess.run(retry, cwd=project.home, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found = [record for body in api.bodies[before:] for record in body]
    assert found == [{"=a": "'@home", "b": "=y"}, {"=a": "@home", "b": "'b"}]


def test_in_a_whole_export_a_cell_that_was_corrected_loses_only_the_apostrophe_of_the_export(project: Project) -> None:
    sent: list[Any] = []
    with Receiver(lambda request: Reply(200 if sent else 400)) as api:
        source = f"source: {{use: jsonl, path: in.jsonl}}\ndestination: {{url: '{api.url}'}}\n"
        project({"in.jsonl": '{"a":"=x"}\n', "connectors.d/c.yaml": source})
        project.runner().run("c", early_stop=False)
        text = subprocess.run(
            [sys.executable, "-m", "sendoff", "failed", "1", "--csv"], cwd=project.home, capture_output=True, check=True
        ).stdout.decode()
        assert "'=x" in text
        (project.home / "fix.csv").write_text(text.replace("'=x", "''=x"))
        sent.append(True)
        before = len(api.requests)
        subprocess.run([sys.executable, "-m", "sendoff", "retry", "1", "--from", "fix.csv"], cwd=project.home, check=True)
        assert [record for body in api.bodies[before:] for record in body] == [{"a": "'=x"}]


def test_a_chat_finds_no_mention_and_no_link_in_a_notice(receiver: Receiver) -> None:
    from sendoff import Notification

    said = "400: <!channel> <https://evil.example|the runbook> & more"
    Webhook(url=receiver.url).notify(Notification("failure", "c", said, []))
    assert receiver.bodies[0]["text"] == (
        "c: failure: 400: &lt;!channel&gt; &lt;https://evil.example|the runbook&gt; &amp; more"
    )
    assert receiver.bodies[0]["sentence"] == said
