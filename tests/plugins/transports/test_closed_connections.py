"""Servers that close connections which they never said they would close, over every transport.

The kind: what happens to a connection is counted against the request that was sent on it. Looked at as well: one closed
while idle (n13 in tests/faults/test_transport.py), one that is closed in the middle of a response, or before the response
to its first request (both count as failures of the request, as before), a deadline (never a lost connection).
"""

from __future__ import annotations

import json
import socket
import threading
import time

import pytest

from sendoff.testing import Project
from tests.faults.wire import OK, Script, Wire, request, resetting, saying

SERVERS = {"at once": saying(OK), "as the next request comes": saying(OK, hold=30)}


def connector(url: str, transport: str, send: str, retry: str = "{max_attempts: 1, initial_backoff: 60}") -> str:
    return (
        "source: {use: jsonl, path: in.jsonl}\n"
        f'destination: {{url: "{url}", transport: {transport}, concurrency: 4, retry: {retry}}}\n'
        f"send: {send}\n"
    )


def rows(count: int) -> str:
    return "".join(f'{{"n": {at}}}\n' for at in range(count))


def delivered(server: Wire) -> list[int]:
    """The records that were responded to, in order."""
    found = [json.loads(raw.partition(b"\r\n\r\n")[2]) for raw in server.requests]
    return sorted(row["n"] for body in found for row in (body if isinstance(body, list) else [body]))


@pytest.mark.parametrize("transport", ["http1", "urllib3"])
@pytest.mark.parametrize("send", ["single", "{use: batch, max_records: 2}"])
@pytest.mark.parametrize("closes", SERVERS)
def test_a_connection_closed_after_every_response_costs_no_attempt_and_no_wait(
    project: Project, transport: str, send: str, closes: str
) -> None:
    began = time.monotonic()
    with Wire(SERVERS[closes]) as server:
        project({"in.jsonl": rows(120), "connectors.d/c.yaml": connector(server.url, transport, send)})
        report = project.run("c")
    assert (report.state, report.delivered) == ("complete", 120)
    assert delivered(server) == list(range(120))
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("transport", ["http1", "urllib3"])
def test_after_two_connections_closed_after_their_first_response_none_is_used_twice(project: Project, transport: str) -> None:
    lost: list[bytes] = []
    guard = threading.Lock()

    def closes(line: socket.socket) -> None:
        line.sendall(OK)
        more = line.recv(1)
        with guard:
            lost.extend([more] if more else [])

    with Wire(closes) as server:
        project({"in.jsonl": rows(200), "connectors.d/c.yaml": connector(server.url, transport, "single")})
        assert project.run("c").delivered == 200
    assert 2 <= len(lost) <= 8  # those that four connections had sent by then


@pytest.mark.parametrize("transport", ["http1", "urllib3"])
def test_a_request_that_closes_every_connection_is_given_up_and_the_others_are_delivered(
    project: Project, transport: str
) -> None:
    """Only so often is it the connection's fault: what is lost again and again may be what closes it.

    Sent three times as the connection was lost, three times as it may be, and so often more as others failed likewise.
    """
    seen: list[bytes] = []

    def poisoned(line: socket.socket) -> None:
        raw = server.requests[-1]
        while b'{"n": 7}' not in raw:
            line.sendall(OK)
            raw = request(line)
            seen.append(raw)

    with Wire(poisoned) as server:
        text = connector(server.url, transport, "single", "{max_attempts: 3, initial_backoff: 0.01}")
        project({"in.jsonl": rows(50), "connectors.d/c.yaml": text.replace("concurrency: 4", "concurrency: 1")})
        report = project.run("c")
    assert (report.state, report.delivered, report.rejected) == ("incomplete", 49, 1)
    assert sum(b'{"n": 7}' in raw for raw in (*seen, *server.requests)) <= 9


@pytest.mark.parametrize("transport", ["http1", "urllib3"])
@pytest.mark.parametrize(
    "broken", [resetting, saying(b"HTTP/1.1 200 OK\r\nContent-Le"), saying(b"")], ids=["reset", "cut", "closed"]
)
def test_a_connection_that_fails_with_its_first_request_or_in_a_response_counts(
    project: Project, transport: str, broken: Script
) -> None:
    with Wire(broken) as server:
        text = connector(server.url, transport, "single", "{max_attempts: 2, initial_backoff: 0.01}")
        report = project({"in.jsonl": rows(1), "connectors.d/c.yaml": text}).run("c")
    assert report.delivered == 0
    assert len(server.requests) <= 3
