"""How requests prove who sends them, against servers that check."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from standardwebhooks import Webhook

from sendoff import Authenticator, ConfigError, Request, Response, Span, hookimpl
from sendoff.testing import Project, Received, Receiver, Reply
from sendoff.transport.compression import COMPRESSORS
from sendoff_plugins.authenticators.oauth2 import LIFETIME, OAuth2
from sendoff_plugins.authenticators.standard_webhooks import StandardWebhooks

CONNECTOR = """
source: {{use: jsonl, path: in.jsonl}}
destination:
  url: "{url}/records"
  concurrency: 4
  auth: {auth}
send: {{use: batch, max_records: 10}}
"""


def deliver(project: Project, url: str, auth: str, records: int = 400, concurrency: int = 4, **files: str) -> Any:
    rows = "".join(f'{{"n": {at}}}\n' for at in range(records))
    text = CONNECTOR.format(url=url, auth=auth).replace("concurrency: 4", f"concurrency: {concurrency}")
    return project({"in.jsonl": rows, "connectors.d/c.yaml": text, **files}).run("c")


class Issuer(Receiver):
    """Gives tokens at ``/token`` and takes records with the one that is good now."""

    def __init__(self, life: float = 3600.0) -> None:
        self.fetched: list[dict[str, list[str]]] = []
        self.refused = 0
        self.good = ""
        self.life = life
        self.trouble: list[Reply] = []
        #: After so many good requests the token is not good any more.
        self.revoke_at = -1
        self._taken = 0
        self._guard = threading.Lock()
        super().__init__(self._reply_to)

    def _reply_to(self, request: Received) -> Reply:
        with self._guard:
            if request.path == "/token":
                if self.trouble:
                    return self.trouble.pop(0)
                self.fetched.append(parse_qs(request.body.decode()))
                self.good = f"token-{len(self.fetched):04}"
                return Reply(
                    200, json.dumps({"access_token": self.good, "token_type": "Bearer", "expires_in": self.life}).encode()
                )
            if request.headers.get("authorization") != f"Bearer {self.good}":
                self.refused += 1
                return Reply(401, b'{"error": "invalid_token"}')
            self._taken += 1
            if self._taken == self.revoke_at:
                self.good = "none"
            return Reply()


def oauth2(server: Receiver, more: str = "") -> str:
    return f'{{use: oauth2, token_url: "{server.url}/token", client_id: "me:you", client_secret: "s3cret/ü"{more}}}'


def test_basic_and_bearer(project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSWORD", "päss:wörd")
    deliver(project, receiver.url, '{use: basic, user: ann, password: "${env:PASSWORD}"}', records=1)
    deliver(project, receiver.url, "{use: bearer, token: abcdefgh}", records=1)
    assert [r.headers["authorization"] for r in receiver.requests] == ["Basic YW5uOnDDpHNzOnfDtnJk", "Bearer abcdefgh"]


def test_a_token_file_is_read_again_when_it_has_changed(project: Project) -> None:
    tokens = ["first-token", "second-token"]

    def answer(request: Received) -> Reply:
        if len(api.requests) == 5:
            (project.home / "token").write_text("second-token\n")
        good = tokens[0] if len(api.requests) <= 5 else tokens[1]
        return Reply() if request.headers["authorization"] == f"Bearer {good}" else Reply(401)

    with Receiver(answer) as api:
        auth = "{use: bearer, file: token}"
        report = deliver(project, api.url, auth, records=200, concurrency=1, token="first-token\n")
    assert (report.state, report.delivered) == ("complete", 200)


@pytest.mark.parametrize("content", [None, "", "two\nlines", "bl ank\x00"])
def test_a_token_file_that_holds_none_stops_the_run_unsent(project: Project, receiver: Receiver, content: str | None) -> None:
    files: dict[str, Any] = {} if content is None else {"token": content}
    report = deliver(project, receiver.url, "{use: bearer, file: token}", **files)
    assert (report.state, receiver.requests) == ("stopped", [])
    assert "token" in (report.stopped_because or "")


def test_a_token_is_fetched_once_for_all_workers(project: Project) -> None:
    with Issuer() as api:
        report = deliver(project, api.url, oauth2(api, ", scope: a b, audience: them"))
    assert (report.state, report.delivered, report.requests) == ("complete", 400, 40)
    assert api.fetched == [{"grant_type": ["client_credentials"], "scope": ["a b"], "audience": ["them"]}]
    assert api.requests[0].headers["authorization"] == "Basic bWUlM0F5b3U6czNjcmV0JTJGJUMzJUJD"


def test_credentials_may_travel_in_the_body(project: Project) -> None:
    with Issuer() as api:
        deliver(project, api.url, oauth2(api, ", credentials_in: body"), records=1)
    assert api.fetched[0]["client_secret"] == ["s3cret/ü"]


def test_h17_a_token_that_ends_in_the_middle_is_fetched_once_more_for_all_workers(project: Project) -> None:
    with Issuer() as api:
        api.revoke_at = 12
        report = deliver(project, api.url, oauth2(api))
    assert (report.state, report.delivered) == ("complete", 400)
    assert len(api.fetched) == 2
    assert 1 <= api.refused <= 4


def test_h16_credentials_that_are_not_good_cost_two_requests(project: Project) -> None:
    with Issuer() as api:
        api.script = lambda request: Reply(401) if request.path != "/token" else Issuer._reply_to(api, request)
        report = deliver(project, api.url, oauth2(api))
    assert (report.state, report.requests, report.pending) == ("stopped", 2, 400)
    assert len(api.fetched) == 2


def test_h16_without_anything_to_renew_a_401_costs_one(project: Project) -> None:
    with Receiver([Reply(401)]) as api:
        report = deliver(project, api.url, "{use: bearer, token: abcdefgh}")
    assert (report.state, report.requests) == ("stopped", 1)


def test_a_token_is_renewed_before_it_ends(project: Project) -> None:
    with Issuer(life=0.0) as api:
        report = deliver(project, api.url, oauth2(api), records=30, concurrency=1)  # more would outdate each other's tokens
    assert report.state == "complete"
    assert len(api.fetched) == 3
    assert api.refused == 0


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Reply(401, b'{"error": "invalid_client", "error_description": "who are you?"}'), "who are you?"),
        (Reply(200, b'{"token": "x"}'), "no access_token"),
        (Reply(200, b"<html>"), "no access_token"),
        (Reply(200, b'{"access_token": "a", "token_type": "mac"}'), "type mac"),
        (Reply(200, b'{"access_token": "a\\nb"}'), "no access_token"),
        (Reply(200, b'{"access_token": ""}'), "no access_token"),
        (Reply(302, b"", {"Location": "http://127.0.0.1:1/"}), "302"),
    ],
)
def test_a_server_that_gives_no_token_stops_the_run_unsent(
    project: Project, receiver: Receiver, reply: Reply, told: str
) -> None:
    with Issuer() as issuer:
        issuer.trouble = [reply] * 9
        report = deliver(project, receiver.url, oauth2(issuer))
    assert (report.state, receiver.requests) == ("stopped", [])
    assert told in (report.stopped_because or "")
    assert "s3cret" not in (report.stopped_because or "")


def test_a_server_that_gives_no_token_for_a_moment_is_asked_again(project: Project) -> None:
    with Issuer() as api:
        api.trouble = [Reply(503), Reply(cut=True)]
        assert deliver(project, api.url, oauth2(api)).state == "complete"


def test_m7_a_token_that_an_api_sends_back_is_taken_out(project: Project) -> None:
    with Issuer() as api:
        plain = api.script
        api.script = lambda r: (
            plain(r) if r.path == "/token" else Reply(400, json.dumps({"detail": r.headers["authorization"]}).encode())
        )
        report = deliver(project, api.url, oauth2(api))
    raw = (project.home / ".sendoff/ledger.db").read_bytes() + str(report).encode()
    raw += b"".join(path.read_bytes() for path in (project.home / ".sendoff").glob("ledger.db-*"))
    assert b"token-0001" not in raw
    assert b"s3cret" not in raw


def test_m7_a_secret_in_the_result_of_one_record_is_taken_out(project: Project) -> None:
    def answer(request: Received) -> Reply:
        token = request.headers["authorization"]
        items = [{"s": 400, "error": f"not with {token}"} if n else {"s": 200, "id": f"made by {token}"} for n in range(10)]
        return Reply(200, json.dumps(items).encode())

    with Receiver(answer) as api:
        text = CONNECTOR.format(url=api.url, auth="{use: bearer, token: s3cret-token}")
        text = text.replace("  concurrency: 4", "  response: {records: {status: $.s, reason: $.error}, capture: {id: $.id}}")
        project({"in.jsonl": '{"n": 1}\n' * 10, "connectors.d/c.yaml": text})
        report = project.run("c")
    assert (report.delivered, report.rejected) == (1, 9)
    raw = b"".join(path.read_bytes() for path in (project.home / ".sendoff").glob("ledger.db*"))
    assert b"not with" in raw
    assert b"made by" in raw
    assert b"s3cret-token" not in raw


def test_signatures_are_what_the_specification_s_own_library_checks(project: Project, receiver: Receiver) -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # pragma: allowlist secret  # of the specification's example
    report = deliver(project, receiver.url, f"{{use: standard_webhooks, secret: {secret}}}")
    assert report.state == "complete"
    idents = set()
    for request in receiver.requests:
        Webhook(secret).verify(request.body, dict(request.headers))
        idents.add(request.headers["webhook-id"])
        assert request.headers["webhook-id"] == f"msg_{request.headers['idempotency-key']}"
    assert len(idents) == 40


def test_a_signature_is_of_the_body_as_it_travels() -> None:
    signer = StandardWebhooks(secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signer.clock = lambda: 1_700_000_000.0
    parts: list[bytes | memoryview] = [b"[", memoryview(b'{"a":1}'), b"]"]
    one = signer.sign(Request(Span(0, 1), "POST", "http://x/", {}, parts, 9, 1, key="k"))
    two = signer.sign(Request(Span(0, 1), "POST", "http://x/", {}, [b'[{"a":1}]'], 9, 1, key="k"))
    assert one == two


def test_a_secret_that_is_none_is_told(project: Project, receiver: Receiver) -> None:
    report = deliver(project, receiver.url, "{use: standard_webhooks, secret: whsec_!!!}")
    assert (report.state, receiver.requests) == ("stopped", [])
    assert "not base64" in (report.stopped_because or "")


def test_preview_fetches_no_token_and_shows_no_secret(project: Project, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from sendoff.cli.group import sendoff

    with Issuer() as api:
        project({"in.jsonl": '{"n": 1}\n', "connectors.d/c.yaml": CONNECTOR.format(url=api.url, auth=oauth2(api))})
        shown = CliRunner().invoke(sendoff, ["--directory", str(project.home / "connectors.d"), "preview", "c"]).output
        assert api.requests == []
    assert "Authorization: (made by oauth2)" in shown


def test_an_authenticator_that_breaks_ends_the_run_and_does_not_hang_it(project: Project, receiver: Receiver) -> None:
    class Broken:
        @staticmethod
        @hookimpl
        def sendoff_authenticators() -> list[type[Authenticator]]:
            class Breaks(Authenticator):
                """Breaks."""

                name = "breaks"

                def sign(self, request: Request) -> dict[str, str]:
                    raise ZeroDivisionError("no proof")

            return [Breaks]

    project({"in.jsonl": '{"n": 1}\n' * 100, "connectors.d/c.yaml": CONNECTOR.format(url=receiver.url, auth="breaks")})
    report = project.run("c", plugins=[Broken])
    assert (report.state, report.exit_code, receiver.requests) == ("stopped", 70, [])
    assert report.stopped_because is not None
    assert report.stopped_because.startswith("the authenticator 'breaks' (")
    assert report.stopped_because.endswith(") failed: ZeroDivisionError: no proof")


def test_what_breaks_before_a_request_leaves_ends_the_run_and_does_not_hang_it(
    project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(parts: object) -> list[bytes]:
        raise MemoryError

    monkeypatch.setitem(COMPRESSORS, "gzip", broken)
    text = CONNECTOR.format(url=receiver.url, auth="{use: bearer, token: abcdefgh}").replace(
        "  concurrency: 4", "  compress: gzip"
    )
    project({"in.jsonl": '{"n": "%s"}\n' % ("x" * 2_000), "connectors.d/c.yaml": text})
    with pytest.raises(MemoryError):
        project.run("c")
    assert receiver.requests == []


@pytest.mark.parametrize("life", ["nan", "inf", "-inf", "1" * 5_000, int("1" * 4_000), [1], None])
def test_a_lifetime_that_is_no_length_of_time_is_taken_for_the_usual_one(life: object) -> None:
    """Python reads these as numbers, and a token with such a lifetime would never be renewed before it is refused."""
    fetched: list[Request] = []

    def send(request: Request) -> Response:
        fetched.append(request)
        return Response(status=200, body=json.dumps({"access_token": "abc", "expires_in": life}).encode())

    auth = OAuth2(token_url="https://example.org/token", client_id="a", client_secret="b")
    auth.start(send)
    for now, count in ((0.0, 1), (60.0, 1), (LIFETIME, 2)):
        auth.clock = lambda now=now: now  # type: ignore[misc]
        auth.sign(Request(Span(0, 1), "POST", "https://example.org/x", {}, [b"{}"], 2, 1))
        assert len(fetched) == count


@pytest.mark.parametrize(
    ("auth", "name"),
    [
        ('{use: bearer, token: "${env:EMPTY:-}"}', "token"),
        ('{use: bearer, token: " "}', "token"),
        ('{use: oauth2, token_url: "http://x/", client_id: a, client_secret: "${env:EMPTY:-}"}', "client_secret"),
        ('{use: oauth2, token_url: "http://x/", client_id: a, private_key: "${env:EMPTY:-}"}', "private_key"),
        ('{use: standard_webhooks, secret: "${env:EMPTY:-}"}', "secret"),
        ('{use: aws_sigv4, region: a, service: b, access_key_id: a, secret_access_key: "${env:EMPTY:-}"}', "secret_access_key"),
    ],
)
def test_an_empty_secret_is_a_mistake_with_its_place_and_nothing_is_sent(
    project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, auth: str, name: str
) -> None:
    monkeypatch.setenv("EMPTY", "")
    with pytest.raises(ConfigError) as told:
        deliver(project, receiver.url, auth)
    (sentence,) = str(told.value).splitlines()
    assert f"destination.auth.{name}: is empty: give it a value, or look whether the variable or file" in sentence
    assert receiver.requests == []


def test_an_empty_token_file_is_called_empty(project: Project, receiver: Receiver) -> None:
    report = deliver(project, receiver.url, "{use: bearer, file: token}", token="\n")
    assert report.stopped_because == "bearer: token is empty; a token is expected in it, and nothing else"
