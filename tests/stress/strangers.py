"""X11: strangers hold an inbox's connections half open, flood it and post without a token, while it is killed again and again.

Partners post meanwhile, each post with a key, again and again until it is answered 202. Every post that was answered 202
arrives, and while the server is up a partner's post is answered.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import IO

import urllib3

from sendoff.testing import Receiver
from tests.stress.promise import Budget, Figures, Promise

TOKEN = "a-token-of-24-characters"
COMMAND = "from tests.stress.planted import plant; plant(); from sendoff.cli import main; main()"
ROOT = Path(__file__).parents[2]
PARTNERS = 3
#: Half requests that are held at once: more than there are connections, so that the server has to choose.
HALVES = 600
#: Seconds within which a post is answered.
PROMPT = 20.0


class Inbox:
    """`sendoff serve` with one inbox, on a port of its own, killed and started again at will."""

    def __init__(self, home: Path, url: str) -> None:
        self.home = home
        (home / "connectors.d").mkdir(parents=True)
        text = f"source: {{use: inbox, token: {TOKEN}}}\ndestination: {{url: '{url}'}}\nwatch: true\n"
        (home / "connectors.d/posts.yaml").write_text(text)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.lives = 0
        self.start()

    def start(self) -> None:
        """Start it, and wait until it accepts posts."""
        self._process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, "serve", "--port", str(self.port)],
            cwd=self.home, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert self._process.stderr is not None
        line = self._process.stderr.readline()
        assert "accept posts" in line, line + self._process.stderr.read()
        threading.Thread(target=_drain, args=(self._process.stderr,), daemon=True).start()  # a full pipe would stop it
        self.lives += 1

    def end(self, how: signal.Signals) -> None:
        """End it by a signal."""
        self._process.send_signal(how)
        self._process.wait(60)

    def memory(self) -> float:
        """MiB of its memory at most so far."""
        text = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(text.split("VmHWM:")[1].split()[0]) / 1024


def _drain(stream: IO[str]) -> None:
    with stream:
        stream.read()


class Strangers:
    """Connections without a token, of several kinds, until stopped."""

    def __init__(self, port: int, seed: int) -> None:
        self._port, self._stopped, self.connections = port, threading.Event(), 0
        kinds: tuple[Callable[[Random], None], ...] = (self._hold, self._flood, self._post, self._babble)
        self._threads = [
            threading.Thread(target=self._again_and_again, args=(kind, Random(seed + at))) for at, kind in enumerate(kinds)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _again_and_again(self, kind: Callable[[Random], None], chance: Random) -> None:
        while not self._stopped.is_set():
            with suppress(OSError):
                kind(chance)
            self._stopped.wait(0.01)

    def _connect(self) -> socket.socket:
        self.connections += 1
        return socket.create_connection(("127.0.0.1", self._port), timeout=2)

    def _hold(self, chance: Random) -> None:
        held: list[socket.socket] = []
        try:
            while len(held) < HALVES and not self._stopped.is_set():
                held.append(self._connect())
                held[-1].sendall(b"POST /inbox/posts HTTP/1.1\r\nX: ")
            for each in held:
                with suppress(OSError):
                    each.sendall(b"x")
        finally:
            for each in held:
                each.close()

    def _flood(self, chance: Random) -> None:
        for _ in range(20):
            with self._connect() as connection:
                connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * chance.randrange(1, 50))

    def _post(self, chance: Random) -> None:
        with self._connect() as connection:
            connection.sendall(b"POST /inbox/posts HTTP/1.1\r\nAuthorization: Bearer x\r\nContent-Length: 9000000\r\n\r\n")
            for _ in range(90):
                connection.sendall(b"x" * 100_000)

    def _babble(self, chance: Random) -> None:
        with self._connect() as connection:
            connection.sendall(chance.randbytes(chance.randrange(1, 40_000)))


class Partner:
    """Posts one record after the other, each until it is answered 202."""

    def __init__(self, inbox: Inbox, number: int) -> None:
        self._inbox, self._number, self._stopped = inbox, number, threading.Event()
        self.accepted: list[str] = []
        self.unanswered, self.slowest = list[str](), 0.0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        with urllib3.PoolManager(retries=False, timeout=30) as pool:
            while not self._stopped.is_set():
                name = f"{self._number}-{len(self.accepted)}"
                body = json.dumps({"id": name}).encode()
                while not self._post(pool, name, body):
                    time.sleep(0.01)
                self.accepted.append(name)

    def _post(self, pool: urllib3.PoolManager, key: str, body: bytes) -> bool:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", "Idempotency-Key": key}
        life, begun = self._inbox.lives, time.monotonic()
        try:
            reply = pool.request("POST", f"http://127.0.0.1:{self._inbox.port}/inbox/posts", body=body, headers=headers)
        except urllib3.exceptions.HTTPError:
            return False  # killed meanwhile, or a kept connection that the server has closed
        if life == self._inbox.lives:
            self.slowest = max(self.slowest, time.monotonic() - begun)
        if reply.status != 202:
            self.unanswered.append(f"{reply.status}")
        return reply.status == 202


def stress(budget: Budget) -> Figures:
    """Life after life of the server, each ended by a kill."""
    chance = Random(budget.seed)
    scratch = Path(tempfile.mkdtemp(prefix="strangers-"))
    lives, memory, silent = 0, 0.0, 0
    try:
        with Receiver() as receiver:
            inbox = Inbox(scratch, receiver.url)
            strangers = Strangers(inbox.port, budget.seed)
            partners = [Partner(inbox, number) for number in range(PARTNERS)]
            try:
                while budget.left(lives):
                    before = [len(partner.accepted) for partner in partners]
                    time.sleep(chance.uniform(1.0, 4.0))  # how long it lives
                    silent += sum(len(partner.accepted) == count for partner, count in zip(partners, before, strict=True))
                    memory = max(memory, inbox.memory())
                    inbox.end(signal.SIGKILL)
                    lives += 1
                    inbox.start()
            finally:
                for partner in partners:
                    partner.stop()
                strangers.stop()
            accepted = {name for partner in partners for name in partner.accepted}
            arrived = _wait_for(accepted, receiver)
            inbox.end(signal.SIGTERM)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    assert strangers.connections > 10 * lives
    return {
        "lives": lives,
        "strangers' connections": strangers.connections,
        "posts answered 202": len(accepted),
        "lost": len(accepted - arrived),
        "refused": sum(len(partner.unanswered) for partner in partners),
        "partners without an answer in a life": silent,
        "slow": sum(partner.slowest > PROMPT for partner in partners),
        "slowest answer, in seconds": round(max(partner.slowest for partner in partners), 2),
        "most memory, in MiB": round(memory),
    }


def _wait_for(names: set[str], receiver: Receiver) -> set[str]:
    """What has arrived, once it is everything, or nothing more comes for half a minute."""
    count, until = 0, time.monotonic() + 30
    while True:
        arrived = {record["id"] for body in receiver.bodies for record in body}
        if names <= arrived or time.monotonic() > until:
            return arrived
        if len(arrived) > count:
            count, until = len(arrived), time.monotonic() + 30
        time.sleep(0.2)


PROMISE = Promise(
    name="strangers",
    says="An inbox answers its partners whatever strangers do, and no post that was answered 202 is lost",
    rests_on="a deadline for each request, the token before the body, the longest waiting connection closed for a new one, and a commit before each 202",
    stress=stress,
    ci=4,
    full=100_000,
    proof="posts answered 202",
    zero=("lost", "refused", "partners without an answer in a life", "slow"),
)
