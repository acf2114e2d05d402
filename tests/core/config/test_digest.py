"""An interrupted run goes on where what decides its records' bytes is as it was, and a wrong secret can be put right."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from sendoff.config.digest import _given
from sendoff.testing import Project, Receiver, Reply

FILE = """\
source: {{use: jsonl, path: in.jsonl}}
destination: {{url: {url}, concurrency: 1, retry: {{initial_backoff: 0}}}}
send: {send}
"""
ROWS = '{"a": 1}\n{"a": 2}\n{"a": 3}\n{"a": 4}\n'


def digest(project: Project, send: str, url: str = "http://127.0.0.1:9/") -> bytes:
    project({"in.jsonl": ROWS, "connectors.d/c.yaml": FILE.format(url=url, send=send)})
    return project.runner().connector("c").config_digest


def refuse_after_first(receiver: Receiver) -> None:
    """The first request is taken, and every further one with the wrong token refused."""
    receiver.script = lambda request: Reply(401 if len(receiver.requests) > 1 and b"wrong-token" in request.body else 200)


@pytest.mark.parametrize(
    "send",
    [
        '{use: batch, max_records: 2, envelope: {t: "${env:TK}", r: $records}}',
        '{use: multipart, max_records: 2, file: ndjson, fields: {t: "${env:TK}"}}',
    ],
)
def test_a_run_goes_on_after_a_wrong_token_in_its_body_was_put_right(
    project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, send: str
) -> None:
    refuse_after_first(receiver)
    project({"in.jsonl": ROWS, "connectors.d/c.yaml": FILE.format(url=receiver.url, send=send)})
    monkeypatch.setenv("TK", "the-wrong-token")
    first = project.run("c")
    assert (first.state, first.delivered) == ("stopped", 2)
    monkeypatch.setenv("TK", "the-right-token")
    second = project.run("c")
    assert (second.state, second.run, second.delivered) == ("complete", first.run, 4)
    assert len(receiver.requests) == 3


def test_where_each_record_has_the_token_the_run_says_so(
    project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_after_first(receiver)
    send = '{use: form, record: {t: "${env:TK}", a: $a}}'
    project({"in.jsonl": ROWS, "connectors.d/c.yaml": FILE.format(url=receiver.url, send=send)})
    monkeypatch.setenv("TK", "the-wrong-token")
    assert project.run("c").state == "stopped"
    monkeypatch.setenv("TK", "the-right-token")
    report = project.run("c")
    assert report.state == "stopped"
    assert "or a secret that is in each of them changed" in str(report.stopped_because)
    assert "--restart, which sends again what was delivered" in str(report.stopped_because)


def test_an_option_at_its_default_changes_no_digest(project: Project) -> None:
    plain = digest(project, "{use: batch}")
    assert digest(project, "{envelope: null, omit_null: false, use: batch, max_records: 7}") == plain
    assert digest(project, "{use: batch, omit_null: true}") != plain
    assert digest(project, "{use: multipart}") == digest(project, "{use: multipart, part: file, file: {use: batch}}")
    assert digest(project, "{use: multipart, file: ndjson}") != digest(project, "{use: multipart}")


@pytest.mark.parametrize(
    ("chosen", "given"),
    [
        ({"a": 1, "b": {"c": 2}}, {}),
        ({"a": True, "b": {"c": 2}}, {"a": True}),
        ({"b": {"c": 3}, "a": 1}, {"b": {"c": 3}}),
        ({"other": None}, {}),
        ({"other": 5}, {"other": 5}),
    ],
)
def test_only_what_differs_from_its_default_is_given(chosen: Mapping[str, object], given: Mapping[str, object]) -> None:
    rules = {"a": {"default": 1}, "b": {"type": "dict", "default": {}, "schema": {"c": {"default": 2}}}, "other": {}}
    assert _given(chosen, rules) == given
