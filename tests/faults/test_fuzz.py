"""Both transports against a server that breaks HTTP in every way it can think of, and one parser against any bytes."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import defaultdict
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendoff.plugin import BadResponse
from sendoff.testing import Project
from sendoff_plugins.transports._http1.response_parser import ResponseParser
from tests.faults.wire import Wire, request

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
WHOLE = [
    HEAD + b"Content-Length: 2\r\n\r\n{}",
    HEAD + b"Content-Length: 0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;a=b\r\n{\r\n1\r\n}\r\n0\r\nX-Trailer: 1\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + HEAD + b"Content-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 202 Accepted\r\nX-Long: " + b"y" * 5_000 + b"\r\nContent-Length: 4\r\n\r\nnull",
]
LAST = [
    HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}",
    HEAD + b"Connection: close\r\n\r\n{}",
    b"HTTP/1.0 200 OK\r\n\r\n{}",
]


class Hostile:
    """Answers some requests well and others as badly as it can, by a seed; it knows which is which."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._lock = threading.Lock()
        #: Records whose requests were answered so that the answer is, or may pass for, whole.
        self.answered: set[bytes] = set()
        self.seen: defaultdict[bytes, int] = defaultdict(int)
        self.reused = 0

    def __call__(self, line: socket.socket, first: bytes) -> None:
        raw = first
        while True:
            record = raw.partition(b"\r\n\r\n")[2]
            with self._lock:
                self.seen[record] += 1
                kind = "whole" if self.seen[record] > 6 else self._random.choice(KINDS)
                random = Random(self._random.random())
            if kind in ("whole", "last", "twice", "slow", "altered"):
                with self._lock:
                    self.answered.add(record)
            keep = getattr(self, f"_{kind}")(line, random)
            if not keep:
                if kind == "twice":
                    self._wait_for_reuse(line)
                return
            raw = request(line)

    def _whole(self, line: socket.socket, random: Random) -> bool:
        line.sendall(random.choice(WHOLE))
        return True

    def _slow(self, line: socket.socket, random: Random) -> bool:
        """In pieces of a few bytes, with the network's leave to put them together again."""
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw = random.choice(WHOLE)
        while raw:
            size = random.randint(1, 40 if len(raw) < 500 else 2_000)
            line.sendall(raw[:size])
            raw = raw[size:]
        return True

    def _last(self, line: socket.socket, random: Random) -> bool:
        line.sendall(random.choice(LAST))
        return False

    def _twice(self, line: socket.socket, random: Random) -> bool:
        """A second answer nobody asked for, in the same packet: whoever uses the line again takes it for theirs."""
        line.sendall(WHOLE[0] + random.choice([WHOLE[0], b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n", b"\0garbage"]))
        return False

    def _wait_for_reuse(self, line: socket.socket) -> None:
        line.settimeout(0.5)
        with contextlib.suppress(OSError):
            self.reused += bool(line.recv(1))

    def _cut(self, line: socket.socket, random: Random) -> bool:
        """The beginning of an answer that says how long it is."""
        raw = random.choice(WHOLE[:4:2])
        line.sendall(raw[: random.randint(0, len(raw) - 1)])
        return False

    def _altered(self, line: socket.socket, random: Random) -> bool:
        raw = bytearray(random.choice([*WHOLE[:4], *WHOLE[5:]]))
        for _ in range(random.randint(1, 6)):
            raw[random.randrange(17, len(raw))] = random.randrange(256)  # its status stays
        line.sendall(raw)
        return False

    def _noise(self, line: socket.socket, random: Random) -> bool:
        line.sendall(random.randbytes(random.randint(1, 3_000)).replace(b"HTTP", b"\0\0\0\0"))
        return False

    def _reset(self, line: socket.socket, random: Random) -> bool:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        return False

    def _refused(self, line: socket.socket, random: Random) -> bool:
        status = random.choice([b"500 Oops", b"503 Later", b"502 Bad Gateway", b"429 Slow"])
        line.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
        return True


KINDS = ["whole", "whole", "whole", "slow", "last", "twice", "cut", "altered", "noise", "reset", "refused"]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("transport", ["http1", "urllib3"])
def test_no_record_is_delivered_without_an_answer_and_no_answer_is_taken_for_another_s(
    project: Project, transport: str, seed: int
) -> None:
    hostile = Hostile(seed)
    lines: list[socket.socket] = []

    def script(line: socket.socket) -> None:
        lines.append(line)
        hostile(line, first[line])

    first: dict[socket.socket, bytes] = {}

    class Server(Wire):
        def _run(self, script: Any, line: socket.socket) -> None:
            with line:
                try:
                    line.settimeout(30)
                    first[line] = request(line)
                    script(line)
                except OSError:
                    pass

    with Server(script) as server:
        text = (
            f'source: {{use: jsonl, path: in.jsonl}}\nsend: single\ndestination: {{url: "{server.url}", transport: {transport}, '
            "concurrency: 8, timeout: 20, retry: {initial_backoff: 0.001, max_backoff: 0.01, max_attempts: 100}, idempotent: true}\n"
        )
        rows = "".join(f'{{"n":{at}}}\n' for at in range(300))
        report = project({"in.jsonl": rows, "connectors.d/c.yaml": text}).run("c")
    unanswered = {b'{"n":%d}' % at for at in range(300)} - hostile.answered
    assert (report.state, report.stopped_because, unanswered) == ("complete", None, set())
    assert report.delivered <= len(hostile.answered)
    assert report.read == report.delivered + report.rejected + report.invalid + report.pending
    assert not hostile.reused, "a line was used again after an answer that nobody had asked for"
    assert sum(hostile.seen.values()) >= report.requests - report.retries


@st.composite
def answers(draw: Any) -> bytes:
    raw = bytearray(draw(st.sampled_from(WHOLE + LAST)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(raw) - 1))
        match draw(st.sampled_from(["flip", "drop", "add", "cut"])):
            case "flip":
                raw[at] = draw(st.integers(0, 255))
            case "drop" if len(raw) > 1:
                del raw[at]
            case "add":
                raw[at:at] = draw(st.sampled_from([b"\r\n", b"\n", b" ", b"0", b"Content-Length: 1\r\n", b"\0", b"chunked"]))
            case "cut":
                del raw[at + 1 :]
    return bytes(raw)


def told(raw: bytes, cuts: list[int]) -> Any:
    """What the parser makes of some bytes that come in pieces and then end."""
    reply, places = ResponseParser(1 << 20), sorted({min(cut, len(raw)) for cut in cuts} | {0, len(raw)})
    try:
        for lo, hi in pairwise(places):
            reply.feed(raw[lo:hi])
            if reply.done:
                break
        if not reply.done:
            reply.ended()
    except BadResponse as error:
        return type(error)
    answer = reply.response()
    return answer.status, answer.headers, answer.body


@given(answers(), st.lists(st.integers(0, 400), max_size=6))
def test_what_an_answer_says_does_not_hang_on_how_it_is_cut_into_packets(raw: bytes, cuts: list[int]) -> None:
    assert told(raw, cuts) == told(raw, [])
