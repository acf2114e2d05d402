"""X3: a secret that somebody echoes is in no reason, ledger, log or result: not where it is cut off, nor in an object, nor logged."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from sendoff import SendoffError
from sendoff.config.file_warnings import find_warnings
from sendoff.testing import Project, Received, Receiver, Reply

KEY = "sk_live_9f8e7d6c5b4a39281706"
#: So many characters before the secret, so that it stands at a cut, whichever it is.
BEFORE = (0, 190, 260, 267, 275, 285, 295, 390)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", KEY)


def traces(project: Project, said: str) -> Iterator[str]:
    """Where a piece of the secret is."""
    for file in (project.home / ".sendoff").rglob("*"):
        if file.is_file() and KEY[:10].encode() in file.read_bytes():
            yield str(file)
    if KEY[:10] in said:
        yield said


def connector(url: str, source: str = "{use: jsonl, path: in.jsonl}", more: str = "", of_destination: str = "") -> str:
    return (
        f"source: {source}\nsend: single\n{more}\n"
        f"destination:\n  url: {url}\n  headers: {{Authorization: 'Bearer ${{env:KEY}}'}}\n  {of_destination}\n"
    )


@pytest.mark.parametrize("before", BEFORE)
def test_a_secret_is_cut_off_in_no_reason(project: Project, receiver: Receiver, before: int) -> None:
    receiver.script = lambda request: Reply(400, json.dumps({"error": "x" * before + KEY + " is no good key"}).encode())
    project({"in.jsonl": '{"a": 1}\n', "connectors.d/c.yaml": connector(receiver.url)})
    report = project.runner().run("c", early_stop=False)
    assert report.rejected == 1
    assert not list(traces(project, str(report.as_dict())))


def test_a_secret_in_a_captured_object_is_kept_by_its_name(project: Project, receiver: Receiver) -> None:
    def echo(request: Received) -> Reply:
        return Reply(200, json.dumps({"id": 1, "sent": [dict(request.headers), KEY]}).encode())

    receiver.script = echo
    capture = "response: {capture: {whole: $}}"
    project({"in.jsonl": '{"a": 1}\n', "connectors.d/c.yaml": connector(receiver.url, of_destination=capture)})
    runner = project.runner()
    assert runner.run("c").delivered == 1
    kept = [result["captured"] for result in runner.history.results(1)]
    assert kept[0]["whole"]["id"] == 1
    assert kept[0]["whole"]["sent"][1] == "${env:KEY}"
    assert not list(traces(project, str(kept)))


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize(
    "source",
    [
        "{use: command, command: [sh, -c, 'echo %(before)s$1 >&2; exit 3', sh, '${env:KEY}']}",
        "{use: http, url: '%(url)s/said', headers: {X-Key: '${env:KEY}'}}",
        "{use: csv, path: '%(url)s/said.csv', storage: {X-Key: '${env:KEY}'}}",
    ],
)
def test_a_secret_is_cut_off_in_nothing_that_a_source_says(
    project: Project, receiver: Receiver, source: str, before: int
) -> None:
    receiver.script = lambda request: Reply(403, b"x" * before + KEY.encode() + b" is no good key")
    source %= {"url": receiver.url, "before": "x" * before}
    project({"connectors.d/c.yaml": connector("http://127.0.0.1:9/", source)})
    with pytest.raises(SendoffError) as raised:
        project.run("c")
    assert "x" * before in str(raised.value) or before > 250
    assert not list(traces(project, str(raised.value)))


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize(
    "notifier",
    [
        "{use: webhook, url: '%(url)s/hook?key=${env:KEY}'}",
        "{use: command, command: [sh, -c, 'echo %(before)s$1 >&2; exit 3', sh, '${env:KEY}']}",
    ],
)
def test_a_secret_is_cut_off_in_nothing_that_a_notifier_says(
    project: Project, receiver: Receiver, caplog: pytest.LogCaptureFixture, notifier: str, before: int
) -> None:
    receiver.script = lambda request: Reply(403, b"x" * before + KEY.encode() + b" is no good key")
    notifier %= {"url": receiver.url, "before": "x" * before}
    project({"in.jsonl": '{"a": 1}\n', "connectors.d/c.yaml": connector(receiver.url, more=f"notify: [{notifier}]")})
    with caplog.at_level(logging.DEBUG):
        project.run("c")
    assert "notify: " in caplog.text
    assert not list(traces(project, caplog.text))


@pytest.mark.parametrize(
    "headers", ["{X-Api-Key: '${env:KEY}'}", "{Authorization: 'Bearer ${env:KEY}'}", "{X-What: '${env:API_KEY}'}"]
)
def test_check_warns_of_a_credential_that_is_too_short_to_be_taken_out(
    project: Project, monkeypatch: pytest.MonkeyPatch, headers: str
) -> None:
    monkeypatch.setenv("KEY", "abc12")
    monkeypatch.setenv("API_KEY", "abc12")
    text = f"source: {{use: jsonl, path: in.jsonl}}\ndestination: {{url: 'http://127.0.0.1:9/', headers: {headers}}}\n"
    project({"connectors.d/c.yaml": text})
    found = find_warnings(project.runner().load(Path(project.home / "connectors.d/c.yaml")))
    assert [f"{problem.path}: {problem.sentence}".replace("API_", "") for problem in found] == [
        "${env:KEY}: its value has fewer than 6 characters, so it is shown and stored like any text; use a longer one"
    ]


def test_check_warns_of_no_short_value_that_is_no_credential(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGION", "eu")
    text = "source: {use: jsonl, path: in.jsonl}\ndestination: {url: 'http://127.0.0.1:9/${env:REGION}'}\n"
    project({"connectors.d/c.yaml": text})
    assert not find_warnings(project.runner().load(Path(project.home / "connectors.d/c.yaml")))
