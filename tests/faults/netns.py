"""Two hosts on one machine: network namespaces joined by a cable, a firewall in the far one, and a name server in the near one.

Needs root, `ip` and `nft`. The addresses are the far end of nowhere: no packet leaves the machine.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

#: A public range, used in here only: `egress` treats it as the open internet.
NEAR, FAR, ALSO_FAR = "11.7.0.1", "11.7.0.2", "11.7.0.3"
PORT = 8080


def able() -> str | None:
    """Why there can be no namespaces here; None if there can."""
    missing = [
        name for name in ("ip", "nft") if shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None
    ]
    if missing:
        return f"{' and '.join(missing)} not installed"
    probe = subprocess.run(["ip", "netns", "add", f"probe-{os.getpid()}"], capture_output=True, text=True)
    subprocess.run(["ip", "netns", "delete", f"probe-{os.getpid()}"], capture_output=True)
    return f"no network namespaces: {probe.stderr.strip()}" if probe.returncode else None


class Cable:
    """A near host where sendoff runs, and a far one with an API."""

    def __init__(self, home: Path, rules: Sequence[str] = ()) -> None:
        self.home, self._rules = home, rules
        self.near, self.far = f"near-{os.getpid()}", f"far-{os.getpid()}"
        self.url = f"http://{FAR}:{PORT}"

    def __enter__(self) -> Self:
        a, b = f"sn{os.getpid()}", f"sf{os.getpid()}"
        for name in (self.near, self.far):
            _do("ip", "netns", "add", name)
            _do("ip", "-n", name, "link", "set", "lo", "up")
        _do("ip", "link", "add", a, "type", "veth", "peer", "name", b)
        for device, name, addresses in ((a, self.near, [NEAR]), (b, self.far, [FAR, ALSO_FAR])):
            _do("ip", "link", "set", device, "netns", name)
            for address in addresses:
                _do("ip", "-n", name, "address", "add", f"{address}/24", "dev", device)
            _do("ip", "-n", name, "link", "set", device, "up")
        self.api = subprocess.Popen(
            ["ip", "netns", "exec", self.far, sys.executable, "-m", __name__, str(self.home / "taken.json"), *self._rules],
            stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        assert self.api.stdout is not None
        assert self.api.stdout.readline().strip() == "ready"
        return self

    def __exit__(self, *_: object) -> None:
        self.taken()
        for name in (self.near, self.far):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)
        shutil.rmtree(f"/etc/netns/{self.near}", ignore_errors=True)

    def firewall(self, *rules: str) -> None:
        """From now on the far host treats what comes to it like this; without rules it lets all pass."""
        text = "flush ruleset\n"
        if rules:
            chain = "".join(f"    {rule}\n" for rule in rules)
            text += f"table ip faults {{\n  chain in {{\n    type filter hook input priority 0;\n{chain}  }}\n}}\n"
        subprocess.run(["ip", "netns", "exec", self.far, "nft", "-f", "-"], input=text, text=True, check=True)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """``sendoff`` on the near host."""
        command = [sys.executable, "-c", "from sendoff.cli import main; main()", *words]
        return subprocess.Popen(
            ["ip", "netns", "exec", self.near, *command],
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, seconds: float = 90) -> tuple[int, str, str]:
        """Run it to its end: exit code, output and errors."""
        run = self.start(*words)
        out, err = run.communicate(timeout=seconds)
        return run.returncode, out, err

    def names(self, answers: Callable[[str, int], Sequence[str] | None]) -> None:
        """Let a name server on the near host answer: addresses for a name and how often it was asked; None says nothing at all."""
        Path(f"/etc/netns/{self.near}").mkdir(parents=True, exist_ok=True)
        Path(f"/etc/netns/{self.near}/resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        ready = threading.Event()
        threading.Thread(target=_serve_names, args=(self.near, answers, ready), daemon=True).start()
        assert ready.wait(10)

    def until_taken(self, records: int) -> None:
        """Wait until the API has taken so many records."""
        until, count = time.monotonic() + 60, self.home / "taken.count"
        while not count.exists() or int(count.read_text() or 0) < records:
            assert time.monotonic() < until, "nothing arrives"
            time.sleep(0.005)

    def taken(self) -> dict[str, Any]:
        """What the API took, once it is ended."""
        if self.api.poll() is None:
            self.api.send_signal(signal.SIGTERM)
            self.api.wait(20)
            assert self.api.stdout is not None
            self.api.stdout.close()
        found: dict[str, Any] = json.loads((self.home / "taken.json").read_text())
        return found


def _do(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _serve_names(namespace: str, answers: Callable[[str, int], Sequence[str] | None], ready: threading.Event) -> None:
    """A name server in a thread that has moved into a namespace."""
    import ctypes  # os.setns comes with Python 3.12

    with Path("/run/netns", namespace).open() as handle:
        assert ctypes.CDLL(None, use_errno=True).setns(handle.fileno(), 0) == 0
    asked: dict[str, int] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", 53))
        ready.set()
        while True:
            query, whom = line.recvfrom(4096)
            name, at = [], 12
            while query[at]:
                name.append(query[at + 1 : at + 1 + query[at]].decode())
                at += 1 + query[at]
            kind = struct.unpack(">H", query[at + 1 : at + 3])[0]
            question = query[12 : at + 5]
            host = ".".join(name)
            if kind != 1:  # no IPv6 here
                line.sendto(query[:2] + b"\x81\x80\0\1\0\0\0\0\0\0" + question, whom)
                continue
            asked[host] = asked.get(host, 0) + 1
            addresses = answers(host, asked[host])
            if addresses is None:
                continue
            flags = b"\x81\x80" if addresses else b"\x81\x83"
            rows = b"".join(b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + socket.inet_aton(address) for address in addresses)
            line.sendto(query[:2] + flags + struct.pack(">HHHH", 1, len(addresses), 0, 0) + question + rows, whom)


def serve(report: Path, rules: Sequence[str]) -> None:
    """On the far host: a sandbox on all its addresses, which writes down what it took when it is ended."""
    from sendoff.sandbox import Sandbox  # a process of its own

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Sandbox(rules, port=PORT, host="0.0.0.0") as api:
        print("ready", flush=True)
        try:
            while True:
                report.with_suffix(".count").write_text(str(len(api.records)))
                time.sleep(0.01)
        finally:
            report.write_text(json.dumps({"records": api.records, "counts": dict(api.counts)}))


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2:])
