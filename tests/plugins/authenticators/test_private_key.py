"""A client that proves who it is by a key, against a token server that verifies with the public one."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import parse_qs

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from sendoff import ConfigError
from sendoff.testing import Project, Received, Receiver, Reply

KEYS: dict[str, Any] = {
    "RS256": RSAKey.generate_key(2048), "PS512": RSAKey.generate_key(2048), "ES256": ECKey.generate_key("P-256"),
    "Ed25519": OKPKey.generate_key("Ed25519"),
}  # fmt: skip
CONNECTOR = """
source: {{use: jsonl, path: in.jsonl}}
destination:
  url: "{url}/records"
  auth: {{use: oauth2, token_url: "{url}/token", client_id: me, private_key: "${{file:key.pem}}"{more}}}
send: single
"""


class Issuer(Receiver):
    """Gives a token to who can prove, by an assertion that was never seen before, to have the private key."""

    def __init__(self, key: Any, algorithm: str, audience: str = "") -> None:
        self.key, self.algorithm, self.audience = key, algorithm, audience
        self.claims: list[dict[str, Any]] = []
        self.forms: list[dict[str, list[str]]] = []
        super().__init__(self._reply_to)

    def _reply_to(self, request: Received) -> Reply:
        if request.path != "/token":
            return Reply() if request.headers.get("authorization") == "Bearer good-token" else Reply(401)
        form = parse_qs(request.body.decode())
        self.forms.append(form)
        assertion = (form.get("client_assertion") or form["assertion"])[0]
        token = jwt.decode(assertion, self.key, algorithms=[self.algorithm])
        claims = token.claims
        good = claims["aud"] == (self.audience or f"{self.url}/token") and claims["iat"] <= time.time() < claims["exp"]
        if not good or claims["jti"] in {seen["jti"] for seen in self.claims}:
            return Reply(401, b'{"error": "invalid_client"}')
        self.claims.append({**claims, "kid": token.header.get("kid")})
        return Reply(200, json.dumps({"access_token": "good-token", "token_type": "Bearer", "expires_in": 3600}).encode())


def deliver(project: Project, url: str, pem: bytes, more: str) -> Any:
    text = CONNECTOR.format(url=url, more=more)
    return project({"in.jsonl": '{"n": 1}\n{"n": 2}\n', "key.pem": pem, "connectors.d/c.yaml": text}).run("c")


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_client_proves_who_it_is_by_its_private_key(project: Project, algorithm: str) -> None:
    key = KEYS[algorithm]
    with Issuer(key, algorithm) as api:
        report = deliver(project, api.url, key.as_pem(private=True), f", algorithm: {algorithm}, key_id: k1, scope: a b")
    assert (report.state, report.delivered) == ("complete", 2)
    (form,), (claims,) = api.forms, api.claims
    assert (form["grant_type"], form["scope"]) == (["client_credentials"], ["a b"])
    assert form["client_assertion_type"] == ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
    assert (claims["iss"], claims["sub"], claims["kid"]) == ("me", "me", "k1")
    assert "client_secret" not in form


def test_an_assertion_may_be_what_the_token_is_given_for(project: Project) -> None:
    key = KEYS["RS256"]
    with Issuer(key, "RS256", "https://login.example.com") as api:
        more = ", grant: jwt_bearer, subject: ann@example.com, scope: rows, assertion_audience: https://login.example.com"
        report = deliver(project, api.url, key.as_pem(private=True), more)
    assert (report.state, report.delivered) == ("complete", 2)
    (form,), (claims,) = api.forms, api.claims
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    assert (claims["iss"], claims["sub"], claims["scope"]) == ("me", "ann@example.com", "rows")
    assert not {"client_id", "client_secret", "client_assertion"} & set(form)


def test_another_key_is_refused_and_nothing_is_sent(project: Project) -> None:
    with Issuer(KEYS["RS256"], "RS256") as api:
        api.script = lambda request: Reply(401, b'{"error": "invalid_client"}')
        report = deliver(project, api.url, RSAKey.generate_key(2048).as_pem(private=True), "")
    assert (report.state, report.delivered) == ("stopped", 0)
    assert "401: invalid_client" in report.stopped_because
    assert {request.path for request in api.requests} == {"/token"}


@pytest.mark.parametrize(
    ("pem", "more", "problem"),
    [
        (b"no key", "", "the private key cannot sign with RS256"),
        (KEYS["ES256"].as_pem(private=True), "", "the private key cannot sign with RS256"),
        (KEYS["RS256"].as_pem(private=False), "", "the private key cannot sign with RS256"),
        (KEYS["RS256"].as_pem(private=True), ", algorithm: ES256", "the private key cannot sign with ES256"),
    ],
    ids=["no key", "another kind", "the public one", "another algorithm"],
)
def test_a_key_that_cannot_sign_stops_the_run_with_a_sentence(
    project: Project, receiver: Receiver, pem: bytes, more: str, problem: str
) -> None:
    report = deliver(project, receiver.url, pem, more)
    advice = "give the text of a PEM file, all its lines, of a private key that `algorithm` is for"
    assert report.stopped_because.startswith(f"oauth2: {problem}; {advice}: ")
    assert receiver.requests == []
    assert "BEGIN" not in report.stopped_because


@pytest.mark.parametrize("is_offline", [False, True])
@pytest.mark.parametrize(
    ("auth", "problem"),
    [
        ("", "client_secret: is missing; give it, or `private_key`: one of them proves who the client is"),
        (
            ", client_secret: abcdefgh, grant: jwt_bearer",
            "private_key: is missing; `grant: jwt_bearer` sends an assertion that it signs",
        ),
        (
            ", client_secret: abcdefgh, subject: ann@example.com",
            "subject: has no effect without `grant: jwt_bearer`: leave it out, or say so",
        ),
    ],
)
def test_what_a_grant_lacks_or_has_no_use_for_is_found_at_load(
    project: Project, auth: str, problem: str, is_offline: bool
) -> None:
    text = CONNECTOR.format(url="http://127.0.0.1:9", more="").replace(', private_key: "${file:key.pem}"', auth)
    project({"in.jsonl": "", "connectors.d/c.yaml": text})
    runner = project.runner()
    with pytest.raises(ConfigError) as caught:
        runner.check_offline(project.home / "connectors.d/c.yaml") if is_offline else runner.connector("c")
    (found,) = caught.value.problems
    assert str(found).partition("destination.auth.")[2] == problem


def test_a_key_whose_line_ends_are_two_characters_is_read_as_it_was_meant(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = KEYS["RS256"]
    monkeypatch.setenv("PEM", key.as_pem(private=True).replace(b"\n", b"\\n").decode())
    with Issuer(key, "RS256") as api:
        text = CONNECTOR.format(url=api.url, more="").replace("${file:key.pem}", "${env:PEM}")
        report = project({"in.jsonl": '{"n": 1}\n', "connectors.d/c.yaml": text}).run("c")
    assert (report.state, report.delivered) == ("complete", 1)
