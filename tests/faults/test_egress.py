"""X1: addresses that must not be dialled, over every road there is: not one connection."""

from __future__ import annotations

import errno
import json
import socket
from ipaddress import ip_address
from typing import Any

import pytest

import sendoff
from sendoff import Response, Transport
from sendoff.testing import Project, Receiver
from sendoff.transport.egress import address_problem

from .test_transport import TRANSPORTS, Queue

NEVER = [
    "169.254.169.254", "169.254.0.1", "169.254.170.2", "fe80::1", "fe80::a9fe:a9fe", "febf::1", "fd00:ec2::254", "100.100.100.200",
    "168.63.129.16", "192.0.0.192", "::ffff:169.254.169.254", "::169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1",
    "2001:0:808:808::5601:5601", "64:ff9b:1::a9fe:a9fe", "64:ff9b:1:a9fe:a9:fe00::", "64:ff9b:1:a9:fe:a9fe::",
    "64:ff9b:1:12a9:fe:a9fe::", "64:ff9b:1:0:a9:fea9:fe00:0", "64:ff9b:1:6464:64:c800::",
]  # fmt: skip
PRIVATE = [
    "127.0.0.1", "127.1.2.3", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254",
    "192.168.0.1", "192.168.255.254", "100.64.0.1", "100.127.255.254", "192.0.0.1", "192.0.0.8", "192.0.2.1", "198.18.0.1",
    "198.19.255.254", "198.51.100.7", "203.0.113.9", "192.88.99.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:192.168.1.1", "::127.0.0.1", "::10.1.2.3", "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::7f00:1", "64:ff9b:1:ffff::a00:1", "2002:7f00:1::", "2002:a00:1::1",
    "2002:c0a8:101::", "2001::1", "2001:0:7f00:1::", "2001:0:4136:e378:8000:63bf:80ff:fffe", "2001:db8::1", "3fff::1",
    "5f00::1", "fc00::1", "fd12:3456:789a::1", "fec0::1", "feff::1", "ff02::1", "ff0e::1", "100::1", "100:0:0:1::1",
    "2001:10::1", "2001:20::1", "2001:2::1", "fe80::5efe:7f00:1", "2606:4700::5efe:a00:1", "2606:4700::200:5efe:7f00:1",
]  # fmt: skip
OPEN = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.215.14",
    "172.32.0.1",
    "100.128.0.1",
    "2606:4700:4700::1111",
    "2a00:1450:4001:812::200e",
    "64:ff9b::808:808",
]


def test_there_are_enough_of_them() -> None:
    assert len(set(NEVER + PRIVATE)) >= 60


@pytest.mark.parametrize("address", NEVER)
def test_metadata_and_link_local_addresses_are_refused_in_every_mode(address: str) -> None:
    assert address_problem(address, "configured")
    assert address_problem(address, "public")


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_the_open_internet_is_refused_where_only_that_is_allowed(address: str) -> None:
    assert address_problem(address, "public")


@pytest.mark.parametrize(
    "address",
    ["64:ff9b:1::a00:1", "64:ff9b:1:a00:0:100::", "127.0.0.1", "10.0.0.1", "192.168.1.1", "::1", "fd12::1", "::ffff:10.0.0.1"],
)
def test_what_an_operator_wrote_down_just_works(address: str) -> None:
    assert address_problem(address, "configured") is None


@pytest.mark.parametrize("address", OPEN)
def test_the_open_internet_is_open(address: str) -> None:
    assert address_problem(address, "public") is None


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every address that anything tries to connect to; nothing is really dialled."""
    found: list[Any] = []

    class Watched(socket.socket):
        def connect(self, address: Any) -> None:
            found.append(address)
            raise ConnectionRefusedError

        def connect_ex(self, address: Any) -> int:
            found.append(address)
            return errno.ECONNREFUSED

    monkeypatch.setattr(socket, "socket", Watched)
    return found


def ask(transport: Transport, url: str) -> Response:
    queue = Queue(url)
    transport.run(queue, sendoff.ConnectionSettings(url, address_filter=lambda address: address_problem(address, "public")))
    (answer,) = queue.responses
    return answer


@pytest.mark.parametrize("kind", TRANSPORTS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("road", ["literal", "dns", "second address"])
@pytest.mark.parametrize("address", NEVER + PRIVATE)
def test_x1_no_connection_is_opened(
    address: str, road: str, kind: type[Transport], dialled: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    version = ip_address(address).version
    host = f"[{address}]" if version == 6 else address
    if road != "literal":
        families = {4: socket.AF_INET, 6: socket.AF_INET6}
        names = [address] if road == "dns" else ["93.184.215.14", address]
        found = [(families[ip_address(n).version], socket.SOCK_STREAM, 6, "", (n, 80)) for n in names]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)
        host = "rebound.example.com"
    answer = ask(kind(), f"http://{host}/x")
    assert (answer.status, answer.may_have_been_sent, answer.permanent) == (None, False, True)
    assert "never dialled" in answer.error or "public" in answer.error
    assert dialled == []


@pytest.mark.parametrize("kind", TRANSPORTS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.1", "0177.0.0.1", "localhost", "localhost."])
def test_x1_other_spellings_of_an_address_are_what_they_lead_to(host: str, kind: type[Transport], dialled: list[Any]) -> None:
    answer = ask(kind(), f"http://{host}/x")
    assert (answer.status, answer.may_have_been_sent) == (None, False)
    assert dialled == []


def test_x1_a_record_cannot_say_where_a_request_goes(project: Project) -> None:
    with Receiver() as api, Receiver() as elsewhere:
        evil = [
            "../../admin",
            "..%2f..",
            f"@127.0.0.1:{elsewhere.port}/",
            f"//127.0.0.1:{elsewhere.port}",
            "a?b#c",
            "\\\\x",
            "ü/ö",
            "x\r\nX-Evil: 1",
        ]
        rows = "".join(json.dumps({"id": text}) + "\n" for text in evil)
        text = f'source: {{use: jsonl, path: in.jsonl}}\nschema: {{id: string}}\ndestination: {{url: "{api.url}/users/{{id}}"}}\nsend: single\n'
        report = project({"in.jsonl": rows, "connectors.d/c.yaml": text}).run("c")
        assert report.delivered == len(evil)
        assert elsewhere.requests == []
        for request in api.requests:
            assert request.path.startswith("/users/")
            assert "/" not in request.path.removeprefix("/users/")
            assert "x-evil" not in request.headers


@pytest.mark.parametrize("value", ['""', '"."', '".."', "null"])
def test_what_cannot_be_part_of_a_path_is_set_aside(project: Project, receiver: Receiver, value: str) -> None:
    text = f'source: {{use: jsonl, path: in.jsonl}}\nschema: {{id: {{type: string, nullable: true}}}}\ndestination: {{url: "{receiver.url}/users/{{id}}"}}\nsend: single\n'
    report = project({"in.jsonl": f'{{"id": {value}}}\n', "connectors.d/c.yaml": text}).run("c")
    assert (report.invalid, receiver.requests) == (1, [])


@pytest.mark.parametrize("road", ["connector", "runner"])
def test_x1_a_whole_runner_can_be_kept_to_the_open_internet(project: Project, receiver: Receiver, road: str) -> None:
    egress = ", egress: public" if road == "connector" else ""
    text = f'source: {{use: jsonl, path: in.jsonl}}\ndestination: {{url: "{receiver.url}/"{egress}}}\n'
    project({"in.jsonl": '{"a": 1}\n', "connectors.d/c.yaml": text})
    report = project.runner(egress="public" if road == "runner" else "configured").run("c")
    assert (report.state, receiver.requests) == ("stopped", [])
    assert "not on the public internet" in (report.stopped_because or "")


ELSEWHERE = {
    "sql": "source: {use: sql, url: 'sqlite:///x.db', query: select 1}",
    "command": "source: {use: command, command: [cat, in.jsonl]}",
    "python": "source: {use: python, call: 'plugins.d/x.py:rows'}",
    "singer": "source: {use: singer, command: [cat, in.jsonl], stream: x}",
    "email": "source: {use: jsonl, path: in.jsonl}\nnotify: [{use: email, host: mail.example.com, sender: a@example.com, to: [b@example.com]}]",
    "notify command": "source: {use: jsonl, path: in.jsonl}\nnotify: [{use: command, command: [cat]}]",
}


@pytest.mark.parametrize("road", ["connector", "runner"])
@pytest.mark.parametrize("text", ELSEWHERE.values(), ids=ELSEWHERE)
def test_x1_what_dials_for_itself_is_refused_where_only_the_open_internet_is_allowed(
    project: Project, text: str, road: str
) -> None:
    egress = ", egress: public" if road == "connector" else ""
    text += f'\ndestination: {{url: "http://93.184.215.14/"{egress}}}\n'
    project({"in.jsonl": '{"a": 1}\n', "connectors.d/c.yaml": text})
    with pytest.raises(sendoff.ConfigError, match="not allowed where egress is `public`"):
        project.runner(egress="public" if road == "runner" else "configured").connector("c")


@pytest.mark.parametrize("path", ["s3://a/b.csv", "gs://a/b.csv", "az://a/b.csv", "sftp://a/b.csv"])
@pytest.mark.parametrize("road", ["connector", "runner"])
def test_x1_no_store_is_read_where_only_the_open_internet_is_allowed(
    project: Project, dialled: list[Any], path: str, road: str
) -> None:
    egress = ", egress: public" if road == "connector" else ""
    text = f'source: {{use: csv, path: "{path}"}}\ndestination: {{url: "http://93.184.215.14/"{egress}}}\n'
    project({"connectors.d/c.yaml": text})
    with pytest.raises(sendoff.SourceError, match="is not read where egress is `public`"):
        project.runner(egress="public" if road == "runner" else "configured").run("c")
    assert dialled == []


def test_x1_a_token_is_not_fetched_from_where_nothing_may_be_sent(project: Project, receiver: Receiver) -> None:
    auth = f'auth: {{use: oauth2, token_url: "{receiver.url}/token", client_id: a, client_secret: bcdefgh}}'
    text = f'source: {{use: jsonl, path: in.jsonl}}\ndestination: {{url: "http://api.example.com/", egress: public, {auth}}}\n'
    report = project({"in.jsonl": '{"a": 1}\n', "connectors.d/c.yaml": text}).run("c")
    assert (report.state, receiver.requests) == ("stopped", [])
