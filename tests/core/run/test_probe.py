"""`Runner.probe`: every step of what a run needs, and nothing that a run would take or send."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from sendoff.run.probe import Step, probe
from sendoff.sandbox import Received
from sendoff.testing import Project, Receiver, Reply

PEOPLE = "source: {use: csv, path: people.csv}\nschema: {id: {type: integer}}\n"


def steps(project: Project, text: str, **limits: Any) -> dict[str, tuple[bool | None, str]]:
    connector = project({"connectors.d/c.yaml": text}).runner().connector("c")
    return {step.name: (step.ok, step.sentence) for step in probe(connector, **limits)}


@contextlib.contextmanager
def tls_server(certificate: trustme.LeafCert) -> Iterator[int]:
    """A TLS server that takes handshakes and says nothing; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    line, _ = listener.accept()
                    with line, contextlib.suppress(OSError), context.wrap_socket(line, server_side=True) as secure:
                        secure.recv(1)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def test_a_connector_that_is_right_is_so_in_every_step_and_no_record_is_sent(project: Project, receiver: Receiver) -> None:
    project({"people.csv": "id\n1\n2\n"})
    asked = f"destination: {{url: '{receiver.url}/x', auth: {{use: bearer, file: token}}, probe: {{url: /health}}}}\n"
    project({"token": "abcdefgh"})
    assert steps(project, PEOPLE + asked) == {
        "secrets": (True, "none are named"),
        "source": (True, "people.csv: read 2 records, with the columns id"),
        "address": (True, f"127.0.0.1 is 127.0.0.1, and takes connections at port {receiver.url.rpartition(':')[2]}"),
        "credentials": (True, "the token was read from token"),
        "api": (True, f"GET {receiver.url}/health responded 200"),
    }
    (request,) = receiver.requests
    assert (request.method, request.path, request.body, request.headers["authorization"]) == (
        "GET",
        "/health",
        b"",
        "Bearer abcdefgh",
    )


def test_the_api_is_asked_nothing_where_no_probe_is_declared(project: Project, receiver: Receiver) -> None:
    project({"people.csv": "id\n1\n"})
    assert set(steps(project, PEOPLE + f"destination: {{url: '{receiver.url}/x'}}\n")) == {"secrets", "source", "address"}
    assert receiver.requests == []


@pytest.mark.parametrize(
    "line", ["method: POST, url: /x", "method: DELETE, url: /x", "url: 'http://elsewhere.example.com/x'", "url: '/{id}'"]
)
def test_a_probe_changes_nothing_and_goes_nowhere_else(project: Project, line: str) -> None:
    from sendoff import ConfigError

    with pytest.raises(ConfigError, match="probe"):
        steps(project, PEOPLE + f"destination: {{url: 'http://127.0.0.1:1/x', probe: {{{line}}}}}\n")


def test_a_response_that_is_not_expected_fails_the_step_and_one_to_head_has_no_body(
    project: Project, receiver: Receiver
) -> None:
    project({"people.csv": "id\n1\n"})
    for transport in ("urllib3", "http1"):
        to = f"destination: {{url: '{receiver.url}/x', transport: {transport}, probe: {{url: /me, method: HEAD}}}}\n"
        found = steps(project, PEOPLE + to)
        assert found["api"] == (False, f"HEAD {receiver.url}/me responded 501; 2xx is expected")


def test_a_column_that_is_missing_and_a_port_that_is_closed_are_found(project: Project) -> None:
    project({"people.csv": "name\n1\n"})
    found = steps(project, PEOPLE + "destination: {url: 'https://127.0.0.1:1/x', probe: {url: /}}\n")
    assert found["source"] == (False, "people.csv: no column 'id'; its columns are name")
    assert found["address"] == (False, "cannot connect to 127.0.0.1:1 (127.0.0.1): connection refused")
    assert found["tls"] == found["api"] == (None, "skipped, as the step address failed")


def test_an_address_that_egress_forbids_is_not_dialled(project: Project) -> None:
    project({"people.csv": "id\n1\n"})
    found = steps(project, PEOPLE + "destination: {url: 'http://127.0.0.1:1/x', egress: public}\n")
    assert found["address"] == (False, "127.0.0.1 is not on the public internet, and egress is `public`")


PAST = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("names", "dates", "known", "told"),
    [
        (["127.0.0.1"], {}, True, "; a certificate for 127.0.0.1, issued by trustme v"),
        (["127.0.0.1"], {"not_before": PAST, "not_after": PAST}, True, "TLS: the server's certificate has expired, on 2020-01-01; it is for 127.0.0.1, issued by trustme v"),
        (["example.org", "www.example.org"], {}, True, "TLS: the server's certificate is for another address: it is for example.org, www.example.org, and the URL says 127.0.0.1"),
        (["127.0.0.1"], {}, False, "is from an authority that is not known here; name its certificate in destination.tls.ca; it is for 127.0.0.1, issued by trustme v"),
    ],
)  # fmt: skip
def test_a_certificate_is_told_by_whose_it_is_and_until_when(
    project: Project, names: list[str], dates: dict[str, Any], known: bool, told: str
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(project.home / "ca.pem")
    project({"people.csv": "id\n1\n"})
    tls = ", tls: {ca: ca.pem}" if known else ""
    with tls_server(authority.issue_cert(*names, **dates)) as port:
        ok, sentence = steps(project, PEOPLE + f"destination: {{url: 'https://127.0.0.1:{port}/x'{tls}}}\n")["tls"]
    assert told in sentence
    assert ok is (told.startswith(";"))
    assert not ok or "valid until " in sentence


def test_a_port_without_tls_is_told(project: Project, receiver: Receiver) -> None:
    project({"people.csv": "id\n1\n"})
    found = steps(project, PEOPLE + f"destination: {{url: '{receiver.url.replace('http:', 'https:')}/x'}}\n")
    assert found["tls"] == (False, "TLS: the server does not speak TLS at this port; is it http://?")


def test_a_token_is_fetched_and_never_shown(project: Project, receiver: Receiver) -> None:
    project({"people.csv": "id\n1\n"})
    token = "very-secret-token"

    def answer(request: Received) -> Reply:
        return Reply(200, json.dumps({"access_token": token}).encode())

    receiver.script = answer
    auth = f"auth: {{use: oauth2, token_url: '{receiver.url}/token', client_id: app, client_secret: hush-hush}}"
    found = steps(project, PEOPLE + f"destination: {{url: '{receiver.url}/x', {auth}}}\n")
    assert found["credentials"] == (True, f"a token was fetched from {receiver.url}/token")
    assert token not in str(found)
    receiver.script = lambda request: Reply(401, b'{"error": "invalid_client"}')
    found = steps(project, PEOPLE + f"destination: {{url: '{receiver.url}/x', {auth}}}\n")
    assert found["credentials"] == (False, f"oauth2: no token from {receiver.url}/token: 401: invalid_client")


def test_a_token_that_was_refused_is_not_asked_for_again(project: Project, receiver: Receiver) -> None:
    project({"people.csv": "id\n1\n"})
    receiver.script = lambda request: Reply(401, b'{"error": "invalid_client"}')
    auth = f"auth: {{use: oauth2, token_url: '{receiver.url}/token', client_id: app, client_secret: hush-hush}}"
    found = steps(project, PEOPLE + f"destination: {{url: '{receiver.url}/x', {auth}, probe: {{url: /me}}}}\n")
    assert found["api"] == (None, "skipped, as the step credentials failed")
    assert [request.path for request in receiver.requests] == ["/token"]


def test_whatever_a_source_raises_is_its_steps_failure(project: Project, receiver: Receiver) -> None:
    project({"plugins.d/rows.py": _BREAKS})
    found = steps(project, f"source: breaks\ndestination: {{url: '{receiver.url}/x'}}\n", slow=5, limit=5)
    ok, sentence = found["source"]
    assert ok is False
    assert sentence.endswith("failed: SystemExit: no rows")


_BREAKS = """
from sendoff.plugin import Source, hookimpl

class Breaks(Source):
    "A source that breaks."
    name = "breaks"

    def read(self, cursor=None):
        raise SystemExit('no rows')

@hookimpl
def sendoff_sources():
    return [Breaks]
"""


def test_a_step_tells_its_own_time_and_one_without_time_is_skipped(project: Project, receiver: Receiver) -> None:
    held = threading.Event()

    def hold(request: Received) -> Reply:
        held.wait(30)
        return Reply(200, b"[]")

    with Receiver(hold) as slow:
        auth = f"auth: {{use: oauth2, token_url: '{slow.url}/token', client_id: app, client_secret: hush-hush}}"
        text = f"source: {{use: http, url: '{slow.url}/rows'}}\ndestination: {{url: '{receiver.url}/x', {auth}}}\n"
        found = steps(project, text, slow=1.0, limit=3.0)
        none_left = steps(project, text, slow=1.0, limit=1.0)
        held.set()
    assert found["source"] == (False, "has not ended after 3 s")
    assert found["credentials"] == (False, "has not ended after 2 s")
    assert none_left["credentials"] == (False, "skipped, as the steps before took all of the 1 s")


@pytest.mark.parametrize(
    "source",
    [
        "{use: command, command: [touch, ran]}",
        "{use: singer, command: [touch, ran]}",
        "{use: python, call: 'rows.py:rows'}",
        "stdin",
    ],
)
def test_a_source_that_consumes_is_not_read(
    project: Project, receiver: Receiver, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kind: a look that loses records. Every source that runs something or can be read only once."""
    given = io.TextIOWrapper(io.BytesIO(b'{"id": 1}\n'))
    monkeypatch.setattr(sys, "stdin", given)
    project({"rows.py": f"def rows():\n    open({str(project.home / 'ran')!r}, 'w')\n    return []\n"})
    ok, sentence = steps(project, f"source: {source}\ndestination: {{url: '{receiver.url}/x'}}\n")["source"]
    assert (ok, sentence.partition(",")[0]) == (True, "not read")
    assert not (project.home / "ran").exists()
    assert given.buffer.tell() == 0


def test_a_program_or_function_that_is_not_there_is_found_without_it(project: Project) -> None:
    to = "destination: {url: 'http://127.0.0.1:1/x'}\n"
    assert steps(project, "source: {use: command, command: [no-such-program]}\n" + to)["source"][0] is False
    project({"rows.py": "x = 1\n"})
    assert steps(project, "source: {use: python, call: 'rows.py:rows'}\n" + to)["source"] == (
        False,
        "rows.py: there is no function rows",
    )


def test_posts_of_an_inbox_stay_there(project: Project, receiver: Receiver) -> None:
    text = f"source: {{use: inbox, token: {'t' * 16}}}\ndestination: {{url: '{receiver.url}/x'}}\n"
    assert steps(project, text)["source"][0] is True
    source: Any = project.runner().connector("c").source
    source.accept("application/json", b'[{"id": 1}]', None)
    source.close()
    assert steps(project, text)["source"] == (True, "post 1: read 1 record, with the columns id")
    assert project.run("c").delivered == 1


def test_files_that_are_delivered_once_are_delivered_after_a_look(project: Project, receiver: Receiver) -> None:
    project({"people.csv": "id\n1\n"})
    text = f"source: {{use: csv, path: people.csv, once: true}}\ndestination: {{url: '{receiver.url}/x'}}\n"
    assert steps(project, text)["source"] == (True, "people.csv: read 1 record, with the columns id")
    assert project.run("c").delivered == 1


def test_a_step_that_is_slow_says_so_and_lets_the_others_go_on(project: Project, receiver: Receiver) -> None:
    held = threading.Event()

    def hold(request: Received) -> Reply:
        held.wait(30)
        return Reply(200, b"[]")

    with Receiver(hold) as slow:
        text = f"source: {{use: http, url: '{slow.url}/rows'}}\ndestination: {{url: '{receiver.url}/x'}}\n"
        connector = project({"connectors.d/c.yaml": text}).runner().connector("c")
        noted: list[Step] = []
        began = time.monotonic()
        found = probe(connector, noted.append, slow=0.05, limit=0.5)
        assert time.monotonic() - began < 10
        held.set()
    assert [(step.name, step.ok) for step in noted] == [
        ("secrets", True),
        ("source", None),
        ("address", True),
        ("source", False),
    ]
    assert {step.name: step.sentence for step in found}["source"] == "has not ended after 0.5 s"


def test_python_and_the_command_line_say_the_same(
    project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    from click.testing import CliRunner

    from sendoff.cli.group import sendoff

    monkeypatch.chdir(project.home)
    project({"people.csv": "name\n1\n", "connectors.d/c.yaml": PEOPLE + f"destination: {{url: '{receiver.url}/x'}}\n"})
    (failed,) = [step for step in project.runner().probe("c") if not step.ok]
    done = CliRunner().invoke(sendoff, ["check", "--connect", "--json"])
    assert done.exit_code == 2
    shown = json.loads(done.output)
    assert [step["name"] for step in shown["steps"].get("c", [])] == ["secrets", "source", "address"]
    assert failed.sentence in [problem["sentence"] for problem in shown["problems"]]
    assert Path("people.csv").read_text() == "name\n1\n"
