"""Secrets come in after the YAML is parsed, and never come out."""

from __future__ import annotations

import base64
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendoff import ConfigError
from sendoff.config.secrets import Secrets
from sendoff.testing import Project, Receiver, Reply

CANARY = "canary/5f2c+9e=!x"
FILE = """\
source: {{use: jsonl, path: in.jsonl}}
destination:
  url: {url}
  headers: {{Authorization: "Bearer ${{env:TOKEN}}", X-Key: "${{file:key.txt}}"}}
  retry: {{max_attempts: 2, initial_backoff: 0}}
"""


def test_they_travel_and_are_shown_by_their_names(
    project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", CANARY)
    project({"in.jsonl": '{"a": 1}\n', "key.txt": "another-secret\n", "connectors.d/c.yaml": FILE.format(url=receiver.url)})
    assert project.run("c").state == "complete"
    assert receiver.requests[0].headers["authorization"] == f"Bearer {CANARY}"
    assert receiver.requests[0].headers["x-key"] == "another-secret"


@pytest.mark.parametrize("status", [400, 401, 500])
@pytest.mark.parametrize("form", [str, lambda s: base64.b64encode(b"user:" + s.encode()).decode(), lambda s: quote(s, safe="")])
def test_m7_x3_an_api_that_echoes_a_secret_does_not_get_it_into_the_report_or_the_ledger(
    project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, status: int, form: Callable[[str], str]
) -> None:
    monkeypatch.setenv("TOKEN", CANARY)
    echoed = form(CANARY)
    receiver.script = lambda request: Reply(status, f'{{"detail": "you sent {echoed}"}}'.encode())
    project({"in.jsonl": '{"a": 1}\n', "key.txt": "another-secret", "connectors.d/c.yaml": FILE.format(url=receiver.url)})
    report = project.run("c")
    kept = b"".join(file.read_bytes() for file in (project.home / ".sendoff").rglob("*") if file.is_file())
    shown = str(report.as_dict()) + report.sentence()
    for secret in (CANARY, echoed[4:-4], "another-secret"):
        assert secret not in shown
        assert secret.encode() not in kept
    # The control: what is no secret does arrive.
    assert b"you sent" in kept


@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=30),
    st.text(max_size=5),
    st.text(max_size=5),
)
def test_a_secret_is_redacted_in_every_form_it_may_travel_in(secret: str, before: str, after: str) -> None:
    secrets = Secrets()
    secrets.add(secret, "<hidden>")
    raw = secret.encode()
    for form in (secret, quote(secret, safe=""), base64.b64encode(raw).decode(), base64.b64encode(b"u:" + raw).decode()):
        assert secret not in secrets.redact(before + form + after)
    encoded = base64.b64encode(b"ab" + raw).decode()
    assert encoded[4:-4] not in secrets.redact(encoded) or len(encoded) < 12


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("${env:NOT_SET_ANYWHERE}", "the environment variable NOT_SET_ANYWHERE is not set"),
        ("${NOT_SET_ANYWHERE}", "the environment variable NOT_SET_ANYWHERE is not set"),
        ("${file:nowhere.txt}", "the file nowhere.txt cannot be read"),
        ("${vault:x}", "'vault' is not a valid source of values"),
        ("${env:a b}", "is not the name of an environment variable"),
        ("${env:EMPTY}", "the environment variable EMPTY is not set"),
        ("${oops", "is not a reference"),
    ],
)
def test_k7_a_reference_that_leads_nowhere_is_named_with_its_place(
    project: Project, monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    monkeypatch.setenv("EMPTY", "")
    project(
        {"connectors.d/c.yaml": f'source: {{use: csv, path: x}}\ndestination: {{url: "http://x/", headers: {{A: "{text}"}}}}\n'}
    )
    with pytest.raises(ConfigError) as caught:
        project.runner().connector("c")
    assert "c.yaml:2:46: destination.headers.A: " in str(caught.value)
    assert told in str(caught.value)


def test_k7_a_value_is_one_scalar_and_is_not_expanded_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASTY", 'x"}, url: "http://evil/" # ${OTHER}')
    text = (
        'source: {use: csv, path: x}\ndestination: {url: "http://x/", headers: {A: "${env:NASTY}", B: "$$5", C: "${NO:-d}"}}\n'
    )
    headers = project({"connectors.d/c.yaml": text}).runner().connector("c").destination.headers
    assert headers == {"A": 'x"}, url: "http://evil/" # ${OTHER}', "B": "$5", "C": "d"}


def test_a_secret_with_a_newline_is_no_header(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPLIT", "secret-value\r\nX: y")
    project(
        {"connectors.d/c.yaml": 'source: {use: csv, path: x}\ndestination: {url: "http://x/", headers: {A: "${env:SPLIT}"}}\n'}
    )
    with pytest.raises(ConfigError, match="one line of Latin-1") as caught:
        project.runner().connector("c")
    assert "secret-value" not in str(caught.value)


def test_a_wrong_value_that_is_a_secret_is_not_shown(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", CANARY)
    project({"connectors.d/c.yaml": 'source: {use: csv, path: x}\ndestination: {url: "http://x/", method: "${env:TOKEN}"}\n'})
    with pytest.raises(ConfigError) as caught:
        project.runner().connector("c")
    assert CANARY not in str(caught.value)
    assert "${env:TOKEN}" in str(caught.value)


@pytest.mark.parametrize(
    ("auth", "told"),
    [
        ("{use: oauth2, client_secret: CANARY, private_key: CANARY}", "'private_key' must not be present with 'client_secret'"),
        ("{use: aws_sigv4, secret_access_key: CANARY, credentials: ambient}", "'credentials' must not be present with"),
        ("{use: bearer, token: [CANARY]}", "must be of string type"),
        ("{use: bearer, token: 73510937}", "must be of string type"),
        ("[bearer, CANARY]", "this is a list"),
    ],
)
def test_a_secret_that_is_written_in_the_file_is_in_no_problem(project: Project, auth: str, told: str) -> None:
    text = f"source: {{use: jsonl, path: in.jsonl}}\ndestination: {{url: 'http://127.0.0.1:9/', auth: {auth}}}\n"
    project({"in.jsonl": "", "connectors.d/c.yaml": text.replace("CANARY", CANARY)})
    with pytest.raises(ConfigError) as caught:
        project.runner().connector("c")
    assert told in str(caught.value)
    for part in (CANARY, CANARY[:10], "73510937"):
        assert part not in str(caught.value)


@pytest.mark.parametrize("form", ["{{Authorization: [Bearer, {}]}}", "'Authorization: Bearer {}'", '{{X-Api-Key: "a\\n{}"}}'])
def test_nor_is_one_in_a_header_that_is_wrong(project: Project, form: str) -> None:
    source = "source: {use: inbox, token: toosecret}\n"
    project({"connectors.d/c.yaml": f"{source}destination: {{url: 'http://127.0.0.1:9/', headers: {form.format(CANARY)}}}\n"})
    with pytest.raises(ConfigError) as caught:
        project.runner().connector("c")
    assert "destination.headers" in str(caught.value)
    assert "min length is 16" in str(caught.value)
    assert CANARY not in str(caught.value)
    assert "toosecret" not in str(caught.value)
