"""X3: a program that a connector runs gets the variables that it needs and those that it was given, and nobody else's secrets."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sendoff import SourceError
from sendoff.testing import Project, Receiver, Reply

PASSED_ON = {
    "LC_TIME": "C", "NO_PROXY": "a.example", "no_proxy": "b.example", "XDG_CONFIG_HOME": "/x", "REQUESTS_CA_BUNDLE": "/y",
    "LD_LIBRARY_PATH": "/z", "TERM": "dumb",
}  # fmt: skip
SHOW = "python3 -c 'import os, json; print(json.dumps(dict(os.environ)))'"


@pytest.fixture(autouse=True)
def _others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER_TOKEN", "of-another-connector")
    monkeypatch.setenv("OWN_TOKEN", "of-this-one")
    for name, value in PASSED_ON.items():
        monkeypatch.setenv(name, value)


def check(seen: dict[str, str]) -> None:
    assert "OTHER_TOKEN" not in seen
    assert "OWN_TOKEN" not in seen
    assert seen["TOKEN"] == "of-this-one"
    assert PASSED_ON.items() <= seen.items()
    assert {"PATH", "HOME"} <= seen.keys()


@pytest.mark.parametrize(
    "source",
    [
        "{use: command, command: [sh, show.sh], env: {TOKEN: '${env:OWN_TOKEN}'}}",
        "{use: singer, command: [sh, tap.sh], env: {TOKEN: '${env:OWN_TOKEN}'}}",
    ],
)
def test_a_source_s_program_does_not_see_what_it_was_not_given(project: Project, receiver: Receiver, source: str) -> None:
    tap = f'printf \'{{"type": "RECORD", "stream": "s", "record": %s}}\' "$({SHOW})"\n'
    text = f"source: {source}\nsend: single\ndestination: {{url: {receiver.url}}}\n"
    project({"show.sh": SHOW, "tap.sh": tap, "connectors.d/c.yaml": text})
    assert project.run("c").delivered == 1
    check(receiver.bodies[0])


def test_a_notifier_s_program_does_not_see_what_it_was_not_given(project: Project, receiver: Receiver) -> None:
    receiver.script = [Reply(401)]
    notifier = "{use: command, command: [sh, show.sh], env: {TOKEN: '${env:OWN_TOKEN}'}}"
    text = f"source: {{use: jsonl, path: in.jsonl}}\nnotify: [{notifier}]\ndestination: {{url: {receiver.url}}}\n"
    project({"show.sh": f"{SHOW} > seen.json", "in.jsonl": '{"a": 1}\n', "connectors.d/c.yaml": text})
    project.run("c")
    check(json.loads(Path(project.home / "seen.json").read_text()))


def test_a_program_that_fails_is_said_to_have_had_a_minimal_environment(
    project: Project, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    hint = "oh dear (it got a minimal environment; name more variables in `env`)"
    fail = "{use: command, command: [sh, -c, 'echo oh dear >&2; exit 3']}"
    to = f"destination: {{url: {receiver.url}}}\n"
    project({"in.jsonl": '{"a": 1}\n', "connectors.d/source.yaml": f"source: {fail}\n{to}"})
    with pytest.raises(SourceError, match=re.escape(f"sh: ended with 3: {hint}")):
        project.run("source")
    receiver.script = [Reply(401)]
    project({"connectors.d/notify.yaml": f"source: {{use: jsonl, path: in.jsonl}}\nnotify: [{fail}]\n{to}"})
    project.run("notify")
    assert f"sh ended with 3: {hint}" in caplog.text
