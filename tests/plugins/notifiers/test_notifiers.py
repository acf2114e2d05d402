"""Those who want to know are told, through real servers, and what goes wrong in telling changes nothing."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from sendoff import ConfigError, PluginCrash, Source, SourceError, hookimpl
from sendoff.testing import Project, Receiver, Reply
from tests.servers import free_port

CONNECTOR = """
source: {{use: csv, path: in.csv}}
destination: {{url: "{url}", retry: {{max_attempts: 1, max_elapsed: 0}}}}
notify: {notify}
"""


@pytest.fixture
def chat() -> Iterator[Receiver]:
    with Receiver() as server:
        yield server


def events(chat: Receiver) -> list[str]:
    return [body["event"] for body in chat.bodies]


def test_failures_are_told_each_and_the_first_good_run_after_them(project: Project, receiver: Receiver, chat: Receiver) -> None:
    project(
        {
            "in.csv": "id\n1\n",
            "connectors.d/c.yaml": CONNECTOR.format(url=receiver.url, notify=f"[{{use: webhook, url: '{chat.url}'}}]"),
        }
    )
    project.run("c")
    assert events(chat) == []
    receiver.script = lambda request: Reply(400, b'{"error": "no"}')
    project.run("c", early_stop=False)
    project.run("c", early_stop=False)
    receiver.script = ()
    project.run("c")
    project.run("c")
    assert events(chat) == ["failure", "failure", "recovery"]
    first = chat.bodies[0]
    assert first["text"] == "c: failure: 0 of 1 records delivered, 1 rejected"
    assert (first["runs"][0]["run"], first["runs"][0]["rejected"]) == (2, 1)


def test_a_plugin_that_fails_before_a_run_begins_is_a_failure_too(project: Project, receiver: Receiver, chat: Receiver) -> None:
    """The kind: an error that nobody expected, and so nobody is notified of."""

    class Odd(Source):
        """Fail when asked for what it would read."""

        name = "odd"

        def read(self, cursor: object) -> list[object]:
            raise KeyError("place")

    class Plugin:
        @hookimpl
        def sendoff_sources(self) -> list[type[Source]]:
            return [Odd]

    text = CONNECTOR.format(url=receiver.url, notify=f"[{{use: webhook, url: '{chat.url}'}}]")
    project({"connectors.d/c.yaml": text.replace("{use: csv, path: in.csv}", "odd")})
    with pytest.raises(PluginCrash):
        project.run("c", plugins=[Plugin()])
    assert events(chat) == ["failure"]
    assert "the source 'odd'" in chat.bodies[0]["text"]


def test_a_run_that_cannot_even_begin_is_a_failure(project: Project, receiver: Receiver, chat: Receiver) -> None:
    project({"connectors.d/c.yaml": CONNECTOR.format(url=receiver.url, notify=f"[{{use: webhook, url: '{chat.url}'}}]")})
    with pytest.raises(SourceError):
        project.run("c")
    assert chat.bodies[0]["sentence"] == f"in.csv: no such file in {project.home}"
    project({"in.csv": "id\n1\n"})
    project.run("c")
    assert events(chat) == ["failure", "recovery"]


def test_a_retry_notifies_as_a_run_does_and_a_mistake_in_its_corrections_does_not(
    project: Project, receiver: Receiver, chat: Receiver
) -> None:
    project({"connectors.d/c.yaml": CONNECTOR.format(url=receiver.url, notify=f"[{{use: webhook, url: '{chat.url}'}}]")})
    project({"in.csv": "id\n1\n"})
    receiver.script = lambda request: Reply(400)
    project.run("c", early_stop=False)
    project.runner().retry(1, early_stop=False)
    with pytest.raises(ConfigError):
        project.runner().retry(1)
    receiver.script = ()
    project.runner().retry(2)
    assert events(chat) == ["failure", "failure", "recovery"]


def test_secrets_are_not_told(project: Project, chat: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "hush-hush-secret")
    with Receiver(lambda request: Reply(400, b'{"error": "bad key hush-hush-secret"}')) as api:
        notify = f"[{{use: webhook, url: '{chat.url}'}}]"
        project(
            {"in.csv": "id\n1\n", "connectors.d/c.yaml": CONNECTOR.format(url=f"{api.url}/?key=${{API_KEY}}", notify=notify)}
        )
        project.run("c", early_stop=False)
    assert b"hush-hush" not in chat.requests[0].body


def test_what_goes_wrong_in_telling_is_a_warning_and_no_more(project: Project, receiver: Receiver, caplog: Any) -> None:
    with Receiver(lambda request: Reply(403, b"go away")) as deaf:
        notify = f"[{{use: webhook, url: '{deaf.url}'}}, {{use: command, command: [sh, -c, 'echo oh dear >&2; exit 3']}}]"
        project({"in.csv": "id\n1\n", "connectors.d/c.yaml": CONNECTOR.format(url=receiver.url, notify=notify)})
        receiver.script = lambda request: Reply(400)
        with caplog.at_level(logging.WARNING, "sendoff"):
            report = project.run("c", early_stop=False)
    assert report.rejected == 1
    assert [record.message for record in caplog.records] == [
        "c: notify: webhook: ***: responded 403: go away",
        "c: notify: command: sh ended with 3: oh dear (it got a minimal environment; name more variables in `env`)",
    ]


def test_a_web_hook_that_is_busy_is_told_again(project: Project, receiver: Receiver) -> None:
    with Receiver([Reply(503, headers={"Retry-After": "0"})]) as chat:
        notify = f"[{{use: webhook, url: '{chat.url}'}}]"
        project({"in.csv": "id\n1\n", "connectors.d/c.yaml": CONNECTOR.format(url=receiver.url, notify=notify)})
        receiver.script = lambda request: Reply(400)
        project.run("c", early_stop=False)
        assert len(chat.requests) == 2


def test_on_is_a_word_of_a_connector_file_as_any_other(project: Project) -> None:
    """YAML 1.1 reads a bare ``on`` as true, as a key too; see `sendoff.config.documents`. So is ``off`` in a list."""
    notify = "[{use: webhook, url: 'http://127.0.0.1:9/', on: [recovery]}]"
    project({"in.csv": "id\n1\n", "connectors.d/c.yaml": CONNECTOR.format(url="http://127.0.0.1:9/", notify=notify)})
    (notifier,) = project.runner().connector("c").notifiers
    assert notifier.on == ["recovery"]
    project({"connectors.d/c.yaml": CONNECTOR.format(url="http://127.0.0.1:9/", notify=notify.replace("[rec", "[off, rec"))})
    with pytest.raises(ConfigError, match=r"notify\[0\]\.on\[0\]: must be one of .* \(got 'off'\)"):
        project.runner().connector("c")


def test_a_program_is_told_on_its_standard_input(project: Project, receiver: Receiver) -> None:
    notify = "[{use: command, command: [sh, -c, 'cat > told.json'], on: [failure]}]"
    project({"in.csv": "id\n1\n", "connectors.d/c.yaml": CONNECTOR.format(url=receiver.url, notify=notify)})
    receiver.script = lambda request: Reply(400)
    project.run("c", early_stop=False)
    told = json.loads((project.home / "told.json").read_text())
    assert (told["event"], told["connector"], told["runs"][0]["rejected"]) == ("failure", "c", 1)


def test_a_digest_tells_of_the_runs_since_the_last_one(project: Project, receiver: Receiver, chat: Receiver) -> None:
    notify = f"[{{use: webhook, url: '{chat.url}', on: [digest]}}]"
    project({"in.csv": "id\n1\n", "connectors.d/c.yaml": CONNECTOR.format(url=receiver.url, notify=notify)})
    project.run("c")
    project.run("c")
    assert project.runner().digest() == {"c": 2}
    assert project.runner().digest() == {"c": 0}
    assert chat.bodies[0]["sentence"] == "2 runs, 2 of them complete: 2 records delivered, 0 not"


class Mailbox:
    """Takes mail from whoever knows the password."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.messages.append(envelope.content.decode())
        return "250 OK"


@pytest.mark.parametrize("security", ["starttls", "none"])
def test_people_are_told_by_e_mail(project: Project, receiver: Receiver, security: str) -> None:
    authority, mailbox = trustme.CA(), Mailbox()
    certificate = authority.issue_cert("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    authority.cert_pem.write_to_path(str(project.home / "ca.pem"))

    def knows(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=data.password == b"a password")

    how: dict[str, Any] = (
        {"tls_context": context, "require_starttls": True, "authenticator": knows, "auth_required": True}
        if security == "starttls"
        else {}
    )
    controller = Controller(mailbox, hostname="localhost", port=free_port(), **how)
    controller.start()
    try:
        assert isinstance(controller.server, asyncio.Server)
        port = controller.server.sockets[0].getsockname()[1]
        notify = (
            f"[{{use: email, host: localhost, port: {port}, security: {security}, ca: ca.pem, user: me, password: a password, "
            "sender: sendoff@example.com, to: [ops@example.com, data@example.com]}]"
        )
        project({"in.csv": "id\n1\n", "connectors.d/c.yaml": CONNECTOR.format(url=receiver.url, notify=notify)})
        receiver.script = lambda request: Reply(400)
        project.run("c", early_stop=False)
    finally:
        controller.stop()
    (message,) = mailbox.messages
    assert "Subject: sendoff: c: failure" in message
    assert "To: ops@example.com, data@example.com" in message
    assert "run 1: incomplete, 0 of 1 delivered, 1 rejected" in message
